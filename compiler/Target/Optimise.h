// LLVM's optimiser and code generator, for any target machine.
#pragma once

#include "mlir/IR/Diagnostics.h"
#include "mlir/Support/LLVM.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/CodeGen.h"
#include "llvm/Target/TargetMachine.h"

namespace mom {

/// Optimises `module` for the machine (O3) and appends its code to `out`.
mlir::LogicalResult generateCode(llvm::Module &module, llvm::TargetMachine &machine,
                                 llvm::CodeGenFileType kind, llvm::SmallVectorImpl<char> &out,
                                 llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

} // namespace mom
