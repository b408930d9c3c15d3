// Code of mom.draw, for CPUs and GPUs.
#pragma once

#include "compiler/Emit/Emitter.h"

namespace mom {

mlir::LogicalResult emitDraw(KernelOp kernel, KernelBuilder &k);

} // namespace mom
