// mom-join-convolutions: a product makes of a convolution what it multiplies.
//
// Where one tile of a product has all columns, each of its rows is read once: so the product
// can make them of what the convolution reads, in shared memory, and writes them for other
// readers. That saves a launch and reading what was just written. It comes after storage is
// assigned, as what lies in shared memory is what tensor cores multiply.
#include "dialect/Mom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

namespace mom {
#define GEN_PASS_DECL_JOINCONVOLUTIONSPASS
#define GEN_PASS_DEF_JOINCONVOLUTIONSPASS
#include "compiler/Fusion/Passes.h.inc"
} // namespace mom

using namespace mlir;
using namespace mom;

static constexpr int64_t kMostColumns = 160; ///< of a tile, so that three steps fit twice
static constexpr int64_t kMostTaps = 8;
static constexpr int64_t kStep = 64; ///< channels that are made at a time

static bool isNarrow(Value value) {
  Type element = getElementTypeOrSelf(value.getType());
  return element.isBF16() || element.isF16();
}

/// Whether vectors of eight channels are 16 bytes that begin at multiples of them.
static bool isOfVectors(Value x) {
  int64_t before = 0;
  if (auto split = x.getDefiningOp<SplitOp>()) {
    for (Value part : split.getParts().take_front(cast<OpResult>(x).getResultNumber()))
      before |= channelsOf(part);
    x = split.getX();
  }
  auto extend = x.getDefiningOp<arith::ExtFOp>();
  return extend && isa<BlockArgument>(extend.getIn()) && isNarrow(extend.getIn()) &&
         (before | channelsOf(x)) % 8 == 0;
}

/// The convolution of a kernel that makes one narrow result of it and nothing else in memory.
static Conv1dOp convolutionOf(KernelOp kernel) {
  if (!kernel || kernel.getAnchor() != Anchor::conv || kernel.getNumResults() != 1 ||
      !isNarrow(kernel.getResult(0)))
    return {};
  Conv1dOp conv;
  for (Operation &op : kernel.getBody().front().without_terminator()) {
    if (auto found = dyn_cast<Conv1dOp>(op)) {
      if (conv)
        return {};
      conv = found;
      continue;
    }
    auto isOfConv = [](Value v) {
      Operation *maker = v.getDefiningOp();
      return maker && !isa<arith::ExtFOp, SplitOp, BroadcastOp>(maker);
    };
    if (isa<SplitOp, arith::ExtFOp, arith::ConstantOp>(op))
      continue;
    if (!op.hasTrait<OpTrait::Elementwise>() || !llvm::all_of(op.getOperands(), isOfConv))
      return {};
  }
  if (!conv || conv.getInit() || conv.getFinal() || conv.getReverse() ||
      channelsOf(conv.getX()) % kStep || channelsOf(conv.getWeights()) > kMostTaps ||
      !isOfVectors(conv.getX()))
    return {};
  return conv;
}

namespace {
class JoinConvolutionsPass : public mom::impl::JoinConvolutionsPassBase<JoinConvolutionsPass> {
public:
  using Base::Base;

  void runOnOperation() override {
    SmallVector<KernelOp> products;
    getOperation().walk([&](KernelOp kernel) {
      if (kernel.getAnchor() == Anchor::product)
        products.push_back(kernel);
    });
    for (KernelOp product : products)
      join(product);
  }

private:
  static void join(KernelOp product) {
    auto linears = product.getBody().getOps<LinearOp>();
    if (linears.empty())
      return;
    LinearOp linear = *linears.begin();
    auto extend = linear.getX().getDefiningOp<arith::ExtFOp>();
    auto argument = extend ? dyn_cast<BlockArgument>(extend.getIn()) : BlockArgument();
    if (!argument || linear.getTransposed() || channelsOf(linear.getY()) > kMostColumns)
      return;
    Value rows = product.inputOf(argument);
    auto maker = rows.getDefiningOp<KernelOp>();
    if (!convolutionOf(maker) || !argument.hasOneUse() || !extend->hasOneUse() ||
        !areOfOneType(linear, argument))
      return;
    // They are there only when the product is.
    if (llvm::any_of(rows.getUsers(), [&](Operation *user) {
          return user != product && user->isBeforeInBlock(product);
        }))
      return;
    Value made = product.makeInputs(maker).front();
    product.setName((maker.getName() + ", " + product.getName()).str());
    if (!rows.use_empty())
      rows.replaceAllUsesWith(product.addResult(made)->getResults().back());
    maker.erase();
  }

  /// Tensor cores multiply what lies in memory.
  static bool areOfOneType(LinearOp linear, Value rows) {
    auto extend = linear.getWeights().getDefiningOp<arith::ExtFOp>();
    return extend &&
           getElementTypeOrSelf(extend.getIn().getType()) == getElementTypeOrSelf(rows.getType());
  }
};
} // namespace
