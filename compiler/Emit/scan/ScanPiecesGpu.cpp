// Pieces of a GPU's scan, and the phases that find their states: see ScanPiecesGpu.h.
#include "compiler/Emit/scan/ScanPiecesGpu.h"

#include "compiler/Emit/Approximations.h"
#include "compiler/Emit/scan/ScanForwardGpu.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mom;

/// A chunk that no batch fills: rows numbered by it have one row a segment.
static constexpr int64_t kWholeSegment = 1 << 30;

RowsAttr mom::chunkRows(KernelBuilder &k, int64_t tokens) {
  return RowsAttr::get(k.b.getContext(), RowSpace::chunk, tokens, StringAttr());
}

RowsAttr mom::segmentRows(KernelBuilder &k) { return chunkRows(k, kWholeSegment); }

RankedTensorType mom::rowsType(KernelBuilder &k, int64_t width, RowsAttr rows) {
  return RankedTensorType::get({ShapedType::kDynamic, width}, k.b.getF32Type(), rows);
}

static Value both(KernelBuilder &k, Value x, Value y) {
  return arith::AndIOp::create(k.b, k.loc, x, y);
}

Value Piece::isFirst() const { return walk.k.equal(first, walk.k.index(0)); }
Value Piece::isLast() const { return walk.k.equal(end, walk.segment.length); }

Piece Piece::mirrored() const {
  KernelBuilder &k = walk.k;
  auto [start, length, initial, final] = walk.segment;
  return {number, SegmentWalk{k, walk.batch, Segment{start, length, final, initial}, !walk.reverse},
          k.sub(length, end), k.sub(length, first), row};
}

ScanPieces::ScanPieces(KernelBuilder &k, const ScanOperands &op, int64_t unit)
    : k(k), op(op), tokens(llvm::alignTo(k.knob("piece"), unit)) {}

RowsAttr ScanPieces::rows() const { return tokens ? chunkRows(k, tokens) : segmentRows(k); }

GridAttr ScanPieces::gridOfWhole(int64_t extra, int64_t factor) const {
  return GridAttr::get(k.b.getContext(), k.b.getStringAttr("segment"), 1, extra, factor);
}

GridAttr ScanPieces::gridWhereCut(StringRef space, int64_t factor) const {
  return GridAttr::get(k.b.getContext(), k.b.getStringAttr(space), space == "chunk" ? tokens : 1,
                       /*extra=*/0, factor, /*above=*/2 * tokens);
}

Value ScanPieces::isCut() const {
  Value longest = k.longestLength(op.batch);
  Value all = k.mul(k.count(RowSpace::token), channelsOf(op.u));
  // Two pieces take as long, as they are walked twice.
  return both(k, k.less(k.index(2 * tokens), longest), k.less(all, k.mul(longest, k.knob("fill"))));
}

Value ScanPieces::firstRow(const Segment &segment, Value number) const {
  return tokens ? k.add(k.div(segment.start, tokens), number) : number;
}

void ScanPieces::visitWhole(Value n, function_ref<void(const Piece &)> body) const {
  auto visit = [&] {
    Value s = k.longestSegment(op.batch, n);
    Segment segment = k.segment(op.batch, s);
    body({s, SegmentWalk{k, op.batch, segment, op.reverse}, k.index(0), segment.length,
          firstRow(segment, s)});
  };
  Value exists = k.less(n, k.segmentCount());
  if (tokens) {
    Value never = arith::ConstantOp::create(k.b, k.loc, k.b.getBoolAttr(false));
    exists = both(k, exists, k.equal(isCut(), never));
  }
  k.ifThen(exists, visit);
}

void ScanPieces::visitPiece(Value row, function_ref<void(const Piece &)> body) const {
  // Where there is such a row, there is a segment.
  Value rows = k.add(k.div(k.count(RowSpace::token), tokens), k.segmentCount());
  k.ifThen(both(k, k.less(row, rows), isCut()), [&] {
    Value s = k.segmentOfChunk(op.batch, row, tokens);
    Segment segment = k.segment(op.batch, s);
    Value length = segment.length, first = k.mul(k.sub(row, firstRow(segment, s)), tokens);
    k.ifThen(k.less(first, length), [&] {
      body({s, SegmentWalk{k, op.batch, segment, op.reverse}, first,
            k.min(k.add(first, tokens), length), row});
    });
  });
}

//===----------------------------------------------------------------------===//
// States before pieces
//===----------------------------------------------------------------------===//

void PieceStates::emit(StringRef prefix) {
  if (!pieces.tokens)
    return;
  walkPieces((prefix + "pieces").str());
  carry((prefix + "carry").str());
}

void PieceStates::walkPieces(StringRef name) {
  k.begin({}, name);
  fitBlocks(k, k.knob("resident"));
  ends = k.workspace(rowsType(k, shape.channels * shape.states, pieces.rows()));
  sums = k.workspace(rowsType(k, shape.channels, pieces.rows()));
  ScanForwardGpu forward(k, op, shape);
  forward.ends = k.workspaceView(ends);
  forward.sums = k.workspaceView(sums);
  pieces.visitPiece(k.div(k.block(), shape.blocks()), [&](const Piece &piece) {
    Piece mine = back ? piece.mirrored() : piece;
    k.ifThen(k.less(mine.end, mine.walk.segment.length), [&] {
      forward.walk(mine, [&](const ScanTile &) { return Values(shape.values(), k.f32(0)); });
    });
  });
  k.finish(pieces.gridWhereCut("chunk", shape.blocks()));
}

void PieceStates::carry(StringRef name) {
  k.begin({}, name);
  int64_t elements = shape.channels * shape.states,
          blocks = llvm::divideCeil(elements, shape.threads);
  starts = k.workspace(rowsType(k, elements, pieces.rows()));
  Value s = k.div(k.block(), blocks);
  Value element = k.add(k.mul(k.rem(k.block(), blocks), shape.threads), k.thread());
  Value exists = both(k, k.less(s, k.segmentCount()), k.less(element, k.index(elements)));
  k.ifThen(both(k, exists, pieces.isCut()), [&] { carrySegment(s, element); });
  k.finish(pieces.gridWhereCut("segment", blocks));
}

/// This thread's state of a channel, before each piece of a segment.
void PieceStates::carrySegment(Value s, Value element) {
  static constexpr int64_t kAhead = 16; // pieces whose loads are under way
  View left = k.workspaceView(ends), delta = k.workspaceView(sums), to = k.workspaceView(starts);
  Segment segment = k.segment(op.batch, s);
  Value first = pieces.firstRow(segment, s), last = k.sub(pieces.countOf(segment), k.index(1));
  auto rowOf = [&](Value i) { return k.add(first, back ? k.sub(last, i) : i); };
  Value channel = k.div(element, shape.states),
        a = PointwiseEmitter(k, At{{}, element, 1, {}}).value(op.A);
  Values state{k.f32(0)};
  if (op.init) {
    Value row = back ? segment.final : segment.initial;
    auto initial = [&] { return Values{k.load(k.view(op.init), At{row, element, 1, {}})}; };
    state = k.either(isPresent(k, row), initial, [&] { return Values{k.f32(0)}; });
  }
  state = k.loop(k.index(0), last, kAhead, state, [&](Value i, ValueRange carried) {
    Values lefts, decays;
    for (int64_t j = 0; j < kAhead; ++j) {
      Value row = rowOf(k.min(k.add(i, j), k.sub(last, k.index(1))));
      lefts.push_back(k.load(left, At{row, element, 1, {}}));
      decays.push_back(k.load(delta, At{row, channel, 1, {}}));
    }
    for (Value &decay : decays)
      decay = Approximations{k.b, k.loc}.decay(arith::MulFOp::create(k.b, k.loc, a, decay));
    Value h = carried[0];
    for (int64_t j = 0; j < kAhead; ++j) {
      Value at = k.add(i, j), exists = k.less(at, last);
      k.ifThen(exists, [&] { k.store(h, to, At{rowOf(at), element, 1, {}}); });
      Value next = k.fma(h, decays[j], arith::AddFOp::create(k.b, k.loc, h, lefts[j]));
      h = k.select(exists, next, h);
    }
    return Values{h};
  });
  k.store(state[0], to, At{rowOf(last), element, 1, {}});
}

Values PieceStates::ofSegment(const ScanTile &tile, const Piece &piece) const {
  return tile.loadStatesIf(op.init ? k.view(op.init) : View(), piece.walk.segment.initial);
}

Values PieceStates::ofPiece(const ScanTile &tile, const Piece &piece) const {
  return k.either(
      piece.isFirst(), [&] { return ofSegment(tile, piece); },
      [&] { return tile.loadStates(k.workspaceView(starts), piece.row); });
}
