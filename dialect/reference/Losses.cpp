// Reference loops of the losses.
#include "dialect/reference/Frame.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace mom;
using namespace mom::reference;

/// The target of row i, or -1 where it is absent or past the last channel.
static int64_t targetOf(const Tensor &target, int64_t i, int64_t channels) {
  double t = target.data[i];
  return t >= 0 && t < channels ? int64_t(t) : -1;
}

// lse[i] = log(sum over v of exp(x[i, v])), nll[i] = lse[i] - x[i, target[i]]
void reference::evaluate(CrossEntropyOp op, Frame &frame) {
  const Tensor &logits = frame.tensor(op.getLogits()); // [rows, V]
  const Tensor &target = frame.tensor(op.getTarget()); // [rows, 1]
  Tensor nll = Tensor::zeros(target.shape), lse = Tensor::zeros(target.shape);
  for (int64_t i = 0; i < logits.rows(); ++i) {
    const double *x = logits.row(i);
    double largest = *std::max_element(x, x + logits.channels()), sum = 0.0;
    for (int64_t v = 0; v < logits.channels(); ++v)
      sum += std::exp(x[v] - largest);
    lse.data[i] = largest + std::log(sum);
    if (int64_t t = targetOf(target, i, logits.channels()); t >= 0)
      nll.data[i] = lse.data[i] - x[t];
  }
  frame.set(op.getNll(), std::move(nll));
  frame.set(op.getLse(), std::move(lse));
}

// dx[i, v] = dnll[i] (exp(x[i, v] - lse[i]) - [v = target[i]])
void reference::evaluate(CrossEntropyGradOp op, Frame &frame) {
  const Tensor &logits = frame.tensor(op.getLogits()); // [rows, V]
  const Tensor &target = frame.tensor(op.getTarget()); // [rows, 1]
  const Tensor &lse = frame.tensor(op.getLse()), &dnll = frame.tensor(op.getDnll());
  Tensor dlogits = Tensor::zeros(logits.shape);
  for (int64_t i = 0; i < logits.rows(); ++i) {
    int64_t t = targetOf(target, i, logits.channels());
    if (t < 0)
      continue;
    for (int64_t v = 0; v < logits.channels(); ++v)
      dlogits.row(i)[v] = dnll.data[i] * (std::exp(logits.row(i)[v] - lse.data[i]) - (v == t));
  }
  frame.set(op.getDlogits(), std::move(dlogits));
}
