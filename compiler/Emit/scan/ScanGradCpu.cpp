// CPU form of the scan's gradient.
//
// A block walks all segments for its channels, and in each the runs from the
// last to the first. From a run's checkpoint it computes the states again,
// keeping e = exp(delta A) - 1 and p = exp(delta A) h[t - 1] of each token and
// state of a group, and then goes back through the run:
//
//     g        = C[t] dy[t] + G            G: what later tokens carry back
//     h[t]     = p + delta[t] u[t] B[t]
//     dA      += delta[t] g p
//     sumB[t] += g B[t]                    du = delta sumB
//     sumA[t] += A g p                     ddelta = sumA + u sumB
//     y[t]    += C[t] h[t]                 where it is asked for
//     G        = g + e g
//
// dA is summed within a run in f32 and over runs in f64. dB and dC sum over
// channels: a block leaves the sums of its own, and a second phase adds up the
// blocks in order.
#include "compiler/Emit/Pointwise.h"
#include "compiler/Emit/scan/ScanRun.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mom;

/// Scratch holds a run's states: past this it would not fit in any cache.
static constexpr int64_t kGreatestChunk = 4096;

namespace {
/// A gradient that sums over channels.
struct ChannelSum {
  SmallVector<unsigned> outputs;
  unsigned parts = 0; ///< workspace [rows, blocks * states]

  explicit operator bool() const { return !outputs.empty(); }
};

class ScanGrad {
public:
  ScanGrad(ScanGradOp op, KernelBuilder &k)
      : op(op), k(k), states(channelsOf(op.getA())),
        blocks(ChannelBlock::count(channelsOf(op.getU()), k.knob("lanes"))) {}

  LogicalResult check();
  void walkBack();
  void sumBlocks();

private:
  /// Tiles of one run, and of one group of states.
  struct Tiles {
    View dy, sumA, sumB; ///< [tokens, lanes]
    View y;              ///< likewise, if asked for
    View decay, decayed; ///< [tokens * group, lanes]: e and p
    View carried;        ///< [states, lanes]: G
    View dA;             ///< [states, lanes] of f64
  };
  void segment(const ScanRun &run, const Tiles &tiles, Value s);
  void backThroughRun(const ScanRun &run, const Tiles &tiles, const SegmentWalk &walk, Value s,
                      Value i);
  void group(const ScanRun &run, const Tiles &tiles, const SegmentWalk &walk, Value i, Value count,
             Value n, int64_t size);

  ScanGradOp op;
  KernelBuilder &k;
  int64_t states, blocks;
  SmallVector<unsigned> pointwise, dA, dinit;
  SmallVector<RowSum> rowSums;
  ChannelSum dB, dC;
};
} // namespace

LogicalResult ScanGrad::check() {
  if (failed(checkInputs(
          k, op,
          {op.getA(), op.getB(), op.getC(), op.getInit(), op.getCheckpoints(), op.getDfinal()})))
    return failure();
  for (Value before : {op.getU(), op.getDelta(), op.getDy()})
    if (failed(checkPointwise(k, before)))
      return failure();
  if (!op.getCheckpoints())
    return k.error() << "expected checkpoints of the scan, but mom.scan_grad has none";
  int64_t chunk = rowsOf(op.getCheckpoints()).getChunk();
  if (chunk > kGreatestChunk)
    return k.error() << "expected a checkpoint every " << kGreatestChunk
                     << " tokens or less, but got one every " << chunk;
  dA = outputsOf(k, op.getDA());
  dinit = outputsOf(k, op.getDinit());
  dB.outputs = outputsOf(k, op.getDB());
  dC.outputs = outputsOf(k, op.getDC());
  rowSums = rowSumsOf(k);
  for (const RowSum &sum : rowSums)
    if (failed(checkPointwise(k, sum.x, {op.getDu(), op.getDdelta(), op.getY()})))
      return failure();
  for (unsigned i = 0; i < k.kernel.getNumResults(); ++i) {
    Value yielded = withoutStorage(k.yielded(i));
    if (yielded.getDefiningOp<ReduceRowsOp>())
      continue;
    if (yielded.getDefiningOp() == op && yielded != op.getDu() && yielded != op.getDdelta() &&
        yielded != op.getY())
      continue;
    if (failed(checkPointwise(k, yielded, {op.getDu(), op.getDdelta(), op.getY()})))
      return failure();
    pointwise.push_back(i);
  }
  return success();
}

void ScanGrad::walkBack() {
  SmallVector<unsigned> outputs(pointwise);
  llvm::append_range(outputs, dA);
  llvm::append_range(outputs, dinit);
  for (const RowSum &sum : rowSums)
    outputs.push_back(sum.output);
  k.begin(outputs);
  for (ChannelSum *sum : {&dB, &dC})
    if (*sum)
      sum->parts = k.workspace(RankedTensorType::get({ShapedType::kDynamic, blocks * states},
                                                     k.b.getF32Type(), rowsOf(op.getU())));
  int64_t tokens = rowsOf(op.getCheckpoints()).getChunk(),
          size = std::min(k.knob("states"), states);
  ScanRun run(k, op, tokens, size, k.block());
  const ChannelBlock &block = run.block;
  Tiles tiles{block.tile(tokens),         block.tile(tokens),        block.tile(tokens),
              op.getY() ? block.tile(tokens) : View(),
              block.tile(tokens * size),  block.tile(tokens * size), block.tile(states),
              block.tileOfDoubles(states)};
  block.fill(tiles.dA, states);
  for (RowSum &sum : rowSums) {
    sum.tile = block.tileOfDoubles(1);
    block.fill(sum.tile, 1);
  }
  for (unsigned output : dinit)
    k.loop(k.index(0), k.count(RowSpace::stream), 1,
           [&](Value row) { block.clear(k.output(output), row, states); });
  k.loop(k.index(0), k.segmentCount(), 1, [&](Value s) { segment(run, tiles, s); });
  for (unsigned output : dA) {
    k.loop(k.index(0), k.index(states), 1, [&](Value n) {
      Type type = k.lanesOf(k.b.getF32Type(), block.lanes);
      block.store(arith::TruncFOp::create(k.b, k.loc, type, block.load(tiles.dA, n)), run.state, n);
    });
    block.turnOut(run.state, states, k.output(output), Value());
  }
  for (const RowSum &sum : rowSums) {
    Type type = k.lanesOf(k.b.getF32Type(), block.lanes);
    Value total = arith::TruncFOp::create(k.b, k.loc, type, block.load(sum.tile, k.index(0)));
    k.store(total, k.output(sum.output), block.at(Value()));
  }
  k.finish(k.fixedGrid(blocks));
}

void ScanGrad::segment(const ScanRun &run, const Tiles &tiles, Value s) {
  const ChannelBlock &block = run.block;
  SegmentWalk walk = run.walk(s);
  run.loadState(op.getDfinal(), walk.segment.final, tiles.carried);
  Value runs = k.ceilDiv(walk.segment.length, run.tokens);
  k.loop(k.index(0), runs, 1, [&](Value back) {
    Value i = k.mul(k.sub(k.sub(runs, k.index(1)), back), run.tokens);
    backThroughRun(run, tiles, walk, s, i);
  });
  // Segments may share a state, so its gradient is added.
  for (unsigned output : dinit)
    k.ifThen(isPresent(k, walk.segment.initial), [&] {
      block.turnIn(k.output(output), walk.segment.initial, states, run.state);
      k.loop(k.index(0), k.index(states), 1, [&](Value n) {
        block.store(run.add(block.load(run.state, n), block.load(tiles.carried, n)), run.state, n);
      });
      block.turnOut(run.state, states, k.output(output), walk.segment.initial);
    });
}

void ScanGrad::backThroughRun(const ScanRun &run, const Tiles &tiles, const SegmentWalk &walk,
                              Value s, Value i) {
  const ChannelBlock &block = run.block;
  Value count = k.min(k.index(run.tokens), k.sub(walk.segment.length, i));
  block.turnIn(k.view(op.getCheckpoints()), run.checkpointRow(walk, s, i), states, run.state);
  SmallVector<View> sums = {tiles.sumA, tiles.sumB};
  if (tiles.y)
    sums.push_back(tiles.y);
  run.stage(walk, i, count, {{op.getDy(), tiles.dy}}, sums, /*backward=*/true);
  run.overGroups([&](Value n, int64_t size) { group(run, tiles, walk, i, count, n, size); });
  run.finish(walk, i, count, pointwise, rowSums, [&](Value t) {
    Value u = block.load(run.stagedU, t), delta = block.load(run.stagedDelta, t);
    Value sumB = block.load(tiles.sumB, t), sumA = block.load(tiles.sumA, t);
    SmallVector<ScanRun::Bound> values = {{op.getDy(), block.load(tiles.dy, t)},
                                          {op.getDu(), run.mul(delta, sumB)},
                                          {op.getDdelta(), k.fma(u, sumB, sumA)}};
    if (tiles.y)
      values.push_back({op.getY(), block.load(tiles.y, t)});
    return values;
  });
}

void ScanGrad::group(const ScanRun &run, const Tiles &tiles, const SegmentWalk &walk, Value i,
                     Value count, Value n, int64_t size) {
  const ChannelBlock &block = run.block;
  SmallVector<Value> A = run.load(run.A, n, size);
  k.loop(k.index(0), count, 1, run.load(run.state, n, size), [&](Value t, ValueRange carried) {
    SmallVector<Value> h(carried), decays, decayed;
    Value delta = block.load(run.stagedDelta, t);
    Value input = run.mul(delta, block.load(run.stagedU, t));
    for (int64_t j = 0; j < size; ++j) {
      decays.push_back(run.decay(delta, A[j]));
      decayed.push_back(k.fma(h[j], decays[j], h[j]));
      h[j] = k.fma(input, run.splat(run.B, t, k.add(n, j)), decayed[j]);
    }
    run.store(decays, tiles.decay, k.mul(t, size));
    run.store(decayed, tiles.decayed, k.mul(t, size));
    return h;
  });

  SmallVector<Value> carried = run.load(tiles.carried, n, size);
  carried.append(size, k.zeros(block.lanes)); // dA of this run
  carried = k.loop(k.index(0), count, 1, carried, [&](Value back, ValueRange values) {
    SmallVector<Value> G(values.take_front(size)), sums(values.drop_front(size)), ofB, ofC;
    Value t = k.sub(k.sub(count, k.index(1)), back);
    Value delta = block.load(run.stagedDelta, t), dy = block.load(tiles.dy, t);
    Value input = run.mul(delta, block.load(run.stagedU, t));
    Value sumA = block.load(tiles.sumA, t), sumB = block.load(tiles.sumB, t);
    Value y = tiles.y ? block.load(tiles.y, t) : Value();
    for (int64_t j = 0; j < size; ++j) {
      Value at = k.add(k.mul(t, size), j), B = run.splat(run.B, t, k.add(n, j));
      Value p = block.load(tiles.decayed, at), e = block.load(tiles.decay, at);
      Value C = run.splat(run.C, t, k.add(n, j)), g = k.fma(C, dy, G[j]), gp = run.mul(g, p);
      Value h = dC || y ? k.fma(input, B, p) : Value();
      if (dC)
        ofC.push_back(run.mul(dy, h));
      if (y)
        y = k.fma(C, h, y);
      if (dB)
        ofB.push_back(run.mul(g, input));
      sums[j] = k.fma(delta, gp, sums[j]);
      sumB = k.fma(g, B, sumB);
      sumA = k.fma(A[j], gp, sumA);
      G[j] = k.fma(g, e, g);
    }
    block.store(sumA, tiles.sumA, t);
    block.store(sumB, tiles.sumB, t);
    if (y)
      block.store(y, tiles.y, t);
    Value column = k.add(k.mul(k.block(), states), n);
    Value row = dB || dC ? walk.row(k.add(i, t), run.rows) : Value();
    if (dB)
      block.storeSums(ofB, k.workspaceView(dB.parts), row, column);
    if (dC)
      block.storeSums(ofC, k.workspaceView(dC.parts), row, column);
    llvm::append_range(G, sums);
    return G;
  });
  run.store(ValueRange(carried).take_front(size), tiles.carried, n);
  for (int64_t j = 0; j < size; ++j) {
    Value nj = k.add(n, j), total = block.load(tiles.dA, nj);
    Value more = arith::ExtFOp::create(k.b, k.loc, total.getType(), carried[size + j]);
    block.store(arith::AddFOp::create(k.b, k.loc, total, more), tiles.dA, nj);
  }
}

void ScanGrad::sumBlocks() {
  if (!dB && !dC)
    return;
  SmallVector<unsigned> outputs(dB.outputs);
  llvm::append_range(outputs, dC.outputs);
  k.begin(outputs, "sum");
  int64_t tile = k.knob("sum_rows"), lanes = k.knob("lanes");
  Value lo = k.mul(k.block(), tile), hi = k.min(k.add(lo, tile), k.count(RowSpace::token));
  k.loop(lo, hi, 1, [&](Value row) {
    k.columns(states, lanes, {}, [&](At at, ValueRange) {
      at.row = row;
      for (const ChannelSum *sum : {&dB, &dC}) {
        if (!*sum)
          continue;
        View parts = k.workspaceView(sum->parts);
        auto total =
            k.loop(k.index(0), k.index(blocks), 1, k.zeros(lanes), [&](Value block, ValueRange so) {
              At part = at;
              part.column = k.add(k.mul(block, states), at.column);
              return SmallVector<Value>{
                  arith::AddFOp::create(k.b, k.loc, so[0], k.load(parts, part))};
            });
        for (unsigned output : sum->outputs)
          k.store(total[0], k.output(output), at);
      }
      return SmallVector<Value>();
    });
  });
  k.finish(k.rowGrid(RowSpace::token, tile, 0, 1));
}

LogicalResult mom::emitScanGradCpu(ScanGradOp op, KernelBuilder &k) {
  ScanGrad grad(op, k);
  if (failed(grad.check()))
    return failure();
  grad.walkBack();
  grad.sumBlocks();
  return success();
}
