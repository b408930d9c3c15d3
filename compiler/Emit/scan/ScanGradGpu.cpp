// GPU form of the scan's gradient: see ScanGradGpu.h.
#include "compiler/Emit/scan/ScanGradGpu.h"

#include "compiler/Emit/scan/ScanForwardGpu.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mom;

/// Shared memory that the states before a chunk's runs may take.
static constexpr int64_t kBytesOfRuns = 32768;

/// Tokens of a run, so that checkpoints lie at the start of one; 0 if they would be
/// too few or the runs too many.
static int64_t runFor(int64_t chunk, int64_t most, int64_t bytesOfRun) {
  if (chunk <= most)
    return chunk;
  int64_t run = most;
  while (chunk % run)
    --run;
  return 4 * run >= most && chunk / run * bytesOfRun <= kBytesOfRuns ? run : 0;
}

/// What is carried back, as a walk along the mirrored segment: see ScanPiecesGpu.h.
static ScanOperands mirrored(ScanGradOp op) {
  ScanOperands operands(op);
  operands.u = op.getDy();
  operands.B = op.getC();
  operands.init = op.getDfinal();
  operands.reverse = !operands.reverse;
  operands.decaysInput = true;
  return operands;
}

ScanGradGpu::ScanGradGpu(ScanGradOp op, KernelBuilder &k)
    : op(op), k(k), operands(op), checkpoints(op.getCheckpoints()), tokens(k.knob("tokens")),
      shape(k, operands, tokens, k.knob("group")) {
  if (op.getCheckpoints()) {
    chunk = rowsOf(op.getCheckpoints()).getChunk();
    tokens = runFor(chunk, tokens, shape.threads * shape.values() * 4);
  }
  if (!chunk || !tokens)
    chunk = ownChunk = tokens = k.knob("tokens");
  shape.tokens = tokens;
  turn = std::max<int64_t>(std::min(shape.group, tokens) / kTensorTokens, 1);
  shape.group = shape.tensor ? kTensorTokens
                             : std::min<int64_t>(shape.group, llvm::PowerOf2Ceil(tokens));
  if (shape.tensor) // not what a walk forward has
    shape.polynomials = 0;
  pieces.emplace(k, operands, chunk);
  G.emplace(*pieces, mirrored(op), shape, /*back=*/true);
}

LogicalResult ScanGradGpu::check() {
  ScanShape given = shape;
  given.group = k.knob("group");
  if (failed(checkInputs(
          k, op, {op.getB(), op.getC(), op.getInit(), op.getCheckpoints(), op.getDfinal()})) ||
      failed(given.check(k, operands)))
    return failure();
  if (shape.tensor && shape.own != 2)
    return k.error() << "expected 2 as knob 'channels' of a gradient with unit 1, but got "
                     << shape.own;
  for (Value before : {op.getU(), op.getDelta(), op.getDy(), op.getA()})
    if (failed(checkPointwise(k, before)))
      return failure();
  dinit = outputsOf(k, op.getDinit());
  for (auto [result, isC] : {std::pair(op.getDB(), false), {op.getDC(), true}})
    if (SmallVector<unsigned> outputs = outputsOf(k, result); !outputs.empty())
      kinds.push_back({outputs, isC});
  rowSums = rowSumsOf(k);
  for (const RowSum &sum : rowSums)
    if (failed(checkPointwise(k, sum.x, {op.getDu(), op.getDdelta(), op.getY()})))
      return failure();
  for (unsigned i = 0; i < k.kernel.getNumResults(); ++i) {
    Value yielded = withoutStorage(k.yielded(i));
    if (yielded.getDefiningOp<ReduceRowsOp>())
      continue;
    if (yielded == op.getDA() || (yielded.getDefiningOp() != op && isStatic(yielded.getType()))) {
      if (failed(checkPointwise(k, yielded, {op.getDA()})))
        return failure();
      dA.push_back(i);
      continue;
    }
    if (yielded.getDefiningOp() == op && yielded != op.getDu() && yielded != op.getDdelta() &&
        yielded != op.getY())
      continue;
    if (failed(checkPointwise(k, yielded, {op.getDu(), op.getDdelta(), op.getY()})))
      return failure();
    pointwise.push_back(i);
  }
  return success();
}

void ScanGradGpu::saveStates() {
  if (!usesOwnStates())
    return;
  ScanShape forwardShape = shape.withGroup(groupFor(shape.group, ownChunk));
  PieceStates states(*pieces, operands, forwardShape, /*back=*/false);
  states.emit("states$");
  k.begin({}, "states");
  ownStates = k.workspace(rowsType(k, shape.channels * shape.states, chunkRows(k, ownChunk)));
  ScanForwardGpu forward(k, operands, forwardShape);
  forward.chunk = ownChunk;
  forward.takeViews = [&] { forward.checkpoints = {k.workspaceView(ownStates)}; };
  forward.emit(*pieces, states);
}

void ScanGradGpu::walkBack() {
  G->emit("back$");
  k.begin(pointwise);
  fitBlocks(k, k.knob("resident"));
  int64_t width = shape.channels * shape.states;
  if (!kinds.empty()) {
    RankedTensorType parts =
        rowsType(k, shape.blocks() * int64_t(kinds.size()) * shape.states, rowsOf(op.getU()));
    if (shape.tensor) // they are as many bytes as all else, and the sum is rounded as much
      parts = parts.clone(k.b.getBF16Type());
    partsOfKinds = k.workspace(parts);
  }
  if (!dA.empty())
    partsOfA = k.workspace(rowsType(k, width, pieces->rows()));
  if (!dinit.empty())
    partsOfInit = k.workspace(rowsType(k, width, segmentRows(k)));
  for (size_t i = 0; i < rowSums.size(); ++i)
    partsOfRows.push_back(k.workspace(rowsType(k, shape.channels, pieces->rows())));
  Value n = k.div(k.block(), shape.blocks());
  pieces->visitWhole(n, [&](const Piece &piece) {
    walkPiece(piece, [&](const ScanTile &tile) { return G->ofSegment(tile, piece.mirrored()); });
  });
  k.finish(pieces->gridOfWhole(/*extra=*/0, shape.blocks()));
  if (!pieces->tokens)
    return;
  k.beginOther("cut");
  fitBlocks(k, k.knob("resident"));
  pieces->visitPiece(k.div(k.block(), shape.blocks()), [&](const Piece &piece) {
    walkPiece(piece, [&](const ScanTile &tile) { return G->ofPiece(tile, piece.mirrored()); });
  });
  k.finishOther(pieces->gridWhereCut("chunk", shape.blocks()));
}

//===----------------------------------------------------------------------===//
// States before runs and groups
//===----------------------------------------------------------------------===//

View ScanGradGpu::checkpointView() const {
  return usesOwnStates() ? k.workspaceView(ownStates) : k.view(checkpoints);
}

/// Of the checkpoint before token i of a walk, or the last one before that.
Value ScanGradGpu::checkpointRow(const SegmentWalk &walk, Value s, Value i) const {
  return k.add(k.div(k.add(walk.segment.start, i), chunk), s);
}

/// Room for `count` times the states of each thread, which lie so that a warp's
/// accesses are whole lines.
View ScanGradGpu::privateTile(int64_t count) const {
  int64_t size = std::min<int64_t>(shape.values(), 4);
  return k.sharedView(count * (shape.values() / size), shape.threads * size, k.b.getF32Type());
}

void ScanGradGpu::keep(const ScanTile &tile, const View &tileOfStates, Value i,
                       ValueRange states) const {
  int64_t size = std::min<int64_t>(shape.values(), 4), pieces = shape.values() / size;
  for (int64_t piece = 0; piece < pieces; ++piece)
    tile.storeScalars(states.slice(piece * size, size), tileOfStates,
                      At{k.add(k.mul(i, pieces), piece), k.mul(k.thread(), size), 1, Value()});
}

Values ScanGradGpu::kept(const ScanTile &tile, const View &tileOfStates, Value i) const {
  int64_t size = std::min<int64_t>(shape.values(), 4), pieces = shape.values() / size;
  Values states;
  for (int64_t piece = 0; piece < pieces; ++piece)
    llvm::append_range(states,
                       tile.loadScalars(tileOfStates, At{k.add(k.mul(i, pieces), piece),
                                                         k.mul(k.thread(), size), size, Value()}));
  return states;
}

/// Walks the staged run's groups 0 .. groups - 1 and replaces the states.
void ScanGradGpu::advanceGroups(const ScanTile &tile, const Tiles &tiles, Value groups,
                                Values &states, bool keepThem) const {
  auto walk = [&](Value first, Value end, int64_t together) {
    states = k.loop(first, end, together, states, [&](Value g, ValueRange carried) {
      SmallVector<Values> before{Values(carried)};
      for (int64_t i = 0; i < together; ++i)
        before.push_back(tile.advance(before[i], k.mul(k.add(g, i), shape.group)));
      for (int64_t i = 0; keepThem && i < together; ++i)
        keep(tile, tiles.groups, k.add(g, i), before[i]);
      return before.back();
    });
  };
  if (!shape.tensor)
    return walk(k.index(0), groups, 1);
  // What the second group waits for is under way while the first one is walked: there
  // is no store between them.
  Value paired = k.mul(k.div(groups, 2), 2);
  walk(k.index(0), paired, 2);
  walk(paired, groups, 1);
}

/// Walks from the last checkpoint before token i to it, leaving the states before each
/// run, that of i too.
void ScanGradGpu::leaveRuns(const ScanTile &tile, const Tiles &tiles, const SegmentWalk &walk,
                            Value s, Value i) const {
  int64_t runs = chunk / tokens;
  Value begin = k.mul(k.div(i, chunk), chunk);
  Values states = tile.loadStates(checkpointView(), checkpointRow(walk, s, begin));
  states = k.loop(begin, i, tokens, states, [&](Value from, ValueRange carried) {
    keep(tile, tiles.runs, k.rem(k.div(from, tokens), runs), carried);
    tile.stageStates(walk, from, k.index(tokens));
    tile.gpu.barrier();
    Values states(carried);
    advanceGroups(tile, tiles, k.index(shape.rounded() / shape.group), states, false);
    tile.gpu.barrier();
    return states;
  });
  keep(tile, tiles.runs, k.rem(k.div(i, tokens), runs), states);
}

//===----------------------------------------------------------------------===//
// The walk back
//===----------------------------------------------------------------------===//

void ScanGradGpu::walkPiece(const Piece &piece, function_ref<Values(const ScanTile &)> before) {
  SmallVector<Value> after;
  for (unsigned output : pointwise)
    after.push_back(k.yielded(output));
  for (const RowSum &sum : rowSums)
    after.push_back(sum.x);
  SmallVector<Value> results = {op.getDu(), op.getDdelta()};
  if (op.getY())
    results.push_back(op.getY());
  ScanTile tile(k, operands, shape, k.rem(k.block(), shape.blocks()), /*staged=*/op.getDy(), after,
                results, /*needsC=*/true);
  int64_t runsOfChunk = chunk / tokens;
  Tiles tiles;
  if (op.getY())
    tiles.y = tile.sumTile();
  if (runsOfChunk > 1)
    tiles.runs = privateTile(runsOfChunk);
  if (shape.tensor) {
    auto kindOf = [&](bool isC) -> std::optional<int64_t> {
      auto kind = llvm::find_if(kinds, [&](const Kind &kind) { return kind.isC == isC; });
      return kind == kinds.end() ? std::nullopt : std::optional(kind - kinds.begin());
    };
    tiles.tensor.emplace(tile, turn, tiles.y, kindOf(false), kindOf(true));
  } else {
    tiles.sumA = tile.sumTile();
    tiles.sumB = tile.sumTile();
    tiles.groups = privateTile(shape.rounded() / shape.group);
    if (!kinds.empty())
      tiles.parts =
          k.sharedView(shape.channelWarps() * shape.rounded(), kinds.size() * shape.slots(),
                       k.b.getF32Type(), shape.strideOf(kinds.size() * shape.slots()));
  }
  for (RowSum &sum : rowSums)
    sum.tile = tile.rowSumTile();
  const SegmentWalk &walk = piece.walk;
  Value s = piece.number, runs = k.ceilDiv(k.sub(piece.end, piece.first), tokens),
        last = k.sub(runs, k.index(1));
  auto runAt = [&](Value back) { // its first token; the first run's once there are no more
    return k.add(piece.first, k.mul(k.max(k.sub(last, back), k.index(0)), tokens));
  };

  // Carried from run to run: G, dA, its error; the run's first states where each has
  // a checkpoint, its data, its rows and those of the next.
  size_t n = shape.values();
  auto firstStates = [&](Value i) {
    return runsOfChunk == 1 ? tile.loadStates(checkpointView(), checkpointRow(walk, s, i))
                            : Values();
  };
  Values carried = before(tile);
  carried.append((carriedKinds() - 1) * n, k.f32(0));
  Values rows = tile.rows(walk, runAt(k.index(0))), ahead = tile.rows(walk, runAt(k.index(1))),
         data = tile.fetch(rows), states = firstStates(runAt(k.index(0)));
  size_t sizes[] = {states.size(), data.size(), rows.size(), rows.size()};
  for (const Values &more : {states, data, rows, ahead})
    llvm::append_range(carried, more);

  carried = k.loop(k.index(0), runs, 1, carried, [&](Value back, ValueRange values) {
    Values gradients(values.take_front(carriedKinds() * n));
    values = values.drop_front(carriedKinds() * n);
    SmallVector<ValueRange, 4> parts;
    for (size_t size : sizes) {
      parts.push_back(values.take_front(size));
      values = values.drop_front(size);
    }
    Values states(parts[0]);
    ValueRange data = parts[1], rows = parts[2], ahead = parts[3];
    Value i = runAt(back), count = k.min(k.index(tokens), k.sub(piece.end, i));
    if (runsOfChunk > 1) {
      Value number = k.rem(k.div(i, tokens), runsOfChunk);
      Value isLast = arith::OrIOp::create(k.b, k.loc, k.equal(back, k.index(0)),
                                          k.equal(number, k.index(runsOfChunk - 1)));
      k.ifThen(isLast, [&] { leaveRuns(tile, tiles, walk, s, i); });
      states = kept(tile, tiles.runs, number);
    }
    ScanTile::Run run{i, count, rows, data};
    tile.stage(walk, run);
    tile.gpu.barrier();
    // The next run is fetched while this one is finished: in registers its rows would be in
    // the walk's way. By then they are in the second-level cache.
    tile.prefetch(ahead);
    Values next = walkRun(tile, tiles, count, states, gradients);
    Values late = tile.fetchLate(rows);
    tile.gpu.barrier();
    Values nextData = tile.fetch(ahead), nextRows = tile.rows(walk, runAt(k.add(back, 2))),
           nextStates = firstStates(runAt(k.add(back, 1)));
    finishParts(tile, tiles, walk, i, count);
    tile.finish(walk, run, late, pointwise, rowSums, [&](At at, Value u, Value delta) {
      auto sum = [&](int64_t which, const View &view) {
        return tiles.tensor ? tiles.tensor->kept.loadStateSum(which, at) : tile.loadSum(view, at);
      };
      Value sumA = sum(0, tiles.sumA), sumB = sum(1, tiles.sumB);
      if (!shape.exact) // A was A log2(e)
        sumA = tile.mul(sumA, k.splat(k.f32(0.693147180559945309), at.lanes));
      SmallVector<ScanTile::Bound> values = {{op.getDu(), tile.mul(delta, sumB)},
                                             {op.getDdelta(), k.fma(u, sumB, sumA)}};
      if (tiles.y)
        values.push_back({op.getY(), tile.loadSum(tiles.y, at)});
      return values;
    });
    for (ValueRange more :
         {ValueRange(nextStates), ValueRange(nextData), ahead, ValueRange(nextRows)})
      llvm::append_range(next, more);
    return next;
  });
  Values G(carried.begin(), carried.begin() + n),
      sums(carried.begin() + n, carried.begin() + 2 * n);
  if (!dA.empty())
    tile.storeStates(sums, k.workspaceView(partsOfA), piece.row);
  if (!dinit.empty())
    k.ifThen(piece.isFirst(), [&] { tile.storeStates(G, k.workspaceView(partsOfInit), s); });
  for (auto [sum, parts] : llvm::zip_equal(rowSums, partsOfRows))
    tile.storeRowSum(sum.tile, k.workspaceView(parts), piece.row);
}

/// Walks the staged run forward and back; what is carried to the run before.
Values ScanGradGpu::walkRun(const ScanTile &tile, const Tiles &tiles, Value count, Values states,
                            ValueRange gradients) const {
  Value groups = k.ceilDiv(count, shape.group);
  if (shape.tensor) {
    tiles.tensor->walkAlong(groups, states);
    return tiles.tensor->walkBack(groups, gradients);
  }
  if (shape.rounded() == shape.group)
    return group(tile, tiles, k.index(0), states, gradients);
  Value last = k.sub(groups, k.index(1));
  advanceGroups(tile, tiles, last, states, /*keepThem=*/true);
  keep(tile, tiles.groups, last, states);
  return k.loop(k.index(0), groups, 1, gradients, [&](Value back, ValueRange carried) {
    Value g = k.sub(last, back);
    return group(tile, tiles, k.mul(g, shape.group), kept(tile, tiles.groups, g), carried);
  });
}

//===----------------------------------------------------------------------===//
// Sums over channels
//===----------------------------------------------------------------------===//

/// Adds up the block's warps and leaves the sums of a run's tokens, by position.
void ScanGradGpu::finishParts(const ScanTile &tile, const Tiles &tiles, const SegmentWalk &walk,
                              Value i, Value count) const {
  if (kinds.empty())
    return;
  int64_t all = kinds.size() * shape.states, width = shape.vectorOfStates();
  Deal deal{shape.threads, tokens, all, width};
  View to = k.workspaceView(partsOfKinds);
  // Loads have no condition, so those of some rounds are one wait: what is not a token's is
  // not stored.
  int64_t together = std::gcd<int64_t>(deal.rounds(), 4);
  k.loop(k.index(0), k.index(deal.rounds()), together, [&](Value round) {
    SmallVector<std::pair<Deal::Place, Value>> sums;
    for (int64_t r = 0; r < together; ++r) {
      Deal::Place place = deal.at(k, k.add(round, r));
      Value kind = k.div(place.column, shape.states), state = k.rem(place.column, shape.states);
      Value token = deal.even() ? place.token : k.min(place.token, k.index(tokens - 1));
      sums.push_back({place, tiles.tensor
                                 ? tiles.tensor->kept.loadChannelSum(kind, token, state, width)
                                 : loadChannelSum(tile, tiles, kind, token, state, width)});
    }
    for (auto &[place, sum] : sums)
      k.ifThen(k.less(place.token, count), [&, &place = place, &sum = sum] {
        Value position = walk.position(k.add(i, place.token));
        Value column = k.add(k.mul(tile.number, all), place.column);
        k.store(sum, to, At{position, column, width, Value()});
      });
  });
}

LogicalResult mom::emitScanGradGpu(ScanGradOp op, KernelBuilder &k) {
  ScanGradGpu grad(op, k);
  if (failed(grad.check()))
    return failure();
  grad.saveStates();
  grad.walkBack();
  if (failed(checkShared(k, "'tokens' and 'threads'")))
    return failure();
  grad.sumParts();
  grad.sumInitial();
  return success();
}
