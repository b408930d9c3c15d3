// Finite differences: what a derivative is compared with.
#pragma once

#include "dialect/reference/Interpreter.h"

namespace mom::reference {

/// A number computed from values; failure after an error has been emitted.
using Scalar = llvm::function_ref<mlir::FailureOr<double>(llvm::ArrayRef<Value>)>;

/// A tensor argument, or one round of a stacked one.
struct Place {
  size_t argument;
  int64_t round = 0; ///< of a stack; 0 for a tensor

  Tensor &in(llvm::MutableArrayRef<Value> values) const;
};

/// d f / d element by the five-point central difference,
///     (8 (f(x + h) - f(x - h)) - (f(x + 2h) - f(x - 2h))) / 12h,
/// whose error is of order h^4: with h = 1e-3 both it and the rounding of f are
/// near 1e-12. `values` is changed while it runs and restored.
mlir::FailureOr<double> difference(Scalar f, llvm::MutableArrayRef<Value> values, Place place,
                                   int64_t element, double step = 1e-3);

/// The same for each of `elements`; all of the tensor where it is empty.
mlir::FailureOr<std::vector<double>> differences(Scalar f, llvm::MutableArrayRef<Value> values,
                                                 Place place, llvm::ArrayRef<int64_t> elements = {},
                                                 double step = 1e-3);

/// sum over all elements of weights * values, over tensors and stacks; what is
/// neither counts as 0. Makes a scalar of a function's results.
double weightedSum(llvm::ArrayRef<Value> values, llvm::ArrayRef<Value> weights);

} // namespace mom::reference
