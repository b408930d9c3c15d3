// GPU form of map kernels over static tensors.
//
// Pointwise work runs over each shape's elements in 16-byte vectors. A kernel with
// reductions of few elements is one block that sees everything as one row. With many
// elements it has two phases: blocks of `chunk` elements leave partial sums, in a
// fixed order, and one block adds these up and does the scalar work that follows.
#include "compiler/Emit/map/StaticGpu.h"

#include "compiler/Emit/Gpu.h"
#include "compiler/Emit/map/MapBody.h"
#include "compiler/Emit/map/RunGpu.h"
#include "compiler/Emit/map/TeamRows.h"
#include "momrt/table.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mom;

/// Elements that one block reduces.
static constexpr int64_t kOneBlock = 16384;
/// Vectors that a thread adds up at a time.
static constexpr int64_t kVectorsInSum = 4;

static int64_t elementsOf(Value v) {
  return cast<RankedTensorType>(v.getType()).getNumElements();
}

namespace {
/// Results and reductions of tensors of one size: the blocks that do their work.
struct Group {
  int64_t size = 0, channels = 1;
  SmallVector<unsigned> outputs;
  SmallVector<std::pair<ReduceOp, unsigned>> sums; ///< with the workspace of partial sums
  bool byRow = false;                              ///< repeats a vector over rows
  int64_t chunk = 0, blocks = 0;
};
} // namespace

static Group &groupOf(SmallVectorImpl<Group> &groups, Value v) {
  auto type = cast<RankedTensorType>(v.getType());
  int64_t channels = type.getRank() ? type.getShape().back() : 1;
  auto group = llvm::find_if(groups, [&](Group &g) {
    return g.size == type.getNumElements() && g.channels == channels;
  });
  if (group == groups.end()) {
    group = groups.insert(groups.end(), Group());
    group->size = type.getNumElements();
    group->channels = channels;
  }
  group->byRow |= repeatsVector(v);
  return *group;
}

/// Inputs of the kernel are walked as runs, so they are aligned as runs.
static void bindFlat(KernelOp kernel, KernelBuilder &k, ArrayRef<Group> groups) {
  for (BlockArgument argument : kernel.getBody().getArguments())
    if (llvm::any_of(groups, [&](const Group &g) {
          return !g.byRow && isStatic(argument.getType()) && g.size == elementsOf(argument);
        }))
      k.bind(argument, flatView(k.view(argument), elementsOf(argument)));
}

/// Deals the blocks of the grid out to the groups. Returns all blocks.
static int64_t forEachGroup(KernelBuilder &k, ArrayRef<Group> groups,
                            function_ref<void(const Group &, Value)> body) {
  return k.dealBlocks(llvm::map_to_vector(groups, [](const Group &g) { return g.blocks; }),
                      [&](size_t i, Value block) { body(groups[i], block); });
}

static Run runOf(KernelBuilder &k, const Group &group, const PointwiseEmitter &shared) {
  Run run;
  run.outputs = group.outputs;
  run.channels = group.byRow ? group.channels : 0;
  run.lanes = lanesOfRun(k, group.byRow ? group.channels : group.size);
  run.shared = &shared;
  return run;
}

static void shareInvariants(PointwiseEmitter &shared, KernelBuilder &k, ArrayRef<Group> groups) {
  SmallVector<Value> roots;
  for (const Group &group : groups) {
    if (group.size == 1)
      continue;
    for (unsigned i : group.outputs)
      roots.push_back(k.yielded(i));
    for (auto [reduce, id] : group.sums)
      roots.push_back(ReduceOp(reduce).getX());
  }
  for (Value v : invariantsOf(roots))
    shared.scalar(v);
}

static LogicalResult emitPointwise(KernelOp kernel, KernelBuilder &k) {
  k.begin();
  SmallVector<Group> groups;
  for (unsigned i = 0; i < kernel.getNumResults(); ++i) {
    if (failed(checkPointwise(k, k.yielded(i))))
      return failure();
    groupOf(groups, kernel.getResult(i)).outputs.push_back(i);
    groupOf(groups, k.yielded(i));
  }
  for (Group &group : groups) {
    int64_t unit = group.byRow ? group.channels : lanesOfRun(k, group.size); // whole vectors
    group.chunk = llvm::alignTo(std::max(k.knob("chunk"), unit), unit);
    group.blocks = llvm::divideCeil(group.size, group.chunk);
  }
  bindFlat(kernel, k, groups);
  PointwiseEmitter shared(k, At{Value(), Value(), 1, Value()});
  shareInvariants(shared, k, groups);
  int64_t blocks = forEachGroup(k, groups, [&](const Group &group, Value block) {
    Value first = k.mul(block, group.chunk);
    Value end = k.min(k.add(first, group.chunk), k.index(group.size));
    emitRun(k, runOf(k, group, shared), first, end, std::min(group.chunk, group.size),
            group.size % group.chunk == 0 || group.blocks == 1);
  });
  k.finish(k.fixedGrid(blocks));
  return success();
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

static LogicalResult emitOneBlock(KernelOp kernel, KernelBuilder &k) {
  int64_t widest = 1;
  for (Operation &op : kernel.getBody().front())
    for (Value v : op.getOperands())
      widest = std::max(widest, elementsOf(v));
  k.begin();
  k.formTeams(k.threads());
  TeamRows plan(k, /*flat=*/true, widest);
  for (unsigned i = 0; i < kernel.getNumResults(); ++i)
    if (failed(plan.addOutput(i)))
      return failure();
  plan.finalize();
  if (failed(plan.checkScratch()))
    return failure();
  plan.emitRow(Value(), Value());
  k.finish(k.fixedGrid(1));
  return success();
}

static bool needsReduction(Value v) {
  Operation *op = v.getDefiningOp();
  return op && (isa<ReduceOp>(op) || llvm::any_of(inputsOf(op), needsReduction));
}

/// Whether all that many elements need is there before the first sum is known.
static bool hasTwoPhases(KernelOp kernel) {
  auto yield = cast<YieldOp>(kernel.getBody().front().getTerminator());
  return llvm::all_of(kernel.getBody().getOps<ReduceOp>(),
                      [](ReduceOp reduce) { return !needsReduction(reduce.getX()); }) &&
         llvm::all_of(yield.getOperands(),
                      [](Value v) { return elementsOf(v) == 1 || !needsReduction(v); });
}

/// A sum's part of [first, end) that falls to a block, in f32.
static SmallVector<Value> emitBlockSums(KernelBuilder &k, const Group &group, Value first,
                                        Value end, const PointwiseEmitter &shared) {
  Run run = runOf(k, group, shared);
  int64_t step = k.threads() * run.lanes;
  auto at = [&](Value place) {
    if (!run.channels)
      return At{Value(), place, run.lanes, Value()};
    return At{k.div(place, run.channels), k.rem(place, run.channels), run.lanes, Value()};
  };
  auto addUp = [&](Value base, int64_t vectors, ValueRange carried) {
    SmallVector<Value> sums(carried);
    for (int64_t i = 0; i < vectors; ++i) {
      PointwiseEmitter e(k, at(k.add(base, i * step)));
      e.shareScalars(shared);
      for (auto [j, sum] : llvm::enumerate(group.sums)) {
        ReduceOp reduce = sum.first;
        Value &mine = sums[i * group.sums.size() + j]; // each vector has its own sum
        mine = combine(k, reduce.getKind(), mine, e.value(reduce.getX()));
      }
    }
    return sums;
  };
  SmallVector<Value> init;
  for (int64_t i = 0; i < kVectorsInSum; ++i)
    for (auto [reduce, id] : group.sums)
      init.push_back(k.splat(k.f32(neutralOf(ReduceOp(reduce).getKind())), run.lanes));
  Value mine = k.mul(k.thread(), run.lanes), length = k.sub(end, first);
  Value whole = k.sub(end, k.rem(length, step * kVectorsInSum));
  SmallVector<Value> sums =
      k.loop(first, whole, step * kVectorsInSum, init, [&](Value base, ValueRange carried) {
        return addUp(k.add(base, mine), kVectorsInSum, carried);
      });
  sums = k.loop(k.add(whole, mine), end, step, sums, [&](Value place, ValueRange carried) {
    return addUp(place, 1, carried);
  });
  Gpu gpu(k);
  SmallVector<Value> totals;
  for (auto [j, sum] : llvm::enumerate(group.sums)) {
    Reduction kind = ReduceOp(sum.first).getKind();
    SmallVector<Value> parts;
    for (int64_t i = 0; i < kVectorsInSum; ++i)
      parts.push_back(sums[i * group.sums.size() + j]);
    Value total = combine(k, kind, combine(k, kind, parts[0], parts[1]),
                          combine(k, kind, parts[2], parts[3]));
    totals.push_back(gpu.combineBlock(kind, k.combineLanes(kind, total)));
  }
  return totals;
}

/// Adds up what the blocks left, in f64.
static Value emitTotal(KernelBuilder &k, ReduceOp reduce, View parts) {
  OpBuilder &b = k.b;
  Type f64 = b.getF64Type();
  Value zero = arith::ConstantOp::create(
      b, k.loc, b.getF64FloatAttr(neutralOf(reduce.getKind())));
  auto add = [&](Value place, ValueRange carried) {
    Value part = k.load(parts, At{Value(), place, 1, Value()});
    Value wide = arith::ExtFOp::create(b, k.loc, f64, part);
    return SmallVector<Value>{combine(k, reduce.getKind(), carried[0], wide)};
  };
  Value sum = k.loop(k.thread(), k.index(parts.channels), k.threads(), zero, add)[0];
  Value total = Gpu(k).combineBlock(reduce.getKind(), sum);
  return arith::TruncFOp::create(b, k.loc, b.getF32Type(), total);
}

static LogicalResult emitTwoPhases(KernelOp kernel, KernelBuilder &k) {
  SmallVector<unsigned> early, late;
  for (unsigned i = 0; i < kernel.getNumResults(); ++i)
    (elementsOf(kernel.getResult(i)) > 1 ? early : late).push_back(i);
  k.begin(early);
  SmallVector<Group> groups;
  SmallVector<Value> known;
  for (unsigned i : early) {
    if (failed(checkPointwise(k, k.yielded(i))))
      return failure();
    groupOf(groups, k.yielded(i)).outputs.push_back(i);
  }
  for (ReduceOp reduce : kernel.getBody().getOps<ReduceOp>()) {
    if (failed(checkPointwise(k, reduce.getX())))
      return failure();
    groupOf(groups, reduce.getX()).sums.push_back({reduce, 0});
    known.push_back(reduce.getY());
  }
  for (unsigned i : late)
    if (failed(checkPointwise(k, k.yielded(i), known)))
      return failure();
  for (Group &group : groups) {
    int64_t unit = group.byRow ? group.channels : 8;
    group.chunk = llvm::alignTo(std::max(k.knob("chunk"), unit), unit);
    group.blocks = llvm::divideCeil(group.size, group.chunk);
    for (auto &[reduce, id] : group.sums)
      id = k.workspace(RankedTensorType::get({group.blocks}, k.b.getF32Type()));
  }
  bindFlat(kernel, k, groups);
  PointwiseEmitter shared(k, At{Value(), Value(), 1, Value()});
  shareInvariants(shared, k, groups);
  int64_t blocks = forEachGroup(k, groups, [&](const Group &group, Value block) {
    Value first = k.mul(block, group.chunk);
    Value end = k.min(k.add(first, group.chunk), k.index(group.size));
    if (!group.sums.empty()) {
      SmallVector<Value> totals = emitBlockSums(k, group, first, end, shared);
      k.ifThen(k.equal(k.thread(), k.index(0)), [&] {
        for (auto [sum, total] : llvm::zip_equal(group.sums, totals))
          k.store(total, k.workspaceView(sum.second), At{Value(), block, 1, Value()});
      });
    }
    if (!group.outputs.empty())
      emitRun(k, runOf(k, group, shared), first, end, std::min(group.chunk, group.size),
              /*exact=*/false);
  });
  k.finish(k.fixedGrid(blocks));

  k.begin(late, "total");
  PointwiseEmitter e(k, At{Value(), Value(), 1, Value()});
  for (const Group &group : groups)
    for (auto [reduce, id] : group.sums)
      e.bindScalar(ReduceOp(reduce).getY(), emitTotal(k, reduce, k.workspaceView(id)));
  SmallVector<Value> values;
  for (unsigned i : late)
    values.push_back(e.scalar(k.yielded(i)));
  k.ifThen(k.equal(k.thread(), k.index(0)), [&] {
    for (auto [i, value] : llvm::zip_equal(late, values))
      k.store(value, k.output(i), At{});
  });
  k.finish(k.fixedGrid(1));
  return success();
}

LogicalResult mom::emitStaticGpu(KernelOp kernel, KernelBuilder &k) {
  auto reductions = kernel.getBody().getOps<ReduceOp>();
  if (reductions.empty())
    return emitPointwise(kernel, k);
  bool few = llvm::all_of(reductions, [](ReduceOp reduce) {
    return elementsOf(reduce.getX()) <= kOneBlock;
  });
  return few || !hasTwoPhases(kernel) ? emitOneBlock(kernel, k) : emitTwoPhases(kernel, k);
}
