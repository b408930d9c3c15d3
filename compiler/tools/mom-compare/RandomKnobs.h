// Schedules that nobody wrote: knob values drawn from the knob table.
#pragma once

#include "compiler/Pipeline.h"

#include "mlir/IR/BuiltinOps.h"

namespace mom::compare {

/// Gives each kernel of a module at stage `stored` values for some of its knobs, from a
/// seed; the rest stays for their defaults. Values are within the table's ranges, and
/// may still not go together, which is an error that names a knob.
void drawKnobs(mlir::ModuleOp module, const PipelineOptions &how, uint64_t seed);

/// Which schedules a program gets instead of the defaults.
struct KnobChoice {
  KnobChoice(uint64_t seed = 0) : seed(seed) {}
  uint64_t seed; ///< of drawn ones; 0: none
  /// Values for every kernel that has a knob of that name.
  llvm::SmallVector<std::pair<std::string, int64_t>> given;
};
/// Does so for a module at stage `stored`.
void chooseKnobs(mlir::ModuleOp module, const PipelineOptions &how, const KnobChoice &choice);

} // namespace mom::compare
