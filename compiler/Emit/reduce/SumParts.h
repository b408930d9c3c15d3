// The second phase of sums over rows: parts, a number of rows each, are added up.
#pragma once

#include "compiler/Emit/Emitter.h"

namespace mom {

/// Sums that were made in parts: results of the kernel, and for each the workspace
/// [groups * parts, channels] of f32 that holds its parts.
struct SumParts {
  llvm::SmallVector<unsigned> outputs, workspaces;
  int64_t groups = 1, parts = 1, channels = 1;
};

/// A phase that stores the results, [groups, channels] each: parts are added in f64, in
/// a fixed order.
void emitSumTotals(KernelBuilder &k, llvm::ArrayRef<SumParts> sums);

} // namespace mom
