// An NVIDIA GPU as a device, through the driver's library: found at run time,
// so the same binary runs where there is none.
//
// Work goes to one stream. A batch travels on a second one, from page-locked
// memory into a block on the GPU, while the work before it still runs, and is
// moved into place on the first. Each entry is one CUDA graph a shape class.
#pragma once

#include "runtime/Device.h"
#include "runtime/Table.h"
#include <memory>
#include <optional>

namespace momrt {

/// Throws MOMRT_DEVICE if there is no driver, no such GPU, or one that cannot
/// run the program. Without graphs each launch is waited for, so that a fault
/// names its kernel. A guest's stream gets launches as they are, never graphs: the
/// guest may be capturing them into a graph of its own.
std::unique_ptr<Device> makeCuda(const Program &program, int gpu, bool graphs,
                                 const std::optional<Guest> &guest = std::nullopt);

} // namespace momrt
