// Reference loops of the row ops.
#include "dialect/reference/Frame.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace mom;
using namespace mom::reference;

std::vector<int64_t> reference::groupOfRows(const Batch *route, RowsAttr rows, int64_t count) {
  std::vector<int64_t> group(count, 0);
  for (int64_t i = 0; route && i < count; ++i)
    group[i] = route->modality[rows.getRoute() ? route->position[i] : i];
  return group;
}

// y[p] = modality of the token at p
void reference::evaluate(ModalityOp op, Frame &frame) {
  const Batch &batch = frame.batch(op.getBatch());
  Tensor y = Tensor::zeros({batch.tokens, 1}); // [tokens, 1]
  for (int64_t p = 0; p < batch.tokens; ++p)
    y.data[rowAt(batch, rowsOf(op.getY()), p)] = batch.modality[p];
  frame.set(op.getY(), std::move(y));
}

// y[row of p in the new order] = x[row of p in the old order]
void reference::evaluate(ReorderOp op, Frame &frame) {
  const Tensor &x = frame.tensor(op.getX()); // [tokens, C]
  const Batch &route = frame.batch(op.getRoute());
  Tensor y = Tensor::zeros(x.shape);
  for (int64_t p = 0; p < route.tokens; ++p)
    std::copy_n(x.row(rowAt(route, rowsOf(op.getX()), p)), x.channels(),
                y.row(rowAt(route, rowsOf(op.getY()), p)));
  frame.set(op.getY(), std::move(y));
}

// y[p] = x[p + 1] within a segment, -1 on its last token
void reference::evaluate(NextOp op, Frame &frame) {
  const Tensor &x = frame.tensor(op.getX()); // [tokens, 1]
  const Batch &batch = frame.batch(op.getBatch());
  RowsAttr rows = rowsOf(op.getX());
  Tensor y = Tensor::zeros(x.shape, -1.0);
  for (const Segment &segment : batch.segments)
    for (int64_t p = segment.start; p + 1 < segment.start + segment.length; ++p)
      y.data[rowAt(batch, rows, p)] = x.data[rowAt(batch, rows, p + 1)];
  frame.set(op.getY(), std::move(y));
}

// y[i] = [x[i] >= 0]
void reference::evaluate(PresentOp op, Frame &frame) {
  const Tensor &x = frame.tensor(op.getX()); // [rows, 1]
  Tensor y = Tensor::zeros(x.shape);
  for (int64_t i = 0; i < x.rows(); ++i)
    y.data[i] = x.data[i] >= 0;
  frame.set(op.getY(), std::move(y));
}

// y[i] = [x[i] = value]
void reference::evaluate(EqualsOp op, Frame &frame) {
  const Tensor &x = frame.tensor(op.getX()); // [rows, 1]
  Tensor y = Tensor::zeros(x.shape);
  for (int64_t i = 0; i < x.rows(); ++i)
    y.data[i] = x.data[i] == double(op.getValue());
  frame.set(op.getY(), std::move(y));
}

// y[i] = x[document of i], with `mean` over the document's tokens
void reference::evaluate(SpreadOp op, Frame &frame) {
  const Tensor &x = frame.tensor(op.getX()); // [documents, C]
  const Batch &batch = frame.batch(op.getBatch());
  Tensor y = Tensor::zeros({batch.tokens, x.channels()});
  for (size_t d = 0; d < batch.segments.size(); ++d) {
    const Segment &segment = batch.segments[d];
    for (int64_t p = segment.start; p < segment.start + segment.length; ++p)
      for (int64_t c = 0; c < x.channels(); ++c)
        y.row(rowAt(batch, rowsOf(op.getY()), p))[c] =
            x.row(d)[c] / double(op.getMean() ? segment.length : 1);
  }
  frame.set(op.getY(), std::move(y));
}

// y[d] = sum of x[i] over the tokens of d, with `mean` over how many they are
void reference::evaluate(CollectOp op, Frame &frame) {
  const Tensor &x = frame.tensor(op.getX()); // [tokens, C]
  const Batch &batch = frame.batch(op.getBatch());
  Tensor y = Tensor::zeros({countRows(batch, rowsOf(op.getY())), x.channels()});
  for (size_t d = 0; d < batch.segments.size(); ++d) {
    const Segment &segment = batch.segments[d];
    for (int64_t p = segment.start; p < segment.start + segment.length; ++p)
      for (int64_t c = 0; c < x.channels(); ++c)
        y.row(d)[c] += x.row(rowAt(batch, rowsOf(op.getX()), p))[c] /
                       double(op.getMean() ? segment.length : 1);
  }
  frame.set(op.getY(), std::move(y));
}

// y[i, c] = [x[i] = c]
void reference::evaluate(OneHotOp op, Frame &frame) {
  const Tensor &x = frame.tensor(op.getX()); // [rows, 1]
  int64_t channels = channelsOf(op.getY());
  Tensor y = Tensor::zeros({x.rows(), channels});
  for (int64_t i = 0; i < x.rows(); ++i)
    if (x.data[i] >= 0 && x.data[i] < channels)
      y.row(i)[int64_t(x.data[i])] = 1.0;
  frame.set(op.getY(), std::move(y));
}

// y[i, c] = x[i, 0], x[c], x[0] or x[g(i), c]
void reference::evaluate(BroadcastOp op, Frame &frame) {
  const Tensor &x = frame.tensor(op.getX());
  Tensor y = Tensor::zeros(frame.tensor(op.getLike()).shape);
  y.shape.back() = channelsOf(op.getY());
  int64_t channels = y.channels(), rows = 1; // a static y is rows too: all its outer axes
  for (int64_t size : ArrayRef<int64_t>(y.shape).drop_back())
    rows *= size;
  y.data.resize(rows * channels);

  const Batch *route = frame.routeIfPresent(op.getRoute());
  std::vector<int64_t> group = groupOfRows(route, rowsOf(op.getY()), rows);
  bool perRow = isRows(op.getX().getType()), scalar = x.channels() == 1;
  for (int64_t i = 0; i < rows; ++i) {
    const double *from = perRow ? x.row(i) : x.row(group[i]);
    for (int64_t c = 0; c < channels; ++c)
      y.row(i)[c] = from[scalar ? 0 : c];
  }
  frame.set(op.getY(), std::move(y));
}

// y[i] = sum or max over c of x[i, c]; a static x is one row
void reference::evaluate(ReduceOp op, Frame &frame) {
  const Tensor &x = frame.tensor(op.getX());
  bool perRow = isRows(op.getX().getType());
  int64_t rows = perRow ? x.rows() : 1, channels = perRow ? x.channels() : x.data.size();
  Tensor y = Tensor::zeros(perRow ? SmallVector<int64_t>{rows, 1} : SmallVector<int64_t>{1});
  bool isMax = op.getKind() == Reduction::max;
  for (int64_t i = 0; i < rows; ++i) {
    const double *row = x.data.data() + i * channels;
    double result = isMax ? -INFINITY : 0.0;
    for (int64_t c = 0; c < channels; ++c)
      result = isMax ? std::max(result, row[c]) : result + row[c];
    y.data[i] = result;
  }
  frame.set(op.getY(), std::move(y));
}

// y[c] = sum over i of x[i, c]; y[g, c] = sum over the rows of g
void reference::evaluate(ReduceRowsOp op, Frame &frame) {
  const Tensor &x = frame.tensor(op.getX()); // [rows, C]
  std::vector<int64_t> group =
      groupOfRows(frame.routeIfPresent(op.getRoute()), rowsOf(op.getX()), x.rows());
  Tensor y = Tensor::zeros(cast<RankedTensorType>(op.getY().getType()).getShape());
  for (int64_t i = 0; i < x.rows(); ++i)
    for (int64_t c = 0; c < x.channels(); ++c)
      y.row(group[i])[c] += x.row(i)[c];
  frame.set(op.getY(), std::move(y));
}

/// 1 / sqrt(mean(x^2) + eps) of one row
static double inverseRms(const double *x, int64_t channels, double eps) {
  double squares = 0.0;
  for (int64_t c = 0; c < channels; ++c)
    squares += x[c] * x[c];
  return 1.0 / std::sqrt(squares / channels + eps);
}

// y = r x
void reference::evaluate(RmsNormOp op, Frame &frame) {
  const Tensor &x = frame.tensor(op.getX()); // [rows, C]
  double eps = op.getEps().convertToDouble();
  Tensor y = Tensor::zeros(x.shape);
  for (int64_t i = 0; i < x.rows(); ++i) {
    double r = inverseRms(x.row(i), x.channels(), eps);
    for (int64_t c = 0; c < x.channels(); ++c)
      y.row(i)[c] = r * x.row(i)[c];
  }
  frame.set(op.getY(), std::move(y));
}

// dx = r dy - x r^3 mean(x dy)
void reference::evaluate(RmsNormGradOp op, Frame &frame) {
  const Tensor &x = frame.tensor(op.getX()), &dy = frame.tensor(op.getDy()); // [rows, C]
  double eps = op.getEps().convertToDouble();
  int64_t channels = x.channels();
  Tensor dx = Tensor::zeros(x.shape);
  for (int64_t i = 0; i < x.rows(); ++i) {
    double r = inverseRms(x.row(i), channels, eps), product = 0.0;
    for (int64_t c = 0; c < channels; ++c)
      product += frame.term(x.row(i)[c] * dy.row(i)[c]);
    for (int64_t c = 0; c < channels; ++c)
      dx.row(i)[c] = frame.term(r * dy.row(i)[c]) -
                     frame.term(x.row(i)[c] * r * r * r * product / channels);
  }
  frame.set(op.getDx(), std::move(dx));
}

// x = [part 0 | part 1 | ..]
void reference::evaluate(SplitOp op, Frame &frame) {
  const Tensor &x = frame.tensor(op.getX()); // [rows, sum of the parts' channels]
  int64_t begin = 0;
  for (mlir::Value result : op.getParts()) {
    Tensor part = Tensor::zeros({x.rows(), channelsOf(result)});
    for (int64_t i = 0; i < x.rows(); ++i)
      std::copy_n(x.row(i) + begin, part.channels(), part.row(i));
    begin += part.channels();
    frame.set(result, std::move(part));
  }
}

// y = [part 0 | part 1 | ..]
void reference::evaluate(ConcatOp op, Frame &frame) {
  int64_t rows = op.getParts().empty() ? 0 : frame.tensor(op.getParts().front()).rows(), begin = 0;
  Tensor y = Tensor::zeros({rows, channelsOf(op.getY())});
  for (mlir::Value operand : op.getParts()) {
    const Tensor &part = frame.tensor(operand);
    for (int64_t i = 0; i < rows; ++i)
      std::copy_n(part.row(i), part.channels(), y.row(i) + begin);
    begin += part.channels();
  }
  frame.set(op.getY(), std::move(y));
}

// y[i] = table[ids[i]], 0 for an id outside the table
void reference::evaluate(EmbeddingOp op, Frame &frame) {
  const Tensor &ids = frame.tensor(op.getIds());     // [rows, 1]
  const Tensor &table = frame.tensor(op.getTable()); // [V, C]
  Tensor y = Tensor::zeros({ids.rows(), table.channels()});
  for (int64_t i = 0; i < ids.rows(); ++i)
    if (ids.data[i] >= 0 && ids.data[i] < table.rows())
      std::copy_n(table.row(int64_t(ids.data[i])), table.channels(), y.row(i));
  frame.set(op.getY(), std::move(y));
}

// dtable[v] = sum of dy[i] over the rows with ids[i] = v
void reference::evaluate(EmbeddingGradOp op, Frame &frame) {
  const Tensor &ids = frame.tensor(op.getIds()); // [rows, 1]
  const Tensor &dy = frame.tensor(op.getDy());   // [rows, C]
  Tensor dtable = Tensor::zeros(cast<RankedTensorType>(op.getDtable().getType()).getShape());
  for (int64_t i = 0; i < ids.rows(); ++i) {
    if (ids.data[i] < 0 || ids.data[i] >= dtable.rows())
      continue;
    double *row = dtable.row(int64_t(ids.data[i]));
    for (int64_t c = 0; c < dy.channels(); ++c)
      row[c] += dy.row(i)[c];
  }
  frame.set(op.getDtable(), std::move(dtable));
}
