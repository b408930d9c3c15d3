// mom-verify-order: the watch over the order of rows, run after every pass
// between `ordered` and the emitters.
#include "dialect/Mom.h"

namespace mom {
#define GEN_PASS_DECL_VERIFYORDERPASS
#define GEN_PASS_DEF_VERIFYORDERPASS
#include "compiler/TokenOrder/Passes.h.inc"
} // namespace mom

using namespace mlir;
using namespace mom;

/// Rows of `space` among the operands and results of `op`.
static SmallVector<Value> rowsOfSpace(Operation *op, RowSpace space) {
  SmallVector<Value> values;
  for (Value value : op->getOperands())
    values.push_back(value);
  llvm::append_range(values, op->getResults());
  llvm::erase_if(values, [&](Value v) {
    RowsAttr rows = rowsOf(v);
    return !rows || rows.getSpace() != space;
  });
  return values;
}

/// A computed route knows tokens by the rows in which its plan found them.
static LogicalResult verifyPlanned(Operation *op, Value route) {
  auto computed = route.getDefiningOp<ComputedRouteOp>();
  for (Value value : rowsOfSpace(op, RowSpace::token))
    if (computed && rowsOf(value) != rowsOf(computed.getRow()))
      return op->emitOpError() << "expected tokens in the order of their plan, "
                               << rowsOf(computed.getRow()) << ", but got " << rowsOf(value);
  return success();
}

static LogicalResult verifyOrder(Operation *op) {
  if (isa<ReorderOp, KernelOp, YieldOp, func::ReturnOp, RepeatOp, LaunchOp>(op))
    return success();
  SmallVector<Value> values = rowsOfSpace(op, RowSpace::token);
  auto ordered = dyn_cast<OrderedOpInterface>(op);
  if (ordered && ordered.getOrderBehaviour() == OrderBehaviour::Fixed) {
    for (Value value : values)
      if (rowsOf(value).getRoute())
        return op->emitOpError() << "expected rows by position, but got " << rowsOf(value);
    return success();
  }
  for (Value value : values)
    if (rowsOf(value) != rowsOf(values.front()))
      return op->emitOpError() << "expected one order, but got " << rowsOf(values.front())
                               << " and " << rowsOf(value);
  if (auto dispatch = dyn_cast<DispatchOp>(op))
    return verifyPlanned(op, dispatch.getRoute());
  if (auto retrieve = dyn_cast<RetrieveOp>(op))
    return verifyPlanned(op, retrieve.getRoute());
  Value route = ordered ? ordered.getRequiredRoute() : Value();
  if (values.empty())
    values = rowsOfSpace(op, RowSpace::copy);
  if (!route || values.empty())
    return success();
  StringAttr name = cast<RouteType>(route.getType()).getName(),
             got = rowsOf(values.front()).getRoute();
  if (got != name)
    return op->emitOpError() << "expected rows in the order of route " << name << ", but got "
                             << rowsOf(values.front());
  return success();
}

namespace {
class VerifyOrderPass : public mom::impl::VerifyOrderPassBase<VerifyOrderPass> {
public:
  using Base::Base;
  void runOnOperation() override {
    WalkResult result = getOperation()->walk([](Operation *op) {
      return failed(verifyOrder(op)) ? WalkResult::interrupt() : WalkResult::advance();
    });
    if (result.wasInterrupted())
      signalPassFailure();
    markAllAnalysesPreserved();
  }
};
} // namespace
