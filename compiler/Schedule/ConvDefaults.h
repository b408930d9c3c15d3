// Defaults of the knobs of GPU convolutions.
#pragma once

#include "dialect/Mom.h"

namespace mom {

/// Channels of a thread: the gradient has a window, taps and sums of each in registers.
int64_t convLanes(KernelOp kernel);
/// Partial sums of a gradient: two blocks for each multiprocessor of the largest chips,
/// whatever the batch.
int64_t convParts(KernelOp kernel, int64_t threads);

} // namespace mom
