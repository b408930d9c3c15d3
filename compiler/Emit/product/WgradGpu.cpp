// GPU form of mom.linear_wgrad: dW[g, o, c] = sum over rows of dy[i, o] * x[i, c].
//
// A tile of one group's weights has the group's rows as its inner size. Where that
// gives too few blocks, the rows are cut into parts of one size (the last of a group
// may be smaller): a block sums one part into a workspace, and a second phase adds a
// group's parts in order. Parts have one size rather than groups one count of parts,
// so that blocks finish together however unequal the groups are.
//
// Sums of dy over the rows of each group, the gradient of a bias, are a column more: by
// TMA they join the kernel (mom-join-sums).
#include "compiler/Emit/product/ProductGpu.h"

#include "compiler/Emit/Gpu.h"
#include "compiler/Emit/Sequence.h"
#include "compiler/Emit/product/TmaGpu.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mom;

namespace {
/// Parts [parts + groups, rows, columns] of results, each dealt to blocks as vectors.
struct Parts {
  View from;
  SmallVector<unsigned> outputs;
  int64_t rows, columns;

  int64_t lanes() const { return std::gcd<int64_t>(columns, 4); }
  int64_t vectors() const { return rows * columns / lanes(); }
};

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
  LogicalResult check();
  LogicalResult emitTiles();
  LogicalResult emitTma();
  void storeRowSums(const TmaTile &tile, const FragmentTile &fragments, ValueRange sums);
  void emitSum();
  void addParts(const Parts &of, Value number);
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
  SmallVector<unsigned> rowSums; ///< results that are sums of dy
  unsigned partial = 0;          ///< the workspace [parts + groups, out, in]
  unsigned partialSums = 0;      ///< likewise [parts + groups, out], if there are some
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
  auto store = [&](const TilePlace &place, unsigned, ValueRange values) {
    Value row = k.add(k.add(base, firstRow), place.row);
    k.store(values[0], to, At{row, k.add(firstColumn, place.column), lanes, Value()});
  };
  deal({lanes, left(out, shape.rows, firstRow), left(in, shape.columns, firstColumn),
        /*anywhere=*/true, [](Value) { return Value(); },
        [](const TilePlace &) { return SmallVector<Value>(); },
        [](const TilePlace &place) { return SmallVector<Value>{place.sums}; }, store});
}

LogicalResult WgradEmitter::emitTiles() {
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
  return finishTiles(k, k.fixedGrid((parts == 1 ? groups : parts + groups) * down * across));
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
  if (failed(checkCluster(k, shape, across)))
    return failure();
  Type type = wgrad.getX().getType();
  Value route = wgrad.getRoute();
  View to = parts == 1 ? k.output(0) : k.workspaceView(partial);
  Value items = parts == 1 ? k.index(groups) : countParts(k, route, type, partRows());
  auto locate = [&](Value number) {
    Value inItem = k.rem(number, down * across), rank = k.rem(inItem, shape.cluster);
    inItem = k.div(inItem, shape.cluster);
    TmaTile tile;
    tile.item = k.div(number, down * across);
    tile.firstRow = k.mul(k.rem(inItem, down), shape.rows);
    Value column = k.add(k.mul(k.div(inItem, down), shape.cluster), rank);
    tile.firstColumn = k.mul(column, shape.columns);
    tile.rows = parts == 1 ? wholeGroup(tile.item)
                           : findGroupRows(k, route, type, tile.item, partRows());
    tile.map = tile.rows.group;
    Value rows = k.sub(tile.rows.end, tile.rows.begin);
    tile.steps = k.max(k.ceilDiv(rows, shape.inner), k.index(1));
    Value none = k.equal(rows, k.index(0));
    tile.aLine = tile.bLine = k.select(none, k.index(-shape.inner), tile.rows.begin);
    return tile;
  };
  auto finishOne = [&](const TmaTile &tile, const FragmentTile &fragments) {
    auto multiply = [&] {
      FragmentSums sums = fragments.multiply();
      storeRowSums(tile, fragments, sums.ofRows);
      return sums;
    };
    FragmentTile ofWeights = fragments;
    ofWeights.multiply = multiply;
    finish(to, k.mul(tile.item, out), tile.firstRow, tile.firstColumn, [&](const TileFinish &work) {
      finishFragments(k, shape, ofWeights, work, /*permuted=*/false);
    });
  };
  TmaProduct(k, shape, a, b, groups, /*inputs=*/{}, !rowSums.empty())
      .emit(k.mul(items, down * across), locate, finishOne);
  return finishTma(k, shape);
}

/// Sums [64 rows after 64, 4]: of the warpgroup's rows lane / 4 and 8 more of each warp. Tiles
/// side by side have the same.
void WgradEmitter::storeRowSums(const TmaTile &tile, const FragmentTile &fragments,
                                ValueRange sums) {
  if (sums.empty())
    return;
  Gpu gpu(k);
  Value warp = k.rem(gpu.warp(), 4);
  Value first =
      k.add(k.add(tile.firstRow, fragments.firstRow), k.add(k.mul(warp, 16), k.div(gpu.lane(), 4)));
  Value mine = arith::AndIOp::create(k.b, k.loc, k.equal(k.rem(gpu.lane(), 4), k.index(0)),
                                     k.equal(tile.firstColumn, k.index(0)));
  for (int64_t i = 0, count = sums.size(); i < count; i += 2) { // every other column is alike
    Value row = k.add(first, i / 4 * 64 + i % 4 * 4);
    Value exists = arith::AndIOp::create(k.b, k.loc, mine, k.less(row, k.index(out)));
    k.ifThen(exists, [&] {
      At at{tile.item, row, 1, Value()};
      if (parts > 1)
        return k.store(sums[i], k.workspaceView(partialSums), at);
      for (unsigned output : rowSums)
        k.store(sums[i], k.output(output), at);
    });
  }
}

/// Adds the parts of each group; a group without rows has none.
void WgradEmitter::emitSum() {
  SmallVector<Parts> all = {{k.workspaceView(partial), {0}, out, in}};
  if (!rowSums.empty())
    all.push_back({k.workspaceView(partialSums), rowSums, 1, out});
  SmallVector<int64_t> blocks = llvm::map_to_vector(all, [&](const Parts &parts) -> int64_t {
    return groups * llvm::divideCeil(parts.vectors(), k.threads());
  });
  k.finishSum(k.dealBlocks(blocks, [&](size_t i, Value block) { addParts(all[i], block); }));
}

/// Block `number` of those that add these.
void WgradEmitter::addParts(const Parts &of, Value number) {
  int64_t lanes = of.lanes(), blocks = llvm::divideCeil(of.vectors(), k.threads());
  Value group = k.div(number, blocks);
  Value vector = k.add(k.mul(k.rem(number, blocks), k.threads()), k.thread());
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
  k.ifThen(k.less(vector, k.index(of.vectors())), [&] {
    Value element = k.mul(vector, lanes), row = k.div(element, of.columns);
    Value column = k.rem(element, of.columns);
    Value sum =
        k.loop(first, k.add(first, count), 1, k.zeros(lanes), [&](Value part, ValueRange carried) {
          Value at = k.add(k.mul(part, of.rows), row);
          Value value = k.load(of.from, At{at, column, lanes, Value()});
          return SmallVector<Value>{arith::AddFOp::create(k.b, k.loc, carried[0], value)};
        })[0];
    At at{k.add(k.mul(group, of.rows), row), column, lanes, Value()};
    for (unsigned output : of.outputs)
      k.store(sum, k.output(output), at);
  });
}

LogicalResult WgradEmitter::check() {
  if (withoutStorage(k.yielded(0)) != wgrad.getDweights())
    return k.error() << "expected mom.linear_wgrad as result 0 of its kernel";
  for (unsigned i = 1; i < k.kernel.getNumResults(); ++i) {
    auto sum = withoutStorage(k.yielded(i)).getDefiningOp<ReduceRowsOp>();
    if (!sum || sum.getX() != wgrad.getDy() || sum.getRoute() != wgrad.getRoute())
      return k.error() << "expected nothing after mom.linear_wgrad but sums of its gradient over "
                          "rows";
    if (shape.unit != ProductUnit::Tma)
      return k.error() << "expected knob 'unit' 3 (tma), with which sums join mom.linear_wgrad";
    rowSums.push_back(i);
  }
  return checkInputs(k, wgrad, {wgrad.getX(), wgrad.getDy()});
}

LogicalResult WgradEmitter::emit() {
  if (failed(check()))
    return failure();
  bool tma = shape.unit == ProductUnit::Tma;
  if (parts == 1) {
    k.begin();
  } else {
    k.begin({}, "parts");
    Type f32 = k.b.getF32Type();
    partial = k.workspace(RankedTensorType::get({parts + groups, out, in}, f32));
    if (!rowSums.empty())
      partialSums = k.workspace(RankedTensorType::get({parts + groups, out}, f32));
  }
  if (failed(tma ? emitTma() : emitTiles()))
    return failure();
  if (parts > 1) {
    SmallVector<unsigned> outputs = {0};
    llvm::append_range(outputs, rowSums);
    k.begin(outputs);
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
