// The end of a product by TMA: pointwise work on sums that lie in registers, as wgmma gives
// them, a thread having pairs of columns of two rows of each eight by eight.
//
// Where B's lines are permuted for it a thread's columns lie side by side. Else threads
// exchange sums, or, where inputs come in panels and results are as narrow, each input's place
// in its panel takes a result: matrices are read and written as sums lie, and lines of them
// stored. So 64 columns of 16 rows are one run of instructions without a branch.
#include "compiler/Emit/product/TmaGpu.h"

#include "compiler/Emit/TensorCore.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mom;

/// Turns squares of `run` / 2 threads by as many pairs of columns, so that a thread's
/// columns lie side by side. Sums: of 4 * `run` columns.
static void exchange(KernelBuilder &k, MutableArrayRef<Value> sums, int64_t run) {
  Gpu gpu(k);
  for (int64_t bit = 1; bit < run / 2; bit *= 2) {
    Value odd = k.equal(k.rem(k.div(gpu.lane(), bit), 2), k.index(1));
    for (int64_t pair = 0; pair < run / 2; ++pair)
      for (int64_t i = 0; i < 4 && !(pair & bit); ++i) {
        Value &even = sums[pair * 4 + i], &other = sums[(pair + bit) * 4 + i];
        Value got = gpu.shuffleXor(k.select(odd, even, other), bit);
        even = k.select(odd, got, even);
        other = k.select(odd, other, got);
      }
  }
}

/// The first of this thread's columns, of 4 * `run`.
static Value laneColumn(KernelBuilder &k, bool permuted, int64_t run) {
  Value quad = k.rem(Gpu(k).lane(), 4);
  if (permuted || run == 8)
    return k.mul(quad, run);
  return k.add(k.mul(k.rem(quad, 2), 8), k.mul(k.div(quad, 2), 4));
}

namespace {
/// A place that a thread finishes.
struct FragmentPlace : TilePlace {
  int64_t panel, block, piece, half; ///< of 64 rows, of 4 `run` columns, of 16 rows
  Value panelRow, panelColumn;
  Value exists;
};
} // namespace

static int64_t blocksOf(const TileShape &shape) { return shape.rows / (shape.pingpong ? 64 : 128); }

/// The panel with 64 columns of 64 rows of a warpgroup.
static int64_t panelOf(const TileShape &shape, int64_t columns, int64_t block) {
  return shape.pingpong ? columns * blocksOf(shape) + block : columns;
}
/// Where those rows begin in it.
static Value firstPanelRow(KernelBuilder &k, const TileShape &shape, const FragmentTile &tile,
                           int64_t block) {
  return shape.pingpong ? k.index(0) : k.add(tile.firstRow, block * 64);
}

/// All of a thread's places, panel after panel.
static SmallVector<FragmentPlace> placesOf(const TileShape &shape, int64_t run) {
  int64_t blocks = blocksOf(shape), pieces = shape.columns / (4 * run);
  int64_t inPanel = PanelRing::kColumns / (4 * run);
  SmallVector<FragmentPlace> places;
  for (int64_t first = 0; first < pieces; first += inPanel)
    for (int64_t block = 0; block < blocks; ++block)
      for (int64_t piece = first; piece < std::min(first + inPanel, pieces); ++piece)
        for (int64_t half = 0; half < 2; ++half)
          places.push_back(
              {{}, panelOf(shape, first / inPanel, block), block, piece, half, {}, {}, {}});
  return places;
}

namespace {
/// Results in the places of inputs in panels.
class PanelFinish {
public:
  PanelFinish(KernelBuilder &k, const TileShape &shape, const FragmentTile &tile,
              const TileFinish &work)
      : k(k), gpu(k), shape(shape), tile(tile), work(work), core(k, k.b.getBF16Type()),
        together(k.kernel.getNumResults() > tile.panels->count() ? kPairs / 2 : kPairs) {}

  static bool fits(KernelBuilder &k, const TileShape &shape, const FragmentTile &tile,
                   const TileFinish &work);
  void finish(ArrayRef<Value> sums);

private:
  /// Eight columns after eight of a warp's 16 rows, and their neighbours to the right.
  static constexpr int64_t kPair = 2, kPairs = PanelRing::kColumns / 8 / kPair;

  /// 64 columns of a warp's 16 rows: in a panel, and in the warpgroup's part of the tile.
  struct Part {
    int64_t panel, columns, block;
    Value firstRow; ///< in the panel
  };
  /// A thread's part of a result, pair after pair.
  using Matrices = SmallVector<SmallVector<Value>>;

  void finishPairs(ArrayRef<Value> sums, int64_t first, const Part &part);
  SmallVector<Matrices> compute(ArrayRef<Value> sums, int64_t first, const Part &part);
  void store(unsigned result, int64_t first, const Part &part);
  Value pairOffset(const Part &part, int64_t pair);
  Value at(const Part &part, int64_t input, Value offset) {
    return k.address(tile.panels->address(tile.number, part.panel, input), k.b.getI8Type(), offset);
  }

  KernelBuilder &k;
  Gpu gpu;
  const TileShape &shape;
  const FragmentTile &tile;
  const TileFinish &work;
  TensorCore core;
  int64_t together; ///< pairs; half of them where results wait in registers
};
} // namespace

bool PanelFinish::fits(KernelBuilder &k, const TileShape &shape, const FragmentTile &tile,
                       const TileFinish &work) {
  return tile.panels && work.anywhere && work.lanes == 8 &&
         shape.columns % PanelRing::kColumns == 0 &&
         int64_t(k.kernel.getNumResults()) <= 2 * tile.panels->count();
}

void PanelFinish::finish(ArrayRef<Value> sums) {
  int64_t blocks = blocksOf(shape), inBlock = shape.columns / 2, inPanel = PanelRing::kColumns / 2;
  Value warpRow = k.mul(k.rem(gpu.warp(), 4), 16);
  for (int64_t columns = 0; columns < shape.columns / PanelRing::kColumns; ++columns)
    for (int64_t block = 0; block < blocks; ++block) {
      int64_t panel = panelOf(shape, columns, block);
      if (block == 0 || shape.pingpong)
        tile.panels->wait(tile.number, panel);
      Value firstRow = k.add(firstPanelRow(k, shape, tile, block), warpRow);
      auto part = sums.slice(block * inBlock + columns * inPanel, inPanel);
      for (int64_t pair = 0; pair < kPairs; pair += together)
        finishPairs(part.slice(pair * 8, together * 8), pair, {panel, columns, block, firstRow});
      if (block == blocks - 1 || shape.pingpong) {
        core.publish(); // before the next copy to the place
        tile.panels->release(tile.number, panel);
      }
    }
}

void PanelFinish::finishPairs(ArrayRef<Value> sums, int64_t first, const Part &part) {
  SmallVector<Matrices> more = compute(sums, first, part);
  gpu.warpBarrier();
  store(0, first, part);
  if (more.empty())
    return;
  gpu.warpBarrier();
  for (auto [i, result] : llvm::enumerate(more))
    for (auto [pair, matrices] : llvm::enumerate(result))
      core.storeMatrices(at(part, i, pairOffset(part, first + pair)), matrices);
  gpu.warpBarrier();
  store(tile.panels->count(), first, part);
}

/// The line that this lane has ldmatrix and stmatrix know of: of two matrices one below the
/// other, then of those to their right.
Value PanelFinish::pairOffset(const Part &part, int64_t pair) {
  return tile.panels->offset(k.add(part.firstRow, k.rem(gpu.lane(), 16)),
                             k.add(k.div(gpu.lane(), 16), pair * kPair));
}

/// A thread's sums lie as ldmatrix reads its inputs. Returns the results for which there is
/// no place yet.
SmallVector<PanelFinish::Matrices> PanelFinish::compute(ArrayRef<Value> sums, int64_t first,
                                                        const Part &part) {
  int64_t count = tile.panels->count();
  SmallVector<Matrices> more(std::max<int64_t>(k.kernel.getNumResults() - count, 0));
  auto load = [&](int64_t pair) {
    SmallVector<Value> inputs;
    for (int64_t i = 0; i < count; ++i) {
      Value from = at(part, i, pairOffset(part, pair));
      Value pairs =
          vector::FromElementsOp::create(k.b, k.loc, VectorType::get({4}, k.b.getI32Type()),
                                         core.loadMatrices(from, /*transposed=*/false));
      inputs.push_back(LLVM::BitcastOp::create(
          k.b, k.loc, VectorType::get({8}, tile.panels->element(i)), pairs));
    }
    return inputs;
  };
  // Stores keep their order to loads, so the next are begun before.
  SmallVector<Value> next = load(first);
  for (int64_t pair = first; pair < first + together; ++pair) {
    TilePlace place;
    place.row = place.column = k.index(0);
    place.fetched = std::move(next);
    next = pair + 1 < first + together ? load(pair + 1) : SmallVector<Value>();
    place.sums = vector::FromElementsOp::create(k.b, k.loc, VectorType::get({8}, k.b.getF32Type()),
                                                sums.slice((pair - first) * 8, 8));
    for (auto [i, result] : llvm::enumerate(work.compute(place))) {
      Value pairs = LLVM::BitcastOp::create(k.b, k.loc, VectorType::get({4}, k.b.getI32Type()),
                                            k.narrow(result, k.output(i), 8));
      SmallVector<Value> matrices;
      for (int64_t j = 0; j < 4; ++j)
        matrices.push_back(vector::ExtractOp::create(k.b, k.loc, pairs, j));
      if (int64_t(i) < count)
        core.storeMatrices(at(part, i, pairOffset(part, pair)), matrices);
      else
        more[i - count].push_back(matrices);
    }
  }
  return more;
}

/// The results from `result` on that have a place: lanes side by side have a row's columns.
void PanelFinish::store(unsigned result, int64_t first, const Part &part) {
  unsigned end = std::min<unsigned>(k.kernel.getNumResults(), result + tile.panels->count());
  int64_t chunks = kPair * together, rows = Gpu::kWarp / chunks; // of all lanes
  Value row = k.div(gpu.lane(), chunks);
  Value chunk = k.add(k.rem(gpu.lane(), chunks), first * kPair);
  Value tileRow = k.add(k.add(tile.firstRow, k.mul(k.rem(gpu.warp(), 4), 16)), part.block * 64);
  Value column = k.add(k.mul(chunk, 8), part.columns * PanelRing::kColumns);
  for (int64_t line = 0; line < 16; line += rows) {
    TilePlace place;
    place.row = k.add(k.add(tileRow, row), line);
    place.column = column;
    SmallVector<Value> results;
    Value offset = tile.panels->offset(k.add(k.add(part.firstRow, row), line), chunk);
    for (unsigned i = result; i < end; ++i)
      results.push_back(LLVM::LoadOp::create(k.b, k.loc, k.lanesOf(k.output(i).element, 8),
                                             at(part, i - result, offset), 16));
    Value exists = arith::AndIOp::create(k.b, k.loc, k.less(place.row, work.rows),
                                         k.less(column, work.columns));
    k.ifThen(exists, [&] {
      place.position = work.positionOf(place.row);
      work.store(place, result, results);
    });
  }
}

// What lies outside is computed at the nearest place inside and not stored: threads that
// exchange sums must all be there.
//
// A processor's wait for one load is a wait for all that share its counter, of which there
// are few: so loads are begun in batches, each before the work on the one before it.
void mom::finishFragments(KernelBuilder &k, const TileShape &shape, const FragmentTile &tile,
                          const TileFinish &work, bool permuted) {
  if (!permuted && PanelFinish::fits(k, shape, tile, work))
    return PanelFinish(k, shape, tile, work).finish(tile.multiply().ofTile);
  Gpu gpu(k);
  int64_t run = work.lanes, batch = k.knob("ahead"), pieceSums = 2 * run;
  Value column = laneColumn(k, permuted, run);
  Value row = k.add(k.add(tile.firstRow, k.mul(k.rem(gpu.warp(), 4), 16)), k.div(gpu.lane(), 4));
  auto type = VectorType::get({run}, k.b.getF32Type());
  APInt known;
  bool whole = matchPattern(work.columns, m_ConstantInt(&known)) && known == shape.columns;
  SmallVector<FragmentPlace> places = placesOf(shape, run);
  int64_t count = places.size();

  // Of a thread's few rows once, not of each place.
  SmallVector<Value> positions;
  for (int64_t block = 0; block < blocksOf(shape); ++block)
    for (int64_t half = 0; half < 2; ++half)
      positions.push_back(
          work.positionOf(k.min(k.add(row, block * 64 + half * 8), k.sub(work.rows, k.index(1)))));
  auto begin = [&](FragmentPlace &place) {
    Value inBlock = k.add(row, place.half * 8), inTile = k.add(inBlock, place.block * 64);
    place.position = positions[place.block * 2 + place.half];
    place.panelRow = shape.pingpong ? inBlock : inTile;
    place.panelColumn = k.add(column, place.piece * 4 * run % PanelRing::kColumns);
    place.column = k.add(column, place.piece * 4 * run);
    place.exists = k.less(inTile, work.rows);
    place.row = k.min(inTile, k.sub(work.rows, k.index(1)));
    if (!whole) {
      Value inside = k.less(place.column, work.columns);
      place.exists = arith::AndIOp::create(k.b, k.loc, place.exists, inside);
      place.column = k.min(place.column, k.sub(work.columns, k.index(run)));
    }
    place.fetched = work.fetch(place);
  };
  auto beginBatch = [&](int64_t first) {
    for (int64_t i = first; i < std::min(first + batch, count); ++i)
      begin(places[i]);
  };
  beginBatch(0);
  SmallVector<Value> sums = tile.multiply().ofTile;
  auto end = [&](FragmentPlace &place) {
    int64_t first = place.block * shape.columns / 2 + place.piece * pieceSums;
    auto part = MutableArrayRef(sums).slice(first, pieceSums);
    if (!permuted && !place.half)
      exchange(k, part, run);
    SmallVector<Value> values;
    for (int64_t i = 0; i < run; ++i)
      values.push_back(part[i / 2 * 4 + place.half * 2 + i % 2]);
    place.sums = vector::FromElementsOp::create(k.b, k.loc, type, values);
    if (tile.panels)
      llvm::append_range(place.fetched, tile.panels->read(tile.number, place.panel, place.panelRow,
                                                          place.panelColumn, run));
    SmallVector<Value> results = work.compute(place);
    k.ifThen(place.exists, [&] { work.store(place, 0, results); });
  };
  for (int64_t i = 0; i < count; ++i) {
    if (i % batch == 0)
      beginBatch(i + batch);
    int64_t panel = places[i].panel;
    if (tile.panels && (i == 0 || places[i - 1].panel != panel))
      tile.panels->wait(tile.number, panel);
    end(places[i]);
    if (tile.panels && (i + 1 == count || places[i + 1].panel != panel))
      tile.panels->release(tile.number, panel);
  }
}
