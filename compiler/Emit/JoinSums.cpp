// mom-join-sums: the gradient of a bias comes with that of its weights.
//
// Fusion knows no knobs, so the two are kernels of their own until these are known: only
// products by TMA have room for a column of sums.
#include "compiler/Emit/Sequence.h"
#include "compiler/Emit/product/WgmmaGpu.h"
#include "compiler/Schedule/ProductDefaults.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"

namespace mom {
#define GEN_PASS_DECL_JOINSUMSPASS
#define GEN_PASS_DEF_JOINSUMSPASS
#include "compiler/Emit/Passes.h.inc"
} // namespace mom

using namespace mlir;
using namespace mom;

/// The input of `kernel` that a body value is, widened or not.
static Value storedInputOf(KernelOp kernel, Value value) {
  return kernel.inputOf(withoutWidening(value));
}

/// The sum of a kernel that does nothing else than sum rows that lie in memory by a route.
static ReduceRowsOp onlySum(KernelOp kernel) {
  auto sum = onlyOp<ReduceRowsOp>(kernel);
  bool isIt =
      sum && storedInputOf(kernel, sum.getX()) && sum.getRoute() && kernel.inputOf(sum.getRoute());
  return isIt ? sum : ReduceRowsOp();
}

/// The weight gradient of a product's kernel that a sum may join.
static LinearWgradOp joinableProduct(KernelOp kernel) {
  if (kernel.getAnchor() != Anchor::product || !leavesShared(kernel, WgmmaStep::kOnesBytes))
    return {};
  auto products = kernel.getBody().getOps<LinearWgradOp>();
  return products.empty() ? LinearWgradOp() : *products.begin();
}

/// `product` with the result of `sums` beside its own.
static void join(KernelOp product, LinearWgradOp wgrad, KernelOp sums, ReduceRowsOp sum) {
  OpBuilder b(product.getBody().front().getTerminator());
  IRMapping map;
  map.map(sum.getX(), wgrad.getDy());
  map.map(sum.getRoute(), wgrad.getRoute());
  Value total = b.clone(*sum, map)->getResult(0);
  Type stored = sums.getResult(0).getType();
  if (stored != total.getType())
    total = arith::TruncFOp::create(b, total.getLoc(), stored, total);
  KernelOp joined = product.addResult(total);
  sums.getResult(0).replaceAllUsesWith(joined->getResults().back());
  sums.erase();
}

namespace {
class JoinSumsPass : public mom::impl::JoinSumsPassBase<JoinSumsPass> {
public:
  using Base::Base;

  void runOnOperation() override {
    SmallVector<KernelOp> all;
    getOperation().walk([&](KernelOp kernel) {
      if (onlySum(kernel))
        all.push_back(kernel);
    });
    for (KernelOp sums : all)
      joinToProduct(sums, onlySum(sums));
  }

private:
  static void joinToProduct(KernelOp sums, ReduceRowsOp sum) {
    Value rows = storedInputOf(sums, sum.getX()), route = sums.inputOf(sum.getRoute());
    for (auto product : sums->getBlock()->getOps<KernelOp>()) {
      LinearWgradOp wgrad = joinableProduct(product);
      bool readsIt = wgrad && wgrad.getRoute() && storedInputOf(product, wgrad.getDy()) == rows &&
                     product.inputOf(wgrad.getRoute()) == route &&
                     wgrad.getDy().getType() == sum.getX().getType();
      auto comesBefore = [&](Operation *user) { return product->isBeforeInBlock(user); };
      if (readsIt && llvm::all_of(sums->getUsers(), comesBefore))
        return join(product, wgrad, sums, sum);
    }
  }
};
} // namespace
