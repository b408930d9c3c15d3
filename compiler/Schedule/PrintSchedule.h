// The complete schedule of a program, as text.
#pragma once

#include "mlir/IR/BuiltinOps.h"

namespace mom {

/// Prints, for each function with kernels, all their knobs as a schedule of the function
/// on `target`, and what each layer saves. It reads back to itself. The module is of
/// stage `scheduled`.
void printSchedule(mlir::ModuleOp module, llvm::StringRef target, llvm::raw_ostream &os);

} // namespace mom
