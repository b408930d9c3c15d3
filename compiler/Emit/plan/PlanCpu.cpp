// CPU form of mom.plan: one block chooses, counts and places all copies, in their order.
#include "compiler/Emit/plan/PlanCpu.h"

#include "compiler/Emit/plan/Choose.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mom;

enum Output { Offsets, Row, Copy, FirstChoice };

static At element(Value index) { return At{Value(), index, 1, Value()}; }

/// choices[j][token], and counts[g]: how many copies are sent to g.
static void countCopies(KernelBuilder &k, PlanOp op, View counts) {
  int64_t groups = channelsOf(op.getScores());
  for (int64_t group = 0; group < groups; ++group)
    k.store(k.index(0), counts, element(k.index(group)));
  k.loop(k.index(0), k.count(RowSpace::token), 1, [&](Value token) {
    for (auto [j, choice] : llvm::enumerate(emitChoices(k, op, token))) {
      k.store(choice, k.output(FirstChoice + j), element(token));
      Value group = arith::ExtSIOp::create(k.b, k.loc, k.b.getI64Type(), choice);
      k.store(k.add(k.load(counts, element(group)), 1), counts, element(group));
    }
  });
}

/// Offsets, from counts, which become the rows of each group's next copies.
static void sumCounts(KernelBuilder &k, int64_t groups, View counts) {
  Value offset = k.index(0);
  for (int64_t group = 0; group < groups; ++group) {
    Value count = k.load(counts, element(k.index(group)));
    k.store(offset, k.output(Offsets), element(k.index(group)));
    k.store(offset, counts, element(k.index(group)));
    offset = k.add(offset, count);
  }
  k.store(offset, k.output(Offsets), element(k.index(groups)));
}

static void placeCopies(KernelBuilder &k, PlanOp op, View next) {
  OpBuilder &b = k.b;
  int64_t copies = op.getChoices().size();
  auto toI32 = [&](Value x) -> Value {
    return arith::TruncIOp::create(b, k.loc, b.getI32Type(), x);
  };
  k.loop(k.index(0), k.count(RowSpace::token), 1, [&](Value token) {
    for (int64_t j = 0; j < copies; ++j) {
      Value copy = k.add(k.mul(token, copies), j);
      Value choice = k.load(k.output(FirstChoice + j), element(token));
      Value group = arith::ExtSIOp::create(b, k.loc, b.getI64Type(), choice);
      Value row = k.load(next, element(group));
      k.store(k.add(row, 1), next, element(group));
      k.store(toI32(row), k.output(Row), element(copy));
      k.store(toI32(copy), k.output(Copy), element(row));
    }
  });
}

LogicalResult mom::emitPlanCpu(KernelOp kernel, KernelBuilder &k) {
  k.begin();
  FailureOr<PlanOp> op = plannedKernel(k);
  if (failed(op))
    return failure();
  int64_t groups = channelsOf(op->getScores());
  View counts{k.scratch(groups * 8), groups, groups, k.b.getI64Type(), {}, {}};
  countCopies(k, *op, counts);
  sumCounts(k, groups, counts);
  placeCopies(k, *op, counts);
  k.finish(k.fixedGrid(1));
  return success();
}
