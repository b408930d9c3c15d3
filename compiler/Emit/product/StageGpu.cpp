// The way of a product's operand from memory to tensor cores.
#include "compiler/Emit/product/StageGpu.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mom;

static constexpr int64_t kChunk = 8;                            // elements of 16 bytes
static constexpr int64_t kChunks = TensorCore::kPanel / kChunk; // of a line

StagedOperand::StagedOperand(KernelBuilder &k, const TileShape &shape, const TileOperand &operand,
                             Type element, Value shared)
    : operand(operand), k(k), element(element), shared(shared) {
  const View &view = operand.view;
  copies = view.element == element && view.alignment % 16 == 0 && operand.channels % kChunk == 0 &&
           view.stride % kChunk == 0;
  linesOfPass = shape.threads / kChunks;
  passes = llvm::divideCeil(lines(), linesOfPass);
  line = k.div(k.thread(), kChunks);
  chunk = k.rem(k.thread(), kChunks);
  // Passes are multiples of eight lines apart, so the permutation is the same in all.
  Value permuted = arith::XOrIOp::create(k.b, k.loc, chunk, k.rem(line, 8));
  place = k.add(k.mul(line, TensorCore::kLineBytes), k.mul(permuted, 16));
}

Value StagedOperand::address(Value offset) const {
  return k.address(shared, k.b.getI8Type(), offset);
}

Value StagedOperand::target(Value offset, int64_t panel, int64_t pass) const {
  int64_t inside = panel * panelBytes() + pass * linesOfPass * TensorCore::kLineBytes;
  return address(k.add(k.add(offset, place), inside));
}

void StagedOperand::load(Value step, Value offset) const {
  auto fill = [&] { copies ? copy(step, offset) : convert(step, offset); };
  // The last pass may have fewer lines than threads.
  if (lines() < linesOfPass)
    k.ifThen(k.less(line, k.index(lines())), fill);
  else
    fill();
}

void StagedOperand::copy(Value step, Value offset) const {
  Gpu gpu(k);
  const View &view = operand.view;
  bool innerLast = operand.innerLast;
  Value firstInner = k.mul(step, TensorCore::kPanel);
  // From where this thread reads in its first pass.
  Value row = k.add(operand.firstLine, line), column = k.mul(chunk, kChunk);
  if (operand.firstChannel)
    column = k.add(column, operand.firstChannel);
  Value from = k.address(view, At{row, column, 1, Value()});
  Value along = innerLast ? firstInner : k.mul(firstInner, view.stride);
  from = k.address(from, element, along);

  // What lies outside is zeros; where nothing can, nobody asks.
  Value linesLeft = k.sub(operand.endLine, row);
  if (!innerLast)
    linesLeft = k.sub(linesLeft, firstInner);
  bool linesInside = operand.lines && operand.lines % lines() == 0;
  Value channelsLeft =
      k.sub(k.index(operand.channels), innerLast ? k.add(column, firstInner) : column);
  bool channelsInside =
      operand.channels % (innerLast ? TensorCore::kPanel : panels() * TensorCore::kPanel) == 0;
  for (int64_t panel = 0; panel < panels(); ++panel) {
    Value inChannels;
    if (!channelsInside)
      inChannels = k.less(k.index(panel * TensorCore::kPanel), channelsLeft);
    for (int64_t pass = 0; pass < passes; ++pass) {
      Value present = inChannels;
      if (!linesInside) {
        present = k.less(k.index(pass * linesOfPass), linesLeft);
        if (inChannels)
          present = arith::AndIOp::create(k.b, k.loc, present, inChannels);
      }
      int64_t elements = panel * TensorCore::kPanel + pass * linesOfPass * view.stride;
      gpu.copyAsync(target(offset, panel, pass), k.address(from, element, k.index(elements)),
                    present);
    }
  }
}

void StagedOperand::convert(Value step, Value offset) const {
  int64_t lanes = operandLanes(operand, kChunk);
  Value firstInner = k.mul(step, TensorCore::kPanel);
  Type i8 = k.b.getI8Type();
  for (int64_t panel = 0; panel < panels(); ++panel)
    k.loop(k.index(0), k.index(passes), 1, [&](Value pass) {
      Value down = k.add(line, k.mul(pass, linesOfPass));
      Value row =
          k.add(k.add(operand.firstLine, down), operand.innerLast ? k.index(0) : firstInner);
      Value column =
          k.add(k.mul(chunk, kChunk), operand.innerLast ? firstInner : operand.firstChannel);
      Value to = k.address(target(offset, panel, 0), i8,
                           k.mul(pass, linesOfPass * TensorCore::kLineBytes));
      Value whole =
          arith::ConstantOp::create(k.b, k.loc, k.b.getZeroAttr(k.lanesOf(element, kChunk)));
      for (int64_t i = 0; i < kChunk; i += lanes) {
        Value at = k.add(column, panel * TensorCore::kPanel + i);
        Value part = loadOperand(k, operand, row, at, lanes);
        part = arith::TruncFOp::create(k.b, k.loc, k.lanesOf(element, lanes), part);
        whole = lanes == 1 ? vector::InsertOp::create(k.b, k.loc, part, whole, i).getResult()
                           : vector::InsertStridedSliceOp::create(k.b, k.loc, part, whole,
                                                                  ArrayRef<int64_t>{i},
                                                                  ArrayRef<int64_t>{1})
                                 .getResult();
      }
      LLVM::StoreOp::create(k.b, k.loc, whole, to, 16);
    });
}

//===----------------------------------------------------------------------===//
// Stages
//===----------------------------------------------------------------------===//

TileStages::TileStages(KernelBuilder &k, const TileShape &shape, const TileTask &task, Type element,
                       Value shared)
    : k(k), stages(shape.stages),
      stride(stageBytes(task.a) + stageBytes(task.b) + ConvolvedRows::bytes(task.a)),
      a(k, shape, task.a, element, shared),
      b(k, shape, task.b, element, k.address(shared, k.b.getI8Type(), k.index(stageBytes(task.a)))),
      // There is a step, and the compiler shall know: sums that a path without one defines
      // would make ptxas wait for each wgmma.
      steps(k.max(k.ceilDiv(task.inner, TensorCore::kPanel), k.index(1))) {
  if (task.a.conv)
    made.emplace(k, shape, task.a, element);
}

Value TileStages::inputs(Value offset) {
  return a.address(k.add(offset, stageBytes(a.operand) + stageBytes(b.operand)));
}

void TileStages::load(Value step, Value offset) {
  k.ifThen(k.less(step, steps), [&] {
    if (made)
      made->load(step, inputs(offset));
    else
      a.load(step, offset);
    b.load(step, offset);
  });
  Gpu(k).commitCopies();
}

void TileStages::make(Value step, Value offset, function_ref<void()> meet) {
  if (!made)
    return;
  k.ifThen(k.less(step, steps), [&] { made->make(step, inputs(offset), a.address(offset)); });
  meet();
}

void TileStages::start() {
  if (made)
    made->prepare();
  for (int64_t stage = 0; stage < stages - 1; ++stage)
    load(k.index(stage), k.index(stage * stride));
}

Value TileStages::after(Value offset) {
  Value next = k.add(offset, stride);
  return k.select(k.equal(next, k.index(stages * stride)), k.index(0), next);
}

Value TileStages::before(Value offset) {
  Value wrapped = k.select(k.equal(offset, k.index(0)), k.index(stages * stride), offset);
  return k.sub(wrapped, k.index(stride));
}

void mom::storeFragments(KernelBuilder &k, const SumTile &sums, Value to, ValueRange values,
                         int64_t rows, int64_t columns) {
  auto pairType = VectorType::get({2}, k.b.getF32Type());
  for (int64_t row = 0; row < rows / 16; ++row)
    for (int64_t column = 0; column < columns / 8; ++column)
      for (int64_t half = 0; half < 2; ++half) {
        int64_t first = (row * columns / 8 + column) * 4 + 2 * half;
        Value pair = vector::FromElementsOp::create(k.b, k.loc, pairType, values.slice(first, 2));
        sums.store(pair, to, row * 16 + half * 8, column * 8);
      }
}
