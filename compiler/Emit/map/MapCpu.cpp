// CPU form of map kernels.
//
// Over rows: a block is `tile_rows` rows, each computed by the loops of a
// RowPlan; a body that treats all elements alike runs over the tile as one run of
// elements. Over static tensors: a block is `chunk` elements; with reductions, one
// block computes everything in a fixed order.
#include "compiler/Emit/map/MapCpu.h"

#include "compiler/Emit/Pointwise.h"
#include "compiler/Emit/map/MapBody.h"
#include "compiler/Emit/map/RowPlan.h"
#include "compiler/Schedule/RowDefaults.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mom;

static void emitElementwiseRows(KernelOp kernel, KernelBuilder &k, int64_t channels, Value lo,
                                Value hi) {
  int64_t lanes = k.knob("lanes");
  k.columns(k.mul(lo, channels), k.mul(hi, channels), lanes, {}, [&](At at, ValueRange) {
    PointwiseEmitter e(k, at);
    SmallVector<Value> values;
    for (unsigned i = 0; i < kernel.getNumResults(); ++i)
      values.push_back(e.value(k.yielded(i)));
    for (auto [i, value] : llvm::enumerate(values))
      k.store(value, k.output(i), at);
    return SmallVector<Value>();
  });
}

static LogicalResult emitRows(KernelOp kernel, KernelBuilder &k) {
  FailureOr<RowsAttr> rows = rowsOfMap(kernel, k);
  if (failed(rows))
    return failure();
  SmallVector<LabelCheck> checks = decomposeRowOps(kernel);
  SmallVector<unsigned> results = rowResults(kernel);
  bool sums = results.size() < kernel.getNumResults();
  k.begin(results);
  Value like = rowsOfBody(kernel);
  int64_t tile = k.knob("tile_rows"), channels = channelsOf(like);
  Value count = k.count(like.getType());
  Value lo = k.mul(k.block(), tile), hi = k.min(k.add(lo, tile), count);
  GridAttr grid = k.rowGrid(*rows, tile, 0, 1);

  if (checks.empty() && !sums && isElementwise(kernel, channels)) {
    for (unsigned i = 0; i < kernel.getNumResults(); ++i)
      if (failed(checkPointwise(k, k.yielded(i))))
        return failure();
    emitElementwiseRows(kernel, k, channels, lo, hi);
    k.finish(grid);
    return success();
  }

  RowPlan plan(k, /*flat=*/false);
  for (unsigned i = 0; i < kernel.getNumResults(); ++i)
    if (failed(plan.addOutput(i)))
      return failure();
  plan.addChecks(checks);
  plan.finalize();
  plan.emitInvariants();
  auto emitAll = [&](Value lo, Value hi) {
    k.loop(lo, hi, 1, [&](Value row) { plan.emitRow(row); });
  };
  if (sums) {
    emitPartsOfRows(k, plan, count, emitAll);
    return success();
  }
  emitAll(lo, hi);
  k.finish(grid);
  return success();
}

namespace {
/// Results of one static shape, computed together.
struct StaticGroup {
  ArrayRef<int64_t> shape;
  SmallVector<unsigned> outputs;
  bool byRow = false;            ///< repeats a vector over rows
  int64_t size = 0, blocks = 0;  ///< elements; blocks of them
};
} // namespace

static void emitStaticGroup(KernelBuilder &k, const StaticGroup &group, Value block) {
  int64_t lanes = k.knob("lanes"), chunk = k.knob("chunk");
  auto compute = [&](At at) {
    PointwiseEmitter e(k, at);
    SmallVector<Value> values;
    for (unsigned i : group.outputs)
      values.push_back(e.value(k.yielded(i)));
    // A result may take the place of an input: all loads come first.
    for (auto [i, value] : llvm::zip_equal(group.outputs, values))
      k.store(value, k.output(i), at);
  };
  if (group.byRow) {
    int64_t channels = group.shape.back(), step = std::max<int64_t>(1, chunk / channels);
    Value lo = k.mul(block, step), hi = k.min(k.add(lo, step), k.index(group.size / channels));
    k.loop(lo, hi, 1, [&](Value row) {
      k.columns(channels, lanes, {}, [&](At at, ValueRange) {
        at.row = row;
        compute(at);
        return SmallVector<Value>();
      });
    });
    return;
  }
  Value lo = k.mul(block, chunk), hi = k.min(k.add(lo, chunk), k.index(group.size));
  k.columns(lo, hi, group.size == 1 ? 1 : lanes, {}, [&](At at, ValueRange) {
    compute(at);
    return SmallVector<Value>();
  });
}

static LogicalResult emitStaticPointwise(KernelOp kernel, KernelBuilder &k) {
  int64_t chunk = k.knob("chunk"), elements = 0;
  k.begin();
  SmallVector<StaticGroup> groups;
  for (unsigned i = 0; i < kernel.getNumResults(); ++i) {
    auto type = cast<RankedTensorType>(kernel.getResult(i).getType());
    if (failed(checkPointwise(k, k.yielded(i))))
      return failure();
    auto group = llvm::find_if(groups, [&](StaticGroup &g) { return g.shape == type.getShape(); });
    if (group == groups.end())
      group = groups.insert(groups.end(),
                            StaticGroup{type.getShape(), {}, false, type.getNumElements(), 0});
    group->outputs.push_back(i);
    group->byRow |= repeatsVector(k.yielded(i));
    int64_t channels = type.getRank() ? type.getShape().back() : 1;
    group->blocks = group->byRow ? llvm::divideCeil(group->size / channels,
                                                    std::max<int64_t>(1, chunk / channels))
                                 : llvm::divideCeil(group->size, chunk);
  }
  for (StaticGroup &group : groups)
    elements += group.size;
  if (elements <= chunk) {
    for (StaticGroup &group : groups)
      for (int64_t block = 0; block < group.blocks; ++block)
        emitStaticGroup(k, group, k.index(block));
    k.finish(k.fixedGrid(1));
    return success();
  }
  auto blocks = llvm::map_to_vector(groups, [](const StaticGroup &g) { return g.blocks; });
  k.finish(k.fixedGrid(k.dealBlocks(
      blocks, [&](size_t i, Value block) { emitStaticGroup(k, groups[i], block); })));
  return success();
}

static LogicalResult emitStatic(KernelOp kernel, KernelBuilder &k) {
  bool reduces = !kernel.getBody().getOps<ReduceOp>().empty();
  if (!reduces)
    return emitStaticPointwise(kernel, k);
  k.begin();
  RowPlan plan(k, /*flat=*/true);
  for (unsigned i = 0; i < kernel.getNumResults(); ++i)
    if (failed(plan.addOutput(i)))
      return failure();
  plan.finalize();
  plan.emitRow(Value());
  k.finish(k.fixedGrid(1));
  return success();
}

LogicalResult mom::emitMapCpu(KernelOp kernel, KernelBuilder &k) {
  if (!rowsOfBody(kernel))
    return emitStatic(kernel, k);
  return emitRows(kernel, k);
}
