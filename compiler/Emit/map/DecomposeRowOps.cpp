// Row ops as pointwise work and reductions over channels.
#include "compiler/Emit/map/DecomposeRowOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mom;

namespace {
/// A norm that several ops of a kernel need.
struct InverseNorm {
  Value x;
  double eps;
  Value inverse;
};

struct Decomposer {
  OpBuilder b;
  Location loc;
  SmallVector<InverseNorm> &norms; ///< so far

  Value mul(Value x, Value y) { return arith::MulFOp::create(b, loc, x, y); }
  Value add(Value x, Value y) { return arith::AddFOp::create(b, loc, x, y); }
  Value sub(Value x, Value y) { return arith::SubFOp::create(b, loc, x, y); }
  Value affine(Value x, double scale, double offset) {
    return AffineOp::create(b, loc, x.getType(), x, b.getF64FloatAttr(scale),
                            b.getF64FloatAttr(offset));
  }
  Value like(Value x, Value shape) {
    return BroadcastOp::create(b, loc, shape.getType(), x, shape, Value());
  }
  Value reduce(Reduction kind, Value x) { // [rows, C] -> [rows, 1]
    return ReduceOp::create(b, loc, withChannels(x.getType(), 1), kind, x);
  }
  /// 1 / sqrt(mean(x^2) + eps), [rows, 1].
  Value inverseNorm(Value x, double eps) {
    for (const InverseNorm &norm : norms)
      if (norm.x == x && norm.eps == eps)
        return norm.inverse;
    Value squares = reduce(Reduction::sum, mul(x, x));
    Value inverse = math::RsqrtOp::create(b, loc, affine(squares, 1.0 / channelsOf(x), eps));
    norms.push_back({x, eps, inverse});
    return inverse;
  }

  void norm(RmsNormOp op) {
    Value x = op.getX();
    op.replaceAllUsesWith(mul(x, like(inverseNorm(x, op.getEps().convertToDouble()), x)));
  }

  void normGrad(RmsNormGradOp op) {
    // dx = r * dy - x * r^3 * mean(x * dy)
    Value x = op.getX(), dy = op.getDy();
    Value r = inverseNorm(x, op.getEps().convertToDouble());
    Value mean = affine(reduce(Reduction::sum, mul(x, dy)), 1.0 / channelsOf(x), 0);
    Value along = mul(mul(r, mul(r, r)), mean);
    op.replaceAllUsesWith(sub(mul(dy, like(r, x)), mul(x, like(along, x))));
  }

  void softmax(SoftmaxOp op) {
    Value x = op.getX(), largest = reduce(Reduction::max, x);
    Value shifted = math::ExpOp::create(b, loc, sub(x, like(largest, x)));
    Value sum = reduce(Reduction::sum, shifted);
    op.replaceAllUsesWith(arith::DivFOp::create(b, loc, shifted, like(sum, x)).getResult());
  }

  void crossEntropy(CrossEntropyOp op) {
    // lse = max + log(sum(exp(logits - max))); the target's logit is found in
    // the loop that finds the maximum.
    Value logits = op.getLogits(), target = op.getTarget();
    Value largest = reduce(Reduction::max, logits);
    Value hot = OneHotOp::create(b, loc, logits.getType(), target);
    Value half = affine(hot, 0, 0.5), zero = affine(hot, 0, 0);
    Value chosen = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, hot, half);
    Value logit = reduce(Reduction::sum, arith::SelectOp::create(b, loc, chosen, logits, zero));
    Value shifted = math::ExpOp::create(b, loc, sub(logits, like(largest, logits)));
    Value lse = add(largest, math::LogOp::create(b, loc, reduce(Reduction::sum, shifted)));
    Value present = PresentOp::create(b, loc, lse.getType(), target);
    op.getLse().replaceAllUsesWith(lse);
    op.getNll().replaceAllUsesWith(mul(present, sub(lse, logit)));
  }
};
} // namespace

SmallVector<LabelCheck> mom::decomposeRowOps(KernelOp kernel) {
  SmallVector<LabelCheck> checks;
  SmallVector<InverseNorm> norms;
  for (Operation &op : llvm::make_early_inc_range(kernel.getBody().front())) {
    Decomposer d{OpBuilder(&op), op.getLoc(), norms};
    bool rewritten =
        TypeSwitch<Operation *, bool>(&op)
            .Case([&](RmsNormOp norm) { return d.norm(norm), true; })
            .Case([&](RmsNormGradOp grad) { return d.normGrad(grad), true; })
            .Case([&](SoftmaxOp softmax) { return d.softmax(softmax), true; })
            .Case([&](CrossEntropyOp loss) {
              checks.push_back({loss.getTarget(), true, channelsOf(loss.getLogits())});
              return d.crossEntropy(loss), true;
            })
            .Case([&](EmbeddingOp embedding) {
              auto table = cast<RankedTensorType>(embedding.getTable().getType());
              checks.push_back({embedding.getIds(), false, table.getDimSize(0)});
              return false;
            })
            .Default(false);
    if (rewritten)
      op.erase();
  }
  return checks;
}
