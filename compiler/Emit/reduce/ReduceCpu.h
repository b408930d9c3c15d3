// CPU form of kernels that sum over rows.
#pragma once

#include "compiler/Emit/Emitter.h"

namespace mom {

/// Emits all phases of the kernel, or reports why it cannot.
mlir::LogicalResult emitReduceCpu(KernelOp kernel, KernelBuilder &k);

} // namespace mom
