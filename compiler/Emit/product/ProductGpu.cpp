// GPU form of mom.linear: y[i, :] = W[g(i)] x[i, :] and the pointwise work after it.
//
// A block computes a tile of one group's rows. Blocks are dealt in bands of `band`
// row tiles by all columns, so that blocks that run at a time read the same rows and
// weights, from the L2 cache.
#include "compiler/Emit/product/ProductGpu.h"

#include "compiler/Emit/Gpu.h"
#include "compiler/Emit/Pointwise.h"
#include "compiler/Emit/Sequence.h"
#include "compiler/Emit/product/TmaGpu.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mom;

namespace {
class LinearEmitter {
public:
  LinearEmitter(KernelBuilder &k, LinearOp linear, TileShape shape)
      : k(k), linear(linear), shape(shape), inner(channelsOf(linear.getX())),
        outer(channelsOf(linear.getY())) {
    auto convs = k.kernel.getBody().getOps<Conv1dOp>();
    if (!convs.empty())
      conv = *convs.begin();
    for (unsigned i = 0; i < k.kernel.getNumResults(); ++i)
      if (!conv || withoutStorage(k.yielded(i)) != madeOf(linear.getX()))
        results.push_back(i);
  }

  LogicalResult emit();

private:
  LogicalResult check();
  /// Deals places of the tile to threads.
  using Deal = function_ref<void(const TileFinish &)>;

  TileTask task(GroupRows rows, Value firstColumn);
  int64_t resultLanes();
  LogicalResult takePanels(Type element);
  void finish(GroupRows rows, Value firstColumn, Deal deal);
  LogicalResult emitTma();

  KernelBuilder &k;
  LinearOp linear;
  Conv1dOp conv; ///< of which x is made, or null
  TileShape shape;
  int64_t inner, outer; ///< of the product: [rows, inner] x [inner, outer]
  SmallVector<unsigned> results; ///< of the product; others are x as a convolution makes it
  /// What the work after the product reads at each place, by threads or from panels.
  SmallVector<Value> fetched, inPanels;
};
} // namespace

TileTask LinearEmitter::task(GroupRows rows, Value firstColumn) {
  bool transposed = linear.getTransposed();
  TileTask task;
  task.inner = k.index(inner);
  task.a.source = linear.getX();
  task.a.view = k.view(linear.getX());
  task.a.conv = conv;
  task.a.innerLast = true;
  task.a.channels = inner;
  task.a.outer = shape.rows;
  task.a.firstLine = rows.begin;
  task.a.endLine = rows.end;

  // Weights [groups, out, in] are read along `in`: the inner size, or where
  // transposed the outer one.
  task.b.source = linear.getWeights();
  task.b.view = k.view(linear.getWeights());
  task.b.innerLast = !transposed;
  task.b.channels = transposed ? outer : inner;
  task.b.outer = shape.columns;
  task.b.lines = transposed ? inner : outer;
  Value first = k.mul(rows.group, task.b.lines);
  task.b.endLine = k.add(first, task.b.lines);
  task.b.firstLine = transposed ? first : k.add(first, firstColumn);
  if (transposed)
    task.b.firstChannel = firstColumn;
  return task;
}

/// Columns that a thread finishes at a time: 16 bytes of each result.
int64_t LinearEmitter::resultLanes() {
  int64_t lanes = 8;
  for (Value result : k.kernel.getOutputs())
    lanes = std::min<int64_t>(lanes, 128 / getElementTypeOrSelf(result).getIntOrFloatBitWidth());
  return std::gcd(lanes, outer);
}

LogicalResult LinearEmitter::takePanels(Type element) {
  int64_t panels = k.knob("panels"), rings = shape.pingpong ? 2 : 1;
  if (!panels)
    return success();
  SmallVector<Value> inputs = std::move(fetched);
  for (Value input : inputs)
    (canCopyTiles(k.view(input), element) ? inPanels : fetched).push_back(input);
  int64_t least = rings * inPanels.size();
  if (panels < least) // a place in the tile waits for all of its inputs
    return k.error() << "expected 0 or at least " << least << " as knob 'panels', " << rings
                     << " for each input of what follows the product, but got " << panels;
  return success();
}

/// What the kernel yields, from the tile's sums.
void LinearEmitter::finish(GroupRows rows, Value firstColumn, Deal deal) {
  int64_t lanes = resultLanes();
  Value rowCount = k.min(k.sub(rows.end, rows.begin), k.index(shape.rows));
  Value columnCount = outer % shape.columns
                          ? k.min(k.sub(k.index(outer), firstColumn), k.index(shape.columns))
                          : k.index(shape.columns);
  auto at = [&](const TilePlace &place) {
    return At{k.add(rows.begin, place.row), k.add(firstColumn, place.column), lanes, Value()};
  };
  // All rows of the tile are of one group, which need not be looked for.
  SmallVector<BroadcastOp> biases;
  for (auto broadcast : k.kernel.getBody().getOps<BroadcastOp>())
    if (broadcast.getRoute() && broadcast.getRoute() == linear.getRoute() &&
        k.inMemory(broadcast.getX()) && channelsOf(broadcast.getX()) == outer)
      biases.push_back(broadcast);
  // Where the route stands that results by position are reordered by; all by one.
  Value order;
  for (unsigned i : results)
    if (auto reorder = k.yielded(i).getDefiningOp<ReorderOp>())
      order = reorder.getRoute();
  auto positionOf = [&](Value row) {
    return order ? k.positionAt(order, k.add(rows.begin, row)) : Value();
  };
  auto fetch = [&](const TilePlace &place) {
    SmallVector<Value> values;
    for (BroadcastOp bias : biases)
      values.push_back(k.fetch(k.view(bias.getX()),
                               At{rows.group, at(place).column, lanes, Value()}));
    for (Value input : fetched)
      values.push_back(k.fetch(k.view(input), at(place)));
    return values;
  };
  auto compute = [&](const TilePlace &place) {
    PointwiseEmitter e(k, at(place));
    e.bind(linear.getY(), place.sums);
    ArrayRef<Value> values = place.fetched;
    auto take = [&](Value what, const View &view) {
      e.bind(what, k.widen(values.front(), view, lanes));
      values = values.drop_front();
    };
    for (BroadcastOp bias : biases)
      take(bias.getY(), k.view(bias.getX()));
    for (Value input : llvm::concat<Value>(fetched, inPanels))
      take(input, k.view(input));
    SmallVector<Value> yielded;
    for (unsigned i : results)
      yielded.push_back(e.value(beforeReorder(k.yielded(i))));
    return yielded;
  };
  auto store = [&](const TilePlace &place, unsigned first, ValueRange values) {
    for (auto [i, value] : llvm::enumerate(values)) {
      unsigned result = results[first + i];
      At to = at(place);
      if (k.yielded(result).getDefiningOp<ReorderOp>())
        to.row = place.position;
      k.store(value, k.output(result), to);
    }
  };
  auto knowsNoPlace = [&](Operation &op) {
    return isa<LinearOp, ReorderOp>(op) || op.hasTrait<OpTrait::Elementwise>() ||
           llvm::all_of(op.getResults(), [&](Value v) { return k.inMemory(v); });
  };
  bool anywhere = fetched.empty() &&
                  llvm::all_of(k.kernel.getBody().front().without_terminator(), knowsNoPlace);
  deal({lanes, rowCount, columnCount, anywhere, positionOf, fetch, compute, store});
}

LogicalResult LinearEmitter::check() {
  if (k.knob("split_k") != 1)
    return k.error() << "expected 1 as knob 'split_k' of mom.linear, but got " << k.knob("split_k");
  bool isWarps = shape.unit == ProductUnit::Mma || shape.unit == ProductUnit::Wgmma;
  if (conv && (!isWarps || shape.threads < shape.rows))
    return k.error() << "expected 1 (mma) or 2 (wgmma) as knob 'unit', and 'threads' for each row "
                        "of a tile, where a convolution makes what is multiplied";
  if (conv && failed(checkInputs(k, conv, {conv.getX(), conv.getWeights(), conv.getBias()})))
    return failure();
  if (shape.unit != ProductUnit::Fma && !conv && !k.inMemory(linear.getX()))
    return k.error() << "expected x among the inputs of a product on tensor cores";
  if (failed(conv ? checkPointwise(k, linear.getX(), {conv.getY()})
                  : checkPointwise(k, linear.getX())))
    return failure();
  for (unsigned i : results)
    if (failed(checkResult(k, i, linear.getY())))
      return failure();
  if (!k.inMemory(linear.getWeights()))
    return k.error() << "expected the weights of a product among the kernel's inputs";
  return success();
}

LogicalResult LinearEmitter::emit() {
  k.begin();
  if (failed(check()))
    return failure();
  fetched = epilogueInputs(k.kernel);
  if (shape.unit == ProductUnit::Tma)
    return emitTma();
  int64_t band = k.knob("band"), columnTiles = llvm::divideCeil(outer, shape.columns);
  Value inBand = k.rem(k.block(), band * columnTiles);
  Value rowTile = k.add(k.mul(k.div(k.block(), band * columnTiles), band), k.rem(inBand, band));
  Value firstColumn = k.mul(k.div(inBand, band), shape.columns);
  GroupRows rows =
      findGroupRows(k, linear.getRoute(), linear.getX().getType(), rowTile, k.index(shape.rows));
  TileTask work = task(rows, firstColumn);
  Value shared = k.shared(tileBytes(shape, work), 1024);
  SumTile sums(k, shared, shape);
  k.ifThen(k.less(rows.begin, rows.end), [&] {
    emitTile(k, shape, work, shared, sums);
    finish(rows, firstColumn,
           [&](const TileFinish &work) { finishTile(k, shape, sums, work); });
  });
  // Each group may leave one tile of rows unfilled, and all together one band.
  int64_t groups = linear.getRoute() ? linear.getRoute().getType().getGroups() : 0;
  return finishTiles(k, k.rowGrid(rowsOf(linear.getX()), shape.rows * band,
                                  llvm::divideCeil(groups, band), band * columnTiles));
}

/// Blocks that stay: tiles are numbered band by band as above, but the last band has the
/// row tiles that there are.
LogicalResult LinearEmitter::emitTma() {
  bool transposed = linear.getTransposed();
  Value route = linear.getRoute();
  Type rowsType = linear.getX().getType();
  int64_t groups = route ? cast<RouteType>(route.getType()).getGroups() : 1;
  int64_t lanes = resultLanes();
  bool permuted = !transposed && outer % (4 * lanes) == 0;
  auto rowCount = [&](Value) { return k.max(k.count(rowsType), k.index(1)); };
  TmaOperand a{k.view(linear.getX()), true, inner, shape.rows, 0, 0, 0, rowCount};
  TmaOperand b{k.view(linear.getWeights()), !transposed,    transposed ? outer : inner,
               shape.columns,               groups,         transposed ? inner : outer,
               permuted ? lanes : 0,        {}};
  Type element = productType(k.kernel);
  if (!canCopyTiles(a.view, element) || !canCopyTiles(b.view, element) || outer % 8)
    return k.error() << "expected operands of " << element
                     << " whose rows begin at multiples of 16 bytes, and a multiple of 8 as "
                        "columns, for knob 'unit' 3 (tma)";

  int64_t band = k.knob("band"), columnTiles = llvm::divideCeil(outer, shape.columns);
  if (failed(checkCluster(k, shape, columnTiles)))
    return failure();
  Value rowTiles = countParts(k, route, rowsType, k.index(shape.rows));
  auto locate = [&](Value number) {
    Gpu gpu(k);
    Value bandNumber = k.div(number, band * columnTiles);
    Value left = k.sub(rowTiles, k.mul(bandNumber, band));
    Value inBand = k.rem(number, band * columnTiles);
    Value rank = k.rem(inBand, shape.cluster);
    inBand = gpu.toI32(k.div(inBand, shape.cluster));
    Value bandRows = gpu.toI32(k.min(left, k.index(band)));
    Value column = arith::DivUIOp::create(k.b, k.loc, inBand, bandRows);
    Value row = arith::RemUIOp::create(k.b, k.loc, inBand, bandRows);
    TmaTile tile;
    tile.rows = findGroupRows(k, route, rowsType, k.add(k.mul(bandNumber, band), gpu.toI64(row)),
                              k.index(shape.rows));
    tile.firstRow = tile.map = k.index(0);
    Value columnTile = k.add(k.mul(gpu.toI64(column), shape.cluster), rank);
    tile.firstColumn = k.mul(columnTile, shape.columns);
    tile.steps = k.index(llvm::divideCeil(inner, shape.inner));
    tile.aLine = tile.rows.begin;
    tile.bLine = transposed ? k.index(0) : tile.firstColumn;
    return tile;
  };
  if (failed(takePanels(element)))
    return failure();
  auto views = llvm::map_to_vector(inPanels, [&](Value input) { return k.view(input); });
  TmaProduct(k, shape, a, b, /*maps=*/1, views)
      .emit(k.mul(rowTiles, columnTiles), locate,
            [&](const TmaTile &tile, const FragmentTile &fragments) {
              finish(tile.rows, tile.firstColumn, [&](const TileFinish &work) {
                finishFragments(k, shape, fragments, work, permuted);
              });
            });
  return finishTma(k, shape);
}

LogicalResult mom::emitProductGpu(KernelOp kernel, KernelBuilder &k) {
  auto linears = llvm::to_vector(kernel.getBody().getOps<LinearOp>());
  auto wgrads = llvm::to_vector(kernel.getBody().getOps<LinearWgradOp>());
  if (linears.size() + wgrads.size() != 1)
    return k.error() << "expected one product in a product kernel, but got "
                     << linears.size() + wgrads.size();
  if (!wgrads.empty())
    return emitWgradGpu(wgrads.front(), k);
  FailureOr<TileShape> shape = tileShape(k);
  if (failed(shape))
    return failure();
  return LinearEmitter(k, linears.front(), *shape).emit();
}
