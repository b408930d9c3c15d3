// GPU form of the convolution's gradient.
//
// A thread owns some channels of a run of positions and walks them against the
// convolution. With d[j] = dy[i + j], kept in registers,
//
//     dx[i]         = sum over j of w[W - 1 - j] d[j]
//     dw[W - 1 - j] += x[i] d[j]
//
// Where dy is made of the convolution itself, by an activation's gradient, a token's inputs
// are what the walk comes to next: copied already, so that the convolution is made again.
//
// The walk is cut into `parts` times the runs of a block, however long the batch is.
// Sums over `flush` tokens are in registers, those over a run in shared memory, those
// over a block in a workspace; the last phase adds the parts in order. What initial
// states receive and give is a phase of its own, with a part for each stream.
#include "compiler/Emit/Sequence.h"
#include "compiler/Emit/conv/ConvGpu.h"
#include "compiler/Emit/conv/ConvRunGpu.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mom;

namespace {
class ConvGrad {
public:
  ConvGrad(const ConvAnchor &anchor, KernelBuilder &k)
      : anchor(anchor), op(anchor.grad), conv(anchor.conv), k(k), channels(channelsOf(op.getX())),
        width(channelsOf(op.getWeights())) {}

  LogicalResult check();
  LogicalResult emit();

private:
  using Values = SmallVector<Value>;
  void walk();
  void walkRun(const ConvTile &tile, ArrayRef<Value> tensors, Value lo, Value hi);
  Values firstWindow(const ConvTile &tile, ConvRun &run);
  Value convolution(ArrayRef<Value> xs);
  Value gradientOfToken(const ConvTile &tile, ConvRun &run, const ConvRun::Token &token,
                        ValueRange rest);
  Values stepBack(const ConvTile &tile, ConvRun &run, const ConvRun::Token &token,
                  ValueRange carried);
  Value finalGradient(const ConvTile &tile, const ConvRun::Token &token, Value origin, Value row);
  void addToTotals(const ConvTile &tile, ValueRange sums);
  void writePart(const ConvTile &tile);

  void states();
  void statesOfStream(const ConvTile &tile, Value stream);
  Values stateStep(const ConvTile &tile, Value stream, Value segment, ValueRange sums);

  void sum();
  Value addParts(Value total, View parts, Value count, int64_t unroll, Value column, int64_t lanes);
  void storeSums(Value sums, Value element, int64_t lanes);

  bool statesGiveTaps() { return op.getInit() && width > 1 && !dweights.empty(); }
  int64_t sumCount() { return dweights.empty() && dbias.empty() ? 0 : width + !dbias.empty(); }

  ConvAnchor anchor;
  Conv1dGradOp op;
  Conv1dOp conv; ///< that dy is made of, or null
  KernelBuilder &k;
  int64_t channels, width;
  SmallVector<unsigned> pointwise, dweights, dbias, dinit;
  Values taps;               ///< w[W - 1 - j]
  Value bias;                ///< of `conv`
  View totals;               ///< [sums, threads * lanes], in shared memory
  unsigned parts, stateParts; ///< workspaces [parts, sums * C] and [streams, W * C]
};
} // namespace

LogicalResult ConvGrad::check() {
  if (failed(checkGradient(k, anchor)))
    return failure();
  if (k.knob("flush") % k.knob("ahead"))
    return k.error() << "expected knob 'flush' to be a multiple of knob 'ahead', but got "
                     << k.knob("flush") << " and " << k.knob("ahead");
  dweights = outputsOf(k, op.getDweights());
  dbias = outputsOf(k, op.getDbias());
  dinit = outputsOf(k, op.getDinit());
  for (unsigned i = 0; i < k.kernel.getNumResults(); ++i) {
    Value yielded = withoutStorage(k.yielded(i));
    if (yielded.getDefiningOp() == op && yielded != op.getDx())
      continue;
    if (failed(checkPointwise(k, yielded, {op.getDx()})))
      return failure();
    pointwise.push_back(i);
  }
  return success();
}

LogicalResult ConvGrad::emit() {
  bool sums = sumCount() > 0;
  if (sums || !pointwise.empty()) {
    walk();
    if (failed(checkShared(k, ConvRun::kSharedKnobs)))
      return failure();
  }
  if (!dinit.empty() || statesGiveTaps())
    states();
  if (sums)
    sum();
  return success();
}

//===----------------------------------------------------------------------===//
// Tokens
//===----------------------------------------------------------------------===//

void ConvGrad::walk() {
  k.begin(pointwise, pointwise.empty() ? "parts" : "");
  Values values{op.getDy()};
  for (unsigned output : pointwise)
    values.push_back(k.yielded(output));
  Values tensors = tensorsOfRun(k, op.getX(), values);
  ConvTile tile(k, channels, viewsOf(k, tensors));
  int64_t count = k.knob("parts"), ahead = k.knob("ahead");
  if (sumCount()) {
    parts = k.workspace(RankedTensorType::get({count, sumCount() * channels}, k.b.getF32Type()));
    totals = k.sharedView(sumCount(), k.threads() * tile.lanes, k.b.getF32Type());
    for (int64_t i = 0; i < sumCount(); ++i)
      k.store(k.zeros(tile.lanes), totals,
              At{k.index(i), k.mul(k.thread(), tile.lanes), tile.lanes, Value()});
  }
  Value tokens = k.count(RowSpace::token);
  Value length = k.mul(k.ceilDiv(tokens, count * tile.runs * ahead), ahead);
  Value lo = arith::MulIOp::create(k.b, k.loc, k.add(k.mul(tile.part, tile.runs), tile.run),
                                   length);
  tile.ifActive(k, [&] {
    k.ifThen(k.less(lo, tokens), [&] { walkRun(tile, tensors, lo, k.add(lo, length)); });
  });
  if (sumCount())
    writePart(tile);
  k.finish(k.fixedGrid(count * tile.tiles));
}

/// Carried: d[1], d[2], ...; the sums; where the convolution is made again, the last token
/// of the segment; where final states have gradients, where the segment ends and the row of
/// its final state.
void ConvGrad::walkRun(const ConvTile &tile, ArrayRef<Value> tensors, Value lo, Value hi) {
  ConvRun run(k, op.getBatch(), rowsOf(op.getX()), tile, tensors, !op.getReverse(), lo, hi,
              conv ? width - 1 : 0);
  taps = loadTaps(k, tile.first, tile.lanes, op.getWeights());
  if (conv)
    bias = conv.getBias() ? k.load(k.view(conv.getBias()), tile.at(Value())) : k.zeros(tile.lanes);
  bool hasFinal = op.getDfinal() && width > 1;
  run.locate();
  auto borders = [&](const Segment &segment) {
    Values result;
    if (conv)
      result.push_back(run.last(segment));
    if (hasFinal)
      result.append({run.origin(segment), segment.final});
    return result;
  };
  Values carried = firstWindow(tile, run);
  carried.append(sumCount(), k.zeros(tile.lanes));
  llvm::append_range(carried, borders(run.segment));

  auto enter = [&](Segment segment, ValueRange now) {
    Values next(width - 1, k.zeros(tile.lanes));
    llvm::append_range(next, now.slice(width - 1, sumCount()));
    llvm::append_range(next, borders(segment));
    return next;
  };
  auto step = [&](const ConvRun::Token &token, ValueRange now) {
    return stepBack(tile, run, token, now);
  };
  int64_t chunks = k.knob("flush") / k.knob("ahead");
  auto chunk = [&](Value i, ValueRange now) {
    Values next(now);
    if (!sumCount())
      return next;
    ValueRange sums = now.slice(width - 1, sumCount());
    Value full = k.equal(k.rem(k.add(i, 1), chunks), k.index(0));
    auto flush = [&] {
      addToTotals(tile, sums);
      return Values(sumCount(), k.zeros(tile.lanes));
    };
    Values left = k.either(full, flush, [&] { return Values(sums); });
    llvm::copy(left, next.begin() + (width - 1));
    return next;
  };
  carried = run.walk(carried, enter, step, chunk);
  if (sumCount())
    addToTotals(tile, ArrayRef(carried).slice(width - 1, sumCount()));
}

/// d[1], d[2], ... of the first token.
SmallVector<Value> ConvGrad::firstWindow(const ConvTile &tile, ConvRun &run) {
  Gpu gpu(k);
  Values window;
  Value last = conv ? run.last(run.segment) : Value();
  for (int64_t j = 1; j < width; ++j) {
    PointwiseEmitter emitter(k, tile.at(run.rowBefore(j)));
    if (conv) {
      Values xs;
      for (int64_t i = 0; i < width; ++i) {
        xs.push_back(k.load(k.view(op.getX()), tile.at(run.rowBefore(j - i))));
        if (i > j) // of the walk's own tokens, which may be of the segment before
          xs[i] = k.select(run.reaches(run.first, i - j, last), xs[i], k.zeros(tile.lanes));
      }
      emitter.bind(conv.getY(), convolution(xs));
    }
    window.push_back(k.select(k.less(gpu.i32(j - 1), run.index), emitter.value(op.getDy()),
                              k.zeros(tile.lanes)));
  }
  return window;
}

/// Of a token's input and those before it.
Value ConvGrad::convolution(ArrayRef<Value> xs) {
  Value y = bias;
  for (auto [tap, x] : llvm::zip_equal(taps, xs))
    y = k.fma(tap, x, y);
  return y;
}

/// dy at a token.
Value ConvGrad::gradientOfToken(const ConvTile &tile, ConvRun &run, const ConvRun::Token &token,
                                ValueRange rest) {
  PointwiseEmitter emitter(k, tile.at(token.row));
  run.bind(emitter, token);
  if (conv) {
    Values xs{token.values[0]};
    for (auto [i, x] : llvm::enumerate(token.after))
      xs.push_back(token.whole ? x
                               : k.select(run.reaches(token.position, i + 1, rest[0]), x,
                                          k.zeros(tile.lanes)));
    emitter.bind(conv.getY(), convolution(xs));
  }
  return emitter.value(op.getDy());
}

SmallVector<Value> ConvGrad::stepBack(const ConvTile &tile, ConvRun &run,
                                      const ConvRun::Token &token, ValueRange carried) {
  // Behind the last token nothing may reach a sum. A walk up has gradients behind it there.
  ValueRange rest = carried.drop_front(width - 1 + sumCount());
  Value zero = k.zeros(tile.lanes), x = token.values[0];
  if (op.getReverse())
    x = k.select(token.valid, x, zero);
  Values d{k.select(token.valid, gradientOfToken(tile, run, token, rest), zero)};
  llvm::append_range(d, carried.take_front(width - 1));
  Values sums(carried.slice(width - 1, sumCount()));
  if (!sums.empty())
    for (int64_t j = 0; j < width; ++j)
      sums[width - 1 - j] = k.fma(x, d[j], sums[width - 1 - j]);
  if (!dbias.empty())
    sums[width] = arith::AddFOp::create(k.b, k.loc, sums[width], d[0]);

  if (!pointwise.empty()) {
    Value dx = arith::MulFOp::create(k.b, k.loc, taps[0], d[0]);
    for (int64_t j = 1; j < width; ++j)
      dx = k.fma(taps[j], d[j], dx);
    if (ValueRange final = rest.drop_front(conv ? 1 : 0); !final.empty()) {
      Value more = finalGradient(tile, token, final[0], final[1]);
      dx = arith::AddFOp::create(k.b, k.loc, dx, more);
    }
    At at = tile.at(token.row);
    PointwiseEmitter emitter(k, at);
    run.bind(emitter, token);
    emitter.bind(op.getDx(), dx);
    Values results;
    for (unsigned output : pointwise)
      results.push_back(emitter.value(k.yielded(output)));
    k.ifThen(token.valid, [&] {
      for (auto [output, result] : llvm::zip_equal(pointwise, results))
        k.store(result, k.output(output), at);
    });
  }
  d.pop_back();
  llvm::append_range(d, sums);
  llvm::append_range(d, rest);
  return d;
}

/// What a token receives through its segment's final state, which holds the last W - 1
/// inputs.
Value ConvGrad::finalGradient(const ConvTile &tile, const ConvRun::Token &token, Value origin,
                              Value row) {
  Gpu gpu(k);
  Value left = op.getReverse() ? k.sub(token.position, origin) : k.sub(origin, token.position);
  // As unsigned: a position behind the last token has none left.
  Value among = arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::ult, left,
                                      gpu.i32(width - 1));
  Value has = arith::AndIOp::create(k.b, k.loc, among, isPresent(k, row));
  auto gradient = [&] {
    Value slot = gpu.toI64(k.sub(gpu.i32(width - 2), left));
    return Values{k.load(k.view(op.getDfinal()), tile.at(k, row, slot))};
  };
  return k.either(has, gradient, [&] { return Values{k.zeros(tile.lanes)}; })[0];
}

/// Each thread has its own place: no barrier.
void ConvGrad::addToTotals(const ConvTile &tile, ValueRange sums) {
  for (auto [i, sum] : llvm::enumerate(sums)) {
    At at{k.index(i), k.mul(k.thread(), tile.lanes), tile.lanes, Value()};
    k.store(arith::AddFOp::create(k.b, k.loc, k.load(totals, at), sum), totals, at);
  }
}

/// The first run's threads add the others' totals to theirs, in order.
void ConvGrad::writePart(const ConvTile &tile) {
  if (tile.runs > 1)
    Gpu(k).barrier();
  Value own = k.less(k.thread(), k.index(tile.across));
  if (tile.active)
    own = arith::AndIOp::create(k.b, k.loc, own, tile.active);
  k.ifThen(own, [&] {
    for (int64_t i = 0; i < sumCount(); ++i) {
      Value column = k.mul(k.thread(), tile.lanes);
      auto load = [&](Value run) {
        Value offset = k.mul(run, tile.across * tile.lanes);
        return k.load(totals, At{k.index(i), k.add(column, offset), tile.lanes, Value()});
      };
      Values total = k.loop(k.index(1), k.index(tile.runs), 1, {load(k.index(0))},
                            [&](Value run, ValueRange sum) -> Values {
        return {arith::AddFOp::create(k.b, k.loc, sum[0], load(run))};
      });
      k.store(total[0], k.workspaceView(parts), tile.at(k, tile.part, k.index(i)));
    }
  });
}

//===----------------------------------------------------------------------===//
// Initial states
//===----------------------------------------------------------------------===//

/// One block a stream and tile of channels.
void ConvGrad::states() {
  k.begin(dinit, "states");
  if (statesGiveTaps())
    stateParts = k.workspace(withChannels(op.getInit().getType(), width * channels));
  ConvTile tile(k, channels, {k.view(op.getDy()), k.view(op.getX())}, /*oneRun=*/true);
  k.ifThen(k.less(tile.part, k.count(RowSpace::stream)),
           [&] { statesOfStream(tile, tile.part); });
  k.finish(k.rowGrid(RowSpace::stream, 1, 0, tile.tiles));
}

void ConvGrad::statesOfStream(const ConvTile &tile, Value stream) {
  taps = loadTaps(k, tile.first, tile.lanes, op.getWeights());
  // Sums: the gradients of the state's inputs, then those of the taps. Segments may
  // share a state.
  Values sums(2 * width - 1, k.zeros(tile.lanes));
  if (op.getInit())
    sums = forSegmentsOf(k, op.getBatch(), /*final=*/false, stream, sums,
                         [&](Value segment, ValueRange now) {
                           return stateStep(tile, stream, segment, now);
                         });
  tile.ifActive(k, [&] {
    for (unsigned output : dinit)
      for (int64_t slot = 0; slot < width - 1; ++slot)
        k.store(sums[slot], k.output(output), tile.at(k, stream, k.index(slot)));
    if (statesGiveTaps())
      for (int64_t tap = 0; tap < width; ++tap)
        k.store(sums[width - 1 + tap], k.workspaceView(stateParts),
                tile.at(k, stream, k.index(tap)));
  });
}

/// Slot s holds the input of token i = s - (W - 1), so that d[j] = dy[i + j].
SmallVector<Value> ConvGrad::stateStep(const ConvTile &tile, Value stream, Value index,
                                       ValueRange now) {
  Values sums(now), dys;
  SegmentWalk walk{k, op.getBatch(), k.segment(op.getBatch(), index), op.getReverse()};
  Value length = walk.segment.length, last = k.sub(length, k.index(1));
  for (int64_t i = 0; i < width - 1; ++i) {
    Value row = walk.row(k.min(k.index(i), last), rowsOf(op.getX()));
    Value dy = k.load(k.view(op.getDy()), tile.at(row));
    dys.push_back(k.select(k.less(k.index(i), length), dy, k.zeros(tile.lanes)));
  }
  for (int64_t slot = 0; slot < width - 1; ++slot) {
    int64_t before = width - 1 - slot; // -i
    Value x = k.load(k.view(op.getInit()), tile.at(k, stream, k.index(slot)));
    for (int64_t j = before; j < width; ++j) {
      Value &dx = sums[slot], &dw = sums[width - 1 + (width - 1 - j)];
      dx = k.fma(taps[j], dys[j - before], dx);
      dw = k.fma(x, dys[j - before], dw);
    }
    if (!op.getDfinal())
      continue;
    // A segment shorter than the state hands its first inputs on.
    Value to = k.sub(k.index(slot), length);
    View dfinal = k.view(op.getDfinal());
    dfinal.valid = arith::AndIOp::create(k.b, k.loc, isPresent(k, to),
                                         isPresent(k, walk.segment.final));
    Value more = k.load(dfinal, tile.at(k, k.max(walk.segment.final, k.index(0)),
                                        k.max(to, k.index(0))));
    sums[slot] = arith::AddFOp::create(k.b, k.loc, sums[slot], more);
  }
  return sums;
}

//===----------------------------------------------------------------------===//
// The last sum
//===----------------------------------------------------------------------===//

/// Adds every `warps`-th part, from the warp's own on; `unroll` loads at a time.
Value ConvGrad::addParts(Value total, View view, Value count, int64_t unroll, Value column,
                         int64_t lanes) {
  int64_t warps = k.threads() / Gpu::kWarp;
  Value last = k.sub(count, k.index(1));
  return k.loop(Gpu(k).warp(), count, warps * unroll, {total},
                [&](Value first, ValueRange sum) -> Values {
    Values loads;
    for (int64_t u = 0; u < unroll; ++u) {
      Value part = k.add(first, u * warps);
      Value load = k.load(view, At{k.min(part, last), column, lanes, Value()});
      loads.push_back(k.select(k.less(part, count), load, k.zeros(lanes)));
    }
    Value next = sum[0];
    for (Value load : loads)
      next = arith::AddFOp::create(k.b, k.loc, next, load);
    return {next};
  })[0];
}

void ConvGrad::sum() {
  SmallVector<unsigned> outputs(dweights);
  llvm::append_range(outputs, dbias);
  k.begin(outputs, "sum");
  if (k.threads() <= 256)
    fitBlocks(k, 2);
  int64_t elements = sumCount() * channels, lanes = channels % 4 ? 1 : 4;
  int64_t warps = k.threads() / Gpu::kWarp, across = Gpu::kWarp * lanes;
  Gpu gpu(k);
  Value element = k.add(k.mul(k.block(), across), k.mul(gpu.lane(), lanes));
  Value column = k.min(element, k.index(elements - lanes));
  Value total = addParts(k.zeros(lanes), k.workspaceView(parts), k.index(k.knob("parts")), 8,
                         column, lanes);
  if (statesGiveTaps()) {
    Value isTap = k.less(column, k.index(width * channels));
    Value streams = k.select(isTap, k.count(RowSpace::stream), k.index(0));
    total = addParts(total, k.workspaceView(stateParts), streams, 1,
                     k.min(column, k.index(width * channels - lanes)), lanes);
  }
  View shared = k.sharedView(warps, across, k.b.getF32Type());
  auto place = [&](Value warp) { return At{warp, k.mul(gpu.lane(), lanes), lanes, Value()}; };
  k.store(total, shared, place(gpu.warp()));
  gpu.barrier();
  Value own = arith::AndIOp::create(k.b, k.loc, k.less(k.thread(), k.index(Gpu::kWarp)),
                                    k.less(element, k.index(elements)));
  k.ifThen(own, [&] {
    Value all = k.load(shared, place(k.index(0)));
    for (int64_t warp = 1; warp < warps; ++warp)
      all = arith::AddFOp::create(k.b, k.loc, all, k.load(shared, place(k.index(warp))));
    storeSums(all, element, lanes);
  });
  k.finishSum(llvm::divideCeil(elements, across));
}

/// Elements are [sums, channels]; weights are [channels, W].
void ConvGrad::storeSums(Value sums, Value element, int64_t lanes) {
  Value tap = k.div(element, channels), channel = k.rem(element, channels);
  auto isTap = k.less(tap, k.index(width));
  if (!dweights.empty())
    k.ifThen(isTap, [&] {
      for (int64_t lane = 0; lane < lanes; ++lane) {
        Value sum = lanes == 1 ? sums
                               : vector::ExtractOp::create(k.b, k.loc, sums,
                                                           ArrayRef<int64_t>{lane});
        Value column = k.add(k.mul(k.add(channel, lane), width), tap);
        for (unsigned output : dweights)
          k.store(sum, k.output(output), At{Value(), column, 1, Value()});
      }
    });
  if (!dbias.empty())
    k.ifThen(k.less(k.index(width - 1), tap), [&] {
      for (unsigned output : dbias)
        k.store(sums, k.output(output), At{Value(), channel, lanes, Value()});
    });
}

LogicalResult mom::emitConvGradGpu(const ConvAnchor &anchor, KernelBuilder &k) {
  ConvGrad grad(anchor, k);
  return failure(failed(grad.check()) || failed(grad.emit()));
}
