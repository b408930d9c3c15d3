// GPU form of scan kernels.
#pragma once

#include "compiler/Emit/Emitter.h"

namespace mom {

/// Emits all phases of the kernel, or reports why it cannot.
mlir::LogicalResult emitScanGpu(KernelOp kernel, KernelBuilder &k);

} // namespace mom
