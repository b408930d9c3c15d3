// A product's tile by mma.sync: each warp has a part of the tile, as square as it can
// be, since a warp reads its rows of A and its columns of B for itself.
#include "compiler/Emit/product/StageGpu.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mom;

namespace {
/// An operand's fragments: 16 of its rows (A) or columns (B) by 16 k each.
class Fragments {
public:
  /// `first`: the warp's first row or column in the tile.
  Fragments(KernelBuilder &k, TensorCore &core, const StagedOperand &staged, bool isA, Value first);

  SmallVector<Value> load(Value offset, int64_t inner, int64_t outer) const;

private:
  KernelBuilder &k;
  TensorCore &core;
  const StagedOperand &staged;
  Value innerBit, outerBit; ///< 0 or 1: in which half of the fragment the lane's line is
  Value line;               ///< of the lane, of eight
  Value first;
};
} // namespace

// mma's four matrices of 16 rows of A are numbered along m first, those of two
// fragments of B along k first.
Fragments::Fragments(KernelBuilder &k, TensorCore &core, const StagedOperand &staged, bool isA,
                     Value first)
    : k(k), core(core), staged(staged), first(first) {
  Value lane = Gpu(k).lane();
  line = k.rem(lane, 8);
  Value low = k.rem(k.div(lane, 8), 2), high = k.div(lane, 16);
  innerBit = isA ? high : low;
  outerBit = isA ? low : high;
}

SmallVector<Value> Fragments::load(Value offset, int64_t inner, int64_t outer) const {
  Value place, chunk;
  if (staged.operand.innerLast) { // lines are m or n, chunks are k
    Value down = k.add(k.add(k.mul(outerBit, 8), line), k.add(first, outer));
    chunk = k.add(innerBit, inner / 8);
    place = k.mul(down, TensorCore::kLineBytes);
  } else {
    Value down = k.add(k.add(k.mul(innerBit, 8), line), inner);
    Value column = k.add(k.div(k.add(first, outer), 8), outerBit);
    chunk = k.rem(column, 8);
    place =
        k.add(k.mul(down, TensorCore::kLineBytes), k.mul(k.div(column, 8), staged.panelBytes()));
  }
  Value permuted = arith::XOrIOp::create(k.b, k.loc, chunk, line);
  Value at = k.add(place, k.mul(permuted, 16));
  return core.loadMatrices(staged.address(k.add(offset, at)), !staged.operand.innerLast);
}

/// Warps below each other, so that their parts of the tile are as square as can be;
/// 0 where the tile cannot be dealt.
static int64_t warpsDown(const TileShape &shape) {
  int64_t warps = shape.threads / Gpu::kWarp, best = 0, least = INT64_MAX;
  for (int64_t down = 1; down <= warps; down *= 2) {
    int64_t across = warps / down;
    if (warps % down || shape.rows % (16 * down) || shape.columns % (16 * across))
      continue;
    int64_t sides = shape.rows / down + shape.columns / across;
    if (sides < least) {
      least = sides;
      best = down;
    }
  }
  return best;
}

bool mom::canDealToWarps(const TileShape &shape) { return warpsDown(shape) != 0; }

void mom::emitMmaTile(KernelBuilder &k, const TileShape &shape, const TileTask &task, Value shared,
                      const SumTile &sums) {
  Gpu gpu(k);
  Type element = productType(k.kernel);
  TensorCore core(k, element);
  TileStages stages(k, shape, task, element, shared);
  int64_t down = warpsDown(shape), across = shape.threads / Gpu::kWarp / down;
  int64_t rows = shape.rows / down, columns = shape.columns / across; // of a warp
  Value firstRow = k.mul(k.rem(gpu.warp(), down), rows);
  Value firstColumn = k.mul(k.div(gpu.warp(), down), columns);
  Fragments a(k, core, stages.a, /*isA=*/true, firstRow);
  Fragments b(k, core, stages.b, /*isA=*/false, firstColumn);

  int64_t sumCount = rows / 16 * columns / 8 * 4;
  SmallVector<Value> carried(sumCount, k.f32(0));
  carried.push_back(k.index(0)); // the stage's bytes
  stages.start();
  carried = k.loop(k.index(0), stages.steps, 1, carried, [&](Value step, ValueRange values) {
    SmallVector<Value> next(values.drop_back());
    Value stage = values.back();
    gpu.waitCopies(shape.stages - 2);
    gpu.barrier(); // the step is there; the one before is no longer read
    stages.load(k.add(step, shape.stages - 1), stages.before(stage));
    stages.make(step, stage, [&] { gpu.barrier(); });
    for (int64_t inner = 0; inner < shape.inner; inner += TensorCore::kInner) {
      SmallVector<SmallVector<Value>> left;
      for (int64_t row = 0; row < rows; row += 16)
        left.push_back(a.load(stage, inner, row));
      for (int64_t column = 0; column < columns; column += 16) {
        SmallVector<Value> right = b.load(stage, inner, column);
        for (int64_t i = 0; i < rows / 16; ++i)
          for (int64_t half = 0; half < 2; ++half) {
            int64_t first = (i * columns / 8 + column / 8 + half) * 4;
            core.multiply(MutableArrayRef(next).slice(first, 4), left[i],
                          ValueRange(right).slice(2 * half, 2));
          }
      }
    }
    next.push_back(stages.after(stage));
    return next;
  });

  gpu.waitCopies(0);
  gpu.barrier(); // the sums take the stages' place
  Value lane = gpu.lane();
  Value to =
      sums.address(k.add(firstRow, k.div(lane, 4)), k.add(firstColumn, k.mul(k.rem(lane, 4), 2)));
  storeFragments(k, sums, to, ValueRange(carried).drop_back(), rows, columns);
  gpu.barrier();
}
