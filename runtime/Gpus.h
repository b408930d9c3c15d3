// The NVIDIA GPUs of this machine, as the CUDA driver sees them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace momrt {

struct Gpu {
  std::string name;
  int architecture;   ///< 90 is sm_90
  int64_t memory = 0; ///< bytes in all
};

/// All of them, by the number that `cuda:N` means. Throws MOMRT_DEVICE if there
/// is no driver, an old one, or no GPU.
std::vector<Gpu> findGpus();
/// Throws if there is no such GPU.
Gpu findGpu(int number);

/// For callers built without exceptions: the text of an error, or empty.
std::string listGpus(std::vector<Gpu> &found) noexcept;

} // namespace momrt
