// A product's tile by f32 instructions.
//
// A step of `inner` k is in shared memory as A[k][m] and B[k][n], two steps in turn.
// While a step is multiplied the next one is on its way into registers. A thread
// has runs of four rows and four columns of sums: 16 threads side by side, the others
// below, and the runs repeat until the tile is covered.
#include "compiler/Emit/Gpu.h"
#include "compiler/Emit/product/TileGpu.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mom;

namespace {
/// One operand's way into shared memory: [inner][outer + 4].
class FmaOperand {
public:
  FmaOperand(KernelBuilder &k, const TileShape &shape, const TileOperand &operand, Value shared)
      : k(k), operand(operand), inner(shape.inner), threads(shape.threads),
        lanes(operandLanes(operand, 4)), shared(shared) {}

  int64_t stride() const { return operand.outer + 4; }
  int64_t vectors() const { return operand.outer * inner / (lanes * threads); } ///< of a thread

  /// This thread's vectors of step `step`.
  SmallVector<Value> load(Value step) const;
  void store(ValueRange vectors, Value stage) const;
  Value read(Value stage, Value k, Value outer) const; ///< four side by side

private:
  /// Line and channel, in the tile, of a thread's vector.
  std::pair<Value, Value> place(int64_t vector) const {
    int64_t across = (operand.innerLast ? inner : operand.outer) / lanes;
    Value index = k.add(k.thread(), vector * threads);
    return {k.div(index, across), k.mul(k.rem(index, across), lanes)};
  }
  Value address(Value stage, Value inside) const {
    Value word = k.add(k.mul(stage, inner * stride()), inside);
    return k.address(shared, k.b.getF32Type(), word);
  }

  KernelBuilder &k;
  const TileOperand &operand;
  int64_t inner, threads, lanes;
  Value shared;
};
} // namespace

SmallVector<Value> FmaOperand::load(Value step) const {
  SmallVector<Value> loaded;
  Value first = k.mul(step, inner);
  for (int64_t v = 0; v < vectors(); ++v) {
    auto [line, channel] = place(v);
    line = k.add(k.add(operand.firstLine, line), operand.innerLast ? k.index(0) : first);
    channel = k.add(channel, operand.innerLast ? first : operand.firstChannel);
    loaded.push_back(loadOperand(k, operand, line, channel, lanes));
  }
  return loaded;
}

void FmaOperand::store(ValueRange vectors, Value stage) const {
  for (auto [v, value] : llvm::enumerate(vectors)) {
    auto [line, channel] = place(v);
    if (!operand.innerLast) {
      Value to = address(stage, k.add(k.mul(line, stride()), channel));
      LLVM::StoreOp::create(k.b, k.loc, value, to, lanes * 4);
      continue;
    }
    for (int64_t lane = 0; lane < lanes; ++lane) { // turned
      Value one = lanes == 1 ? value : vector::ExtractOp::create(k.b, k.loc, value, lane);
      Value to = address(stage, k.add(k.mul(k.add(channel, lane), stride()), line));
      LLVM::StoreOp::create(k.b, k.loc, one, to, 4);
    }
  }
}

Value FmaOperand::read(Value stage, Value row, Value outer) const {
  Value from = address(stage, k.add(k.mul(row, stride()), outer));
  return LLVM::LoadOp::create(k.b, k.loc, k.lanesOf(k.b.getF32Type(), 4), from, 16);
}

void mom::emitFmaTile(KernelBuilder &k, const TileShape &shape, const TileTask &task, Value shared,
                      const SumTile &sums) {
  Gpu gpu(k);
  Type f32 = k.b.getF32Type();
  int64_t bOffset = 2 * shape.inner * (shape.rows + 4);
  FmaOperand a(k, shape, task.a, shared),
      b(k, shape, task.b, k.address(shared, f32, k.index(bOffset)));
  int64_t down = shape.threads / 16 * 4; // rows of one run of all threads
  int64_t rowRuns = shape.rows / down, columnRuns = shape.columns / 64;
  Value row = k.mul(k.div(k.thread(), 16), 4), column = k.mul(k.rem(k.thread(), 16), 4);

  auto multiply = [&](Value stage, Value inner, ValueRange carried) {
    SmallVector<Value> next(carried), columns;
    for (int64_t c = 0; c < columnRuns; ++c)
      columns.push_back(b.read(stage, inner, k.add(column, c * 64)));
    for (int64_t r = 0; r < rowRuns; ++r) {
      Value rows = a.read(stage, inner, k.add(row, r * down));
      for (int64_t i = 0; i < 4; ++i) {
        Value x = k.splat(vector::ExtractOp::create(k.b, k.loc, rows, i), 4);
        for (int64_t c = 0; c < columnRuns; ++c) {
          Value &sum = next[(r * 4 + i) * columnRuns + c];
          sum = k.fma(x, columns[c], sum);
        }
      }
    }
    return next;
  };

  int64_t unroll = std::gcd<int64_t>(shape.inner, 8);
  // Sums, then the vectors of the next step.
  int64_t sumCount = rowRuns * 4 * columnRuns;
  SmallVector<Value> carried(sumCount, k.zeros(4));
  llvm::append_range(carried, a.load(k.index(0)));
  llvm::append_range(carried, b.load(k.index(0)));
  Value steps = k.ceilDiv(task.inner, shape.inner);
  carried = k.loop(k.index(0), steps, 1, carried, [&](Value step, ValueRange values) {
    Value stage = k.rem(step, 2);
    ValueRange vectors = values.drop_front(sumCount);
    a.store(vectors.take_front(a.vectors()), stage);
    b.store(vectors.drop_front(a.vectors()), stage);
    gpu.barrier(); // the stage is written; the other one is no longer read
    SmallVector<Value> loaded = a.load(k.add(step, 1));
    llvm::append_range(loaded, b.load(k.add(step, 1)));
    SmallVector<Value> next =
        k.loop(k.index(0), k.index(shape.inner), unroll, values.take_front(sumCount),
               [&](Value inner, ValueRange sums) {
                 SmallVector<Value> result(sums);
                 for (int64_t i = 0; i < unroll; ++i)
                   result = multiply(stage, k.add(inner, i), result);
                 return result;
               });
    llvm::append_range(next, loaded);
    return next;
  });

  gpu.barrier(); // the sums take the stages' place
  for (int64_t c = 0; c < columnRuns; ++c)
    for (int64_t i = 0; i < rowRuns * 4; ++i)
      sums.store(carried[i * columnRuns + c], sums.address(row, column), i / 4 * down + i % 4,
                 c * 64);
  gpu.barrier();
}
