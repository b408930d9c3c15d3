// From emitted functions to PTX.
#pragma once

#include "compiler/Target/LaunchTable.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/LLVM.h"
#include "llvm/IR/Module.h"

namespace mom {

/// Optimises `module`, whose kernels have PTX's calling convention, and writes it
/// as PTX 9.0 for the architecture.
mlir::FailureOr<std::string> compilePtx(llvm::Module &module, llvm::StringRef target,
                                        llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

/// Whether LLVM knows a GPU of that name: it ends the process over others.
bool isKnownGpu(llvm::StringRef target);

/// The same as compilePtx in a thread of its own, after one call of initialisePtx; false with
/// `error`.
bool generatePtx(llvm::Module &module, llvm::StringRef target, std::string &ptx,
                 std::string &error);
void initialisePtx();

/// The code of every kernel of an emitted module: PTX, and a cubin where ptxas is
/// found (on the PATH, in CUDA_HOME or where the toolkit installs itself). Kernels are
/// compiled side by side. Where ptxas says that a kernel spills registers, or that it
/// serialises wgmma, that is an error if `strict`, else a warning.
mlir::FailureOr<GpuImages> compileImages(mlir::ModuleOp emitted, llvm::StringRef target,
                                         bool strict,
                                         llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

/// What ptxas says it is; empty where it is not found.
std::string ptxasVersion();

} // namespace mom
