// GPU form of map kernels over static tensors.
#pragma once

#include "compiler/Emit/Emitter.h"

namespace mom {

mlir::LogicalResult emitStaticGpu(KernelOp kernel, KernelBuilder &k);

} // namespace mom
