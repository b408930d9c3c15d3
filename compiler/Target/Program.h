// A compiled program as one LLVM module: kernels, table, one exported symbol.
#pragma once

#include "compiler/Target/LaunchTable.h"

#include "llvm/IR/Module.h"

namespace mom {

/// For which machine the kernels of an emitted module become code.
struct CodeOptions {
  std::string target = "cpu"; ///< cpu, or a GPU as "sm_90a"
  std::string cpu = "native"; ///< for which to generate the CPU's code
  bool emulate = false;       ///< a GPU's kernels run on the CPU, for tests
  bool strict = false;        ///< a GPU kernel that spills registers is an error
  bool ptx = true;            ///< keep a GPU kernel's PTX beside its cubin, for later GPUs
};

/// Symbol under which the program of a model is exported.
std::string programSymbol(llvm::StringRef model);

/// An emitted module with the target that it was emitted for.
struct TargetModule {
  mlir::ModuleOp emitted;
  CodeOptions options;
};

/// Object file, or assembly text, of the program of emitted modules, which are of one
/// model: their kernels and a chain of momrt_program, the first named `symbol`. The CPU's
/// code is as the first module's options say. `digest` names the program in checkpoints.
mlir::LogicalResult compileProgram(llvm::ArrayRef<TargetModule> modules, llvm::StringRef symbol,
                                   llvm::StringRef digest, llvm::SmallVectorImpl<char> &bytes,
                                   bool assembly,
                                   llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

} // namespace mom
