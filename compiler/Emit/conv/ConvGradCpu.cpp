// CPU form of the convolution's gradient.
//
// A block owns `lanes` channels of all positions and walks every segment from
// its last token to its first, and on to the W - 1 inputs of its initial state.
// With d[j] = dy[i + j], kept in registers,
//
//     dx[i]         = sum over j of w[W - 1 - j] d[j]
//     dw[W - 1 - j] += x[i] d[j]
//
// hold for tokens (i >= 0) and for the state (i < 0) alike. Where dy is made of the
// convolution itself, that is made again. dw and dbias are
// summed over `flush` tokens in f32, and those sums in f64.
#include "compiler/Emit/Pointwise.h"
#include "compiler/Emit/Sequence.h"
#include "compiler/Emit/conv/ConvCpu.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mom;

namespace {
class ConvGrad {
public:
  ConvGrad(const ConvAnchor &anchor, KernelBuilder &k)
      : anchor(anchor), op(anchor.grad), conv(anchor.conv), k(k), lanes(k.knob("lanes")),
        width(channelsOf(op.getWeights())) {}

  LogicalResult check();
  void emit();

private:
  void segment(const ChannelBlock &block, Value s);
  void run(const ChannelBlock &block, const SegmentWalk &walk, Value hi,
           SmallVector<Value> &window);
  void state(const ChannelBlock &block, const SegmentWalk &walk, ArrayRef<Value> window);
  Value convolution(const ChannelBlock &block, const SegmentWalk &walk, Value i, Value x);
  Value gradient(const ChannelBlock &block, const SegmentWalk &walk, Value i, ArrayRef<Value> d);
  void addToSums(MutableArrayRef<Value> sums, Value x, ArrayRef<Value> d);
  void addToTotals(const ChannelBlock &block, ArrayRef<Value> sums);

  ConvAnchor anchor;
  Conv1dGradOp op;
  Conv1dOp conv; ///< that dy is made of, or null
  KernelBuilder &k;
  int64_t lanes, width;
  SmallVector<unsigned> pointwise, dweights, dbias, dinit;
  SmallVector<Value> taps; ///< w[W - 1 - j]
  View totals;             ///< [W + 1, lanes] of f64: dw, then dbias
};
} // namespace

LogicalResult ConvGrad::check() {
  if (failed(checkGradient(k, anchor)))
    return failure();
  dweights = outputsOf(k, op.getDweights());
  dbias = outputsOf(k, op.getDbias());
  dinit = outputsOf(k, op.getDinit());
  for (unsigned i = 0; i < k.kernel.getNumResults(); ++i) {
    Value yielded = withoutStorage(k.yielded(i));
    if (yielded.getDefiningOp() == op && yielded != op.getDx())
      continue;
    if (failed(checkPointwise(k, yielded, {op.getDx()})))
      return failure();
    pointwise.push_back(i);
  }
  return success();
}

void ConvGrad::emit() {
  k.begin();
  ChannelBlock block(k, channelsOf(op.getX()), lanes, k.block());
  View tile = block.tile(width);
  block.turnIn(k.view(op.getWeights()), Value(), width, tile);
  for (int64_t j = 0; j < width; ++j)
    taps.push_back(block.load(tile, k.index(width - 1 - j)));
  totals = block.tileOfDoubles(width + 1);
  block.fill(totals, width + 1);
  for (unsigned output : dinit)
    k.loop(k.index(0), k.count(RowSpace::stream), 1, [&](Value row) {
      for (int64_t slot = 0; slot < width - 1; ++slot)
        k.store(k.zeros(lanes), k.output(output), block.at(row, k.index(slot)));
    });
  k.loop(k.index(0), k.segmentCount(), 1, [&](Value s) { segment(block, s); });

  auto total = [&](int64_t i) -> Value {
    return arith::TruncFOp::create(k.b, k.loc, k.lanesOf(k.b.getF32Type(), lanes),
                                   block.load(totals, k.index(i)));
  };
  if (!dweights.empty())
    for (int64_t i = 0; i < width; ++i)
      block.store(total(i), tile, k.index(i));
  for (unsigned output : dweights)
    block.turnOut(tile, width, k.output(output), Value());
  for (unsigned output : dbias)
    k.store(total(width), k.output(output), block.at(Value()));
  k.finish(k.fixedGrid(ChannelBlock::count(channelsOf(op.getX()), lanes)));
}

void ConvGrad::segment(const ChannelBlock &block, Value s) {
  SegmentWalk walk{k, op.getBatch(), k.segment(op.getBatch(), s), op.getReverse()};
  int64_t flush = k.knob("flush");
  Value length = walk.segment.length;
  SmallVector<Value> window(width - 1, k.zeros(lanes)); // d[1], d[2], ...
  window = k.loop(k.index(0), length, flush, window, [&](Value done, ValueRange carried) {
    SmallVector<Value> window(carried);
    run(block, walk, k.sub(length, done), window);
    return window;
  });
  if (op.getInit())
    k.ifThen(isPresent(k, walk.segment.initial), [&] { state(block, walk, window); });
}

/// At most `flush` tokens before token `hi`.
void ConvGrad::run(const ChannelBlock &block, const SegmentWalk &walk, Value hi,
                   SmallVector<Value> &window) {
  RowsAttr rows = rowsOf(op.getX());
  SmallVector<Value> carried(window);
  carried.append(width + 1, k.zeros(lanes)); // sums
  Value count = k.min(hi, k.index(k.knob("flush"))), last = k.sub(hi, k.index(1));
  carried = k.loop(k.index(0), count, 1, carried, [&](Value back, ValueRange values) {
    Value i = k.sub(last, back);
    At at = block.at(walk.row(i, rows));
    Value x = k.load(k.view(op.getX()), at);
    PointwiseEmitter emitter(k, at);
    emitter.bind(op.getX(), x);
    if (conv)
      emitter.bind(conv.getY(), convolution(block, walk, i, x));
    SmallVector<Value> d{emitter.value(op.getDy())};
    llvm::append_range(d, values.take_front(width - 1));
    SmallVector<Value> sums(values.drop_front(width - 1));
    addToSums(sums, x, d);
    sums[width] = arith::AddFOp::create(k.b, k.loc, sums[width], d[0]);
    emitter.bind(op.getDx(), gradient(block, walk, i, d));
    for (unsigned output : pointwise)
      k.store(emitter.value(k.yielded(output)), k.output(output), at);
    d.pop_back();
    llvm::append_range(d, sums);
    return d;
  });
  window.assign(carried.begin(), carried.begin() + (width - 1));
  addToTotals(block, ArrayRef(carried).drop_front(width - 1));
}

/// The inputs before the first token, last one first.
void ConvGrad::state(const ChannelBlock &block, const SegmentWalk &walk, ArrayRef<Value> window) {
  SmallVector<Value> d(window), sums(width + 1, k.zeros(lanes));
  for (int64_t slot = width - 2; slot >= 0; --slot) {
    d.insert(d.begin(), k.zeros(lanes));
    At at = block.at(walk.segment.initial, k.index(slot));
    addToSums(sums, k.load(k.view(op.getInit()), at), d);
    // Segments may share a state, so its gradient is added.
    for (unsigned output : dinit) {
      Value more = gradient(block, walk, k.index(slot - (width - 1)), d),
            old = k.load(k.output(output), at);
      k.store(arith::AddFOp::create(k.b, k.loc, old, more), k.output(output), at);
    }
    d.pop_back();
  }
  addToTotals(block, sums);
}

/// The convolution at token i, whose input is x.
Value ConvGrad::convolution(const ChannelBlock &block, const SegmentWalk &walk, Value i, Value x) {
  Value y = conv.getBias() ? k.load(k.view(conv.getBias()), block.at(Value())) : k.zeros(lanes);
  y = k.fma(taps[0], x, y);
  for (int64_t j = 1; j < width; ++j) {
    Value before = k.sub(i, k.index(j)),
          row = walk.row(k.max(before, k.index(0)), rowsOf(op.getX()));
    Value there = k.load(k.view(op.getX()), block.at(row));
    y = k.fma(taps[j], k.select(isPresent(k, before), there, k.zeros(lanes)), y);
  }
  return y;
}

/// The gradient of the input at token i of the walk, or before its first.
Value ConvGrad::gradient(const ChannelBlock &block, const SegmentWalk &walk, Value i,
                         ArrayRef<Value> d) {
  Value sum = arith::MulFOp::create(k.b, k.loc, taps[0], d[0]);
  for (int64_t j = 1; j < width; ++j)
    sum = k.fma(taps[j], d[j], sum);
  if (!op.getDfinal() || width == 1)
    return sum;
  // The final state holds the last W - 1 inputs.
  Value zero = k.index(0), slot = k.sub(i, k.sub(walk.segment.length, k.index(width - 1)));
  View dfinal = k.view(op.getDfinal());
  Value present = isPresent(k, walk.segment.final);
  dfinal.valid = k.select(present, isPresent(k, slot), present);
  At at = block.at(k.max(walk.segment.final, zero), k.max(slot, zero));
  return arith::AddFOp::create(k.b, k.loc, sum, k.load(dfinal, at));
}

void ConvGrad::addToSums(MutableArrayRef<Value> sums, Value x, ArrayRef<Value> d) {
  for (int64_t j = 0; j < width; ++j)
    sums[width - 1 - j] = k.fma(x, d[j], sums[width - 1 - j]);
}

void ConvGrad::addToTotals(const ChannelBlock &block, ArrayRef<Value> sums) {
  for (auto [i, sum] : llvm::enumerate(sums)) {
    Value total = block.load(totals, k.index(i));
    Value more = arith::ExtFOp::create(k.b, k.loc, total.getType(), sum);
    block.store(arith::AddFOp::create(k.b, k.loc, total, more), totals, k.index(i));
  }
}

LogicalResult mom::emitConvGradCpu(const ConvAnchor &anchor, KernelBuilder &k) {
  ConvGrad grad(anchor, k);
  if (failed(grad.check()))
    return failure();
  grad.emit();
  return success();
}
