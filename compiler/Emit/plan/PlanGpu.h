// The plan of a batch on the device: tokens sorted by modality.
#pragma once

#include "mlir/IR/BuiltinOps.h"

namespace mom {

/// Adds the entry "plan" where a function of the module sorts rows by modality, and a
/// warp's lanes are enough for the modalities: it reads the modality of each position
/// and writes the route's offsets, rows and positions.
void emitPlan(mlir::ModuleOp module);

} // namespace mom
