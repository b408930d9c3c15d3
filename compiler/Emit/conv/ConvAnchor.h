// The convolution of a conv kernel, and what a gradient takes of it.
#pragma once

#include "compiler/Emit/Emitter.h"

namespace mom {

/// A convolution; or a gradient, and where its `dy` is computed from the convolution itself
/// (an activation's gradient, after which it was formed), that one, without a state.
struct ConvAnchor {
  Conv1dOp conv;
  Conv1dGradOp grad;
};

/// Finds it, or reports what is there instead.
mlir::FailureOr<ConvAnchor> convAnchor(KernelBuilder &k);

/// Refuses what no gradient can read: other than inputs of the kernel as operands, but for
/// pointwise work on the convolution as `dy`.
mlir::LogicalResult checkGradient(KernelBuilder &k, const ConvAnchor &anchor);

} // namespace mom
