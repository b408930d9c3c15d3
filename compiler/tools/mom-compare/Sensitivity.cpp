// What rounding does to the results of a program.
#include "compiler/tools/mom-compare/Sensitivity.h"

#include "compiler/tools/mom-compare/Numbers.h"

#include <cmath>

using namespace mlir;
using namespace mom;
using namespace mom::compare;
using Values = SmallVector<reference::Value>;

static constexpr int kDraws = 2;

/// Terms are f32, whatever the storage type.
static constexpr double kTermRounding = 0x1p-24;

/// A number turned by up to `by`, relative.
static double turn(double x, double by, std::mt19937_64 &random) {
  return x * (1.0 + by * (2.0 * uniform(random) - 1.0));
}

static void turnAll(reference::Value &value, double by, std::mt19937_64 &random) {
  if (reference::Tensor *tensor = value.tensor())
    for (double &x : tensor->data)
      x = turn(x, by, random);
  if (reference::Stack *stack = value.stack())
    for (reference::Value &element : stack->values)
      turnAll(element, by, random);
}

static bool isFloat(Type type) {
  if (auto stack = dyn_cast<StackType>(type))
    type = stack.getElement();
  return isa<FloatType>(getElementTypeOrSelf(type));
}

FailureOr<Values> compare::interpretTurned(func::FuncOp func,
                                           ArrayRef<reference::Value> arguments, double by,
                                           std::mt19937_64 &random) {
  auto turnValue = [&](double x) { return turn(x, by, random); };
  auto turnTerm = [&](double x) { return turn(x, kTermRounding, random); };
  Values given(arguments);
  for (auto [value, type] : llvm::zip(given, func.getArgumentTypes()))
    if (isFloat(type))
      turnAll(value, by, random);
  return reference::interpretRounded(func, given, {turnValue, turnTerm});
}

double compare::norm(const reference::Tensor &a, const reference::Tensor *b) {
  double squares = 0.0;
  for (size_t i = 0; i < a.data.size(); ++i) {
    double x = a.data[i] - (b ? b->data[i] : 0.0);
    squares += x * x;
  }
  return std::sqrt(squares);
}

FailureOr<SmallVector<double>> compare::spreadsOf(func::FuncOp func,
                                                  ArrayRef<reference::Value> arguments,
                                                  ArrayRef<reference::Value> results, double by,
                                                  std::mt19937_64 &random) {
  SmallVector<double> spreads(results.size(), 0.0);
  for (int draw = 0; draw < kDraws; ++draw) {
    FailureOr<Values> other = interpretTurned(func, arguments, by, random);
    if (failed(other))
      return failure();
    for (auto [spread, result, moved] : llvm::zip_equal(spreads, results, *other))
      spread = std::max(spread, norm(*result.tensor(), moved.tensor()));
  }
  return spreads;
}
