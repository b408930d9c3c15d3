// mom-join-reorders: a product stores rows where a caller looks for them.
//
// Results that go back to a caller lie by position. As a kernel of its own a reorder reads and
// writes them once more, which of a block's forward pass takes 3 %.
#include "compiler/Emit/Sequence.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Dominance.h"

namespace mom {
#define GEN_PASS_DECL_JOINREORDERSPASS
#define GEN_PASS_DEF_JOINREORDERSPASS
#include "compiler/Emit/Passes.h.inc"
} // namespace mom

using namespace mlir;
using namespace mom;

/// What a kernel reorders that does nothing else, if that is rows in memory by a route.
static ReorderOp onlyReorder(KernelOp kernel) {
  auto reorder = onlyOp<ReorderOp>(kernel);
  bool isIt = reorder && rowsOf(reorder.getX()).getRoute() &&
              kernel.inputOf(withoutWidening(reorder.getX())) && kernel.inputOf(reorder.getRoute());
  return isIt ? reorder : ReorderOp();
}

/// Result `index` of `product` takes the place of what `kernel` makes of it.
static void join(KernelOp product, unsigned index, KernelOp kernel, Value route) {
  Operation *yield = product.getBody().front().getTerminator();
  Value sorted = withoutStorage(yield->getOperand(index)), result = kernel.getResult(0);
  OpBuilder b(yield);
  Type stored = getElementTypeOrSelf(result);
  if (stored != getElementTypeOrSelf(sorted))
    sorted = arith::TruncFOp::create(
        b, sorted.getLoc(), cast<RankedTensorType>(sorted.getType()).clone(stored), sorted);
  Value source = product.addInputs(route).front();
  yield->setOperand(index, ReorderOp::create(b, kernel.getLoc(), result.getType(), sorted, source));
  product.getResult(index).setType(result.getType());
  result.replaceAllUsesWith(product.getResult(index));
  kernel.erase();
}

namespace {
class JoinReordersPass : public mom::impl::JoinReordersPassBase<JoinReordersPass> {
public:
  using Base::Base;

  void runOnOperation() override {
    SmallVector<KernelOp> all;
    getOperation().walk([&](KernelOp kernel) {
      if (onlyReorder(kernel))
        all.push_back(kernel);
    });
    DominanceInfo dominance(getOperation());
    for (KernelOp kernel : all)
      joinToProduct(kernel, onlyReorder(kernel), dominance);
  }

private:
  static void joinToProduct(KernelOp kernel, ReorderOp reorder, DominanceInfo &dominance) {
    Value rows = kernel.inputOf(withoutWidening(reorder.getX()));
    Value route = kernel.inputOf(reorder.getRoute());
    auto product = rows.getDefiningOp<KernelOp>();
    if (!product || product.getAnchor() != Anchor::product || !rows.hasOneUse() ||
        !dominance.dominates(route, product))
      return;
    auto linears = product.getBody().getOps<LinearOp>();
    unsigned index = cast<OpResult>(rows).getResultNumber();
    Value sorted = product.getBody().front().getTerminator()->getOperand(index);
    // A convolution's rows, of which a product is made, are no result of the product.
    bool isOfProduct = !linears.empty() &&
                       channelsOf(sorted) == channelsOf((*linears.begin()).getY()) &&
                       product.getBody().getOps<Conv1dOp>().empty();
    if (isOfProduct)
      join(product, index, kernel, route);
  }
};
} // namespace
