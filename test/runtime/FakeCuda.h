// A CUDA driver of the tests' own, in host memory: it does nothing before it
// must, so that whatever the host touches too early is found. Its kernels are
// functions that a test registers by name.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

struct FakeCuda {
  struct Kernel {
    size_t buffers; ///< how many it takes
    std::function<void(void *const *buffers, int64_t blocks)> run;
  };

  // What the machine has, and how it misbehaves.
  int gpus = 1, major = 9, minor = 0;
  uint64_t memory = UINT64_C(1) << 34;
  std::map<std::string, Kernel> kernels;
  std::string badImage;     ///< an image with this text is refused
  std::string faultyKernel; ///< running it faults

  // What has happened.
  uint64_t used = 0;
  int instantiated = 0, updated = 0, destroyed = 0, launchedAlone = 0, waits = 0;
  bool tookCubin = false;
  void *context = nullptr;                          ///< current
  std::map<unsigned long long, size_t> allocated;   ///< on the device: address and bytes
};

