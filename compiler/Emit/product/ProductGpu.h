// GPU form of product kernels.
#pragma once

#include "compiler/Emit/Emitter.h"

namespace mom {

/// Emits all phases of the kernel, or reports why it cannot.
mlir::LogicalResult emitProductGpu(KernelOp kernel, KernelBuilder &k);

/// The product kernel of a weight gradient.
mlir::LogicalResult emitWgradGpu(LinearWgradOp wgrad, KernelBuilder &k);

} // namespace mom
