// What rounding does to the results of a program.
#include "compiler/tools/mom-compare/Sensitivity.h"

#include "compiler/tools/mom-compare/Numbers.h"

#include <cmath>

using namespace mlir;
using namespace mom;
using namespace mom::compare;
using Values = SmallVector<reference::Value>;

static constexpr int kDraws = 2;

/// Each number turned by up to `by`, relative.
static void turn(reference::Tensor &tensor, double by, std::mt19937_64 &random) {
  for (double &x : tensor.data)
    x *= 1.0 + by * (2.0 * uniform(random) - 1.0);
}

/// The results where every float value, given or computed, is turned a little.
static FailureOr<Values> turned(func::FuncOp func, ArrayRef<reference::Value> arguments, double by,
                                std::mt19937_64 &random) {
  Values given(arguments);
  for (auto [value, type] : llvm::zip(given, func.getArgumentTypes()))
    if (reference::Tensor *tensor = value.tensor();
        tensor && isa<FloatType>(getElementTypeOrSelf(type)))
      turn(*tensor, by, random);
  return reference::interpretDisturbed(
      func, given, [&](reference::Tensor &tensor) { turn(tensor, by, random); });
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
    FailureOr<Values> other = turned(func, arguments, by, random);
    if (failed(other))
      return failure();
    for (auto [spread, result, moved] : llvm::zip_equal(spreads, results, *other))
      spread = std::max(spread, norm(*result.tensor(), moved.tensor()));
  }
  return spreads;
}
