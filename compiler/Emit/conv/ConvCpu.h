// CPU form of conv kernels.
#pragma once

#include "compiler/Emit/conv/ConvAnchor.h"

namespace mom {

/// Emits all phases of a conv kernel, or reports why it cannot.
mlir::LogicalResult emitConvCpu(KernelOp kernel, KernelBuilder &k);

/// The same for a kernel round a gradient.
mlir::LogicalResult emitConvGradCpu(const ConvAnchor &anchor, KernelBuilder &k);

} // namespace mom
