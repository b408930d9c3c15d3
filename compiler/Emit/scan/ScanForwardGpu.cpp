// GPU form of the scan: a block has some channels of one segment.
#include "compiler/Emit/scan/ScanForwardGpu.h"

#include "compiler/Emit/scan/ScanTensorGpu.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mom;

int64_t mom::groupFor(int64_t group, int64_t chunk) {
  return chunk ? std::gcd(group, chunk) : group;
}

void ScanForwardGpu::emit(const ScanPieces &pieces, const PieceStates &states) {
  takeViews();
  Value n = k.div(k.block(), shape.blocks());
  auto walkWhole = [&](Value n) {
    pieces.visitWhole(n, [&](const Piece &piece) {
      walk(piece, [&](const ScanTile &tile) { return states.ofSegment(tile, piece); });
    });
  };
  if (finals.empty()) {
    walkWhole(n);
  } else {
    // No segment may end in a stream's state: the blocks before the segments' see to those.
    k.ifThen(k.equal(n, k.index(0)), [&] { clearFinals(k.block()); });
    k.ifThen(k.less(k.index(0), n), [&] { walkWhole(k.sub(n, k.index(1))); });
  }
  k.finish(pieces.gridOfWhole(/*extra=*/finals.empty() ? 0 : 1, shape.blocks()));
  if (!pieces.tokens)
    return;
  k.beginOther("cut");
  fitBlocks(k, k.knob("resident"));
  takeViews();
  pieces.visitPiece(k.div(k.block(), shape.blocks()), [&](const Piece &piece) {
    walk(piece, [&](const ScanTile &tile) { return states.ofPiece(tile, piece); });
  });
  k.finishOther(pieces.gridWhereCut("chunk", shape.blocks()));
}

/// Zeros a part of the states in which no segment ends.
void ScanForwardGpu::clearFinals(Value part) {
  Gpu gpu(k);
  int64_t width = shape.channels * shape.states, chunk = llvm::divideCeil(width, shape.blocks());
  Value lo = k.mul(part, chunk), hi = k.min(k.add(lo, chunk), k.index(width));
  k.loop(k.index(0), k.count(RowSpace::stream), 1, [&](Value row) {
    auto mine = k.loop(k.thread(), k.segmentCount(), shape.threads, k.f32(0),
                       [&](Value s, ValueRange found) {
                         Value here = k.equal(k.segment(op.batch, s).final, row);
                         return Values{k.select(here, k.f32(1), found[0])};
                       });
    Value found = gpu.combineBlock(Reduction::max, mine[0]);
    Value none = arith::CmpFOp::create(k.b, k.loc, arith::CmpFPredicate::OEQ, found, k.f32(0));
    k.ifThen(none, [&] {
      k.loop(k.add(lo, k.thread()), hi, shape.threads, [&](Value column) {
        for (const View &view : finals)
          k.store(k.f32(0), view, At{row, column, 1, Value()});
      });
    });
  });
}

void ScanForwardGpu::walk(const Piece &piece, function_ref<Values(const ScanTile &)> before) {
  SmallVector<Value> after;
  for (unsigned output : pointwise)
    after.push_back(k.yielded(output));
  bool needsY = !pointwise.empty();
  ScanTile tile(k, op, shape, k.rem(k.block(), shape.blocks()), /*staged=*/{}, after,
                needsY ? ValueRange(y) : ValueRange(), /*needsC=*/needsY);
  View ofStates = needsY ? tile.sumTile() : View();
  SmallVector<RowSum> ofDelta;
  if (sums)
    ofDelta.push_back({op.delta, 0, tile.rowSumTile()});
  const SegmentWalk &walk = piece.walk;

  // Carried from run to run: states, the run's data, its rows and those of the next.
  Values carried = before(tile);
  Values rows = tile.rows(walk, piece.first), data = tile.fetch(rows),
         ahead = tile.rows(walk, k.add(piece.first, shape.tokens));
  size_t states = carried.size(), fetched = data.size(), looked = rows.size();
  for (const Values &more : {data, rows, ahead})
    llvm::append_range(carried, more);
  auto countAt = [&](Value i) {
    return k.max(k.min(k.index(shape.tokens), k.sub(piece.end, i)), k.index(0));
  };
  tile.stage(walk, {piece.first, countAt(piece.first), rows, data});
  carried = k.loop(piece.first, piece.end, shape.tokens, carried, [&](Value i, ValueRange values) {
    ValueRange data = values.slice(states, fetched), rows = values.slice(states + fetched, looked),
               ahead = values.slice(states + fetched + looked, looked);
    Value count = countAt(i), after = k.add(i, shape.tokens);
    tile.gpu.barrier();
    Values nextData = tile.fetch(ahead), nextRows = tile.rows(walk, k.add(i, 2 * shape.tokens));
    Values late = tile.fetchLate(rows);
    Values next = run(tile, piece, i, count, ofStates, values.take_front(states));
    tile.gpu.barrier();
    ScanTile::Run nextRun{after, countAt(after), ahead, nextData};
    tile.finish(
        walk, {i, count, rows, data}, late, pointwise, ofDelta,
        [&](At at, Value, Value) {
          SmallVector<ScanTile::Bound> bound;
          if (ofStates)
            bound.push_back({y, tile.loadSum(ofStates, at)});
          return bound;
        },
        &nextRun);
    llvm::append_range(next, nextData);
    llvm::append_range(next, ahead);
    llvm::append_range(next, nextRows);
    return next;
  });
  carried.truncate(states);
  for (const View &view : finals) {
    Value isFinal =
        arith::AndIOp::create(k.b, k.loc, piece.isLast(), isPresent(k, walk.segment.final));
    k.ifThen(isFinal, [&] { tile.storeStates(carried, view, walk.segment.final); });
  }
  if (ends)
    tile.storeStates(carried, ends, piece.row);
  for (const RowSum &sum : ofDelta)
    tile.storeRowSum(sum.tile, sums, piece.row);
}

/// Walks the run that is staged; its states after.
Values ScanForwardGpu::run(const ScanTile &tile, const Piece &piece, Value i, Value count,
                           const View &sums, ValueRange states) {
  WalkAlong along(tile, sums);
  Value groups = k.ceilDiv(count, shape.group);
  // A condition within the walk costs it more than what is saved.
  auto save = [&](Value token, int64_t every, ValueRange states) {
    auto write = [&] {
      Value row = k.add(k.div(k.add(piece.walk.segment.start, token), chunk), piece.number);
      for (const View &view : checkpoints)
        tile.storeStates(states, view, row);
    };
    if (chunk == every)
      write();
    else
      k.ifThen(k.equal(k.rem(token, chunk), k.index(0)), write);
  };
  bool ofRuns = !checkpoints.empty() && chunk % shape.tokens == 0;
  if (ofRuns)
    save(i, shape.tokens, states);
  Values init(states);
  bool carries = shape.tensor && along.isCarried();
  if (carries)
    llvm::append_range(init, along.begin(k.index(0)));
  Values result = k.loop(k.index(0), groups, 1, init, [&](Value g, ValueRange carried) {
    Values h(carried.take_front(states.size())), parts; // parts: [tokens * own] of y
    Values ahead(carried.drop_front(states.size()));
    Value start = k.mul(g, shape.group);
    if (!checkpoints.empty() && !ofRuns)
      save(k.add(i, start), shape.group, h);
    if (shape.tensor) {
      Value next = k.min(k.add(g, 1), k.sub(groups, k.index(1)));
      if (!carries)
        ahead = along.begin(start);
      h = along.walk(h, ahead, start, k.mul(next, shape.group), shape.group);
      if (carries)
        llvm::append_range(h, ahead);
      return h;
    }
    if (!sums)
      return tile.advance(h, start);
    // Stored together: nothing in a group is loaded after a store that it might depend on.
    SmallVector<ScatteredSums> summed;
    for (int64_t t = 0; t < shape.group; ++t) {
      ScanTile::Token token = tile.token(start, t, /*withC=*/true);
      for (int64_t p = 0; p < shape.own; ++p) {
        Value sum;
        for (int64_t j = 0; j < shape.held; ++j) {
          int64_t n = p * shape.held + j;
          Value decay = tile.decay(token.delta[p], tile.A[n], tile.isPolynomial(t, n));
          h[n] = tile.next(h[n], decay, token.input[p], token.B[j]);
          sum = sum ? k.fma(token.C[j], h[n], sum) : tile.mul(token.C[j], h[n]);
        }
        parts.push_back(sum);
      }
      if ((t + 1) % shape.sumGroup())
        continue;
      summed.push_back(tile.laneSums(parts));
      parts.clear();
    }
    for (auto [i, sum] : llvm::enumerate(summed))
      tile.storeLaneSums(sum, sums, k.add(start, i * shape.sumGroup()));
    return h;
  });
  result.truncate(states.size());
  return result;
}

LogicalResult mom::emitScanForwardGpu(ScanOp op, KernelBuilder &k) {
  if (failed(checkInputs(k, op, {op.getB(), op.getC(), op.getInit()})))
    return failure();
  for (Value before : {op.getU(), op.getDelta(), op.getA()})
    if (failed(checkPointwise(k, before)))
      return failure();
  SmallVector<unsigned> finals = outputsOf(k, op.getFinal());
  SmallVector<unsigned> checkpoints = outputsOf(k, op.getCheckpoints());
  int64_t chunk = checkpoints.empty() ? 0 : rowsOf(op.getCheckpoints()).getChunk();
  ScanOperands operands(op);
  int64_t group = groupFor(k.knob("group"), chunk);
  ScanShape shape(k, operands, llvm::alignTo(k.knob("tokens"), group), k.knob("group"));
  if (failed(shape.check(k, operands)))
    return failure();
  ScanForwardGpu forward(k, operands, shape.withGroup(group));
  ScanPieces pieces(k, operands, chunk ? chunk : shape.tokens);
  PieceStates states(pieces, operands, shape.withGroup(group), /*back=*/false);
  forward.y = op.getY();
  forward.chunk = chunk;
  for (unsigned i = 0; i < k.kernel.getNumResults(); ++i) {
    if (llvm::is_contained(finals, i) || llvm::is_contained(checkpoints, i))
      continue;
    if (failed(checkPointwise(k, k.yielded(i), {op.getY()})))
      return failure();
    forward.pointwise.push_back(i);
  }

  states.emit("");
  k.begin();
  fitBlocks(k, k.knob("resident"));
  forward.takeViews = [&] {
    auto viewOf = [&](unsigned output) { return k.output(output); };
    forward.checkpoints = llvm::map_to_vector(checkpoints, viewOf);
    forward.finals = llvm::map_to_vector(finals, viewOf);
  };
  forward.emit(pieces, states);
  return checkShared(k, "'tokens' and 'threads'");
}
