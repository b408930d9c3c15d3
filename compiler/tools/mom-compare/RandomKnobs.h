// Schedules that nobody wrote: knob values drawn from the knob table.
#pragma once

#include "compiler/Pipeline.h"

#include "mlir/IR/BuiltinOps.h"

namespace mom::compare {

/// Gives each kernel of a module at stage `stored` values for some of its knobs, from a
/// seed; the rest stays for their defaults. Values are within the table's ranges, and
/// may still not go together, which is an error that names a knob.
void drawKnobs(mlir::ModuleOp module, const PipelineOptions &how, uint64_t seed);

} // namespace mom::compare
