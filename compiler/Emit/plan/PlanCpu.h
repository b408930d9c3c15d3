// CPU form of mom.plan.
#pragma once

#include "compiler/Emit/Emitter.h"

namespace mom {

mlir::LogicalResult emitPlanCpu(KernelOp kernel, KernelBuilder &k);

} // namespace mom
