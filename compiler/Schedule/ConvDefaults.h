// Defaults of the knobs of GPU convolutions.
#pragma once

#include "dialect/Mom.h"

namespace mom {

/// Channels of a thread: fewer where each needs many registers, with more than one result, and
/// in a gradient where there is little shared memory for its sums.
int64_t convLanes(KernelOp kernel, int64_t architecture);
/// Chunks in shared memory: as many as leave it to several blocks of a multiprocessor.
int64_t convStages(KernelOp kernel, int64_t architecture);
/// Partial sums of a gradient: a block for each multiprocessor, whatever the batch. Two, with
/// half the channels a thread, are no faster and leave twice the sums.
int64_t convParts(KernelOp kernel, int64_t architecture);

} // namespace mom
