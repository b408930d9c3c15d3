// The processor as a device: a launch is a parallel loop over its blocks.
#pragma once

#include "runtime/Device.h"
#include "runtime/Table.h"
#include "runtime/ThreadPool.h"

namespace momrt {

class Cpu : public Device {
public:
  Cpu(const Program &program, int threads);

  void *allocate(int64_t bytes) override;
  void release(void *memory) override;
  void copyIn(void *to, const void *from, int64_t bytes) override;
  void copyOut(void *to, const void *from, int64_t bytes) override;
  void fill(void *memory, uint8_t byte, int64_t bytes) override;
  void launch(const Launch &launch) override;
  void profile(const std::function<void()> &walk, std::vector<double> &milliseconds) override;

private:
  const Program &program;
  ThreadPool pool;
  std::vector<double> *profiled = nullptr; ///< where launches leave their milliseconds
};

} // namespace momrt
