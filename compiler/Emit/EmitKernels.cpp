// What the emitting passes of all families share.
#include "compiler/Emit/EmitKernels.h"

#include "compiler/Schedule/Knobs.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace mom;

/// `<function>.<name>`, the values of the name joined by underscores.
static std::string symbolOf(func::FuncOp func, KernelOp kernel, Family family) {
  StringRef separator = family == Family::Gpu ? "$" : "."; // PTX has no dots in names
  std::string symbol;
  for (char c : (func.getSymName() + "." + kernel.getName()).str()) {
    if (llvm::isAlnum(c) || c == '_')
      symbol += c;
    else if (c == '.')
      symbol += separator;
    else if (symbol.back() != '_')
      symbol += '_';
  }
  return symbol;
}

static SmallVector<KernelOp> liveKernels(func::FuncOp func) {
  SmallVector<KernelOp> kernels(func.getOps<KernelOp>());
  // Backwards, so that what only a dead kernel reads is dead too.
  for (KernelOp &kernel : llvm::reverse(kernels)) {
    if (!kernel->use_empty())
      continue;
    kernel.erase();
    kernel = KernelOp();
  }
  llvm::erase(kernels, KernelOp());
  return kernels;
}

LogicalResult mom::emitKernels(ModuleOp module, Family family,
                               function_ref<LogicalResult(KernelOp, KernelBuilder &)> emit) {
  for (func::FuncOp func : llvm::make_early_inc_range(module.getOps<func::FuncOp>()))
    for (KernelOp kernel : liveKernels(func)) {
      if (failed(verifySchedule(kernel, family == Family::Gpu ? "gpu" : "cpu")))
        return failure();
      KernelBuilder k(kernel, symbolOf(func, kernel, family), family);
      if (failed(emit(kernel, k))) {
        k.abandon();
        return failure();
      }
      k.replaceKernel();
    }
  return success();
}
