// The later phases of the scan's gradient on a GPU: sums over blocks and segments, in
// order.
#include "compiler/Emit/scan/ScanGradGpu.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mom;

static constexpr int64_t kUnroll = 8; // loads under way

/// The second phase: blocks' sums to dB and dC, pieces' sums to dA and to sums over rows.
void ScanGradGpu::sumParts() {
  SmallVector<unsigned> outputs(dA);
  for (const Kind &kind : kinds)
    llvm::append_range(outputs, kind.outputs);
  for (const RowSum &sum : rowSums)
    outputs.push_back(sum.output);
  if (outputs.empty())
    return;
  k.begin(outputs, "sum");
  int64_t before = 0; // blocks
  auto overPieces = [&](unsigned parts, int64_t elements, Value sum, ArrayRef<unsigned> of) {
    int64_t blocks = llvm::divideCeil(elements, shape.threads);
    Value block = k.sub(k.block(), k.index(before));
    Value inside = arith::AndIOp::create(k.b, k.loc, k.less(k.index(-1), block),
                                         k.less(block, k.index(blocks)));
    k.ifThen(inside, [&] { sumPieces(k.workspaceView(parts), block, elements, sum, of); });
    before += blocks;
  };
  if (!dA.empty())
    overPieces(partsOfA, shape.channels * shape.states, op.getDA(), dA);
  for (auto [sum, parts] : llvm::zip_equal(rowSums, partsOfRows))
    overPieces(parts, shape.channels, withoutStorage(k.yielded(sum.output)), sum.output);
  int64_t tile = k.knob("sum_rows");
  if (!kinds.empty())
    k.ifThen(k.less(k.index(before - 1), k.block()),
             [&] { sumBlocks(k.mul(k.sub(k.block(), k.index(before)), tile), tile); });
  k.finish(kinds.empty() ? k.fixedGrid(before) : k.rowGrid(RowSpace::token, tile, before, 1));
}

/// This thread's element of parts [pieces, elements] of the body value `whole`, from which
/// results are computed.
void ScanGradGpu::sumPieces(const View &parts, Value block, int64_t elements, Value whole,
                            ArrayRef<unsigned> outputs) {
  Value element = k.add(k.mul(block, shape.threads), k.thread());
  k.ifThen(k.less(element, k.index(elements)), [&] {
    Type f64 = k.b.getF64Type();
    Value zero = arith::ConstantOp::create(k.b, k.loc, k.b.getF64FloatAttr(0));
    auto load = [&](Value row) { return k.load(parts, At{row, element, 1, Value()}); };
    auto add = [&](Value sum, Value part) -> Value {
      part = arith::ExtFOp::create(k.b, k.loc, f64, part);
      return arith::AddFOp::create(k.b, k.loc, sum, part);
    };
    auto sum = k.loop(k.index(0), k.segmentCount(), 1, zero, [&](Value s, ValueRange so) {
      if (!pieces->tokens)
        return Values{add(so[0], load(s))};
      Segment segment = k.segment(operands.batch, s);
      Value count = k.select(pieces->isCut(), pieces->countOf(segment), k.index(1)),
            first = pieces->firstRow(segment, s), last = k.sub(count, k.index(1));
      return k.loop(k.index(0), count, kUnroll, so, [&](Value i, ValueRange so) {
        Values loaded;
        for (int64_t j = 0; j < kUnroll; ++j)
          loaded.push_back(load(k.add(first, k.min(k.add(i, j), last))));
        Value total = so[0];
        for (int64_t j = 0; j < kUnroll; ++j)
          total = k.select(k.less(k.add(i, j), count), add(total, loaded[j]), total);
        return Values{total};
      });
    });
    Value total = arith::TruncFOp::create(k.b, k.loc, k.b.getF32Type(), sum[0]);
    At at{Value(), element, 1, Value()};
    PointwiseEmitter after(k, at);
    after.bind(whole, total);
    for (unsigned output : outputs)
      k.store(after.value(k.yielded(output)), k.output(output), at);
  });
}

/// dB and dC of the positions [first, first + tile).
void ScanGradGpu::sumBlocks(Value first, int64_t tile) {
  int64_t all = kinds.size() * shape.states, width = shape.vectorOfStates();
  View parts = k.workspaceView(partsOfKinds);
  Value count = k.min(k.index(tile), k.sub(k.count(RowSpace::token), first));
  k.loop(k.thread(), k.mul(count, all / width), shape.threads, [&](Value vector) {
    Value position = k.add(first, k.div(vector, all / width));
    Value column = k.mul(k.rem(vector, all / width), width);
    auto load = [&](Value block) {
      return k.load(parts, At{position, k.add(k.mul(block, all), column), width, Value()});
    };
    auto add = [&](Value sum, Value block, int64_t size) {
      Values loaded;
      for (int64_t i = 0; i < size; ++i)
        loaded.push_back(load(k.add(block, i)));
      for (Value part : loaded)
        sum = arith::AddFOp::create(k.b, k.loc, sum, part);
      return sum;
    };
    int64_t blocks = shape.blocks(), whole = blocks / kUnroll * kUnroll;
    Values sum =
        k.loop(k.index(0), k.index(whole), kUnroll, k.zeros(width),
               [&](Value block, ValueRange so) { return Values{add(so[0], block, kUnroll)}; });
    Value total = add(sum[0], k.index(whole), blocks - whole);
    Value which = k.div(column, shape.states);
    Value row = k.rowAt(operands.batch, rowsOf(op.getU()), position);
    for (auto [i, kind] : llvm::enumerate(kinds))
      k.ifThen(k.equal(which, k.index(i)), [&, outputs = ArrayRef<unsigned>(kind.outputs)] {
        for (unsigned output : outputs)
          k.store(total, k.output(output), At{row, k.rem(column, shape.states), width, Value()});
      });
  });
}

/// Segments may share an initial state, so its gradient is added.
void ScanGradGpu::sumInitial() {
  if (dinit.empty())
    return;
  k.begin(dinit, "initial");
  int64_t elements = shape.channels * shape.states,
          blocks = llvm::divideCeil(elements, shape.threads);
  Value row = k.div(k.block(), blocks);
  Value element = k.add(k.mul(k.rem(k.block(), blocks), shape.threads), k.thread());
  View parts = k.workspaceView(partsOfInit);
  Value exists = arith::AndIOp::create(k.b, k.loc, k.less(row, k.count(RowSpace::stream)),
                                       k.less(element, k.index(elements)));
  k.ifThen(exists, [&] {
    auto sum = k.loop(k.index(0), k.segmentCount(), 1, k.f32(0), [&](Value s, ValueRange so) {
      Value part = k.load(parts, At{s, element, 1, Value()});
      Value more = arith::AddFOp::create(k.b, k.loc, so[0], part);
      return Values{k.select(k.equal(k.segment(operands.batch, s).initial, row), more, so[0])};
    });
    for (unsigned output : dinit)
      k.store(sum[0], k.output(output), At{row, element, 1, Value()});
  });
  k.finish(k.rowGrid(RowSpace::stream, 1, 0, blocks));
}
