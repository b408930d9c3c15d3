// GPU form of kernels that sum over rows.
//
// The rows of a group fall into `splits` parts, a number that does not depend on the
// batch. In the first phase a block sums one part of one tile of channels: a warp's
// lanes lie along the channels, its warps (and the lanes that are left, where
// channels are few) take rows in turn. The second phase adds up the parts.
#include "compiler/Emit/reduce/ReduceGpu.h"

#include "compiler/Emit/Gpu.h"
#include "compiler/Emit/Pointwise.h"
#include "compiler/Emit/Sequence.h"
#include "compiler/Emit/reduce/EmbeddingGradGpu.h"
#include "compiler/Emit/reduce/SumParts.h"
#include "compiler/Schedule/RowDefaults.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mom;

/// Rows that a thread has under way.
static constexpr int64_t kRowsAhead = 4;

namespace {
/// Sums over the same rows, with the same channels and groups: computed together.
struct Sums {
  SmallVector<std::pair<unsigned, ReduceRowsOp>> ops; ///< with the number of the result
  SmallVector<unsigned> parts;                        ///< workspaces [groups * splits, channels]
  Value route;
  int64_t channels = 1, groups = 1;
  int64_t lanes = 1, across = 1; ///< channels of a thread; threads side by side
  int64_t tiles = 1;             ///< of channels

  int64_t tile() const { return lanes * across; }
};
} // namespace

static Value addf(KernelBuilder &k, Value x, Value y) {
  return arith::AddFOp::create(k.b, k.loc, x, y);
}

static FailureOr<SmallVector<Sums>> collectSums(KernelOp kernel, KernelBuilder &k) {
  SmallVector<Sums> all;
  for (unsigned i = 0; i < kernel.getNumResults(); ++i) {
    auto op = withoutStorage(k.yielded(i)).getDefiningOp<ReduceRowsOp>();
    if (!op)
      return k.error() << "expected mom.reduce_rows as result " << i
                       << " of a kernel that sums over rows";
    if (failed(checkPointwise(k, op.getX())))
      return failure();
    auto sums = llvm::find_if(all, [&](Sums &s) {
      Value x = s.ops.front().second.getX();
      return s.route == op.getRoute() && x.getType() == op.getX().getType();
    });
    if (sums == all.end()) {
      sums = all.insert(all.end(), Sums());
      sums->route = op.getRoute();
      sums->channels = channelsOf(op.getX());
      sums->groups = op.getRoute() ? op.getRoute().getType().getGroups() : 1;
      sums->lanes = lanesOfWidth(sums->channels, k.knob("lanes"));
      sums->across =
          std::min<int64_t>(Gpu::kWarp, llvm::PowerOf2Ceil(sums->channels / sums->lanes));
      sums->tiles = llvm::divideCeil(sums->channels, sums->tile());
    }
    sums->ops.push_back({i, op});
  }
  return all;
}

/// The sums over this thread's rows of [lo, hi), one vector for each op.
static SmallVector<Value> emitThreadSums(KernelBuilder &k, const Sums &sums, Value lo, Value hi,
                                         Value column) {
  int64_t deep = k.threads() / sums.across; // threads that take rows in turn
  auto addUp = [&](Value row, int64_t rows, ValueRange carried) {
    SmallVector<SmallVector<Value>> terms(sums.ops.size());
    for (int64_t i = 0; i < rows; ++i) {
      PointwiseEmitter e(k, At{k.add(row, i * deep), column, sums.lanes, Value()});
      for (auto [op, values] : llvm::zip_equal(sums.ops, terms))
        values.push_back(e.value(ReduceRowsOp(op.second).getX()));
    }
    SmallVector<Value> next;
    for (auto [values, sum] : llvm::zip_equal(terms, carried)) {
      for (int64_t half = values.size() / 2; half; half /= 2)
        for (int64_t i = 0; i < half; ++i)
          values[i] = addf(k, values[i], values[i + half]);
      next.push_back(addf(k, sum, values.front()));
    }
    return next;
  };
  SmallVector<Value> zeros(sums.ops.size(), k.zeros(sums.lanes));
  Value mine = k.div(k.thread(), sums.across);
  Value whole = k.sub(hi, k.rem(k.sub(hi, lo), deep * kRowsAhead));
  SmallVector<Value> carried =
      k.loop(lo, whole, deep * kRowsAhead, zeros, [&](Value row, ValueRange values) {
        return addUp(k.add(row, mine), kRowsAhead, values);
      });
  return k.loop(k.add(whole, mine), hi, deep, carried,
                [&](Value row, ValueRange values) { return addUp(row, 1, values); });
}

/// Sum over the threads of a warp that have the same channels.
static Value combineDepth(KernelBuilder &k, const Sums &sums, Value vector) {
  Gpu gpu(k);
  for (int64_t mask = sums.across; mask < Gpu::kWarp; mask *= 2) {
    SmallVector<Value> lanes;
    for (int64_t i = 0; i < sums.lanes; ++i) {
      Value lane = sums.lanes == 1 ? vector
                                   : vector::ExtractOp::create(k.b, k.loc, vector,
                                                               ArrayRef<int64_t>{i}).getResult();
      lanes.push_back(addf(k, lane, gpu.shuffleXor(lane, mask)));
    }
    vector = sums.lanes == 1
                 ? lanes.front()
                 : vector::FromElementsOp::create(
                       k.b, k.loc, VectorType::get({sums.lanes}, k.b.getF32Type()), lanes)
                       .getResult();
  }
  return vector;
}

/// Adds up what the warps have, through shared memory, and stores the block's part.
static void storePart(KernelBuilder &k, const Sums &sums, ArrayRef<Value> totals, Value tile,
                      Value part) {
  Gpu gpu(k);
  OpBuilder &b = k.b;
  int64_t warps = k.threads() / Gpu::kWarp, width = sums.tile();
  View slots = k.sharedView(totals.size() * warps, width, b.getF32Type());
  Value first = k.mul(gpu.lane(), sums.lanes);
  k.ifThen(k.less(gpu.lane(), k.index(sums.across)), [&] {
    for (auto [i, total] : llvm::enumerate(totals))
      k.store(total, slots, At{k.add(gpu.warp(), i * warps), first, sums.lanes, Value()});
  });
  gpu.barrier();
  Value left = k.min(k.index(width), k.sub(k.index(sums.channels), k.mul(tile, width)));
  k.loop(k.thread(), left, k.threads(), [&](Value channel) {
    for (auto [i, id] : llvm::enumerate(sums.parts)) {
      Value sum;
      for (int64_t w = 0; w < warps; ++w) {
        Value term = k.load(slots, At{k.index(i * warps + w), channel, 1, Value()});
        sum = sum ? addf(k, sum, term) : term;
      }
      k.store(sum, k.workspaceView(id), At{part, k.add(k.mul(tile, width), channel), 1, Value()});
    }
  });
}

/// One block of the first phase.
static void emitPart(KernelBuilder &k, const Sums &sums, Value block) {
  int64_t splits = k.knob("splits");
  Value tile = k.rem(block, sums.tiles), part = k.div(block, sums.tiles);
  Value lo = k.index(0), hi;
  if (sums.route) {
    Value group = k.div(part, splits);
    lo = k.offset(sums.route, group);
    hi = k.offset(sums.route, k.add(group, 1));
  } else {
    ReduceRowsOp op = sums.ops.front().second;
    hi = k.count(op.getX().getType());
  }
  Value each = k.ceilDiv(k.sub(hi, lo), splits);
  Value begin = k.add(lo, k.mul(k.rem(part, splits), each));
  Value end = k.max(k.min(k.add(begin, each), hi), begin);

  // Threads past the last channel sum other channels, and store nothing.
  Value across = k.rem(k.thread(), sums.across);
  Value column = k.add(k.mul(tile, sums.tile()), k.mul(across, sums.lanes));
  SmallVector<Value> totals = emitThreadSums(
      k, sums, begin, end, k.min(column, k.index(sums.channels - sums.lanes)));
  for (Value &total : totals)
    total = combineDepth(k, sums, total);
  storePart(k, sums, totals, tile, part);
}

static LogicalResult emitReduceRows(KernelOp kernel, KernelBuilder &k) {
  k.begin({}, "");
  FailureOr<SmallVector<Sums>> all = collectSums(kernel, k);
  if (failed(all))
    return failure();
  int64_t splits = k.knob("splits");
  SmallVector<SumParts> parts;
  for (Sums &sums : *all) {
    SumParts mine{{}, {}, sums.groups, splits, sums.channels};
    for (auto [output, op] : sums.ops) {
      mine.outputs.push_back(output);
      mine.workspaces.push_back(k.workspace(
          RankedTensorType::get({sums.groups * splits, sums.channels}, k.b.getF32Type())));
    }
    sums.parts = mine.workspaces;
    parts.push_back(std::move(mine));
  }
  SmallVector<int64_t> blocks = llvm::map_to_vector(
      *all, [&](const Sums &sums) { return sums.groups * splits * sums.tiles; });
  k.finish(k.fixedGrid(
      k.dealBlocks(blocks, [&](size_t i, Value block) { emitPart(k, (*all)[i], block); })));
  emitSumTotals(k, parts);
  return success();
}

LogicalResult mom::emitReduceGpu(KernelOp kernel, KernelBuilder &k) {
  if (!llvm::isPowerOf2_64(k.knob("lanes")))
    return k.error() << "expected a power of two as knob 'lanes', but got " << k.knob("lanes");
  if (kernel.getNumResults() == 1)
    if (auto grad = withoutStorage(k.yielded(0)).getDefiningOp<EmbeddingGradOp>())
      return emitEmbeddingGradGpu(kernel, k, grad);
  return emitReduceRows(kernel, k);
}
