// CPU form of scan kernels: the choice of direction, and the scan itself.
#include "compiler/Emit/scan/ScanCpu.h"

#include "compiler/Emit/Pointwise.h"
#include "compiler/Emit/scan/ScanRun.h"

using namespace mlir;
using namespace mom;

LogicalResult mom::emitScanCpu(KernelOp kernel, KernelBuilder &k) {
  Operation *anchor = nullptr;
  for (Operation &op : kernel.getBody().front()) {
    if (!isa<ScanOp, ScanGradOp>(op))
      continue;
    if (anchor)
      return k.error() << "expected one scan in a scan kernel, but got two";
    anchor = &op;
  }
  if (auto scan = dyn_cast_or_null<ScanOp>(anchor))
    return emitScanForwardCpu(scan, k);
  if (auto grad = dyn_cast_or_null<ScanGradOp>(anchor))
    return emitScanGradCpu(grad, k);
  return k.error() << "expected one scan in a scan kernel, but got none";
}

LogicalResult mom::emitScanForwardCpu(ScanOp op, KernelBuilder &k) {
  if (failed(checkInputs(k, op, {op.getA(), op.getB(), op.getC(), op.getInit()})) ||
      failed(checkPointwise(k, op.getU())) || failed(checkPointwise(k, op.getDelta())))
    return failure();
  SmallVector<unsigned> finals = outputsOf(k, op.getFinal());
  SmallVector<unsigned> checkpoints = outputsOf(k, op.getCheckpoints());
  SmallVector<unsigned> pointwise;
  for (unsigned i = 0; i < k.kernel.getNumResults(); ++i) {
    if (llvm::is_contained(finals, i) || llvm::is_contained(checkpoints, i))
      continue;
    if (failed(checkPointwise(k, k.yielded(i), {op.getY()})))
      return failure();
    pointwise.push_back(i);
  }

  k.begin();
  int64_t blocks = ChannelBlock::count(channelsOf(op.getU()), k.knob("lanes"));
  int64_t tokens = checkpoints.empty() ? k.knob("tokens") : rowsOf(op.getCheckpoints()).getChunk();
  ScanRun run(k, op, tokens, k.knob("states"), k.rem(k.block(), blocks));
  const ChannelBlock &block = run.block;
  View sums = block.tile(tokens); // of y

  auto scan = [&](Value s) {
    SegmentWalk walk = run.walk(s);
    run.loadState(op.getInit(), walk.segment.initial, run.state);
    k.loop(k.index(0), walk.segment.length, tokens, [&](Value i) {
      for (unsigned output : checkpoints)
        block.turnOut(run.state, run.states, k.output(output), run.checkpointRow(walk, s, i));
      Value count = k.min(k.index(tokens), k.sub(walk.segment.length, i));
      run.stage(walk, i, count, {}, sums);
      run.overGroups([&](Value n, int64_t size) {
        SmallVector<Value> A = run.load(run.A, n, size);
        auto h = k.loop(k.index(0), count, 1, run.load(run.state, n, size),
                        [&](Value t, ValueRange carried) {
                          SmallVector<Value> h(carried);
                          Value delta = block.load(run.stagedDelta, t), y = block.load(sums, t);
                          Value input = run.mul(delta, block.load(run.stagedU, t));
                          for (int64_t j = 0; j < size; ++j) {
                            Value nj = k.add(n, j);
                            Value decayed = k.fma(h[j], run.decay(delta, A[j]), h[j]);
                            h[j] = k.fma(input, run.splat(run.B, t, nj), decayed);
                            y = k.fma(run.splat(run.C, t, nj), h[j], y);
                          }
                          block.store(y, sums, t);
                          return h;
                        });
        run.store(h, run.state, n);
      });
      run.finish(walk, i, count, pointwise, {}, [&](Value t) {
        return SmallVector<ScanRun::Bound>{{op.getY(), block.load(sums, t)}};
      });
    });
    for (unsigned output : finals)
      k.ifThen(isPresent(k, walk.segment.final),
               [&] { block.turnOut(run.state, run.states, k.output(output), walk.segment.final); });
  };

  if (finals.empty()) {
    Value s = k.div(k.block(), blocks);
    k.ifThen(k.less(s, k.segmentCount()), [&] { scan(k.longestSegment(run.batch, s)); });
    k.finish(GridAttr::get(k.b.getContext(), k.b.getStringAttr("segment"), 1, 0, blocks));
    return success();
  }
  // No segment may end in a stream's state: one block of a channel sees them all,
  // and clears the state first.
  for (unsigned output : finals)
    k.loop(k.index(0), k.count(RowSpace::stream), 1,
           [&](Value row) { block.clear(k.output(output), row, run.states); });
  k.loop(k.index(0), k.segmentCount(), 1, scan);
  k.finish(k.fixedGrid(blocks));
  return success();
}
