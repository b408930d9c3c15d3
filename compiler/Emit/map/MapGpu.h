// GPU form of map kernels.
#pragma once

#include "compiler/Emit/Emitter.h"

namespace mom {

/// Emits a pointwise map; row reductions are refused.
mlir::LogicalResult emitMapGpu(KernelOp kernel, KernelBuilder &k);

} // namespace mom
