// What rounding does to the results of a program.
#pragma once

#include "dialect/reference/Interpreter.h"

#include <random>

namespace mom::compare {

/// How far, in norm, each result moves where every float value, given or computed, is
/// turned by up to `by` of itself; the most of a few draws.
mlir::FailureOr<llvm::SmallVector<double>> spreadsOf(mlir::func::FuncOp func,
                                                     llvm::ArrayRef<reference::Value> arguments,
                                                     llvm::ArrayRef<reference::Value> results,
                                                     double by, std::mt19937_64 &random);

/// |a - b|, or |a|.
double norm(const reference::Tensor &a, const reference::Tensor *b = nullptr);

} // namespace mom::compare
