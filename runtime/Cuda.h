// An NVIDIA GPU as a device, through the driver's library: found at run time,
// so the same binary runs where there is none.
#pragma once

#include "runtime/Device.h"
#include "runtime/Table.h"
#include <memory>

namespace momrt {

/// Throws MOMRT_DEVICE if there is no driver, no such GPU, or one of another
/// architecture than the program is for.
std::unique_ptr<Device> makeCuda(const Program &program, int gpu);

} // namespace momrt
