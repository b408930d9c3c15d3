// Which ops may share a kernel: the closed table of anchors and what each
// takes before and after it.
#pragma once

#include "dialect/Mom.h"

namespace mom {

/// Whether `op` is work that belongs in a kernel (and not a view, a constant, a
/// route or the structure of the program).
bool isKernelWork(mlir::Operation *op);

/// Row-local and pointwise: an elementwise op or a broadcast.
bool isPointwise(mlir::Operation *op);

/// A comparison, or logic on comparisons: its bits are never stored.
bool isCondition(mlir::Operation *op);

/// What makes the gradient that `grad` takes of the convolution itself, as an activation
/// after it does: the convolution, then pointwise work, each after what it reads; the last is
/// `dy`'s.
/// Nothing where that is not so, or tokens before a segment's first are not 0.
llvm::SmallVector<mlir::Operation *> activationGradient(Conv1dGradOp grad);

/// The anchor of a kernel of `ops` (in program order), or none where no
/// emitter takes them together:
///
///   map          any row-local ops of one row space and order; gathers read
///                the kernel's inputs. Or static ops of one shape.
///   product      one mom.linear, then pointwise work of its result's shape;
///                mom.linear_wgrad alone.
///   scan         one scan with pointwise work of its channels, before (into u,
///                delta, dy) and after.
///   conv         one convolution, then pointwise work of its channels; before a gradient
///                what makes its `activationGradient`.
///   reduce_rows  pointwise work of one width, then sums of it over rows;
///                mom.embedding_grad alone.
///   plan         mom.plan alone.
std::optional<Anchor> kernelAnchor(llvm::ArrayRef<mlir::Operation *> ops);

} // namespace mom
