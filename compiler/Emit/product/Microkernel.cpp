// The innermost product: a few rows by a few vectors of sums in registers.
#include "compiler/Emit/product/Microkernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mom;

ProductTile mom::productTile(KernelBuilder &k, int64_t rows, int64_t columns) {
  ProductTile tile;
  tile.lanes = k.knob("lanes");
  tile.registerRows = k.knob("register_rows");
  tile.vectors = k.knob("register_columns");
  // Few columns: no vector of sums that lies past them all.
  tile.vectors = std::min<int64_t>(tile.vectors, llvm::divideCeil(columns, tile.lanes));
  tile.inner = llvm::alignTo(k.knob("tile_inner"), tile.lanes);
  int64_t wanted = k.knob("tile_rows");
  tile.rows = llvm::alignTo(rows ? std::min(wanted, rows) : wanted, tile.registerRows);
  tile.columns = llvm::alignTo(std::min(k.knob("tile_columns"), columns), tile.panel());
  return tile;
}

void mom::emitMicrokernel(KernelBuilder &k, const ProductTile &tile, int64_t rows,
                          const PackedPanel &p) {
  Type f32 = k.b.getF32Type();
  int64_t lanes = tile.lanes;
  View c{p.c, p.cRow, tile.panel(), f32, {}, {}}, b{p.b, tile.panel(), tile.panel(), f32, {}, {}};
  auto sumAt = [&](int64_t row, int64_t v) {
    return At{k.index(row), k.index(v * lanes), lanes, Value()};
  };

  SmallVector<Value> sums;
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t v = 0; v < tile.vectors; ++v)
      sums.push_back(p.accumulate ? k.load(c, sumAt(row, v)) : k.zeros(lanes));
  sums = k.loop(k.index(0), p.inner, 1, sums, [&](Value inner, ValueRange carried) {
    SmallVector<Value> panel, next;
    for (int64_t v = 0; v < tile.vectors; ++v)
      panel.push_back(k.load(b, At{inner, k.index(v * lanes), lanes, Value()}));
    for (int64_t row = 0; row < rows; ++row) {
      Value offset = k.add(k.mul(inner, p.aInner), k.index(row * p.aRow));
      Value a = k.splat(k.loadScalar(p.a, f32, offset), lanes);
      for (int64_t v = 0; v < tile.vectors; ++v)
        next.push_back(k.fma(a, panel[v], carried[row * tile.vectors + v]));
    }
    return next;
  });
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t v = 0; v < tile.vectors; ++v)
      k.store(sums[row * tile.vectors + v], c, sumAt(row, v));
}

SmallVector<Value> mom::transpose(KernelBuilder &k, ArrayRef<Value> rows) {
  // Exchanges the off-diagonal blocks of every 2 x 2 arrangement of blocks, from
  // single elements up to halves.
  SmallVector<Value> v(rows);
  int64_t lanes = rows.size();
  for (int64_t size = 1; size < lanes; size *= 2) {
    for (int64_t i = 0; i < lanes; ++i) {
      if (i & size)
        continue;
      SmallVector<int64_t> low, high;
      for (int64_t lane = 0; lane < lanes; ++lane) {
        bool upper = lane & size;
        low.push_back(upper ? lanes + (lane ^ size) : lane);
        high.push_back(upper ? lanes + lane : (lane ^ size));
      }
      Value x = v[i], y = v[i | size];
      v[i] = vector::ShuffleOp::create(k.b, k.loc, x, y, low);
      v[i | size] = vector::ShuffleOp::create(k.b, k.loc, x, y, high);
    }
  }
  return v;
}
