// The learning rate's course: pieces that follow one another.
#pragma once

#include "runtime/Table.h"
#include <array>

namespace momrt {

/// The rate of a step, counted from 1, of a run of `steps`. A warmup of n
/// steps reaches the next piece's `from` on its n-th; a cosine reaches `to` on
/// its last; after the last piece its end holds. A piece of 0 steps takes the
/// rest of the run.
double rateAt(View<momrt_rate> pieces, int64_t step, int64_t steps);

using Hypers = std::array<float, MOMRT_HYPERS>;

/// The scalars of a step at a rate.
Hypers hypersOf(const momrt_table &header, int64_t step, double rate);

} // namespace momrt
