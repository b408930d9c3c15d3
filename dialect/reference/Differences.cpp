// Finite differences of interpreted functions.
#include "dialect/reference/Differences.h"

#include <cassert>

using namespace mlir;
using namespace mom;
using namespace mom::reference;

Tensor &Place::in(MutableArrayRef<reference::Value> values) const {
  reference::Value &value = values[argument];
  Stack *stack = value.stack();
  Tensor *tensor = stack ? stack->values[round].tensor() : value.tensor();
  assert(tensor && "a place names a tensor");
  return *tensor;
}

FailureOr<double> reference::difference(Scalar f, MutableArrayRef<reference::Value> values,
                                        Place place, int64_t element, double step) {
  double &x = place.in(values).data[element];
  const double at = x;
  const struct { double offset, weight; } points[] = {{1, 8}, {-1, -8}, {2, -1}, {-2, 1}};
  double sum = 0.0;
  bool fails = false;
  for (auto [offset, weight] : points) {
    x = at + offset * step;
    FailureOr<double> value = f(values);
    fails |= failed(value);
    if (fails)
      break;
    sum += weight * *value;
  }
  x = at;
  if (fails)
    return failure();
  return sum / (12 * step);
}

FailureOr<std::vector<double>> reference::differences(Scalar f,
                                                      MutableArrayRef<reference::Value> values,
                                                      Place place, ArrayRef<int64_t> elements,
                                                      double step) {
  SmallVector<int64_t> all(elements);
  if (all.empty())
    for (size_t i = 0; i < place.in(values).data.size(); ++i)
      all.push_back(i);
  std::vector<double> result;
  for (int64_t element : all) {
    FailureOr<double> value = difference(f, values, place, element, step);
    if (failed(value))
      return failure();
    result.push_back(*value);
  }
  return result;
}

double reference::weightedSum(ArrayRef<reference::Value> values,
                              ArrayRef<reference::Value> weights) {
  double sum = 0.0;
  for (auto [value, weight] : llvm::zip(values, weights)) {
    if (value.stack() && weight.stack())
      sum += weightedSum(value.stack()->values, weight.stack()->values);
    if (!value.tensor() || !weight.tensor())
      continue;
    const Tensor &x = *value.tensor(), &w = *weight.tensor();
    for (size_t i = 0; i < std::min(x.data.size(), w.data.size()); ++i)
      sum += x.data[i] * w.data[i];
  }
  return sum;
}
