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
  shape.runs = k.knob("overlap") ? 2 : 1;
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
  if (shape.runs > 1 && !shape.tensor)
    return k.error() << "expected 1 as knob 'unit' of a gradient with knob 'overlap' 1, but got 0";
  if (shape.runs > 1 && chunk != tokens)
    return k.error() << "expected checkpoints every " << tokens << " tokens, a run, with knob "
                     << "'overlap' 1, but got them every " << chunk;
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

/// Before the run that begins at token i of a piece's walk, where a checkpoint lies.
Values ScanGradGpu::statesBefore(const ScanTile &tile, const Piece &piece, Value i) const {
  return tile.loadStates(checkpointView(), checkpointRow(piece.walk, piece.number, i));
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
  // Carried from run to run: G, dA, its error.
  size_t n = shape.values();
  Values carried = before(tile);
  carried.append((carriedKinds() - 1) * n, k.f32(0));
  carried = shape.runs > 1 ? walkOverlapped(tile, tiles, piece, carried)
                           : walkRuns(tile, tiles, piece, carried);
  Values G(carried.begin(), carried.begin() + n),
      sums(carried.begin() + n, carried.begin() + 2 * n);
  if (!dA.empty())
    tile.storeStates(sums, k.workspaceView(partsOfA), piece.row);
  if (!dinit.empty())
    k.ifThen(piece.isFirst(),
             [&] { tile.storeStates(G, k.workspaceView(partsOfInit), piece.number); });
  for (auto [sum, parts] : llvm::zip_equal(rowSums, partsOfRows))
    tile.storeRowSum(sum.tile, k.workspaceView(parts), piece.row);
}

/// The runs of a piece from the last to the first, by number.
struct ScanGradGpu::Runs {
  Runs(const ScanGradGpu &grad, const Piece &piece)
      : k(grad.k), piece(piece), tokens(grad.tokens),
        count(k.ceilDiv(k.sub(piece.end, piece.first), tokens)) {}
  /// First token; the last run's once there are no more.
  Value first(Value number) const {
    Value before = k.max(k.sub(k.sub(count, k.index(1)), number), k.index(0));
    return k.add(piece.first, k.mul(before, tokens));
  }
  Value tokensFrom(Value first) const { return k.min(k.index(tokens), k.sub(piece.end, first)); }

  KernelBuilder &k;
  const Piece &piece;
  const int64_t tokens;
  const Value count;
};

/// Takes the first values of a list.
static Values takeFront(ValueRange &values, size_t count) {
  Values some(values.take_front(count));
  values = values.drop_front(count);
  return some;
}

static Values joined(std::initializer_list<ValueRange> lists) {
  Values all;
  for (ValueRange list : lists)
    llvm::append_range(all, list);
  return all;
}

Values ScanGradGpu::walkRuns(const ScanTile &tile, const Tiles &tiles, const Piece &piece,
                             Values gradients) {
  const SegmentWalk &walk = piece.walk;
  Runs runs(*this, piece);
  int64_t runsOfChunk = chunk / tokens;
  size_t size = gradients.size();
  // Carried besides: the run's first states where each has a checkpoint, its data, its rows
  // and those of the next.
  auto firstStates = [&](Value i) {
    return runsOfChunk == 1 ? statesBefore(tile, piece, i) : Values();
  };
  auto rowsOf = [&](Value number) { return tile.rows(walk, runs.first(number)); };
  Values rows = rowsOf(k.index(0)), ahead = rowsOf(k.index(1)), data = tile.fetch(rows),
         states = firstStates(runs.first(k.index(0)));
  size_t sizes[] = {states.size(), data.size(), rows.size()};
  Values all = joined({gradients, states, data, rows, ahead});
  all = k.loop(k.index(0), runs.count, 1, all, [&](Value back, ValueRange values) {
    Values gradients = takeFront(values, size), states = takeFront(values, sizes[0]),
           data = takeFront(values, sizes[1]), rows = takeFront(values, sizes[2]), ahead(values);
    Value i = runs.first(back);
    if (runsOfChunk > 1) {
      Value number = k.rem(k.div(i, tokens), runsOfChunk);
      Value isLast = arith::OrIOp::create(k.b, k.loc, k.equal(back, k.index(0)),
                                          k.equal(number, k.index(runsOfChunk - 1)));
      k.ifThen(isLast, [&] { leaveRuns(tile, tiles, walk, piece.number, i); });
      states = kept(tile, tiles.runs, number);
    }
    ScanTile::Run run{i, runs.tokensFrom(i), rows, data};
    tile.stage(walk, run);
    tile.gpu.barrier();
    // The next run is fetched while this one is finished: in registers its rows would be in
    // the walk's way. By then they are in the second-level cache.
    tile.prefetch(ahead);
    gradients = walkRun(tile, tiles, run.count, states, gradients);
    Values late = tile.fetchLate(rows);
    tile.gpu.barrier();
    Values nextData = tile.fetch(ahead), nextRows = rowsOf(k.add(back, 2)),
           nextStates = firstStates(runs.first(k.add(back, 1)));
    finishRun(tile, tiles, walk, run, late);
    return joined({gradients, nextStates, nextData, ahead, nextRows});
  });
  return Values(ArrayRef<Value>(all).take_front(size));
}

/// Two runs have room: one is walked back while the next, which is the one before it, is
/// walked along. What one waits for the other has time for.
Values ScanGradGpu::walkOverlapped(const ScanTile &tile, const Tiles &tiles, const Piece &piece,
                                   Values gradients) {
  const SegmentWalk &walk = piece.walk;
  Runs runs(*this, piece);
  size_t size = gradients.size();
  auto rowsOf = [&](Value number) { return tile.rows(walk, runs.first(number)); };
  auto runOf = [&](Value number, ValueRange rows, ValueRange data) {
    Value i = runs.first(number);
    return ScanTile::Run{i, runs.tokensFrom(i), rows, data};
  };
  auto statesOf = [&](Value number) { return statesBefore(tile, piece, runs.first(number)); };
  // Of the runs 0, 1 and so on from the one that is walked back on: what is staged has its
  // data and rows, the run after that its rows.
  Values rows[3], data[2], states = statesOf(k.index(0));
  for (int64_t i = 0; i < 3; ++i)
    rows[i] = rowsOf(k.index(i));
  for (int64_t i = 0; i < 2; ++i)
    data[i] = tile.fetch(rows[i]);
  for (int64_t i = 0; i < 2; ++i)
    tile.ofRun(k.index(i)).stage(walk, runOf(k.index(i), rows[i], data[i]));
  tile.gpu.barrier();
  tiles.tensor->walkAlong(k.index(shape.rounded() / kTensorTokens), states);
  states = statesOf(k.index(1));

  size_t sizes[] = {states.size(), data[0].size(), rows[0].size()};
  Values all = joined({gradients, states, data[0], data[1], rows[0], rows[1], rows[2]});
  all = k.loop(k.index(0), runs.count, 1, all, [&](Value back, ValueRange values) {
    Values gradients = takeFront(values, size), states = takeFront(values, sizes[0]), rows[3],
           data[2];
    for (Values &some : data)
      some = takeFront(values, sizes[1]);
    for (Values &some : rows)
      some = takeFront(values, sizes[2]);
    Value place = k.rem(back, 2), other = k.sub(k.index(1), place);
    ScanTile mine = tile.ofRun(place), next = tile.ofRun(other);
    Tiles ofMine;
    ofMine.tensor.emplace(tiles.tensor->ofRun(mine, place));
    if (tiles.y)
      ofMine.y = tile.sumsOfRun(tiles.y, place);
    tile.gpu.barrier();
    tile.prefetch(rows[2]);
    gradients = ofMine.tensor->walkBoth(gradients, tiles.tensor->ofRun(next, other), states);
    Values late = mine.fetchLate(rows[0]);
    tile.gpu.barrier();
    Value after = k.add(back, 2);
    Values nextData = tile.fetch(rows[2]), nextRows = rowsOf(k.add(back, 3)),
           nextStates = statesOf(after);
    finishRun(mine, ofMine, walk, runOf(back, rows[0], data[0]), late);
    mine.stage(walk, runOf(after, rows[2], nextData)); // each thread where it has finished
    return joined({gradients, nextStates, data[1], nextData, rows[1], rows[2], nextRows});
  });
  return Values(ArrayRef<Value>(all).take_front(size));
}

/// Pointwise work after a run that was walked back, and its sums over channels.
void ScanGradGpu::finishRun(const ScanTile &tile, const Tiles &tiles, const SegmentWalk &walk,
                            const ScanTile::Run &run, ValueRange late) {
  finishParts(tile, tiles, walk, run.i, run.count);
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
