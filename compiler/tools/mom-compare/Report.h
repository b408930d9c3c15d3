// How far two lists of values differ, and printing values.
#pragma once

#include "dialect/reference/Interpreter.h"

#include "llvm/Support/raw_ostream.h"

namespace mom::compare {

/// A way of executing a function: the interpreter, or compiled code.
using Execution = std::function<mlir::FailureOr<llvm::SmallVector<reference::Value>>(
    mlir::func::FuncOp, llvm::ArrayRef<reference::Value>)>;

/// How far `got` is from `expected`. Relative figures divide by the largest
/// number, or the norm, of `expected`.
class Difference {
public:
  void add(double got, double expected);
  /// The largest error and the norm of errors are within `tolerance`.
  bool within(double tolerance) const;
  /// |got - expected| <= relative * |expected| + absolute * sqrt(n), as norms.
  bool normWithin(double relative, double absolute) const;
  void print(llvm::raw_ostream &os) const;
  int64_t elements() const { return count; }
  double norm() const;          ///< of what was expected
  double relativeError() const; ///< the largest, by the largest number expected

private:
  double largest = 0.0, largestError = 0.0, squares = 0.0, errorSquares = 0.0;
  int64_t count = 0;
  bool finite = true;
};

/// Adds all elements of two values of one shape; false where shapes differ.
bool addAll(Difference &difference, const reference::Value &got, const reference::Value &expected);

/// Compares the results of two executions; prints a line for each result, and
/// returns whether all are close.
bool compareResults(llvm::ArrayRef<reference::Value> got, llvm::ArrayRef<reference::Value> expected,
                    llvm::function_ref<bool(const Difference &)> isClose, llvm::raw_ostream &os);

/// A tensor as its shape and rows of numbers, one row a line.
void print(const reference::Value &value, llvm::raw_ostream &os);

} // namespace mom::compare
