// Questions about the body of a map kernel.
#pragma once

#include "dialect/Mom.h"

namespace mom {

/// The results that are rows; the others of a kernel over rows are sums over them.
llvm::SmallVector<unsigned> rowResults(KernelOp kernel);

/// Whether every result of the kernel, of `channels` channels each, needs nothing but
/// the same element of whole inputs and scalars that all rows share.
bool isElementwise(KernelOp kernel, int64_t channels);

/// Whether `value` repeats a vector over the rows of a static tensor.
bool repeatsVector(mlir::Value value);

/// Operands that a value depends on at the same row.
llvm::SmallVector<mlir::Value> inputsOf(mlir::Operation *op);

/// Whether a value lies in memory whatever the plan: block arguments and ranges of them.
bool isInput(mlir::Value value);

/// Inputs that `roots` read at their own row.
llvm::SmallVector<mlir::Value> inputsBehind(mlir::ValueRange roots);

/// One-element static tensors that `roots` spread over rows or over larger tensors, and
/// that need no reduction.
llvm::SmallVector<mlir::Value> invariantsOf(mlir::ValueRange roots);

} // namespace mom
