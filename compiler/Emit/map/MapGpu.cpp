// GPU form of map kernels.
//
// Over rows: a block is `tile_rows` rows, dealt out to its teams, each computed by
// the levels of a TeamRows; a body that treats all elements alike runs over the
// block's rows as one run of elements. With sums over rows there are `parts` blocks,
// and a second phase that adds up what they have.
#include "compiler/Emit/map/MapGpu.h"

#include "compiler/Emit/Gpu.h"
#include "compiler/Emit/map/MapBody.h"
#include "compiler/Emit/map/RunGpu.h"
#include "compiler/Emit/map/StaticGpu.h"
#include "compiler/Emit/map/TeamRows.h"
#include "compiler/Schedule/RowDefaults.h"

using namespace mlir;
using namespace mom;

static LogicalResult emitElementwise(KernelOp kernel, KernelBuilder &k) {
  Type rows = kernel.getResult(0).getType();
  int64_t channels = channelsOf(rows);
  int64_t tile = std::max<int64_t>(1, k.knob("chunk") / channels);
  k.begin();
  for (unsigned i = 0; i < kernel.getNumResults(); ++i)
    if (failed(checkPointwise(k, k.yielded(i))))
      return failure();
  PointwiseEmitter shared(k, At{Value(), Value(), 1, Value()});
  SmallVector<Value> roots;
  for (unsigned i = 0; i < kernel.getNumResults(); ++i)
    roots.push_back(k.yielded(i));
  for (Value v : invariantsOf(roots))
    shared.scalar(v);
  Run run;
  run.outputs = llvm::to_vector(llvm::seq<unsigned>(0, kernel.getNumResults()));
  run.lanes = lanesOfRun(k, channels);
  run.shared = &shared;
  Value lo = k.mul(k.block(), tile), hi = k.min(k.add(lo, tile), k.count(rows));
  emitRun(k, run, k.mul(lo, channels), k.mul(hi, channels), tile * channels, /*exact=*/false);
  k.finish(k.rowGrid(rowsOf(rows), tile, 0, 1));
  return success();
}

/// The rows [lo, hi) of the block, a team at a time; `most` of them at most, or 0: any
/// number.
static void emitTeams(KernelBuilder &k, TeamRows &plan, Value lo, Value hi, int64_t most) {
  bool once = most && most <= k.teams();
  auto round = [&](Value i) {
    Value row = k.add(k.add(lo, k.mul(i, k.teams())), k.teamNumber());
    Value exists = k.less(row, hi);
    if (k.teamSize() > 1 && k.teamSize() < Gpu::kWarp) {
      // Teams of a warp exchange registers together: a team without a row computes
      // another one's.
      plan.emitRow(k.min(row, k.sub(hi, k.index(1))), exists);
      plan.emitRowEnd();
      return;
    }
    k.ifThen(exists, [&] {
      if (!most) // few warps are there to hide each other's waits
        plan.prefetchRow(k.min(k.add(row, k.teams()), k.sub(hi, k.index(1))));
      plan.emitRow(row, Value());
      if (!once)
        plan.emitRowEnd();
    });
  };
  k.ifThen(k.less(lo, hi), [&] {
    plan.emitInvariants();
    if (once)
      return round(k.index(0));
    Value rounds = most ? k.index(llvm::divideCeil(most, k.teams()))
                        : k.ceilDiv(k.sub(hi, lo), k.teams());
    k.loop(k.index(0), rounds, 1, round);
  });
}

static LogicalResult emitRows(KernelOp kernel, KernelBuilder &k) {
  FailureOr<RowsAttr> rows = rowsOfMap(kernel, k);
  if (failed(rows))
    return failure();
  SmallVector<LabelCheck> checks = decomposeRowOps(kernel);
  SmallVector<unsigned> results = rowResults(kernel);
  bool sums = results.size() < kernel.getNumResults();
  if (checks.empty() && !sums && isElementwise(kernel, channelsOf(kernel.getResult(0))))
    return emitElementwise(kernel, k);

  k.begin(results);
  fitBlocks(k, k.knob("resident"));
  k.formTeams(k.knob("team"));
  TeamRows plan(k, /*flat=*/false, widestRow(kernel));
  for (unsigned i = 0; i < kernel.getNumResults(); ++i)
    if (failed(plan.addOutput(i)))
      return failure();
  plan.addChecks(checks);
  plan.finalize();
  if (failed(plan.checkScratch()))
    return failure();
  Value count = k.count(rowsOfBody(kernel).getType());
  if (!sums) {
    int64_t tile = k.knob("tile_rows");
    Value lo = k.mul(k.block(), tile);
    emitTeams(k, plan, lo, k.min(k.add(lo, tile), count), tile);
    k.finish(k.rowGrid(*rows, tile, 0, 1));
    return success();
  }
  emitPartsOfRows(k, plan, count, [&](Value lo, Value hi) { emitTeams(k, plan, lo, hi, 0); });
  return success();
}

/// Whether the knobs go together.
static LogicalResult checkKnobs(KernelBuilder &k) {
  int64_t team = k.knob("team"), threads = k.threads();
  if (!llvm::isPowerOf2_64(k.knob("lanes")))
    return k.error() << "expected a power of two as knob 'lanes', but got " << k.knob("lanes");
  if (!llvm::isPowerOf2_64(team) || (team > Gpu::kWarp && team != threads))
    return k.error() << "expected as knob 'team' a power of two that is at most " << Gpu::kWarp
                     << " or the " << threads << " threads of a block, but got " << team;
  return success();
}

LogicalResult mom::emitMapGpu(KernelOp kernel, KernelBuilder &k) {
  if (failed(checkKnobs(k)))
    return failure();
  if (!rowsOfBody(kernel))
    return emitStaticGpu(kernel, k);
  return emitRows(kernel, k);
}
