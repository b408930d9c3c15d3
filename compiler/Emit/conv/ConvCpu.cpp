// CPU form of conv kernels: the choice of direction, and the convolution itself.
//
// A block owns `lanes` channels of a tile of positions. It walks the parts of
// segments that lie in the tile with the W - 1 inputs before a token in
// registers, so that each input is loaded once.
#include "compiler/Emit/conv/ConvCpu.h"

#include "compiler/Emit/Pointwise.h"
#include "compiler/Emit/Sequence.h"

using namespace mlir;
using namespace mom;

namespace {
class Conv {
public:
  Conv(Conv1dOp op, KernelBuilder &k)
      : op(op), k(k), channels(channelsOf(op.getX())), lanes(k.knob("lanes")),
        blocks(ChannelBlock::count(channels, lanes)), width(channelsOf(op.getWeights())) {}

  LogicalResult emit();

private:
  void convolve();
  void walkPart(const ChannelBlock &block, const View &taps, const SegmentWalk &walk, Value lo,
                Value hi);
  void writeFinal();
  /// x at token i >= -(W - 1) of the walk: before the first it is the initial state's.
  Value input(const ChannelBlock &block, const SegmentWalk &walk, Value i);

  Conv1dOp op;
  KernelBuilder &k;
  int64_t channels, lanes, blocks, width;
  SmallVector<unsigned> pointwise, finals;
};
} // namespace

LogicalResult Conv::emit() {
  if (failed(checkInputs(k, op, {op.getX(), op.getWeights(), op.getBias(), op.getInit()})))
    return failure();
  finals = outputsOf(k, op.getFinal());
  for (unsigned i = 0; i < k.kernel.getNumResults(); ++i) {
    if (llvm::is_contained(finals, i))
      continue;
    if (failed(checkPointwise(k, k.yielded(i), {op.getY()})))
      return failure();
    pointwise.push_back(i);
  }
  if (!pointwise.empty())
    convolve();
  if (!finals.empty())
    writeFinal();
  return success();
}

Value Conv::input(const ChannelBlock &block, const SegmentWalk &walk, Value i) {
  auto inside = [&] {
    return SmallVector<Value>{k.load(k.view(op.getX()), block.at(walk.row(i, rowsOf(op.getX()))))};
  };
  auto before = [&] {
    if (!op.getInit())
      return SmallVector<Value>{k.zeros(lanes)};
    View init = k.view(op.getInit());
    init.valid = isPresent(k, walk.segment.initial);
    Value row = k.max(walk.segment.initial, k.index(0));
    return SmallVector<Value>{k.load(init, block.at(row, k.add(i, width - 1)))};
  };
  return k.either(k.less(k.index(-1), i), inside, before)[0];
}

void Conv::convolve() {
  k.begin(pointwise);
  int64_t tile = k.knob("tile_rows");
  ChannelBlock block(k, channels, lanes, k.rem(k.block(), blocks));
  View taps = block.tile(width);
  block.turnIn(k.view(op.getWeights()), Value(), width, taps);
  Value lo = k.mul(k.div(k.block(), blocks), tile),
        hi = k.min(k.add(lo, tile), k.count(RowSpace::token));
  Value batch = op.getBatch();
  k.ifThen(k.less(lo, hi), [&] {
    Value begin = k.segmentOf(batch, lo), end = k.add(k.segmentOf(batch, k.sub(hi, k.index(1))), 1);
    k.loop(begin, k.min(end, k.segmentCount()), 1, [&](Value s) {
      SegmentWalk walk{k, batch, k.segment(batch, s), op.getReverse()};
      Value start = walk.segment.start, last = k.add(start, walk.segment.length);
      Value from = k.max(lo, start), to = k.min(hi, last);
      k.ifThen(k.less(from, to), [&] {
        if (op.getReverse())
          walkPart(block, taps, walk, k.sub(last, to), k.sub(last, from));
        else
          walkPart(block, taps, walk, k.sub(from, start), k.sub(to, start));
      });
    });
  });
  k.finish(k.rowGrid(RowSpace::token, tile, 0, blocks));
}

/// Tokens [lo, hi) of a walk.
void Conv::walkPart(const ChannelBlock &block, const View &taps, const SegmentWalk &walk, Value lo,
                    Value hi) {
  SmallVector<Value> weights, window; // x[i - 1], x[i - 2], ...
  for (int64_t j = 0; j < width; ++j) // of x[i - j]
    weights.push_back(block.load(taps, k.index(width - 1 - j)));
  for (int64_t j = 1; j < width; ++j)
    window.push_back(input(block, walk, k.sub(lo, k.index(j))));
  Value bias = op.getBias() ? k.load(k.view(op.getBias()), block.at(Value())) : k.zeros(lanes);
  k.loop(lo, hi, 1, window, [&](Value i, ValueRange before) {
    At at = block.at(walk.row(i, rowsOf(op.getX())));
    SmallVector<Value> xs{k.load(k.view(op.getX()), at)};
    llvm::append_range(xs, before);
    Value y = bias;
    for (int64_t j = 0; j < width; ++j)
      y = k.fma(weights[j], xs[j], y);
    PointwiseEmitter emitter(k, at);
    emitter.bind(op.getX(), xs[0]);
    emitter.bind(op.getY(), y);
    for (unsigned output : pointwise)
      k.store(emitter.value(k.yielded(output)), k.output(output), at);
    xs.pop_back();
    return xs;
  });
}

/// A state without a segment that ends in it is 0.
void Conv::writeFinal() {
  k.begin(finals, "final");
  ChannelBlock block(k, channels, lanes, k.block());
  for (unsigned output : finals)
    k.loop(k.index(0), k.count(RowSpace::stream), 1, [&](Value row) {
      for (int64_t slot = 0; slot < width - 1; ++slot)
        k.store(k.zeros(lanes), k.output(output), block.at(row, k.index(slot)));
    });
  k.loop(k.index(0), k.segmentCount(), 1, [&](Value s) {
    SegmentWalk walk{k, op.getBatch(), k.segment(op.getBatch(), s), op.getReverse()};
    k.ifThen(isPresent(k, walk.segment.final), [&] {
      for (int64_t slot = 0; slot < width - 1; ++slot) {
        Value x = input(block, walk, k.add(k.sub(walk.segment.length, k.index(width - 1)), slot));
        for (unsigned output : finals)
          k.store(x, k.output(output), block.at(walk.segment.final, k.index(slot)));
      }
    });
  });
  k.finish(k.fixedGrid(blocks));
}

LogicalResult mom::emitConvCpu(KernelOp kernel, KernelBuilder &k) {
  FailureOr<ConvAnchor> anchor = convAnchor(k);
  if (failed(anchor))
    return failure();
  return anchor->grad ? emitConvGradCpu(*anchor, k) : Conv(anchor->conv, k).emit();
}
