// From emitted functions to PTX.
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/LLVM.h"
#include "llvm/IR/Module.h"

namespace mom {

/// "sm_90a" as 90: 10 times the major architecture plus the minor; 0 for a name
/// that is no GPU's.
unsigned architectureOf(llvm::StringRef target);

/// Optimises `module`, whose kernels have PTX's calling convention, and writes it
/// as PTX 9.0 for the architecture.
mlir::FailureOr<std::string> compilePtx(llvm::Module &module, llvm::StringRef target,
                                        llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

} // namespace mom
