// CPU form of scan kernels.
#pragma once

#include "compiler/Emit/Emitter.h"

namespace mom {

/// Emits all phases of a scan kernel, or reports why it cannot.
mlir::LogicalResult emitScanCpu(KernelOp kernel, KernelBuilder &k);

} // namespace mom
