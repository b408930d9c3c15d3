// A product's tile by wgmma: a warpgroup has 64 rows or several times 64, all columns,
// and reads both operands from shared memory.
//
// One batch of products is always under way: while it is, the step after it is waited
// for, and the stage of the batch before, which is over, is filled again. So there
// is one barrier a step and the tensor cores need not stop at it.
#include "compiler/Emit/product/WgmmaGpu.h"

#include "compiler/Emit/product/StageGpu.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mom;

/// Bytes from a panel of 64 elements of `outer` to the next where k runs along the lines; the
/// one panel's else.
static int64_t panelBytes(const WgmmaOperand &operand) {
  return (operand.innerLast ? operand.outer : TensorCore::kPanel) * TensorCore::kLineBytes;
}

WgmmaStep::WgmmaStep(KernelBuilder &k, Type element, const WgmmaOperand &a, const WgmmaOperand &b,
                     Value firstRow, int64_t blocks, Value ones)
    : core(k, element), a(a), b(b), blocks(blocks) {
  // 64 rows are 64 lines of a panel, or a panel.
  Value firstBytes = a.innerLast ? k.mul(firstRow, TensorCore::kLineBytes)
                                 : k.mul(k.div(firstRow, 64), panelBytes(a));
  blockBytes = a.innerLast ? 64 * TensorCore::kLineBytes : panelBytes(a);
  left = core.advance(core.descriptor(a.shared, panelBytes(a)), firstBytes);
  right = core.descriptor(b.shared, panelBytes(b));
  if (ones)
    this->ones = core.descriptor(ones, kOnesBytes);
}

MutableArrayRef<Value> WgmmaStep::partOf(MutableArrayRef<Value> sums, int64_t block) const {
  int64_t count = sums.size() / blocks - (ones ? kColumns / 2 : 0);
  return sums.slice(block * count, count);
}

MutableArrayRef<Value> WgmmaStep::alongPartOf(MutableArrayRef<Value> sums, int64_t block) const {
  return sums.take_back((blocks - block) * kColumns / 2).take_front(kColumns / 2);
}

void WgmmaStep::multiply(MutableArrayRef<Value> sums, ArrayRef<Value> offsets, Value adds) {
  // 16 k are 32 bytes of a line, or 16 lines.
  auto innerBytes = [](bool innerLast, int64_t inner) {
    return inner * (innerLast ? 2 : TensorCore::kLineBytes);
  };
  if (adds)
    core.beginGroup();
  else // sums of a first step are zeros, which are made before
    for (int64_t block = 0; block < blocks; ++block)
      core.beginGroup(partOf(sums, block));
  for (Value offset : offsets) {
    Value x = core.advance(left, offset), y = core.advance(right, offset);
    for (int64_t inner = 0; inner < TensorCore::kPanel; inner += TensorCore::kInner) {
      for (int64_t block = 0; block < blocks; ++block) {
        Value rows = core.advance(x, innerBytes(a.innerLast, inner) + block * blockBytes);
        MutableArrayRef<Value> part = partOf(sums, block);
        core.multiplyGroup(part, rows, core.advance(y, innerBytes(b.innerLast, inner)),
                           2 * part.size(), a.innerLast, b.innerLast, adds);
        if (ones)
          core.multiplyGroup(alongPartOf(sums, block), rows, ones, kColumns, a.innerLast,
                             /*bInnerLast=*/true, adds);
      }
      adds = {};
    }
  }
  core.commitGroup();
}

void WgmmaStep::finish(MutableArrayRef<Value> sums) {
  for (int64_t block = 0; block < blocks; ++block) {
    core.finishGroups(partOf(sums, block));
    if (ones)
      core.finishGroups(alongPartOf(sums, block));
  }
}

void mom::emitWgmmaTile(KernelBuilder &k, const TileShape &shape, const TileTask &task,
                        Value shared, const SumTile &sums) {
  constexpr int64_t kGroup = 128; // threads of a warpgroup
  Gpu gpu(k);
  Type element = productType(k.kernel);
  TensorCore core(k, element);
  TileStages stages(k, shape, task, element, shared);
  int64_t rows = shape.rows / (shape.threads / kGroup), blocks = rows / 64;
  int64_t sumCount = shape.columns / 2;
  // The same in all lanes of a warp, and known to be: descriptors are uniform then.
  Value warp = gpu.toI64(gpu.shuffle(gpu.toI32(gpu.warp()), k.index(0)));
  Value firstRow = k.mul(k.div(warp, 4), rows);
  auto operand = [&](const StagedOperand &staged) {
    return WgmmaOperand{staged.address(k.index(0)), staged.operand.innerLast,
                        staged.operand.outer};
  };
  WgmmaStep product(k, element, operand(stages.a), operand(stages.b), firstRow, blocks);
  // All threads' copies have landed, but for those of the last `pending` steps.
  auto meet = [&](int64_t pending) {
    gpu.waitCopies(pending);
    core.publish();
    gpu.barrier();
  };

  auto see = [&] {
    core.publish();
    gpu.barrier();
  };

  SmallVector<Value> carried(blocks * sumCount, k.f32(0));
  carried.push_back(k.index(0)); // the stage's bytes
  stages.start();
  meet(shape.stages - 2);
  stages.make(k.index(0), k.index(0), see);
  carried = k.loop(k.index(0), stages.steps, 1, carried, [&](Value step, ValueRange values) {
    SmallVector<Value> next(values.drop_back());
    Value stage = values.back();
    product.multiply(next, stage);
    core.waitGroup(1);
    meet(shape.stages - 3); // the next step is there; the one before is no longer read
    stages.load(k.add(step, shape.stages - 1), stages.before(stage));
    stages.make(k.add(step, 1), stages.after(stage), see);
    next.push_back(stages.after(stage));
    return next;
  });
  SmallVector<Value> results(ValueRange(carried).drop_back());
  product.finish(results);

  gpu.waitCopies(0);
  gpu.barrier(); // the sums take the stages' place
  Value lane = gpu.lane();
  Value row = k.add(firstRow, k.add(k.mul(k.rem(warp, 4), 16), k.div(lane, 4)));
  Value to = sums.address(row, k.mul(k.rem(lane, 4), 2));
  for (int64_t block = 0; block < blocks; ++block)
    storeFragments(k, sums,
                   k.address(to, k.b.getI8Type(), k.index(block * 64 * (shape.columns + 8) * 4)),
                   ValueRange(results).slice(block * sumCount, sumCount), 16, shape.columns);
  gpu.barrier();
}
