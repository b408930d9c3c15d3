// Reference loops of the products. A row reads the weight of its group only;
// without a route there is one group.
#include "dialect/reference/Frame.h"

using namespace mlir;
using namespace mom;
using namespace mom::reference;

// y[i, o] = sum over c of W[g(i), o, c] x[i, c]
// transposed: y[i, c] = sum over o of W[g(i), o, c] x[i, o]
void reference::evaluate(LinearOp op, Frame &frame) {
  const Tensor &x = frame.tensor(op.getX());             // [rows, in]
  const Tensor &weights = frame.tensor(op.getWeights()); // [(groups,) out, in]
  int64_t in = weights.channels(), out = weights.shape[weights.shape.size() - 2];
  std::vector<int64_t> group =
      groupOfRows(frame.routeIfPresent(op.getRoute()), rowsOf(op.getX()), x.rows());

  Tensor y = Tensor::zeros({x.rows(), channelsOf(op.getY())});
  for (int64_t i = 0; i < x.rows(); ++i) {
    const double *xi = x.row(i);
    double *yi = y.row(i);
    for (int64_t o = 0; o < out; ++o) {
      const double *w = weights.row(group[i] * out + o); // [in]
      if (op.getTransposed()) {
        for (int64_t c = 0; c < in; ++c)
          yi[c] += frame.term(w[c] * xi[o]);
        continue;
      }
      double sum = 0.0;
      for (int64_t c = 0; c < in; ++c)
        sum += frame.term(w[c] * xi[c]);
      yi[o] = sum;
    }
  }
  frame.set(op.getY(), std::move(y));
}

// dW[g, o, c] = sum over the rows of g of dy[i, o] x[i, c]
void reference::evaluate(LinearWgradOp op, Frame &frame) {
  const Tensor &x = frame.tensor(op.getX());   // [rows, in]
  const Tensor &dy = frame.tensor(op.getDy()); // [rows, out]
  int64_t in = x.channels(), out = dy.channels();
  std::vector<int64_t> group =
      groupOfRows(frame.routeIfPresent(op.getRoute()), rowsOf(op.getX()), x.rows());

  Tensor dweights = Tensor::zeros(cast<RankedTensorType>(op.getDweights().getType()).getShape());
  for (int64_t i = 0; i < x.rows(); ++i)
    for (int64_t o = 0; o < out; ++o) {
      double d = dy.row(i)[o];
      double *w = dweights.row(group[i] * out + o); // [in]
      for (int64_t c = 0; c < in; ++c)
        w[c] += frame.term(d * x.row(i)[c]);
    }
  frame.set(op.getDweights(), std::move(dweights));
}
