// Defaults of the knobs of scans on a GPU, which depend on the scan.
#pragma once

#include "dialect/Mom.h"

namespace mom {

/// Threads that share a channel, so that each holds four states or a few more.
int64_t scanLanes(KernelOp kernel);
/// Tokens of a run: as many as shared memory takes without making blocks fewer.
int64_t scanTokens(KernelOp kernel);
/// Tokens that are walked without a branch: for a gradient, their states are in registers.
int64_t scanGroup(KernelOp kernel);
/// 1 where u or delta come from f32 rows.
int64_t scanExact(KernelOp kernel);

} // namespace mom
