// What rounding does to the results of a program.
#pragma once

#include "dialect/reference/Interpreter.h"

#include <random>

namespace mom::compare {

/// The results where every float value, given or computed, is turned by up to `by` of
/// itself, and every term of the sums that ops make by f32's rounding.
mlir::FailureOr<llvm::SmallVector<reference::Value>>
interpretTurned(mlir::func::FuncOp func, llvm::ArrayRef<reference::Value> arguments, double by,
                std::mt19937_64 &random);

/// How far, in norm, each result moves where every float value, given or computed, is
/// turned by up to `by` of itself, and every term of sums by f32's rounding; the most of a
/// few draws.
mlir::FailureOr<llvm::SmallVector<double>> spreadsOf(mlir::func::FuncOp func,
                                                     llvm::ArrayRef<reference::Value> arguments,
                                                     llvm::ArrayRef<reference::Value> results,
                                                     double by, std::mt19937_64 &random);

/// |a - b|, or |a|.
double norm(const reference::Tensor &a, const reference::Tensor *b = nullptr);

} // namespace mom::compare
