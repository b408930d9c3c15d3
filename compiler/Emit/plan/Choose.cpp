// The choice of a token's groups: some tens of scores, in registers.
#include "compiler/Emit/plan/Choose.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <limits>

using namespace mlir;
using namespace mom;

FailureOr<PlanOp> mom::plannedKernel(KernelBuilder &k) {
  auto plans = llvm::to_vector(k.kernel.getBody().getOps<PlanOp>());
  auto yield = cast<YieldOp>(k.kernel.getBody().front().getTerminator());
  if (plans.size() != 1 || yield.getValues() != plans.front().getResults())
    return k.error() << "expected one mom.plan, whose results are the kernel's";
  if (!k.inMemory(plans.front().getScores()))
    return k.error() << "expected the scores of a plan among the kernel's inputs";
  return plans.front();
}

SmallVector<Value> mom::emitChoices(KernelBuilder &k, PlanOp op, Value token) {
  OpBuilder &b = k.b;
  Location loc = k.loc;
  auto i32 = [&](int64_t value) -> Value {
    return arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(int32_t(value)));
  };
  auto both = [&](Value x, Value y) -> Value { return arith::AndIOp::create(b, loc, x, y); };
  Value least = k.f32(-std::numeric_limits<double>::infinity());
  View view = k.view(op.getScores());
  SmallVector<Value> scores;
  for (int64_t c = 0; c < channelsOf(op.getScores()); ++c) {
    Value score = k.load(view, At{token, k.index(c), 1, Value()});
    Value number = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::ORD, score, score);
    scores.push_back(k.select(number, score, least));
  }
  SmallVector<Value> chosen;
  for (size_t j = 0; j < op.getChoices().size(); ++j) {
    Value best = least, group = i32(-1);
    for (auto [c, score] : llvm::enumerate(scores)) {
      Value more = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, score, best);
      Value first = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, group, i32(0));
      Value takes = arith::OrIOp::create(b, loc, more, first);
      for (Value before : chosen)
        takes =
            both(takes, arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, before, i32(c)));
      best = k.select(takes, score, best);
      group = k.select(takes, i32(c), group);
    }
    chosen.push_back(group);
  }
  return chosen;
}
