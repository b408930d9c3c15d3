// Lines of a product's A that a convolution makes.
#include "compiler/Emit/product/ConvolvedGpu.h"

#include "compiler/Emit/Pointwise.h"
#include "compiler/Emit/Sequence.h"
#include "compiler/Emit/TensorCore.h"
#include "compiler/Emit/conv/ConvRunGpu.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mom;

static constexpr int64_t kLanes = 8; // channels of 16 bytes
static constexpr int64_t kChunks = TensorCore::kPanel / kLanes;
static constexpr int64_t kBreak = 256; // one's number times this, in `breaks`

ConvolvedRows::ConvolvedRows(KernelBuilder &k, const TileShape &shape, const TileOperand &operand,
                             Type element)
    : k(k), operand(operand), element(element), conv(operand.conv), rows(rowsOf(conv.getX())),
      before(channelsOf(conv.getWeights()) - 1), linesOfPass(shape.threads / kChunks),
      line(k.div(k.thread(), kChunks)), chunk(k.rem(k.thread(), kChunks)),
      source(words(operand.outer * (1 + before))), breaks(words(operand.outer)),
      ballots(words(shape.threads / Gpu::kWarp)) {}

int64_t ConvolvedRows::bytes(const TileOperand &operand) {
  return operand.conv ? (operand.outer + kSpareLines) * TensorCore::kLineBytes : 0;
}

View ConvolvedRows::words(int64_t count) const { return k.sharedView(1, count, k.b.getI32Type()); }

//===----------------------------------------------------------------------===//
// Breaks
//===----------------------------------------------------------------------===//

void ConvolvedRows::storeWord(Value value, const View &to, Value at) const {
  k.store(Gpu(k).toI32(value), to, At{Value(), at, 1, Value()});
}

Value ConvolvedRows::loadWord(const View &from, Value at) const {
  return k.load(from, At{Value(), at, 1, Value()});
}

/// Rows of the tokens before a row's, the last one first; -1 where the segment has none.
SmallVector<Value> ConvolvedRows::rowsBefore(Value row) const {
  Value batch = conv.getBatch(), position = rows.getRoute() ? k.positionAt(batch, row) : row;
  Value index = k.sub(position, k.segment(batch, k.segmentOf(batch, position)).start);
  Values result;
  for (int64_t back = 1; back <= before; ++back) {
    Value there = k.max(k.sub(position, k.index(back)), k.index(0));
    result.push_back(
        k.select(k.less(k.index(back - 1), index), k.rowAt(batch, rows, there), k.index(-1)));
  }
  return result;
}

/// Of the breaks up to this thread's line, the last one's number and line; and how many the tile
/// has. All threads meet; those beyond the lines have no break.
ConvolvedRows::Breaks ConvolvedRows::count(Value isBreak) const {
  Gpu gpu(k);
  Value lane = gpu.lane(), warp = gpu.warp(), ballot = gpu.ballot(isBreak);
  k.ifThen(k.equal(lane, k.index(0)), [&] { storeWord(gpu.toI64(ballot), ballots, warp); });
  gpu.barrier();
  auto countOf = [&](Value bits) -> Value {
    return gpu.toI64(math::CtPopOp::create(k.b, k.loc, bits));
  };
  Breaks breaks{k.index(-1), k.index(0), k.index(0)};
  auto take = [&](Value bits, Value warp) {
    Value none = k.equal(bits, gpu.i32(0));
    Value zeros = gpu.toI64(math::CountLeadingZerosOp::create(k.b, k.loc, bits));
    Value highest = k.sub(k.add(k.mul(warp, Gpu::kWarp), Gpu::kWarp - 1), zeros);
    breaks.number = k.add(breaks.number, countOf(bits));
    breaks.line = k.select(none, breaks.line, highest);
  };
  for (int64_t other = 0; other * Gpu::kWarp < operand.outer; ++other) {
    Value bits = loadWord(ballots, k.index(other));
    breaks.all = k.add(breaks.all, countOf(bits));
    take(k.select(k.less(k.index(other), warp), bits, gpu.i32(0)), k.index(other));
  }
  Value upTo = arith::ShRUIOp::create(k.b, k.loc, gpu.i32(-1),
                                      gpu.toI32(k.sub(k.index(Gpu::kWarp - 1), lane)));
  take(arith::AndIOp::create(k.b, k.loc, ballot, upTo), warp);
  return breaks;
}

void ConvolvedRows::prepare() {
  Value thread = k.thread(), outer = k.index(operand.outer);
  Value last = k.sub(operand.endLine, k.index(1));
  Value row = k.min(k.add(operand.firstLine, thread), last);
  Values earlier = rowsBefore(row);
  Value isLine = k.less(thread, outer), isBreak = k.equal(thread, k.index(0));
  if (before) {
    Value isElsewhere = arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::ne, earlier[0],
                                              k.sub(row, k.index(1)));
    isBreak = arith::OrIOp::create(k.b, k.loc, isBreak, isElsewhere);
  }
  isBreak = arith::AndIOp::create(k.b, k.loc, isBreak, isLine);
  Breaks found = count(isBreak);
  k.ifThen(isLine, [&] {
    Value exists = k.less(thread, k.sub(operand.endLine, operand.firstLine));
    storeWord(k.select(exists, row, k.index(-1)), source, thread);
    Value distance = k.min(k.sub(thread, found.line), k.index(before));
    storeWord(k.add(k.mul(found.number, kBreak), distance), breaks, thread);
  });
  k.ifThen(isBreak, [&] {
    Value first = k.add(outer, k.mul(found.number, before));
    for (auto [back, earlierRow] : llvm::enumerate(earlier))
      storeWord(earlierRow, source, k.add(first, back));
  });
  copied = k.add(outer, k.min(k.mul(found.all, before), k.index(kSpareLines)));
  Gpu(k).barrier();
}

//===----------------------------------------------------------------------===//
// A step
//===----------------------------------------------------------------------===//

/// Where this thread's chunk of a line is: permuted as in a panel.
Value ConvolvedRows::place(Value shared, Value at) const {
  Value permuted = arith::XOrIOp::create(k.b, k.loc, chunk, k.rem(at, kChunks));
  return k.address(shared, k.b.getI8Type(),
                   k.add(k.mul(at, TensorCore::kLineBytes), k.mul(permuted, 16)));
}

Value ConvolvedRows::channelOf(Value step) const {
  return k.add(k.mul(step, TensorCore::kPanel), k.mul(chunk, kLanes));
}

void ConvolvedRows::load(Value step, Value inputs) const {
  Gpu gpu(k);
  View x = k.view(conv.getX());
  Value channel = channelOf(step);
  auto copy = [&](Value at) {
    Value row = loadWord(source, at);
    Value present = k.less(gpu.i32(-1), row);
    row = gpu.toI64(k.max(row, gpu.i32(0)));
    gpu.copyAsync(place(inputs, at), k.address(x, At{row, channel, kLanes, Value()}), present);
  };
  for (int64_t pass = 0; pass * linesOfPass < operand.outer + kSpareLines; ++pass) {
    Value at = k.add(line, pass * linesOfPass);
    if ((pass + 1) * linesOfPass <= operand.outer)
      copy(at);
    else
      k.ifThen(k.less(at, copied), [&] { copy(at); });
  }
}

/// What lies in a row of memory, or 0 where it is -1.
Value ConvolvedRows::loadInput(Value row, Value channel) const {
  Gpu gpu(k);
  Value inside = gpu.toI64(k.max(row, gpu.i32(0)));
  Value value = k.load(k.view(conv.getX()), At{inside, channel, kLanes, Value()});
  return k.select(k.less(gpu.i32(-1), row), value, k.zeros(kLanes));
}

/// What was copied of a line.
Value ConvolvedRows::copiedInput(Value at, Value inputs) const {
  Type stored = k.view(conv.getX()).element;
  Value raw = LLVM::LoadOp::create(k.b, k.loc, k.lanesOf(stored, kLanes), place(inputs, at), 16);
  return arith::ExtFOp::create(k.b, k.loc, k.lanesOf(k.b.getF32Type(), kLanes), raw);
}

/// Of the tokens before a line's, the last one first; `entry`: of `breaks`.
SmallVector<Value> ConvolvedRows::inputsBefore(Value at, Value entry, Value inputs,
                                               Value channel) const {
  Values from;
  if (!before)
    return from;
  Value number = k.div(entry, kBreak), distance = k.rem(entry, kBreak);
  Value spare = k.add(k.index(operand.outer), k.mul(number, before));
  for (int64_t back = 1; back <= before; ++back) {
    Value isLine = k.less(k.index(back - 1), distance);
    Value beyond = k.sub(k.add(spare, back - 1), distance);
    from.push_back(k.select(isLine, k.sub(at, k.index(back)), beyond));
  }
  Value fits = k.less(k.mul(number, before), k.index(kSpareLines - before + 1));
  auto copied = [&](Value line) { return copiedInput(line, inputs); };
  auto inMemory = [&](Value line) { return loadInput(loadWord(source, line), channel); };
  return k.either(
      fits, [&] { return Values(llvm::map_range(from, copied)); },
      [&] { return Values(llvm::map_range(from, inMemory)); });
}

void ConvolvedRows::storeLine(Value at, Value channel, Value y, Value lines) const {
  Value row = k.add(operand.firstLine, at);
  At to{row, channel, kLanes, Value()};
  PointwiseEmitter pointwise(k, to);
  pointwise.bind(conv.getY(), y);
  Value made = madeOf(operand.source), value = pointwise.value(made);
  Value stored = arith::TruncFOp::create(k.b, k.loc, k.lanesOf(element, kLanes), value);
  LLVM::StoreOp::create(k.b, k.loc, stored, place(lines, at), 16);
  k.ifThen(k.less(row, operand.endLine), [&] {
    for (unsigned output : outputsOf(k, made))
      k.store(value, k.output(output), to);
  });
}

// A thread makes lines below each other, and keeps the inputs that the next one needs too
// where no break is near: reading and widening them again was a fifth of all instructions.
void ConvolvedRows::make(Value step, Value inputs, Value lines) const {
  Gpu gpu(k);
  Value channel = channelOf(step);
  Values taps = loadTaps(k, channel, kLanes, conv.getWeights()), window;
  Value bias = conv.getBias()
                   ? k.load(k.view(conv.getBias()), At{Value(), channel, kLanes, Value()})
                   : k.zeros(kLanes);
  int64_t count = operand.outer / linesOfPass;
  for (int64_t i = 0; i < count; ++i) {
    Value at = k.add(k.mul(line, count), i);
    Value entry = gpu.toI64(loadWord(breaks, at));
    auto find = [&] { return inputsBefore(at, entry, inputs, channel); };
    if (i == 0) {
      window = find();
    } else if (before) {
      Value isNear = k.less(k.rem(entry, kBreak), k.index(before));
      window = k.either(isNear, find, [&] { return window; });
    }
    window.insert(window.begin(), copiedInput(at, inputs));
    Value y = bias;
    for (auto [tap, x] : llvm::zip_equal(taps, window))
      y = k.fma(tap, x, y);
    storeLine(at, channel, y, lines);
    window.pop_back();
  }
}
