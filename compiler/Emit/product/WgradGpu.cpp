// GPU form of mom.linear_wgrad: dW[g, o, c] = sum over rows of dy[i, o] * x[i, c].
//
// A tile of one group's weights has the group's rows as its inner size. Where that
// gives too few blocks, the rows are cut into parts of one size (the last of a group
// may be smaller): a block sums one part into a workspace, and a second phase adds a
// group's parts in order. Parts have one size rather than groups one count of parts,
// so that blocks finish together however unequal the groups are.
#include "compiler/Emit/product/ProductGpu.h"

#include "compiler/Emit/Gpu.h"
#include "compiler/Emit/Sequence.h"
#include "compiler/Emit/product/TmaGpu.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mom;

namespace {
class WgradEmitter {
public:
  WgradEmitter(KernelBuilder &k, LinearWgradOp wgrad, TileShape shape)
      : k(k), wgrad(wgrad), shape(shape), out(channelsOf(wgrad.getDy())),
        in(channelsOf(wgrad.getX())), parts(k.knob("split_k")) {
    if (wgrad.getRoute())
      groups = wgrad.getRoute().getType().getGroups();
  }

  LogicalResult emit();

private:
  void emitTiles();
  LogicalResult emitTma();
  void emitSum();
  TileTask task(GroupRows rows, Value firstRow, Value firstColumn);
  /// Deals places of the tile to threads.
  using Deal = function_ref<void(const TileFinish &)>;
  void finish(const View &to, Value base, Value firstRow, Value firstColumn, Deal deal);
  GroupRows wholeGroup(Value group);
  Value partRows();

  KernelBuilder &k;
  LinearWgradOp wgrad;
  TileShape shape;
  int64_t out, in, parts, groups = 1;
  unsigned partial = 0; ///< the workspace [parts + groups, out, in]
};
} // namespace

TileTask WgradEmitter::task(GroupRows rows, Value firstRow, Value firstColumn) {
  auto operand = [&](Value source, int64_t channels, int64_t outer, Value firstChannel) {
    TileOperand o;
    o.source = source;
    o.view = k.view(source);
    o.channels = channels;
    o.outer = outer;
    o.firstLine = rows.begin;
    o.endLine = rows.end;
    o.firstChannel = firstChannel;
    return o;
  };
  return {operand(wgrad.getDy(), out, shape.rows, firstRow),
          operand(wgrad.getX(), in, shape.columns, firstColumn), k.sub(rows.end, rows.begin)};
}

GroupRows WgradEmitter::wholeGroup(Value group) {
  if (Value route = wgrad.getRoute())
    return {group, k.offset(route, group), k.offset(route, k.add(group, 1))};
  return {group, k.index(0), k.count(wgrad.getX().getType())};
}

/// Rows of a part: a whole number of steps.
Value WgradEmitter::partRows() {
  Value rows = k.count(wgrad.getX().getType());
  return k.mul(k.max(k.ceilDiv(rows, parts * shape.inner), k.index(1)), shape.inner);
}

/// Stores the sums as rows [base + firstRow, ...) of `to`.
void WgradEmitter::finish(const View &to, Value base, Value firstRow, Value firstColumn,
                          Deal deal) {
  int64_t lanes = std::gcd<int64_t>(in, 128 / to.element.getIntOrFloatBitWidth());
  auto left = [&](int64_t size, int64_t tile, Value first) {
    return size % tile ? k.min(k.sub(k.index(size), first), k.index(tile)) : k.index(tile);
  };
  auto store = [&](const TilePlace &place, ValueRange values) {
    Value row = k.add(k.add(base, firstRow), place.row);
    k.store(values[0], to, At{row, k.add(firstColumn, place.column), lanes, Value()});
  };
  deal({lanes, left(out, shape.rows, firstRow), left(in, shape.columns, firstColumn),
        [](const TilePlace &) { return SmallVector<Value>(); },
        [](const TilePlace &place) { return SmallVector<Value>{place.sums}; }, store});
}

void WgradEmitter::emitTiles() {
  int64_t down = llvm::divideCeil(out, shape.rows), across = llvm::divideCeil(in, shape.columns);
  // Neighbouring blocks share rows, and the columns of one operand.
  Value tile = k.rem(k.block(), down * across), item = k.div(k.block(), down * across);
  Value firstRow = k.mul(k.rem(tile, down), shape.rows);
  Value firstColumn = k.mul(k.div(tile, down), shape.columns);
  GroupRows rows =
      parts == 1 ? wholeGroup(item)
                 : findGroupRows(k, wgrad.getRoute(), wgrad.getX().getType(), item, partRows());
  View to = parts == 1 ? k.output(0) : k.workspaceView(partial);
  TileTask work = task(rows, firstRow, firstColumn);
  Value shared = k.shared(tileBytes(shape, work), 1024);
  SumTile sums(k, shared, shape);
  Value some = k.less(rows.begin, rows.end), base = k.mul(item, out);
  auto deal = [&](const TileFinish &work) { finishTile(k, shape, sums, work); };
  if (parts > 1) { // nobody reads a part that has no rows
    k.ifThen(some, [&] {
      emitTile(k, shape, work, shared, sums);
      finish(to, base, firstRow, firstColumn, deal);
    });
  } else {
    k.ifThen(some, [&] { emitTile(k, shape, work, shared, sums); });
    k.ifThen(k.equal(some, k.equal(k.index(0), k.index(1))), [&] {
      sums.clear(shape.threads);
      Gpu(k).barrier();
    });
    finish(to, base, firstRow, firstColumn, deal);
  }
  keepBlocks(k);
  k.finish(k.fixedGrid((parts == 1 ? groups : parts + groups) * down * across));
}

/// Blocks that stay. Maps end where their group does, so that what follows is zeros in
/// both operands; a group without rows reads zeros only.
LogicalResult WgradEmitter::emitTma() {
  int64_t down = llvm::divideCeil(out, shape.rows), across = llvm::divideCeil(in, shape.columns);
  auto end = [&](Value group) { return k.max(wholeGroup(group).end, k.index(1)); };
  TmaOperand a{k.view(wgrad.getDy()), false, out, shape.rows, 0, 0, 0, end};
  TmaOperand b{k.view(wgrad.getX()), false, in, shape.columns, 0, 0, 0, end};
  Type element = productType(k.kernel);
  if (!canCopyTiles(a.view, element) || !canCopyTiles(b.view, element))
    return k.error() << "expected operands of " << element
                     << " whose rows begin at multiples of 16 bytes for knob 'unit' 3 (tma)";
  Type type = wgrad.getX().getType();
  Value route = wgrad.getRoute();
  View to = parts == 1 ? k.output(0) : k.workspaceView(partial);
  Value items = parts == 1 ? k.index(groups) : countParts(k, route, type, partRows());
  auto locate = [&](Value number) {
    Value inItem = k.rem(number, down * across);
    TmaTile tile;
    tile.item = k.div(number, down * across);
    tile.firstRow = k.mul(k.rem(inItem, down), shape.rows);
    tile.firstColumn = k.mul(k.div(inItem, down), shape.columns);
    tile.rows = parts == 1 ? wholeGroup(tile.item)
                           : findGroupRows(k, route, type, tile.item, partRows());
    tile.map = tile.rows.group;
    Value rows = k.sub(tile.rows.end, tile.rows.begin);
    tile.steps = k.max(k.ceilDiv(rows, shape.inner), k.index(1));
    Value none = k.equal(rows, k.index(0));
    tile.aLine = tile.bLine = k.select(none, k.index(-shape.inner), tile.rows.begin);
    return tile;
  };
  TmaProduct(k, shape, a, b, groups)
      .emit(k.mul(items, down * across), locate,
            [&](const TmaTile &tile, const FragmentTile &fragments) {
              finish(to, k.mul(tile.item, out), tile.firstRow, tile.firstColumn,
                     [&](const TileFinish &work) {
                       finishFragments(k, shape, fragments, work, /*permuted=*/false);
                     });
            });
  keepBlocks(k);
  k.finish(k.fixedGrid(k.knob("grid")));
  return checkShared(k, "'stages', 'panels' and the tile's");
}

/// Adds the parts of each group; a group without rows has none.
void WgradEmitter::emitSum() {
  View from = k.workspaceView(partial), to = k.output(0);
  int64_t lanes = std::gcd<int64_t>(in, 4), vectors = out * in / lanes;
  int64_t blocks = llvm::divideCeil(vectors, k.threads());
  Value group = k.div(k.block(), blocks);
  Value vector = k.add(k.mul(k.rem(k.block(), blocks), k.threads()), k.thread());
  Value size = partRows(), first = k.index(0), count = k.index(0);
  auto partsOf = [&](Value g) -> Value {
    GroupRows rows = wholeGroup(g);
    Value above = k.add(k.sub(rows.end, rows.begin), k.sub(size, k.index(1)));
    return k.b.createOrFold<arith::DivUIOp>(k.loc, above, size);
  };
  first = k.loop(k.index(0), group, 1, first, [&](Value g, ValueRange carried) {
    return SmallVector<Value>{k.add(carried[0], partsOf(g))};
  })[0];
  count = partsOf(group);
  k.ifThen(k.less(vector, k.index(vectors)), [&] {
    Value element = k.mul(vector, lanes), row = k.div(element, in), column = k.rem(element, in);
    Value sum =
        k.loop(first, k.add(first, count), 1, k.zeros(lanes), [&](Value part, ValueRange carried) {
          Value at = k.add(k.mul(part, out), row);
          Value value = k.load(from, At{at, column, lanes, Value()});
          return SmallVector<Value>{arith::AddFOp::create(k.b, k.loc, carried[0], value)};
        })[0];
    k.store(sum, to, At{k.add(k.mul(group, out), row), column, lanes, Value()});
  });
  k.finish(k.fixedGrid(groups * blocks));
}

LogicalResult WgradEmitter::emit() {
  if (k.kernel.getNumResults() != 1 || withoutStorage(k.yielded(0)) != wgrad.getDweights())
    return k.error() << "expected nothing after mom.linear_wgrad";
  if (failed(checkInputs(k, wgrad, {wgrad.getX(), wgrad.getDy()})))
    return failure();
  bool tma = shape.unit == ProductUnit::Tma;
  if (parts == 1) {
    k.begin();
  } else {
    k.begin({}, "parts");
    partial = k.workspace(RankedTensorType::get({parts + groups, out, in}, k.b.getF32Type()));
  }
  if (tma && failed(emitTma()))
    return failure();
  if (!tma)
    emitTiles();
  if (parts > 1) {
    k.begin({0});
    emitSum();
  }
  return success();
}

LogicalResult mom::emitWgradGpu(LinearWgradOp wgrad, KernelBuilder &k) {
  FailureOr<TileShape> shape = tileShape(k);
  if (failed(shape))
    return failure();
  return WgradEmitter(k, wgrad, *shape).emit();
}
