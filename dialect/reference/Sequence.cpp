// Reference loops of conv and scan, one segment after the other. Time t counts
// the tokens of a segment in the direction of the walk.
#include "dialect/reference/Frame.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace mom;
using namespace mom::reference;

/// The rows of a segment's tokens, in the direction of the walk.
static std::vector<int64_t> walk(const Batch &batch, const Segment &segment, RowsAttr rows,
                                 bool reverse) {
  std::vector<int64_t> result;
  for (int64_t t = 0; t < segment.length; ++t) {
    int64_t position = segment.start + (reverse ? segment.length - 1 - t : t);
    result.push_back(rowAt(batch, rows, position));
  }
  return result;
}

/// A state for each stream; zeros where no segment ends.
static Tensor states(const Batch &batch, int64_t channels) {
  return Tensor::zeros({batch.streams, channels});
}

//===----------------------------------------------------------------------===//
// conv1d
//===----------------------------------------------------------------------===//

/// Pointers to the inputs of a segment: the width - 1 runs of its initial state,
/// oldest first, then its tokens. `line[width - 1 + t]` is x[t].
template <typename T, typename Rows>
static std::vector<T *> lineUp(const std::vector<int64_t> &rows, Rows &x, T *state, T *zeros,
                               int64_t width, int64_t channels) {
  std::vector<T *> line;
  for (int64_t k = 0; k < width - 1; ++k)
    line.push_back(state ? state + k * channels : zeros);
  for (int64_t row : rows)
    line.push_back(x.row(row));
  return line;
}

// y[t, c] = bias[c] + sum over j of w[c, W - 1 - j] x[t - j, c]
// final   = the W - 1 last inputs
void reference::evaluate(Conv1dOp op, Frame &frame) {
  const Tensor &x = frame.tensor(op.getX());             // [tokens, C]
  const Tensor &weights = frame.tensor(op.getWeights()); // [C, W]
  const Tensor *bias = frame.ifPresent(op.getBias());    // [C]
  const Tensor *init = frame.ifPresent(op.getInit());    // [streams, (W - 1) * C]
  const Batch &batch = frame.batch(op.getBatch());
  int64_t channels = x.channels(), width = weights.channels();

  Tensor y = Tensor::zeros(x.shape), final = states(batch, (width - 1) * channels);
  const std::vector<double> zeros(channels);
  for (const Segment &segment : batch.segments) {
    std::vector<int64_t> rows = walk(batch, segment, rowsOf(op.getX()), op.getReverse());
    const double *state = init && segment.initial >= 0 ? init->row(segment.initial) : nullptr;
    std::vector<const double *> line =
        lineUp(rows, x, state, zeros.data(), width, channels); // [W - 1 + length]
    for (int64_t t = 0; t < segment.length; ++t)
      for (int64_t c = 0; c < channels; ++c) {
        double sum = bias ? bias->data[c] : 0.0;
        for (int64_t j = 0; j < width; ++j)
          sum += frame.term(weights.row(c)[width - 1 - j] * line[width - 1 + t - j][c]);
        y.row(rows[t])[c] = sum;
      }
    if (segment.final >= 0)
      for (int64_t k = 0; k < width - 1; ++k)
        std::copy_n(line[segment.length + k], channels, final.row(segment.final) + k * channels);
  }
  frame.set(op.getY(), std::move(y));
  frame.setIfAsked(op.getFinal(), std::move(final));
}

// dx[t - j, c]     += w[c, W - 1 - j] dy[t, c], into dinit where t - j < 0
// dw[c, W - 1 - j] += x[t - j, c] dy[t, c]
// dbias[c]         += dy[t, c]
// and dfinal goes to the inputs that it holds
void reference::evaluate(Conv1dGradOp op, Frame &frame) {
  const Tensor &x = frame.tensor(op.getX());              // [tokens, C]
  const Tensor &weights = frame.tensor(op.getWeights());  // [C, W]
  const Tensor &dy = frame.tensor(op.getDy());            // [tokens, C]
  const Tensor *init = frame.ifPresent(op.getInit());     // [streams, (W - 1) * C]
  const Tensor *dfinal = frame.ifPresent(op.getDfinal()); // [streams, (W - 1) * C]
  const Batch &batch = frame.batch(op.getBatch());
  int64_t channels = x.channels(), width = weights.channels();

  Tensor dx = Tensor::zeros(x.shape), dweights = Tensor::zeros(weights.shape);
  Tensor dbias = Tensor::zeros({channels}), dinit = states(batch, (width - 1) * channels);
  const std::vector<double> zeros(channels);
  std::vector<double> unused(channels); // the gradient of inputs that are constant zeros
  for (const Segment &segment : batch.segments) {
    std::vector<int64_t> rows = walk(batch, segment, rowsOf(op.getX()), op.getReverse());
    bool hasState = init && segment.initial >= 0;
    std::vector<const double *> line = lineUp(
        rows, x, hasState ? init->row(segment.initial) : nullptr, zeros.data(), width, channels);
    std::vector<double *> dline = lineUp(rows, dx, hasState ? dinit.row(segment.initial) : nullptr,
                                         unused.data(), width, channels);
    for (int64_t t = 0; t < segment.length; ++t)
      for (int64_t c = 0; c < channels; ++c) {
        double d = dy.row(rows[t])[c];
        dbias.data[c] += d;
        for (int64_t j = 0; j < width; ++j) {
          dline[width - 1 + t - j][c] += frame.term(weights.row(c)[width - 1 - j] * d);
          dweights.row(c)[width - 1 - j] += frame.term(line[width - 1 + t - j][c] * d);
        }
      }
    if (dfinal && segment.final >= 0)
      for (int64_t k = 0; k < width - 1; ++k)
        for (int64_t c = 0; c < channels; ++c)
          dline[segment.length + k][c] += dfinal->row(segment.final)[k * channels + c];
  }
  frame.set(op.getDx(), std::move(dx));
  frame.set(op.getDweights(), std::move(dweights));
  frame.setIfAsked(op.getDbias(), std::move(dbias));
  frame.setIfAsked(op.getDinit(), std::move(dinit));
}

//===----------------------------------------------------------------------===//
// scan
//===----------------------------------------------------------------------===//

namespace {
/// The operands that mom.scan and mom.scan_grad share.
struct ScanInputs {
  const Tensor &u, &delta; // [tokens, E]
  const Tensor &A;         // [E, N]
  const Tensor &B, &C;     // [tokens, N]
  const Batch &batch;
  const Tensor *init; // [streams, E * N]
  RowsAttr rows;
  bool reverse;
  const Frame &frame;
  int64_t channels = u.channels(), n = A.channels();

  template <typename Op>
  ScanInputs(Op op, Frame &frame)
      : u(frame.tensor(op.getU())), delta(frame.tensor(op.getDelta())), A(frame.tensor(op.getA())),
        B(frame.tensor(op.getB())), C(frame.tensor(op.getC())), batch(frame.batch(op.getBatch())),
        init(frame.ifPresent(op.getInit())), rows(rowsOf(op.getU())), reverse(op.getReverse()),
        frame(frame) {}

  /// h before the first token of a segment.
  void start(const Segment &segment, double *h) const {
    if (init && segment.initial >= 0)
      std::copy_n(init->row(segment.initial), channels * n, h);
    else
      std::fill_n(h, channels * n, 0.0);
  }

  /// next[e, k] = exp(delta[e] A[e, k]) h[e, k] + delta[e] u[e] B[k] at a row
  void step(int64_t row, const double *h, double *next) const {
    const double *ut = u.row(row), *dt = delta.row(row), *b = B.row(row);
    for (int64_t e = 0; e < channels; ++e)
      for (int64_t k = 0; k < n; ++k)
        next[e * n + k] = frame.term(std::exp(dt[e] * A.row(e)[k]) * h[e * n + k]) +
                          frame.term(dt[e] * ut[e] * b[k]);
  }
};
} // namespace

// h[t, k] = exp(delta[t] A[k]) h[t - 1, k] + delta[t] u[t] B[t, k]
// y[t]    = sum over k of C[t, k] h[t, k]
void reference::evaluate(ScanOp op, Frame &frame) {
  ScanInputs in(op, frame);
  int64_t size = in.channels * in.n;
  Tensor y = Tensor::zeros(in.u.shape), final = states(in.batch, size), checkpoints;
  int64_t chunk = 0;
  if (mlir::Value saved = op.getCheckpoints()) {
    chunk = rowsOf(saved).getChunk();
    checkpoints = Tensor::zeros({countRows(in.batch, rowsOf(saved)), size});
  }

  std::vector<double> h(size); // [E, N]
  for (auto [s, segment] : llvm::enumerate(in.batch.segments)) {
    std::vector<int64_t> rows = walk(in.batch, segment, in.rows, in.reverse);
    in.start(segment, h.data());
    for (int64_t t = 0; t < segment.length; ++t) {
      if (chunk && t % chunk == 0) // the run's row: see #mom.rows
        std::copy(h.begin(), h.end(), checkpoints.row((segment.start + t) / chunk + s));
      in.step(rows[t], h.data(), h.data());
      for (int64_t e = 0; e < in.channels; ++e)
        for (int64_t k = 0; k < in.n; ++k)
          y.row(rows[t])[e] += frame.term(in.C.row(rows[t])[k] * h[e * in.n + k]);
    }
    if (segment.final >= 0)
      std::copy(h.begin(), h.end(), final.row(segment.final));
  }
  frame.set(op.getY(), std::move(y));
  frame.setIfAsked(op.getFinal(), std::move(final));
  frame.setIfAsked(op.getCheckpoints(), std::move(checkpoints));
}

// With g the gradient of h, a = exp(delta A) and p = h[t - 1], against the walk:
//   g[t, k]  = C[t, k] dy[t] + a[t + 1, k] g[t + 1, k]
//   dC[t, k] = sum over e of dy[t] h[t, k]
//   dB[t, k] = sum over e of g[t, k] delta[t] u[t]
//   du[t]    = delta[t] sum over k of g[t, k] B[t, k]
//   ddelta[t] = sum over k of g[t, k] (A[k] a[t, k] p[k] + u[t] B[t, k])
//   dA[k]    = sum over t of g[t, k] delta[t] a[t, k] p[k]
// The checkpoints are not read: all states of a segment are kept.
void reference::evaluate(ScanGradOp op, Frame &frame) {
  ScanInputs in(op, frame);
  const Tensor &dy = frame.tensor(op.getDy());            // [tokens, E]
  const Tensor *dfinal = frame.ifPresent(op.getDfinal()); // [streams, E * N]
  int64_t size = in.channels * in.n;
  Tensor du = Tensor::zeros(in.u.shape), ddelta = Tensor::zeros(in.u.shape);
  Tensor dA = Tensor::zeros(in.A.shape), dinit = states(in.batch, size);
  Tensor dB = Tensor::zeros(in.B.shape), dC = Tensor::zeros(in.C.shape);
  Tensor y = Tensor::zeros(in.u.shape);

  for (const Segment &segment : in.batch.segments) {
    std::vector<int64_t> rows = walk(in.batch, segment, in.rows, in.reverse);
    std::vector<double> h((segment.length + 1) * size); // [length + 1, E, N]: h[t + 1] is after t
    in.start(segment, h.data());
    for (int64_t t = 0; t < segment.length; ++t)
      in.step(rows[t], h.data() + t * size, h.data() + (t + 1) * size);

    std::vector<double> carried(size); // [E, N]: a[t + 1] g[t + 1]
    if (dfinal && segment.final >= 0)
      std::copy_n(dfinal->row(segment.final), size, carried.begin());
    for (int64_t t = segment.length - 1; t >= 0; --t) {
      int64_t r = rows[t];
      const double *before = h.data() + t * size, *after = before + size;
      for (int64_t e = 0; e < in.channels; ++e) {
        double u = in.u.row(r)[e], delta = in.delta.row(r)[e], d = dy.row(r)[e];
        for (int64_t k = 0; k < in.n; ++k) {
          int64_t i = e * in.n + k;
          double a = std::exp(delta * in.A.data[i]), b = in.B.row(r)[k];
          double g = frame.term(in.C.row(r)[k] * d) + carried[i];
          y.row(r)[e] += frame.term(in.C.row(r)[k] * after[i]);
          dC.row(r)[k] += frame.term(d * after[i]);
          dB.row(r)[k] += frame.term(g * delta * u);
          du.row(r)[e] += frame.term(delta * g * b);
          ddelta.row(r)[e] +=
              frame.term(g * in.A.data[i] * a * before[i]) + frame.term(g * u * b);
          dA.data[i] += frame.term(g * delta * a * before[i]);
          carried[i] = a * g;
        }
      }
    }
    if (in.init && segment.initial >= 0)
      for (int64_t i = 0; i < size; ++i)
        dinit.row(segment.initial)[i] += carried[i];
  }
  frame.set(op.getDu(), std::move(du));
  frame.set(op.getDdelta(), std::move(ddelta));
  frame.set(op.getDA(), std::move(dA));
  frame.set(op.getDB(), std::move(dB));
  frame.set(op.getDC(), std::move(dC));
  frame.setIfAsked(op.getDinit(), std::move(dinit));
  frame.setIfAsked(op.getY(), std::move(y));
}
