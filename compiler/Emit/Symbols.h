// Which kernels are emitted, and under which names.
#pragma once

#include "dialect/Mom.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <string>

namespace mom {

/// `<function>.<name>` with another separator than the dot where the assembler
/// wants one; the values of the name are joined by underscores.
std::string symbolOf(mlir::func::FuncOp func, KernelOp kernel, llvm::StringRef separator = ".");

/// The kernels of a function whose results are read; the others are erased.
llvm::SmallVector<KernelOp> liveKernels(mlir::func::FuncOp func);

} // namespace mom
