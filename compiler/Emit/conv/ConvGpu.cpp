// GPU form of conv kernels: the choice of direction, and the convolution itself.
//
// A thread owns some channels of `run` positions and walks them with the W - 1 inputs
// before a token in registers, so that each input is loaded once but for the first
// W - 1 of a run.
#include "compiler/Emit/conv/ConvGpu.h"

#include "compiler/Emit/Pointwise.h"
#include "compiler/Emit/Sequence.h"
#include "compiler/Emit/conv/ConvRunGpu.h"

using namespace mlir;
using namespace mom;

namespace {
class Conv {
public:
  Conv(Conv1dOp op, KernelBuilder &k)
      : op(op), k(k), channels(channelsOf(op.getX())), width(channelsOf(op.getWeights())) {}

  LogicalResult emit();

private:
  using Values = SmallVector<Value>;
  void convolve();
  void walkRun(const ConvTile &tile, ArrayRef<Value> tensors, Value lo);
  Values firstWindow(const ConvTile &tile, ConvRun &run);
  Value before(const ConvTile &tile, Value row, Value slot);
  void writeFinal();
  void writeFinalState(const ConvTile &tile, Value stream);

  Conv1dOp op;
  KernelBuilder &k;
  int64_t channels, width;
  SmallVector<unsigned> pointwise, finals;
};
} // namespace

LogicalResult Conv::emit() {
  if (failed(checkInputs(k, op, {op.getX(), op.getWeights(), op.getBias(), op.getInit()})))
    return failure();
  if (k.knob("run") % k.knob("ahead"))
    return k.error() << "expected knob 'run' to be a multiple of knob 'ahead', but got "
                     << k.knob("run") << " and " << k.knob("ahead");
  finals = outputsOf(k, op.getFinal());
  for (unsigned i = 0; i < k.kernel.getNumResults(); ++i) {
    if (llvm::is_contained(finals, i))
      continue;
    if (failed(checkPointwise(k, k.yielded(i), {op.getY()})))
      return failure();
    pointwise.push_back(i);
  }
  if (!pointwise.empty()) {
    convolve();
    if (failed(checkShared(k, ConvRun::kSharedKnobs)))
      return failure();
  }
  if (!finals.empty())
    writeFinal();
  return success();
}

/// The input at slot `slot` of the state in `row`, or 0 where there is none. The slot exists
/// even where its value is not wanted: the state may lie at the end of a caller's memory.
Value Conv::before(const ConvTile &tile, Value row, Value slot) {
  if (!op.getInit())
    return k.zeros(tile.lanes);
  View init = k.view(op.getInit());
  init.valid = isPresent(k, row);
  return k.load(init, tile.at(k, k.max(row, k.index(0)), slot));
}

void Conv::convolve() {
  k.begin(pointwise);
  Values tensors = tensorsOfRun(
      k, op.getX(), llvm::map_to_vector(pointwise, [&](unsigned i) { return k.yielded(i); }));
  ConvTile tile(k, channels, viewsOf(k, tensors));
  int64_t run = k.knob("run");
  Value lo = k.mul(k.add(k.mul(tile.part, tile.runs), tile.run), run);
  tile.ifActive(k, [&] {
    k.ifThen(k.less(lo, k.count(RowSpace::token)), [&] { walkRun(tile, tensors, lo); });
  });
  k.finish(k.rowGrid(RowSpace::token, run * tile.runs, 0, tile.tiles));
}

void Conv::walkRun(const ConvTile &tile, ArrayRef<Value> tensors, Value lo) {
  ConvRun run(k, op.getBatch(), rowsOf(op.getX()), tile, tensors, op.getReverse(), lo,
              k.add(lo, k.knob("run")));
  Values taps = loadTaps(k, tile.first, tile.lanes, op.getWeights());
  Value bias = op.getBias() ? k.load(k.view(op.getBias()), tile.at(Value()))
                            : k.zeros(tile.lanes);
  auto enter = [&](Segment segment, ValueRange) {
    Values window; // x[i - 1], x[i - 2], ...
    for (int64_t j = 1; j < width; ++j)
      window.push_back(before(tile, segment.initial, k.index(width - 1 - j)));
    return window;
  };
  auto step = [&](const ConvRun::Token &token, ValueRange window) {
    Values xs{token.values[0]};
    llvm::append_range(xs, window);
    Value y = bias;
    for (int64_t j = 0; j < width; ++j)
      y = k.fma(taps[j], xs[j], y);
    At at = tile.at(token.row);
    PointwiseEmitter emitter(k, at);
    run.bind(emitter, token);
    emitter.bind(op.getY(), y);
    Values results;
    for (unsigned output : pointwise)
      results.push_back(emitter.value(k.yielded(output)));
    k.ifThen(token.valid, [&] {
      for (auto [output, result] : llvm::zip_equal(pointwise, results))
        k.store(result, k.output(output), at);
    });
    xs.pop_back();
    return xs;
  };
  run.walk(firstWindow(tile, run), enter, step);
}

/// What lies before the run's first token.
SmallVector<Value> Conv::firstWindow(const ConvTile &tile, ConvRun &run) {
  Values behind;
  for (int64_t back = 1; back < width; ++back)
    behind.push_back(k.load(k.view(op.getX()), tile.at(run.rowBefore(back))));
  run.locate();
  auto choose = [&](bool states) {
    Values window;
    for (int64_t j = 1; j < width; ++j) {
      Gpu gpu(k);
      Value inside = k.less(gpu.i32(j - 1), run.index), other = k.zeros(tile.lanes);
      if (states) {
        Value slot = k.max(k.sub(run.index, gpu.i32(j - (width - 1))), gpu.i32(0));
        slot = k.min(slot, gpu.i32(width - 2)); // where it is not meant
        other = before(tile, run.segment.initial, gpu.toI64(slot));
      }
      window.push_back(k.select(inside, behind[j - 1], other));
    }
    return window;
  };
  if (!op.getInit() || width == 1)
    return choose(/*states=*/false);
  return k.either(
      k.less(run.index, Gpu(k).i32(width - 1)), [&] { return choose(/*states=*/true); },
      [&] { return behind; });
}

/// One block a stream and tile of channels. A state without a segment that ends in it
/// is 0.
void Conv::writeFinal() {
  k.begin(finals, "final");
  ConvTile tile(k, channels, {k.view(op.getX())}, /*oneRun=*/true);
  k.ifThen(k.less(tile.part, k.count(RowSpace::stream)),
           [&] { writeFinalState(tile, tile.part); });
  k.finish(k.rowGrid(RowSpace::stream, 1, 0, tile.tiles));
}

void Conv::writeFinalState(const ConvTile &tile, Value stream) {
  Values last = forSegmentsOf(k, op.getBatch(), /*final=*/true, stream, {k.index(-1)},
                              [&](Value segment, ValueRange) { return Values{segment}; });
  Value found = isPresent(k, last[0]);
  Segment segment = k.segment(op.getBatch(), k.max(last[0], k.index(0)));
  SegmentWalk walk{k, op.getBatch(), segment, op.getReverse()};
  for (int64_t slot = 0; slot < width - 1; ++slot) {
    Value i = k.add(k.sub(segment.length, k.index(width - 1)), slot);
    auto lastInput = [&] {
      Value inside = isPresent(k, i), row = walk.row(k.max(i, k.index(0)), rowsOf(op.getX()));
      Value older = k.min(k.max(k.add(i, width - 1), k.index(0)), k.index(width - 2));
      Value earlier = before(tile, segment.initial, older);
      Value input = k.load(k.view(op.getX()), tile.at(row));
      return Values{k.select(inside, input, earlier)};
    };
    Value value = k.either(found, lastInput, [&] { return Values{k.zeros(tile.lanes)}; })[0];
    tile.ifActive(k, [&] {
      for (unsigned output : finals)
        k.store(value, k.output(output), tile.at(k, stream, k.index(slot)));
    });
  }
}

LogicalResult mom::emitConvGpu(KernelOp kernel, KernelBuilder &k) {
  for (StringRef name : {"lanes", "ahead"})
    if (!llvm::isPowerOf2_64(k.knob(name)))
      return k.error() << "expected a power of two as knob '" << name << "', but got "
                       << k.knob(name);
  FailureOr<ConvAnchor> anchor = convAnchor(k);
  if (failed(anchor))
    return failure();
  return anchor->grad ? emitConvGradGpu(*anchor, k) : Conv(anchor->conv, k).emit();
}
