// Gradients of a program against finite differences.
#pragma once

#include "compiler/tools/mom-compare/Report.h"

#include <random>

namespace mom::compare {

struct GradientOptions {
  std::string joint;      ///< the function with gradients; "" tries `.joint`, `.gradient`
  int64_t elements = 200; ///< at most so many are checked in each argument
  double tolerance = 1e-6;
};

/// The gradient of one argument beside differences.
struct GradientRow {
  std::string name;      ///< of the parameter or argument
  Difference difference;
  bool within;           ///< the tolerance
  std::string worst;     ///< the element with the largest error: its place and both numbers
};

/// Compares the gradients that a joint function of `forward` returns with
/// differences of `forward`. The joint function is
/// - `f.joint(args..., dresults...) -> (results..., dargs...)`, with a gradient
///   for each float argument in turn; or
/// - `f.gradient(args...) -> (results..., dparams...)`, with the gradients, named
///   by `mom.gradient`, of the result that is marked `mom.loss`.
/// Prints a line for each result, which must be that of `forward`; returns a row for each
/// gradient, or failure after an error or where results differ.
mlir::FailureOr<llvm::SmallVector<GradientRow>>
compareGradients(mlir::func::FuncOp forward, llvm::MutableArrayRef<reference::Value> arguments,
                 const GradientOptions &options, const Execution &execute, std::mt19937_64 &random,
                 llvm::raw_ostream &os);

/// Prints a line for each gradient, too; returns whether all are within tolerance.
mlir::FailureOr<bool> checkGradients(mlir::func::FuncOp forward,
                                     llvm::MutableArrayRef<reference::Value> arguments,
                                     const GradientOptions &options, const Execution &execute,
                                     std::mt19937_64 &random, llvm::raw_ostream &os);

} // namespace mom::compare
