// Shape classes. Grids, slot sizes and graphs depend on a batch's capacities,
// which are its counts rounded up to 3 bits of mantissa, so that batches of
// nearly the same size share all of them. True counts are read by kernels.
#pragma once

#include "momrt/table.h"
#include <array>

namespace momrt {

/// One number for each momrt_count; [MOMRT_COUNT_ONE] is 1.
using Counts = std::array<int64_t, MOMRT_COUNTS>;

/// The least of 1 .. 8, 10, 12, 14, 16, 20, 24, 28, 32, 40 ... that holds `count`.
int64_t roundCapacity(int64_t count);

/// The shape class of a batch. Tokens are shared out evenly to windows, if there are
/// any, each of a multiple of 128 so that every window of a buffer is aligned.
Counts capacitiesOf(const Counts &counts, int64_t windows);

/// Bytes of a slot, or of a stride, in a shape class; throws when they overflow.
int64_t bytesOf(const momrt_slot &slot, const Counts &capacities);

/// Rounds up to a multiple of the alignment.
int64_t alignUp(int64_t bytes, int64_t alignment = MOMRT_ALIGNMENT);

} // namespace momrt
