// Row ops as pointwise work and reductions over channels.
#pragma once

#include "dialect/Mom.h"

namespace mom {

/// An index that a kernel uses and must report where it lies outside.
struct LabelCheck {
  mlir::Value label; ///< i32 rows [rows, 1]
  bool mayBeAbsent;  ///< negative values are allowed
  int64_t limit;     ///< values are below it
};

/// Rewrites, inside the kernel's body, mom.rms_norm, mom.rms_norm_grad and
/// mom.cross_entropy to mom.reduce and pointwise ops. Returns the labels to check.
llvm::SmallVector<LabelCheck> decomposeRowOps(KernelOp kernel);

} // namespace mom
