// CPU form of product kernels.
#pragma once

#include "compiler/Emit/Emitter.h"

namespace mom {

/// Emits all phases of the kernel, or reports why it cannot.
mlir::LogicalResult emitProductCpu(KernelOp kernel, KernelBuilder &k);

/// The product kernel of a weight gradient.
mlir::LogicalResult emitWgradCpu(LinearWgradOp wgrad, KernelBuilder &k);

} // namespace mom
