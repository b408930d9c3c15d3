// From emitted functions to PTX.
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/LLVM.h"
#include "llvm/IR/Module.h"

namespace mom {

/// Optimises `module`, whose kernels have PTX's calling convention, and writes it
/// as PTX 9.0 for the architecture.
mlir::FailureOr<std::string> compilePtx(llvm::Module &module, llvm::StringRef target,
                                        llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

} // namespace mom
