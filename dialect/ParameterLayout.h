// Where the parameters of a model lie in their flat buffer.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mom {

/// One parameter; a repeated one has `repeat` copies of `size` elements, one
/// after the other.
struct Parameter {
  std::string name;
  unsigned argument;            ///< of the model function
  mlir::RankedTensorType type;  ///< of one copy
  int64_t offset;               ///< elements from the buffer's start
  int64_t size, repeat;         ///< elements of a copy; copies
  bool indexed;                 ///< the name has `{}` for the round
  double decay;
};

/// Consecutive parameters with the same decay, padding included.
struct ParameterRange {
  int64_t offset, size; ///< elements
  double decay;
};

/// Parameters with the same decay are neighbours, so that the optimizer is one
/// pointwise kernel for each decay. Each begins at a multiple of 16 elements;
/// the padding has zero gradients.
struct ParameterLayout {
  ParameterLayout() = default;
  explicit ParameterLayout(mlir::func::FuncOp model);

  llvm::SmallVector<Parameter> parameters; ///< in the order of the arguments
  llvm::SmallVector<ParameterRange> ranges;
  int64_t elements = 0;
};

} // namespace mom
