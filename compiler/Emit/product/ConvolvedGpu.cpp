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
  return (operand.outer + kSpareLines) * TensorCore::kLineBytes;
}

View ConvolvedRows::words(int64_t count) const {
  return k.sharedView(1, count, k.b.getI32Type());
}

//===----------------------------------------------------------------------===//
// Breaks
//===----------------------------------------------------------------------===//

void ConvolvedRows::prepare() {
  Gpu gpu(k);
  Value thread = k.thread(), lane = gpu.lane(), none = k.index(-1), outer = k.index(operand.outer);
  Value last = k.sub(operand.endLine, k.index(1));
  Value row = k.min(k.add(operand.firstLine, thread), last);
  Value position = rows.getRoute() ? k.positionAt(conv.getBatch(), row) : row;
  Segment segment = k.segment(conv.getBatch(), k.segmentOf(conv.getBatch(), position));
  Value index = k.sub(position, segment.start);
  Values rowsBefore;
  for (int64_t back = 1; back <= before; ++back) {
    Value there = k.less(k.index(back - 1), index);
    Value found =
        k.rowAt(conv.getBatch(), rows, k.max(k.sub(position, k.index(back)), k.index(0)));
    rowsBefore.push_back(k.select(there, found, none));
  }
  auto storeWord = [&](Value value, const View &to, Value at) {
    k.store(gpu.toI32(value), to, At{Value(), at, 1, Value()});
  };
  auto loadWord = [&](const View &from, Value at) {
    return k.load(from, At{Value(), at, 1, Value()});
  };

  Value isLine = k.less(thread, outer), isBreak = k.equal(thread, k.index(0));
  if (before) {
    Value follows = k.equal(rowsBefore[0], k.sub(row, k.index(1)));
    Value isOther = k.equal(gpu.i32(0), arith::ExtUIOp::create(k.b, k.loc, k.b.getI32Type(),
                                                               follows));
    isBreak = arith::OrIOp::create(k.b, k.loc, isBreak, isOther);
  }
  isBreak = arith::AndIOp::create(k.b, k.loc, isBreak, isLine);
  Value ballot = gpu.ballot(isBreak);
  k.ifThen(k.equal(lane, k.index(0)), [&] { storeWord(gpu.toI64(ballot), ballots, gpu.warp()); });
  gpu.barrier();

  // Breaks up to this line, the last of them, and all.
  auto countOf = [&](Value bits) -> Value {
    return gpu.toI64(math::CtPopOp::create(k.b, k.loc, bits));
  };
  auto highestOf = [&](Value bits) -> Value {
    Value zeros = math::CountLeadingZerosOp::create(k.b, k.loc, bits);
    return k.sub(k.index(Gpu::kWarp - 1), gpu.toI64(zeros));
  };
  Value number = none, lastBreak = k.index(0), all = k.index(0);
  auto take = [&](Value bits, Value firstLine, Value holds) {
    Value any = arith::AndIOp::create(
        k.b, k.loc, holds,
        arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::ne, bits, gpu.i32(0)));
    number = k.select(any, k.add(number, countOf(bits)), number);
    lastBreak = k.select(any, k.add(firstLine, highestOf(bits)), lastBreak);
  };
  for (int64_t warp = 0; warp * Gpu::kWarp < operand.outer; ++warp) {
    Value bits = loadWord(ballots, k.index(warp));
    all = k.add(all, countOf(bits));
    take(bits, k.index(warp * Gpu::kWarp), k.less(k.index(warp), gpu.warp()));
  }
  Value upTo = arith::ShRUIOp::create(k.b, k.loc, gpu.i32(-1),
                                      gpu.toI32(k.sub(k.index(Gpu::kWarp - 1), lane)));
  take(arith::AndIOp::create(k.b, k.loc, ballot, upTo), k.mul(gpu.warp(), Gpu::kWarp), isLine);

  k.ifThen(isLine, [&] {
    Value exists = k.less(thread, k.sub(operand.endLine, operand.firstLine));
    storeWord(k.select(exists, row, none), source, thread);
    Value distance = k.min(k.sub(thread, lastBreak), k.index(before));
    storeWord(k.add(k.mul(number, kBreak), distance), breaks, thread);
  });
  k.ifThen(isBreak, [&] {
    for (int64_t back = 1; back <= before; ++back)
      storeWord(rowsBefore[back - 1], source,
                k.add(k.add(outer, k.mul(number, before)), back - 1));
  });
  copied = k.add(outer, k.min(k.mul(all, before), k.index(kSpareLines)));
  gpu.barrier();
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
    Value row = k.load(source, At{Value(), at, 1, Value()});
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
  auto inMemory = [&](Value line) {
    return loadInput(k.load(source, At{Value(), line, 1, Value()}), channel);
  };
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
    Value entry = gpu.toI64(k.load(breaks, At{Value(), at, 1, Value()}));
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
