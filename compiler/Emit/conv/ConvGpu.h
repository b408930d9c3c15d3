// GPU form of convolution kernels.
#pragma once

#include "compiler/Emit/conv/ConvAnchor.h"

namespace mom {

/// Emits all phases of the kernel, or reports why it cannot.
mlir::LogicalResult emitConvGpu(KernelOp kernel, KernelBuilder &k);

/// The same for a kernel round a gradient.
mlir::LogicalResult emitConvGradGpu(const ConvAnchor &anchor, KernelBuilder &k);

} // namespace mom
