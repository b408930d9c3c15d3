// GPU form of map kernels.
//
// Over rows: a block is `tile_rows` rows, dealt out to its teams, each computed by
// the levels of a TeamRows; a body that treats all elements alike runs over the
// block's rows as one run of elements.
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

/// The rows [lo, hi) of the block, a team at a time. `count` rows exist.
static void emitTeams(KernelBuilder &k, TeamRows &plan, Value lo, int64_t tile, Value count) {
  int64_t rounds = llvm::divideCeil(tile, k.teams());
  Value hi = k.min(k.add(lo, tile), count);
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
      plan.emitRow(row, Value());
      if (rounds > 1)
        plan.emitRowEnd();
    });
  };
  k.ifThen(k.less(lo, count), [&] {
    plan.emitInvariants();
    if (rounds == 1)
      return round(k.index(0));
    k.loop(k.index(0), k.index(rounds), 1, round);
  });
}

static LogicalResult emitRows(KernelOp kernel, KernelBuilder &k) {
  RowsAttr rows = rowsOf(kernel.getResult(0));
  for (Value result : kernel.getOutputs())
    if (!rowsOf(result) || rowsOf(result).getSpace() != rows.getSpace() ||
        rowsOf(result).getChunk() != rows.getChunk())
      return k.error() << "expected results of one row space, but got "
                       << kernel.getResult(0).getType() << " and " << result.getType();
  if (rows.getSpace() == RowSpace::chunk)
    return k.error() << "a map kernel has no grid over " << stringifyRowSpace(rows.getSpace())
                     << " rows";
  SmallVector<LabelCheck> checks = decomposeRowOps(kernel);
  if (checks.empty() && isElementwise(kernel, channelsOf(kernel.getResult(0))))
    return emitElementwise(kernel, k);

  int64_t tile = k.knob("tile_rows");
  k.begin();
  k.formTeams(k.knob("team"));
  TeamRows plan(k, /*flat=*/false, widestRow(kernel));
  for (unsigned i = 0; i < kernel.getNumResults(); ++i)
    if (failed(plan.addOutput(i)))
      return failure();
  plan.addChecks(checks);
  plan.finalize();
  if (failed(plan.checkScratch()))
    return failure();
  emitTeams(k, plan, k.mul(k.block(), tile), tile, k.count(kernel.getResult(0).getType()));
  k.finish(k.rowGrid(rows, tile, 0, 1));
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
  if (llvm::all_of(kernel.getResultTypes(), isStatic))
    return emitStaticGpu(kernel, k);
  return emitRows(kernel, k);
}
