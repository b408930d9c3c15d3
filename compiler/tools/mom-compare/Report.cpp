// How far two lists of values differ, and printing values.
#include "compiler/tools/mom-compare/Report.h"

#include "llvm/Support/Format.h"

#include <cmath>

using namespace mlir;
using namespace mom;
using namespace mom::compare;
using reference::Tensor;

// Below this a gradient is zero but for the rounding of the differences.
static constexpr double kZero = 1e-10;

void Difference::add(double got, double expected) {
  ++count;
  // Two infinities, or two that are not numbers, agree, and have no size.
  if (!std::isfinite(expected) && (got == expected || (std::isnan(got) && std::isnan(expected))))
    return;
  double error = std::fabs(got - expected);
  finite &= std::isfinite(error);
  largest = std::max(largest, std::fabs(expected));
  largestError = std::max(largestError, error);
  squares += expected * expected;
  errorSquares += error * error;
}

bool Difference::within(double tolerance) const {
  return finite && largestError <= tolerance * largest + kZero &&
         std::sqrt(errorSquares) <=
             tolerance * std::sqrt(squares) + kZero * std::sqrt(double(count));
}

bool Difference::normWithin(double relative, double absolute) const {
  return finite && std::sqrt(errorSquares) <=
                       relative * std::sqrt(squares) + absolute * std::sqrt(double(count));
}

double Difference::norm() const { return std::sqrt(squares); }

double Difference::relativeError() const { return largest ? largestError / largest : largestError; }

void Difference::print(raw_ostream &os) const {
  double errorNorm = std::sqrt(errorSquares);
  os << llvm::formatv("{0} elements, norm {1:e2}, max error {2:e2}, norm error {3:e2}", count,
                      norm(), relativeError(), norm() ? errorNorm / norm() : errorNorm);
  if (!finite)
    os << ", not finite";
}

bool compare::addAll(Difference &difference, const reference::Value &got,
                     const reference::Value &expected) {
  if (got.stack() && expected.stack()) {
    if (got.stack()->values.size() != expected.stack()->values.size())
      return false;
    for (auto [a, b] : llvm::zip(got.stack()->values, expected.stack()->values))
      if (!addAll(difference, a, b))
        return false;
    return true;
  }
  if (!got.tensor() || !expected.tensor() || got.tensor()->shape != expected.tensor()->shape)
    return false;
  for (auto [a, b] : llvm::zip(got.tensor()->data, expected.tensor()->data))
    difference.add(a, b);
  return true;
}

bool compare::compareResults(ArrayRef<reference::Value> got, ArrayRef<reference::Value> expected,
                             function_ref<bool(const Difference &)> isClose, raw_ostream &os) {
  bool good = got.size() == expected.size();
  if (!good)
    os << "expected " << expected.size() << " results, but got " << got.size() << "\n";
  for (auto [i, pair] : llvm::enumerate(llvm::zip(got, expected))) {
    Difference difference;
    os << "result " << i << ": ";
    if (!addAll(difference, std::get<0>(pair), std::get<1>(pair))) {
      os << "shapes differ\n";
      good = false;
      continue;
    }
    difference.print(os);
    bool within = isClose(difference);
    os << (within ? "\n" : "  <-- differs\n");
    good &= within;
  }
  return good;
}

void compare::print(const reference::Value &value, raw_ostream &os) {
  if (value.stack()) {
    for (auto [i, element] : llvm::enumerate(value.stack()->values)) {
      os << "round " << i << ": ";
      print(element, os);
    }
    return;
  }
  const Tensor *tensor = value.tensor();
  if (!tensor) {
    os << (value.batch() ? "batch\n" : "tape\n");
    return;
  }
  os << "[";
  llvm::interleaveComma(tensor->shape, os);
  os << "]\n";
  int64_t channels = std::max<int64_t>(tensor->channels(), 1);
  for (auto [i, x] : llvm::enumerate(tensor->data)) {
    // Zero has no sign here, and what is left of a cancellation is zero.
    os << (i % channels ? " " : "  ") << llvm::format("%.6g", std::fabs(x) < 1e-12 ? 0.0 : x);
    if ((i + 1) % channels == 0)
      os << "\n";
  }
}
