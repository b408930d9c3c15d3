// From emitted functions to machine code of the CPU.
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/LLVM.h"
#include "llvm/IR/Module.h"
#include <memory>

namespace llvm::orc {
class LLJIT;
}

namespace mom {

/// The emitted functions (llvm.func with bodies) of a module as LLVM IR. Works on
/// a copy; whatever else the module holds stays behind. `expandBf16` writes
/// conversions out for devices without them.
mlir::FailureOr<std::unique_ptr<llvm::Module>> translateToLlvm(mlir::ModuleOp emitted,
                                                               llvm::LLVMContext &context,
                                                               bool expandBf16 = true);

/// The same functions lowered to the LLVM dialect, for reading.
mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>> lowerToLlvmDialect(mlir::ModuleOp emitted,
                                                                 bool expandBf16 = true);

/// Optimises `module` and appends its object file, or its assembly text, to
/// `out`. `cpu` is "native" or a name that clang's -march takes ("x86-64-v3").
mlir::LogicalResult compileObject(llvm::Module &module, llvm::StringRef cpu,
                                  llvm::SmallVectorImpl<char> &out, bool assembly,
                                  llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

/// Whether `cpu` is "native" or the name of a processor that there is code for.
bool isProcessor(llvm::StringRef cpu);

/// The extensions that code for `cpu` may use, as a launch table's bits (momrt/table.h).
uint64_t extensionsOf(llvm::StringRef cpu);

/// The processor that `cpu` means here, with its features.
std::string describeCpu(llvm::StringRef cpu);

/// Object files loaded into this process.
class Jit {
public:
  static mlir::FailureOr<std::unique_ptr<Jit>>
  create(llvm::function_ref<mlir::InFlightDiagnostic()> emitError);
  ~Jit();

  mlir::LogicalResult load(llvm::ArrayRef<char> object,
                           llvm::function_ref<mlir::InFlightDiagnostic()> emitError);
  /// Address of a symbol, or null.
  void *lookup(llvm::StringRef symbol);

private:
  explicit Jit(std::unique_ptr<llvm::orc::LLJIT> jit);
  std::unique_ptr<llvm::orc::LLJIT> jit;
};

} // namespace mom
