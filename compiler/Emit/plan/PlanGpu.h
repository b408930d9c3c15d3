// Plans on a GPU: the tokens of a batch by modality, copies by their computed route.
#pragma once

#include "compiler/Emit/Emitter.h"

namespace mom {

/// Adds the entry "plan" where a function of the module sorts rows by modality, and a
/// warp's lanes are enough for the modalities: it reads the modality of each position
/// and writes the route's offsets, rows and positions.
void emitPlan(mlir::ModuleOp module);

/// A kernel of mom.plan.
mlir::LogicalResult emitPlanGpu(KernelOp kernel, KernelBuilder &k);

} // namespace mom
