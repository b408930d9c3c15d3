// How schedules name kernels: by the values that they compute.
#pragma once

#include "dialect/Mom.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/SetVector.h"

namespace mom {

/// A kernel as a schedule of its function sees it.
struct NamedKernel {
  KernelOp kernel;
  bool gradient;    ///< part of backward: `grad` instead of `kernel`
  std::string name; ///< no other one on its side of the function has it
  llvm::SetVector<mlir::StringAttr> values; ///< names of all values that it computes
};

/// The kernels of a function, in program order. A kernel is named after its results; a weight
/// gradient is `in_proj.weight`; a second one of a name is `name.2`.
llvm::SmallVector<NamedKernel> nameKernels(mlir::func::FuncOp func);

/// The layer or model that a function was made from.
llvm::StringRef definitionOf(mlir::func::FuncOp func);

/// The name of a function in schedules: `mamba.forward`, and `mamba.loss` for that of the
/// definition's own name, which works where no gradient is wanted.
std::string scheduleName(mlir::func::FuncOp func);

/// What a function of a layer or model may be called after its name.
bool isFunctionSuffix(llvm::StringRef suffix);

} // namespace mom
