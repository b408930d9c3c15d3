// What kernels that follow the sequence share.
#include "compiler/Emit/Sequence.h"

#include "compiler/Emit/Pointwise.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mom;

ChannelBlock::ChannelBlock(KernelBuilder &k, int64_t channels, int64_t lanes, Value index)
    : k(k), channels(channels), lanes(lanes), first(k.mul(index, lanes)),
      mask(channels % lanes ? k.maskOf(k.sub(k.index(channels), first), lanes) : Value()) {}

At ChannelBlock::at(Value row, Value inner) const {
  return At{row, k.add(k.mul(inner, channels), first), lanes, mask};
}

Value ChannelBlock::masked(Value value) const {
  return mask ? k.select(mask, value, k.zeros(lanes)) : value;
}

// Turning works on whole squares, so a tile has room for them.
View ChannelBlock::tile(int64_t inner) const {
  return k.scratchView(llvm::alignTo(inner, lanes), lanes);
}

View ChannelBlock::tileOfDoubles(int64_t inner) const {
  return View{k.scratch(inner * lanes * 8), lanes, lanes, k.b.getF64Type(), {}, {}};
}

Value ChannelBlock::load(const View &tile, Value inner) const {
  return k.load(tile, At{inner, Value(), lanes, Value()});
}

void ChannelBlock::store(Value value, const View &tile, Value inner) const {
  k.store(value, tile, At{inner, Value(), lanes, Value()});
}

void ChannelBlock::fill(const View &tile, int64_t inner) const {
  Value zero =
      arith::ConstantOp::create(k.b, k.loc, k.b.getZeroAttr(k.lanesOf(tile.element, lanes)));
  k.loop(k.index(0), k.index(inner), 1, [&](Value n) { store(zero, tile, n); });
}

/// Lane j of result i is lane i of row j. Interleaving the first half of the
/// rows with the second is one step of a perfect shuffle of (row, lane); after
/// log2(rows) steps the two have changed places.
static SmallVector<Value> transpose(KernelBuilder &k, SmallVector<Value> rows) {
  int64_t size = rows.size();
  SmallVector<int64_t> low, high;
  for (int64_t i = 0; i < size / 2; ++i) {
    low.append({i, size + i});
    high.append({size / 2 + i, size + size / 2 + i});
  }
  for (int64_t step = 1; step < size; step *= 2) {
    SmallVector<Value> next;
    for (int64_t i = 0; i < size / 2; ++i)
      for (ArrayRef<int64_t> order : {ArrayRef<int64_t>(low), ArrayRef<int64_t>(high)})
        next.push_back(vector::ShuffleOp::create(k.b, k.loc, rows[i], rows[i + size / 2], order));
    rows = std::move(next);
  }
  return rows;
}

void ChannelBlock::turnIn(const View &matrix, Value row, int64_t inner, const View &tile) const {
  k.columns(inner, lanes, {}, [&](At part, ValueRange) {
    SmallVector<Value> rows; // [lanes] of inner indices
    for (int64_t lane = 0; lane < lanes; ++lane) {
      Value channel = k.add(first, lane);
      if (mask) // any channel will do
        channel = k.min(channel, k.index(channels - 1));
      rows.push_back(
          k.load(matrix, At{row, k.add(k.mul(channel, inner), part.column), lanes, part.mask}));
    }
    for (auto [n, column] : llvm::enumerate(transpose(k, rows)))
      store(column, tile, k.add(part.column, n));
    return SmallVector<Value>();
  });
}

void ChannelBlock::turnOut(const View &tile, int64_t inner, const View &matrix, Value row) const {
  k.columns(inner, lanes, {}, [&](At part, ValueRange) {
    SmallVector<Value> columns; // [lanes] of channels
    for (int64_t n = 0; n < lanes; ++n)
      columns.push_back(load(tile, k.add(part.column, n)));
    for (auto [lane, values] : llvm::enumerate(transpose(k, columns))) {
      Value channel = k.add(first, lane);
      auto write = [&, values = values] {
        k.store(values, matrix,
                At{row, k.add(k.mul(channel, inner), part.column), lanes, part.mask});
      };
      if (mask)
        k.ifThen(k.less(channel, k.index(channels)), write);
      else
        write();
    }
    return SmallVector<Value>();
  });
}

void ChannelBlock::clear(const View &matrix, Value row, int64_t inner) const {
  Value lo = k.mul(first, inner);
  Value hi = k.mul(k.min(k.add(first, lanes), k.index(channels)), inner);
  k.columns(lo, hi, lanes, {}, [&](At part, ValueRange) {
    part.row = row;
    k.store(k.zeros(lanes), matrix, part);
    return SmallVector<Value>();
  });
}

/// A power of two of vectors, at most `lanes`: their sums, one a lane.
static Value sumsOf(KernelBuilder &k, SmallVector<Value> vectors, int64_t lanes) {
  // Every step halves the lanes that hold parts of one sum. While there are two
  // vectors their halves share a vector; then the vector itself gets shorter.
  for (int64_t width = lanes; width > 1; width /= 2) {
    int64_t pairs = vectors.size() / 2,
            total = cast<VectorType>(vectors[0].getType()).getNumElements();
    SmallVector<int64_t> low, high; // lanes of the sum's two operands
    for (int64_t start = 0; start < total; start += width)
      for (int64_t other : {int64_t(0), total}) {
        if (other && !pairs)
          break;
        for (int64_t i = 0; i < width / 2; ++i) {
          low.push_back(other + start + i);
          high.push_back(other + start + width / 2 + i);
        }
      }
    SmallVector<Value> next;
    for (int64_t i = 0; i < std::max<int64_t>(pairs, 1); ++i) {
      Value x = vectors[i], y = vectors[i + pairs];
      next.push_back(arith::AddFOp::create(k.b, k.loc,
                                           vector::ShuffleOp::create(k.b, k.loc, x, y, low),
                                           vector::ShuffleOp::create(k.b, k.loc, x, y, high)));
    }
    vectors = std::move(next);
  }
  return vectors[0];
}

void ChannelBlock::storeSums(ArrayRef<Value> vectors, const View &view, Value row,
                             Value column) const {
  while (!vectors.empty()) {
    int64_t taken = std::min<int64_t>(vectors.size(), lanes), size = llvm::PowerOf2Ceil(taken);
    SmallVector<Value> group(vectors.take_front(taken));
    group.resize(size, k.zeros(lanes));
    Value sums = sumsOf(k, group, lanes);
    if (size == 1 && lanes > 1)
      sums = vector::ExtractOp::create(k.b, k.loc, sums, ArrayRef<int64_t>{0});
    k.store(sums, view,
            At{row, column, size, taken < size ? k.maskOf(k.index(taken), size) : Value()});
    vectors = vectors.drop_front(taken);
    column = k.add(column, taken);
  }
}

Value SegmentWalk::position(Value i) const {
  if (!reverse)
    return k.add(segment.start, i);
  return k.sub(k.add(segment.start, k.sub(segment.length, k.index(1))), i);
}

Value mom::isPresent(KernelBuilder &k, Value row) { return k.less(k.index(-1), row); }

SmallVector<Value> mom::tensorsRead(KernelBuilder &k, ValueRange values, Value like) {
  SetVector<Value> read;
  SmallVector<Value> queue(values);
  DenseSet<Value> seen;
  while (!queue.empty()) {
    Value value = queue.pop_back_val();
    while (auto extend = value.getDefiningOp<arith::ExtFOp>())
      value = extend.getIn();
    if (!seen.insert(value).second)
      continue;
    if (!k.inMemory(value)) {
      if (Operation *op = value.getDefiningOp())
        llvm::append_range(queue, op->getOperands());
      continue;
    }
    if (rowsOf(value) && rowsOf(value) == rowsOf(like) && channelsOf(value) == channelsOf(like))
      read.insert(value);
  }
  return read.takeVector();
}

LogicalResult mom::checkInputs(KernelBuilder &k, Operation *anchor, ValueRange operands) {
  for (Value operand : operands) {
    if (!operand || k.inMemory(operand))
      continue;
    InFlightDiagnostic diag =
        k.error() << "expected operand #" << llvm::find(anchor->getOperands(), operand).getIndex()
                  << " of " << anchor->getName()
                  << " to be an input of the kernel, but the kernel computes it";
    diag.attachNote(operand.getLoc()) << "computed here";
    return diag;
  }
  return success();
}

LogicalResult mom::checkResult(KernelBuilder &k, unsigned index, Value anchor) {
  Value result = beforeReorder(k.yielded(index));
  if (rowsOf(result) != rowsOf(anchor) || channelsOf(result) != channelsOf(anchor))
    return k.error() << "expected results like " << anchor.getType() << ", but got "
                     << result.getType();
  return checkPointwise(k, result, {anchor});
}

Value mom::withoutStorage(Value yielded) {
  while (auto truncate = yielded.getDefiningOp<arith::TruncFOp>())
    yielded = truncate.getIn();
  return yielded;
}

Value mom::withoutWidening(Value value) {
  while (auto extend = value.getDefiningOp<arith::ExtFOp>())
    value = extend.getIn();
  return value;
}

SmallVector<unsigned> mom::outputsOf(KernelBuilder &k, Value bodyValue) {
  SmallVector<unsigned> outputs;
  for (unsigned i = 0; bodyValue && i < k.kernel.getNumResults(); ++i)
    if (withoutStorage(k.yielded(i)) == bodyValue)
      outputs.push_back(i);
  return outputs;
}

SmallVector<RowSum> mom::rowSumsOf(KernelBuilder &k) {
  SmallVector<RowSum> sums;
  for (unsigned i = 0; i < k.kernel.getNumResults(); ++i)
    if (auto op = withoutStorage(k.yielded(i)).getDefiningOp<ReduceRowsOp>())
      sums.push_back({op.getX(), i});
  return sums;
}
