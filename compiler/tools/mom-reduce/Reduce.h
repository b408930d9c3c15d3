// Makes a failing program smaller.
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace mom {

/// Whether a program, which verifies, still shows what is looked for.
using Interesting = llvm::function_ref<bool(mlir::ModuleOp)>;

/// Drops results of functions, replaces results of ops by operands or by new
/// arguments, and erases what nothing needs then, as long as the program stays
/// interesting. Functions that others name keep their type. Returns how many
/// changes it made.
int64_t reduceProgram(mlir::OwningOpRef<mlir::ModuleOp> &module, Interesting interesting);

} // namespace mom
