// Which kernels are emitted, and under which names.
#include "compiler/Emit/Symbols.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace mom;

std::string mom::symbolOf(func::FuncOp func, KernelOp kernel, StringRef separator) {
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

SmallVector<KernelOp> mom::liveKernels(func::FuncOp func) {
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
