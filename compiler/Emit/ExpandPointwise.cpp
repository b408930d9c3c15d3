// mom-expand-pointwise: the functions of emitted code, in arithmetic.
#include "compiler/Emit/Approximations.h"
#include "dialect/Mom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/TypeSwitch.h"

namespace mom {
#define GEN_PASS_DEF_EXPANDPOINTWISEPASS
#include "compiler/Emit/Passes.h.inc"
} // namespace mom

using namespace mlir;
using namespace mom;

/// What stands for the result of `op`, or null where it stays.
static Value expand(Operation *op, bool gpu, bool narrow) {
  OpBuilder b(op);
  Approximations a{b, op->getLoc(), gpu, narrow};
  Value x = op->getOperand(0);
  return TypeSwitch<Operation *, Value>(op)
      .Case([&](SigmoidOp) { return a.sigmoid(x); })
      .Case([&](SiluOp) { return a.silu(x); })
      .Case([&](SoftplusOp) { return a.softplus(x); })
      .Case([&](AffineOp affine) {
        return a.affine(x, affine.getScale().convertToDouble(),
                        affine.getOffset().convertToDouble());
      })
      .Case([&](math::ExpOp) { return a.exp(x); })
      .Case([&](math::Exp2Op) { return a.exp2(x); })
      .Case([&](math::ExpM1Op) { return a.expm1(x); })
      .Case([&](math::LogOp) { return a.log(x); })
      .Case([&](math::Log2Op) { return a.affine(a.log(x), 1.44269504088896341, 0); })
      .Case([&](math::Log10Op) { return a.affine(a.log(x), 0.434294481903251828, 0); })
      .Case([&](math::Log1pOp) { return a.log1p(x); })
      .Case([&](math::TanhOp) { return a.tanh(x); })
      .Case([&](math::ErfOp) { return a.erf(x); })
      .Default(Value());
}

/// A GPU has no library of functions, so what is not ours becomes arithmetic by MLIR's
/// rules: powers as exponentials of logarithms, the others as polynomials.
static LogicalResult expandRare(LLVM::LLVMFuncOp function) {
  RewritePatternSet patterns(function.getContext());
  math::populateExpansionPatterns(patterns, {"powf", "fpowi", "tan", "sinh", "cosh", "asinh",
                                             "acosh", "atanh", "round", "roundeven"});
  populateMathPolynomialApproximationPatterns(patterns, [](StringRef name) {
    static constexpr StringLiteral names[] = {"math.sin",  "math.cos",  "math.erfc", "math.atan",
                                              "math.atan2", "math.asin", "math.acos", "math.cbrt"};
    return llvm::is_contained(names, name);
  });
  return applyPatternsGreedily(function, std::move(patterns));
}

namespace {
class ExpandPointwisePass : public mom::impl::ExpandPointwisePassBase<ExpandPointwisePass> {
public:
  using Base::Base;

  void runOnOperation() override {
    for (auto function : getOperation().getOps<LLVM::LLVMFuncOp>())
      if (function.getCConv() == LLVM::CConv::PTX_Kernel && failed(expandRare(function)))
        return signalPassFailure();
    for (auto function : getOperation().getOps<LLVM::LLVMFuncOp>()) {
      bool gpu = function.getCConv() == LLVM::CConv::PTX_Kernel;
      bool narrow = function->hasAttr(attr::kNarrow);
      SmallVector<Operation *> candidates;
      function.walk([&](Operation *op) {
        if (op->getNumResults() == 1 && op->getNumOperands() == 1 &&
            getElementTypeOrSelf(op->getResult(0).getType()).isF32())
          candidates.push_back(op);
      });
      for (Operation *op : candidates) {
        Value expanded = expand(op, gpu, narrow);
        if (!expanded)
          continue;
        op->replaceAllUsesWith(ValueRange(expanded));
        op->erase();
      }
    }
  }
};
} // namespace
