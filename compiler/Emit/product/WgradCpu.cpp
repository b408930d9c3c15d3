// CPU form of mom.linear_wgrad: dW[g, o, c] = sum over rows of dy[i, o] * x[i, c].
//
// A block owns a tile of one group's weights. The group's rows are the inner size:
// they are walked in order in runs of KC, dy is packed as panels of MR columns, x as
// panels of NR columns, and the sums stay in scratch until the last row.
#include "compiler/Emit/product/ProductCpu.h"

#include "compiler/Emit/Pointwise.h"
#include "compiler/Emit/product/Microkernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mom;

namespace {
class WgradEmitter {
public:
  WgradEmitter(KernelBuilder &k, LinearWgradOp wgrad)
      : k(k), wgrad(wgrad), f32(k.b.getF32Type()), out(channelsOf(wgrad.getDy())),
        in(channelsOf(wgrad.getX())), tile(productTile(k, out, in)) {}

  LogicalResult emit();

private:
  void packGradient(Value firstRow, Value length, Value firstOut);
  void packInput(Value firstRow, Value length, Value column);
  void fill();
  void store(Value group, Value firstOut, Value firstIn);

  KernelBuilder &k;
  LinearWgradOp wgrad;
  Type f32;
  int64_t out, in;
  ProductTile tile;
  Value a, b, c; ///< [panels, KC, MR], [KC, NR], [tile rows, tile columns]
};
} // namespace

/// A[p, r, m] = dy[firstRow + r, firstOut + p * MR + m], 0 past the last column.
void WgradEmitter::packGradient(Value firstRow, Value length, Value firstOut) {
  int64_t mr = tile.registerRows, lanes = tile.lanes;
  View panels{a, 0, 0, f32, {}, {}};
  k.loop(k.index(0), length, 1, [&](Value row) {
    k.loop(k.index(0), k.index(tile.rows / mr), 1, [&](Value panel) {
      Value column = k.add(firstOut, k.mul(panel, mr));
      Value to = k.add(k.mul(panel, mr * tile.inner), k.mul(row, mr));
      for (int64_t m = 0; m < mr; m += lanes) {
        Value left = k.sub(k.index(out), k.add(column, m));
        Value mask = k.maskOf(k.min(left, k.index(mr - m)), lanes);
        PointwiseEmitter dy(k, At{k.add(firstRow, row), k.add(column, m), lanes, mask});
        Value value = dy.value(wgrad.getDy());
        // What is computed where nothing lies is not 0 by itself.
        if (lanes > 1)
          value = arith::SelectOp::create(k.b, k.loc, mask, value, k.zeros(lanes));
        Value whole = mr - m < lanes ? k.maskOf(k.index(mr - m), lanes) : Value();
        k.store(value, panels, At{Value(), k.add(to, m), lanes, whole});
      }
    });
  });
}

/// B[r, n] = x[firstRow + r, column + n].
void WgradEmitter::packInput(Value firstRow, Value length, Value column) {
  View panel{b, tile.panel(), tile.panel(), f32, {}, {}};
  int64_t lanes = tile.lanes;
  bool masked = in % tile.panel() != 0;
  SmallVector<Value> masks(tile.vectors);
  for (int64_t v = 0; v < tile.vectors && masked; ++v)
    masks[v] = k.maskOf(k.sub(k.index(in), k.add(column, v * lanes)), lanes);
  k.loop(k.index(0), length, 1, [&](Value row) {
    for (int64_t v = 0; v < tile.vectors; ++v) {
      PointwiseEmitter x(k, At{k.add(firstRow, row), k.add(column, v * lanes), lanes, masks[v]});
      k.store(x.value(wgrad.getX()), panel, At{row, k.index(v * lanes), lanes, Value()});
    }
  });
}

void WgradEmitter::fill() {
  View sums{c, 0, 0, f32, {}, {}};
  k.columns(tile.rows * tile.columns, tile.lanes, {}, [&](At at, ValueRange) {
    k.store(k.zeros(tile.lanes), sums, at);
    return SmallVector<Value>();
  });
}

void WgradEmitter::store(Value group, Value firstOut, Value firstIn) {
  View sums{c, tile.columns, tile.columns, f32, {}, {}}, to = k.output(0);
  Value rows = k.min(k.index(tile.rows), k.sub(k.index(out), firstOut));
  Value columns = k.min(k.index(tile.columns), k.sub(k.index(in), firstIn));
  Value base = k.add(k.mul(group, out), firstOut);
  k.loop(k.index(0), rows, 1, [&](Value row) {
    k.columns(k.index(0), columns, tile.lanes, {}, [&](At at, ValueRange) {
      at.row = row;
      Value value = k.load(sums, at);
      k.store(value, to, At{k.add(base, row), k.add(firstIn, at.column), at.lanes, at.mask});
      return SmallVector<Value>();
    });
  });
}

LogicalResult WgradEmitter::emit() {
  k.begin();
  if (failed(checkPointwise(k, wgrad.getX())) || failed(checkPointwise(k, wgrad.getDy())))
    return failure();
  int64_t mr = tile.registerRows;
  a = k.scratch(tile.rows * tile.inner * 4);
  b = k.scratch(tile.inner * tile.panel() * 4);
  c = k.scratch(tile.rows * tile.columns * 4);

  int64_t groups = wgrad.getRoute() ? wgrad.getRoute().getType().getGroups() : 1;
  int64_t outTiles = llvm::divideCeil(out, tile.rows), inTiles = llvm::divideCeil(in, tile.columns);
  Value firstIn = k.mul(k.rem(k.block(), inTiles), tile.columns), rest = k.div(k.block(), inTiles);
  Value firstOut = k.mul(k.rem(rest, outTiles), tile.rows), group = k.div(rest, outTiles);
  Value lo = k.index(0), hi;
  if (Value route = wgrad.getRoute()) {
    lo = k.offset(route, group);
    hi = k.offset(route, k.add(group, 1));
  } else {
    hi = k.count(wgrad.getX().getType());
  }
  fill();
  Value rows = k.min(k.index(tile.rows), k.sub(k.index(out), firstOut));
  Value columns = k.min(k.index(tile.columns), k.sub(k.index(in), firstIn));
  k.loop(lo, hi, tile.inner, [&](Value row) {
    Value length = k.min(k.index(tile.inner), k.sub(hi, row));
    packGradient(row, length, firstOut);
    k.loop(k.index(0), columns, tile.panel(), [&](Value column) {
      packInput(row, length, k.add(firstIn, column));
      k.loop(k.index(0), rows, mr, [&](Value m) {
        Value sums = k.add(k.mul(m, tile.columns), column);
        PackedPanel p{k.address(a, f32, k.mul(m, tile.inner)), b, k.address(c, f32, sums), 1, mr,
                      tile.columns, length, true};
        emitMicrokernel(k, tile, mr, p);
      });
    });
  });
  store(group, firstOut, firstIn);
  k.finish(k.fixedGrid(groups * outTiles * inTiles));
  return success();
}

LogicalResult mom::emitWgradCpu(LinearWgradOp wgrad, KernelBuilder &k) {
  return WgradEmitter(k, wgrad).emit();
}
