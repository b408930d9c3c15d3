// What the plans of computed routes have in common on a CPU and a GPU.
#pragma once

#include "compiler/Emit/Emitter.h"

namespace mom {

/// The mom.plan of a kernel, whose results are those of the op, in their order.
mlir::FailureOr<PlanOp> plannedKernel(KernelBuilder &k);

/// The groups that a token's copies are sent to (i32), from its scores in memory.
llvm::SmallVector<mlir::Value> emitChoices(KernelBuilder &k, PlanOp op, mlir::Value token);

} // namespace mom
