// CPU form of products: mom.linear and mom.linear_wgrad.
//
// A block computes a tile of the result. It walks the inner size in runs of KC:
// rows of x are copied into scratch with a stride that no cache set likes to
// share, a panel of NR columns of the weights is packed (transposed where they lie
// [out, in]), and the microkernel runs down the rows. The pointwise work that
// follows reads the finished sums from scratch while they are in cache.
#include "compiler/Emit/product/ProductCpu.h"

#include "compiler/Emit/Pointwise.h"
#include "compiler/Emit/Sequence.h"
#include "compiler/Emit/product/Microkernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mom;

/// f32 that set rows of the copy of x apart.
static constexpr int64_t kPadding = 16;

namespace {
/// The rows of one block: [begin, end) of one group.
struct RowRange {
  Value group, begin, end;
};

/// mom.linear with its pointwise neighbours.
class LinearEmitter {
public:
  LinearEmitter(KernelBuilder &k, LinearOp linear)
      : k(k), linear(linear), f32(k.b.getF32Type()), inner(channelsOf(linear.getX())),
        outer(channelsOf(linear.getY())), tile(productTile(k, 0, outer)) {
    // Even runs of the inner size.
    runs = llvm::divideCeil(inner, tile.inner);
    tile.inner = llvm::alignTo(llvm::divideCeil(inner, runs), tile.lanes);
    aRow = tile.inner + kPadding;
    // Sums of one panel, or, between runs, of the whole block.
    cRow = runs > 1 ? tile.columns : tile.panel();
  }

  LogicalResult emit();

private:
  RowRange findRows(Value index);
  void emitBlock(RowRange rows, Value firstColumn);
  void packRows(RowRange rows, Value first, Value length);
  void packWeights(Value group, Value first, Value length, Value column);
  void emitPanel(RowRange rows, Value run, Value length, Value firstColumn, Value panelColumn);
  void emitResults(RowRange rows, Value first, Value count, Value sums, Value column);

  KernelBuilder &k;
  LinearOp linear;
  Type f32;
  int64_t inner, outer; ///< of the product: [rows, inner] x [inner, outer]
  ProductTile tile;
  int64_t runs, aRow, cRow;
  Value a, b, c;        ///< scratch
};
} // namespace

/// Block `index` is a tile of one group: groups are walked until it is reached.
RowRange LinearEmitter::findRows(Value index) {
  Value size = k.index(tile.rows);
  Value route = linear.getRoute();
  if (!route) {
    Value begin = k.mul(index, size);
    Value end = k.min(k.add(begin, size), k.count(linear.getX().getType()));
    return {k.index(0), begin, end};
  }
  int64_t groups = cast<RouteType>(route.getType()).getGroups();
  Value zero = k.index(0);
  // first tile of the group, then what was found
  SmallVector<Value> found = k.loop(
      zero, k.index(groups), 1, {zero, zero, zero, zero}, [&](Value group, ValueRange carried) {
        Value lo = k.offset(route, group), hi = k.offset(route, k.add(group, 1));
        Value next = k.add(carried[0], k.ceilDiv(k.sub(hi, lo), tile.rows));
        Value here = arith::AndIOp::create(k.b, k.loc, k.less(index, next),
                                           k.less(k.sub(carried[0], k.index(1)), index));
        Value begin = k.add(lo, k.mul(k.sub(index, carried[0]), size));
        Value end = k.min(k.add(begin, size), hi);
        return SmallVector<Value>{next, k.select(here, group, carried[1]),
                                  k.select(here, begin, carried[2]),
                                  k.select(here, end, carried[3])};
      });
  return {found[1], found[2], found[3]};
}

/// A[r, c] = x[begin + r, first + c], and zeros up to a whole run of tail rows.
void LinearEmitter::packRows(RowRange rows, Value first, Value length) {
  View copy{a, aRow, tile.inner, f32, {}, {}};
  Value count = k.sub(rows.end, rows.begin);
  k.loop(k.index(0), count, 1, [&](Value row) {
    k.columns(k.index(0), length, tile.lanes, {}, [&](At at, ValueRange) {
      PointwiseEmitter x(k, At{k.add(rows.begin, row), k.add(first, at.column), at.lanes, at.mask});
      at.row = row;
      k.store(x.value(linear.getX()), copy, at);
      return SmallVector<Value>();
    });
  });
  Value padded = k.mul(k.ceilDiv(count, kTailRows), kTailRows);
  k.loop(count, padded, 1, [&](Value row) {
    k.columns(k.index(0), length, tile.lanes, {}, [&](At at, ValueRange) {
      at.row = row;
      k.store(k.zeros(tile.lanes), copy, at);
      return SmallVector<Value>();
    });
  });
}

/// B[c, n] = weight of inner element first + c and outer element column + n.
void LinearEmitter::packWeights(Value group, Value first, Value length, Value column) {
  View weights = k.view(linear.getWeights());
  View panel{b, tile.panel(), tile.panel(), f32, {}, {}};
  int64_t lanes = tile.lanes;
  if (linear.getTransposed()) { // [inner, outer]: rows are copied
    Value base = k.mul(group, inner);
    bool masked = outer % tile.panel() != 0;
    k.loop(k.index(0), length, 1, [&](Value row) {
      for (int64_t v = 0; v < tile.vectors; ++v) {
        Value from = k.add(column, v * lanes);
        Value mask = masked ? k.maskOf(k.sub(k.index(outer), from), lanes) : Value();
        Value w = k.load(weights, At{k.add(base, k.add(first, row)), from, lanes, mask});
        k.store(w, panel, At{row, k.index(v * lanes), lanes, Value()});
      }
    });
    return;
  }
  Value base = k.mul(group, outer), last = k.index(outer - 1);
  for (int64_t v = 0; v < tile.vectors; ++v) {
    // Columns past the last repeat it; their sums are not stored.
    SmallVector<Value> rows;
    for (int64_t lane = 0; lane < lanes; ++lane)
      rows.push_back(k.add(base, k.min(k.add(column, v * lanes + lane), last)));
    k.columns(k.index(0), length, lanes, {}, [&](At at, ValueRange) {
      SmallVector<Value> square;
      for (Value row : rows)
        square.push_back(k.load(weights, At{row, k.add(first, at.column), lanes, at.mask}));
      if (lanes > 1)
        square = transpose(k, square);
      for (int64_t i = 0; i < lanes; ++i)
        k.store(square[i], panel, At{k.add(at.column, i), k.index(v * lanes), lanes, Value()});
      return SmallVector<Value>();
    });
  }
}

/// The rows [first, first + count) of the block, whose sums lie at `sums`.
void LinearEmitter::emitResults(RowRange rows, Value first, Value count, Value sums, Value column) {
  View from{sums, cRow, tile.panel(), f32, {}, {}};
  int64_t lanes = tile.lanes;
  SmallVector<Value> masks(tile.vectors);
  if (outer % tile.panel() != 0)
    for (int64_t v = 0; v < tile.vectors; ++v)
      masks[v] = k.maskOf(k.sub(k.index(outer), k.add(column, v * lanes)), lanes);
  k.loop(k.index(0), count, 1, [&](Value row) {
    PointwiseEmitter scalars(k, At{k.add(rows.begin, k.add(first, row)), Value(), 1, Value()});
    for (int64_t v = 0; v < tile.vectors; ++v) {
      At at{k.add(rows.begin, k.add(first, row)), k.add(column, v * lanes), lanes, masks[v]};
      PointwiseEmitter e(k, at);
      e.shareScalars(scalars);
      e.bind(linear.getY(), k.load(from, At{row, k.index(v * lanes), lanes, Value()}));
      for (unsigned i = 0; i < k.kernel.getNumResults(); ++i) {
        At to = at;
        if (auto reorder = k.yielded(i).getDefiningOp<ReorderOp>())
          to.row = k.positionAt(reorder.getRoute(), at.row);
        k.store(e.value(beforeReorder(k.yielded(i))), k.output(i), to);
      }
      scalars.shareScalars(e);
    }
  });
}

void LinearEmitter::emitPanel(RowRange rows, Value run, Value length, Value firstColumn,
                              Value panelColumn) {
  Value count = k.sub(rows.end, rows.begin);
  Value column = k.add(firstColumn, panelColumn);
  // With one run, a panel's sums are used at once and their place is reused.
  Value sums = runs > 1 ? k.address(c, f32, panelColumn) : c;
  auto step = [&](Value first, int64_t size) {
    Value mine = k.address(sums, f32, k.mul(first, cRow));
    PackedPanel p{k.address(a, f32, k.mul(first, aRow)), b, mine, aRow, 1, cRow, length, runs > 1};
    emitMicrokernel(k, tile, size, p);
    auto results = [&] {
      emitResults(rows, first, k.min(k.sub(count, first), k.index(size)), mine, column);
    };
    if (runs > 1)
      k.ifThen(k.equal(run, k.index(runs - 1)), results);
    else
      results();
  };
  Value whole = k.mul(k.div(count, tile.registerRows), tile.registerRows);
  k.loop(k.index(0), whole, tile.registerRows, [&](Value row) { step(row, tile.registerRows); });
  k.loop(whole, count, kTailRows, [&](Value row) { step(row, kTailRows); });
}

void LinearEmitter::emitBlock(RowRange rows, Value firstColumn) {
  Value columns = k.min(k.index(tile.columns), k.sub(k.index(outer), firstColumn));
  if (runs > 1) {
    Value size = k.mul(k.add(k.sub(rows.end, rows.begin), kTailRows), cRow);
    View sums{c, 0, 0, f32, {}, {}};
    k.columns(k.index(0), size, tile.lanes, {}, [&](At at, ValueRange) {
      k.store(k.zeros(tile.lanes), sums, at);
      return SmallVector<Value>();
    });
  }
  k.loop(k.index(0), k.index(runs), 1, [&](Value run) {
    Value first = k.mul(run, tile.inner);
    Value length =
        runs == 1 ? k.index(inner) : k.min(k.index(tile.inner), k.sub(k.index(inner), first));
    packRows(rows, first, length);
    k.loop(k.index(0), columns, tile.panel(), [&](Value column) {
      packWeights(rows.group, first, length, k.add(firstColumn, column));
      emitPanel(rows, run, length, firstColumn, column);
    });
  });
}

LogicalResult LinearEmitter::emit() {
  k.begin();
  if (failed(checkPointwise(k, linear.getX())))
    return failure();
  for (unsigned i = 0; i < k.kernel.getNumResults(); ++i)
    if (failed(checkResult(k, i, linear.getY())))
      return failure();
  if (!k.inMemory(linear.getWeights()))
    return k.error() << "expected the weights of a product among the kernel's inputs";
  int64_t rows = tile.rows + kTailRows;
  a = k.scratch(rows * aRow * 4);
  b = k.scratch(tile.inner * tile.panel() * 4);
  c = k.scratch(rows * cRow * 4);

  int64_t columnBlocks = llvm::divideCeil(outer, tile.columns);
  RowRange range = findRows(k.div(k.block(), columnBlocks));
  Value column = k.mul(k.rem(k.block(), columnBlocks), tile.columns);
  k.ifThen(k.less(range.begin, range.end), [&] { emitBlock(range, column); });
  int64_t extra = linear.getRoute() ? linear.getRoute().getType().getGroups() : 0;
  k.finish(k.rowGrid(rowsOf(linear.getX()), tile.rows, extra, columnBlocks));
  return success();
}

LogicalResult mom::emitProductCpu(KernelOp kernel, KernelBuilder &k) {
  auto linears = llvm::to_vector(kernel.getBody().getOps<LinearOp>());
  auto wgrads = llvm::to_vector(kernel.getBody().getOps<LinearWgradOp>());
  if (linears.size() + wgrads.size() != 1)
    return k.error() << "expected one product in a product kernel, but got "
                     << linears.size() + wgrads.size();
  if (linears.size() == 1)
    return LinearEmitter(k, linears.front()).emit();
  if (kernel.getNumResults() != 1 || withoutStorage(k.yielded(0)) != wgrads.front().getDweights())
    return k.error() << "expected nothing after mom.linear_wgrad";
  return emitWgradCpu(wgrads.front(), k);
}
