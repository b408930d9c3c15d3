// Reference loops of computed routes. Copy j of token i has number i * k + j.
#include "dialect/reference/Frame.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace mom;
using namespace mom::reference;

// y[i, c] = exp(x[i, c]) / sum over c of exp(x[i, c])
void reference::evaluate(SoftmaxOp op, Frame &frame) {
  const Tensor &x = frame.tensor(op.getX()); // [rows, C]
  Tensor y = Tensor::zeros(x.shape);
  for (int64_t i = 0; i < x.rows(); ++i) {
    double largest = *std::max_element(x.row(i), x.row(i) + x.channels()), sum = 0.0;
    for (int64_t c = 0; c < x.channels(); ++c)
      sum += y.row(i)[c] = std::exp(x.row(i)[c] - largest);
    for (int64_t c = 0; c < x.channels(); ++c)
      y.row(i)[c] /= sum;
  }
  frame.set(op.getY(), std::move(y));
}

/// The channels of the `count` largest, largest first; lower channels first among equals.
static std::vector<int64_t> largest(const double *scores, int64_t channels, size_t count) {
  auto score = [&](int64_t c) { return std::isnan(scores[c]) ? -INFINITY : scores[c]; };
  std::vector<int64_t> order(channels);
  for (int64_t c = 0; c < channels; ++c)
    order[c] = c;
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return score(a) > score(b); });
  order.resize(count);
  return order;
}

void reference::evaluate(PlanOp op, Frame &frame) {
  const Tensor &scores = frame.tensor(op.getScores()); // [tokens, E]
  int64_t tokens = scores.rows(), copies = op.getChoices().size();
  Batch route;
  route.tokens = tokens * copies;
  route.groups = scores.channels();
  std::vector<Tensor> choices(copies, Tensor::zeros({tokens, 1}));
  for (int64_t i = 0; i < tokens; ++i)
    for (auto [j, group] : llvm::enumerate(largest(scores.row(i), scores.channels(), copies))) {
      choices[j].data[i] = double(group);
      route.modality.push_back(int32_t(group));
    }
  route.fillRoute();
  auto tensor = [&](ArrayRef<int64_t> shape, const std::vector<int64_t> &values) {
    Tensor result = Tensor::zeros(shape);
    std::copy(values.begin(), values.end(), result.data.begin());
    return result;
  };
  frame.set(op.getOffsets(), tensor({route.groups + 1}, route.offsets));
  frame.set(op.getRow(), tensor({tokens, copies}, route.row));
  frame.set(op.getCopy(), tensor({tokens * copies, 1}, route.position));
  for (auto [result, choice] : llvm::zip_equal(op.getChoices(), choices))
    frame.set(result, std::move(choice));
}

void reference::evaluate(ComputedRouteOp op, Frame &frame) {
  auto numbers = [&](mlir::Value value) {
    const Tensor &tensor = frame.tensor(value);
    return std::vector<int64_t>(tensor.data.begin(), tensor.data.end());
  };
  auto route = std::make_shared<Batch>();
  route->groups = op.getRoute().getType().getGroups();
  route->offsets = numbers(op.getOffsets());
  route->row = numbers(op.getRow());
  route->position = numbers(op.getCopy());
  route->tokens = route->row.size();
  route->modality.resize(route->tokens);
  for (int64_t g = 0; g < route->groups; ++g)
    for (int64_t r = route->offsets[g]; r < route->offsets[g + 1]; ++r)
      route->modality[route->position[r]] = int32_t(g);
  frame.set(op.getRoute(), std::shared_ptr<const Batch>(std::move(route)));
}

// y[row(i, j)] = xj[i]
void reference::evaluate(DispatchOp op, Frame &frame) {
  const Batch &route = frame.batch(op.getRoute());
  int64_t copies = op.getParts().size();
  Tensor y = Tensor::zeros({route.tokens, channelsOf(op.getY())});
  for (int64_t r = 0; r < route.tokens; ++r) {
    int64_t copy = route.position[r];
    const Tensor &x = frame.tensor(op.getParts()[copy % copies]); // [tokens, C]
    std::copy_n(x.row(copy / copies), x.channels(), y.row(r));
  }
  frame.set(op.getY(), std::move(y));
}

// yj[i] = x[row(i, j)]
void reference::evaluate(RetrieveOp op, Frame &frame) {
  const Tensor &x = frame.tensor(op.getX()); // [copies, C]
  const Batch &route = frame.batch(op.getRoute());
  int64_t copies = op.getParts().size();
  for (auto [j, part] : llvm::enumerate(op.getParts())) {
    Tensor y = Tensor::zeros({route.tokens / copies, x.channels()});
    for (int64_t i = 0; i < y.rows(); ++i)
      std::copy_n(x.row(route.row[i * copies + j]), x.channels(), y.row(i));
    frame.set(part, std::move(y));
  }
}
