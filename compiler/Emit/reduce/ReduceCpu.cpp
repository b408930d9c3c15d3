// CPU form of kernels that sum over rows: mom.reduce_rows and mom.embedding_grad.
//
// A block owns `tile_columns` channels of one group's sum and walks the rows of
// the group in order, so a sum has one order whatever the number of workers.
// Runs of `flush` rows are summed in registers and then added to the result,
// which bounds the rounding of long sums.
#include "compiler/Emit/reduce/ReduceCpu.h"

#include "compiler/Emit/Pointwise.h"
#include "compiler/Emit/Sequence.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mom;

namespace {
/// One result: which op sums it, its groups and its blocks.
struct Sum {
  unsigned output;
  ReduceRowsOp op;
  int64_t channels, groups, tile, blocks;
  bool flat; ///< [rows, 1] of nothing but whole inputs: lanes run over rows
};
} // namespace

/// Whether the value is elementwise work on rows of one channel.
static bool isFlat(Value v) {
  if (isa<BlockArgument>(v))
    return !isRows(v.getType()) || channelsOf(v) == 1;
  Operation *op = v.getDefiningOp();
  if (auto broadcast = dyn_cast<BroadcastOp>(op))
    return !broadcast.getRoute() && channelsOf(broadcast.getX()) == 1 && channelsOf(v) == 1;
  if (!op->hasTrait<OpTrait::Elementwise>() && !isa<arith::ConstantOp, PresentOp, EqualsOp>(op))
    return false;
  return llvm::all_of(op->getOperands(), [](Value operand) { return isFlat(operand); });
}

static Value addf(KernelBuilder &k, Value x, Value y) {
  return arith::AddFOp::create(k.b, k.loc, x, y);
}

/// A sum of [rows, 1] by lanes over rows: f32 lanes enter a total in f64 every so often.
static void emitFlatSum(KernelBuilder &k, Sum sum, Value lo, Value hi, Value group) {
  int64_t lanes = k.knob("lanes"), run = k.knob("flush") * lanes;
  OpBuilder &b = k.b;
  Value zero = arith::ConstantOp::create(b, k.loc, b.getF64FloatAttr(0));
  SmallVector<Value> total =
      k.loop(lo, hi, run, ValueRange{zero}, [&](Value first, ValueRange carried) {
        Value last = k.min(k.add(first, run), hi);
        SmallVector<Value> part =
            k.columns(first, last, lanes, ValueRange{k.zeros(lanes)}, [&](At at, ValueRange sums) {
              PointwiseEmitter e(k, at);
              Value x = e.value(sum.op.getX());
              if (at.mask)
                x = arith::SelectOp::create(b, k.loc, at.mask, x, k.zeros(lanes));
              return SmallVector<Value>{addf(k, sums[0], x)};
            });
        Value scalar = k.combineLanes(Reduction::sum, part[0]);
        Value wide = arith::ExtFOp::create(b, k.loc, b.getF64Type(), scalar);
        return SmallVector<Value>{addf(k, carried[0], wide)};
      });
  Value result = arith::TruncFOp::create(b, k.loc, b.getF32Type(), total[0]);
  k.store(result, k.output(sum.output), At{group, Value(), 1, Value()});
}

/// The columns [first, first + lanes * vectors) of a group's sum.
static void emitColumns(KernelBuilder &k, Sum sum, Value lo, Value hi, Value group, Value first,
                        int64_t vectors) {
  int64_t lanes = sum.channels == 1 ? 1 : k.knob("lanes"), flush = k.knob("flush");
  // Where the last vector may pass the channels, all are masked.
  bool masked = sum.channels % (lanes * vectors) != 0;
  SmallVector<At> places;
  for (int64_t i = 0; i < vectors; ++i) {
    Value column = k.add(first, i * lanes);
    places.push_back(At{Value(), column, lanes,
                        masked ? k.maskOf(k.sub(k.index(sum.channels), column), lanes) : Value()});
  }
  SmallVector<Value> zeros(vectors, k.zeros(lanes));
  SmallVector<Value> totals = k.loop(lo, hi, flush, zeros, [&](Value begin, ValueRange carried) {
    Value end = k.min(k.add(begin, flush), hi);
    SmallVector<Value> run = k.loop(begin, end, 1, zeros, [&](Value row, ValueRange sums) {
      PointwiseEmitter scalars(k, At{row, Value(), 1, Value()});
      SmallVector<Value> next;
      for (auto [place, partial] : llvm::zip_equal(places, sums)) {
        At at = place;
        at.row = row;
        PointwiseEmitter e(k, at);
        e.shareScalars(scalars);
        next.push_back(addf(k, partial, e.value(sum.op.getX())));
        scalars.shareScalars(e);
      }
      return next;
    });
    SmallVector<Value> next;
    for (auto [total, part] : llvm::zip_equal(carried, run))
      next.push_back(addf(k, total, part));
    return next;
  });
  for (auto [place, total] : llvm::zip_equal(places, totals)) {
    place.row = group;
    k.store(total, k.output(sum.output), place);
  }
}

static void emitSum(KernelBuilder &k, Sum sum, Value block) {
  Value group = k.index(0), tile = block;
  Value lo = k.index(0), hi;
  if (Value route = sum.op.getRoute()) {
    int64_t perGroup = sum.blocks / sum.groups;
    group = k.div(block, perGroup);
    tile = k.rem(block, perGroup);
    lo = k.offset(route, group);
    hi = k.offset(route, k.add(group, 1));
  } else {
    hi = k.count(sum.op.getX().getType());
  }
  if (sum.flat)
    return emitFlatSum(k, sum, lo, hi, group);
  int64_t lanes = sum.channels == 1 ? 1 : k.knob("lanes");
  // Up to 8 vectors of sums stay in registers at a time.
  int64_t vectors = std::min<int64_t>(8, llvm::divideCeil(std::min(sum.tile, sum.channels), lanes));
  Value first = k.mul(tile, sum.tile);
  Value last = k.min(k.add(first, sum.tile), k.index(sum.channels));
  k.loop(first, last, vectors * lanes,
         [&](Value column) { emitColumns(k, sum, lo, hi, group, column, vectors); });
}

static LogicalResult emitReduceRows(KernelOp kernel, KernelBuilder &k) {
  k.begin();
  SmallVector<Sum> sums;
  int64_t lanes = k.knob("lanes");
  int64_t tile = llvm::alignTo(k.knob("tile_columns"), lanes);
  for (unsigned i = 0; i < kernel.getNumResults(); ++i) {
    auto op = withoutStorage(k.yielded(i)).getDefiningOp<ReduceRowsOp>();
    if (!op)
      return k.error() << "expected mom.reduce_rows as result " << i
                       << " of a kernel that sums over rows";
    if (failed(checkPointwise(k, op.getX())))
      return failure();
    Sum sum{i, op, channelsOf(op.getX()), 1, tile, 0, false};
    sum.groups = op.getRoute() ? op.getRoute().getType().getGroups() : 1;
    sum.blocks = sum.groups * llvm::divideCeil(sum.channels, tile);
    sum.flat = sum.channels == 1 && isFlat(op.getX());
    sums.push_back(sum);
  }
  int64_t total =
      k.dealBlocks(llvm::map_to_vector(sums, [](const Sum &sum) { return sum.blocks; }),
                   [&](size_t i, Value block) { emitSum(k, sums[i], block); });
  k.finish(k.fixedGrid(total));
  return success();
}

/// dtable[ids[i], columns] += dy[i, columns], row by row.
static LogicalResult emitEmbeddingGrad(KernelOp kernel, KernelBuilder &k, EmbeddingGradOp op) {
  k.begin();
  if (failed(checkPointwise(k, op.getDy())) || failed(checkPointwise(k, op.getIds())))
    return failure();
  auto table = cast<RankedTensorType>(op.getDtable().getType());
  int64_t lanes = k.knob("lanes"), tile = k.knob("tile_columns"), channels = table.getDimSize(1);
  View to = k.output(0);
  Value first = k.mul(k.block(), tile), last = k.min(k.add(first, tile), k.index(channels));
  auto none = SmallVector<Value>();
  k.loop(k.index(0), k.index(table.getDimSize(0)), 1, [&](Value id) {
    k.columns(first, last, lanes, {}, [&](At at, ValueRange) {
      at.row = id;
      k.store(k.zeros(lanes), to, at);
      return none;
    });
  });
  k.loop(k.index(0), k.count(op.getDy().getType()), 1, [&](Value row) {
    PointwiseEmitter scalars(k, At{row, Value(), 1, Value()});
    Value id = arith::ExtSIOp::create(k.b, k.loc, k.b.getI64Type(), scalars.scalar(op.getIds()));
    Value valid = arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::ult, id,
                                        k.index(table.getDimSize(0)));
    k.ifThen(valid, [&] {
      k.columns(first, last, lanes, {}, [&](At at, ValueRange) {
        at.row = row;
        PointwiseEmitter e(k, at);
        e.shareScalars(scalars);
        Value dy = e.value(op.getDy());
        at.row = id;
        k.store(addf(k, k.load(to, at), dy), to, at);
        return none;
      });
    });
  });
  k.finish(k.fixedGrid(llvm::divideCeil(channels, tile)));
  return success();
}

LogicalResult mom::emitReduceCpu(KernelOp kernel, KernelBuilder &k) {
  if (kernel.getNumResults() == 1)
    if (auto grad = withoutStorage(k.yielded(0)).getDefiningOp<EmbeddingGradOp>())
      return emitEmbeddingGrad(kernel, k, grad);
  return emitReduceRows(kernel, k);
}
