// Defaults of the knobs of GPU convolutions.
#pragma once

#include "dialect/Mom.h"

namespace mom {

/// Channels of a thread: fewer where each needs many registers, as in the gradient, which
/// has a window, taps and sums, and with more than one result.
int64_t convLanes(KernelOp kernel);
/// Partial sums of a gradient: two blocks for each multiprocessor of the largest chips,
/// whatever the batch.
int64_t convParts(KernelOp kernel, int64_t threads);

} // namespace mom
