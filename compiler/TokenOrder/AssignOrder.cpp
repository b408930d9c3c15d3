// mom-assign-order: gives every token tensor an order.
//
// Sorting by modality is free where it happens in the embedding's gather, and
// then holds to the loss: only conv and scan follow the sequence, and they read
// whole rows by index. So one order for the whole program is right as soon as
// one op needs groups.
#include "dialect/Mom.h"

namespace mom {
#define GEN_PASS_DECL_ASSIGNORDERPASS
#define GEN_PASS_DEF_ASSIGNORDERPASS
#include "compiler/TokenOrder/Passes.h.inc"
} // namespace mom

using namespace mlir;
using namespace mom;

static bool isToken(Type type) {
  RowsAttr rows = rowsOf(type);
  return rows && rows.getSpace() == RowSpace::token;
}

/// The route whose order token rows must have for `op`. Copies lie in that of their
/// computed route from the start.
static Value requiredRoute(Operation *op) {
  auto ordered = dyn_cast<OrderedOpInterface>(op);
  Value route = ordered ? ordered.getRequiredRoute() : Value();
  return route && !cast<RouteType>(route.getType()).getCopies() ? route : Value();
}

namespace {
class AssignOrderPass : public mom::impl::AssignOrderPassBase<AssignOrderPass> {
public:
  using Base::Base;

  void runOnOperation() override {
    if (order != "auto" && order != "modality" && order != "position") {
      getOperation().emitError() << "expected order auto, modality or position, but got " << order;
      return signalPassFailure();
    }
    std::optional<RouteType> route = findRoute();
    if (!route)
      return; // nothing needs groups: rows stay as they came
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      if (order == "position")
        reorderRoundOps(func);
      else
        sortRows(func, *route);
    }
  }

private:
  /// The route that ops need: there is one by modality.
  std::optional<RouteType> findRoute() {
    std::optional<RouteType> route;
    getOperation()->walk([&](Operation *op) {
      if (Value needed = requiredRoute(op); needed && !route)
        route = cast<RouteType>(needed.getType());
    });
    return route;
  }

  static Value reorder(OpBuilder &b, Value x, Value route, bool sorted) {
    auto rows = RowsAttr::get(b.getContext(), RowSpace::token,
                              sorted ? cast<RouteType>(route.getType()).getName() : StringAttr());
    return ReorderOp::create(b, x.getLoc(), withRows(x.getType(), rows), x, route);
  }

  /// Order by position: rows are sorted for the ops that need it and back.
  void reorderRoundOps(func::FuncOp func) {
    func.walk([&](Operation *op) {
      Value route = requiredRoute(op);
      if (!route)
        return;
      OpBuilder b(op);
      for (OpOperand &operand : op->getOpOperands())
        if (isToken(operand.get().getType()))
          operand.set(reorder(b, operand.get(), route, true));
      b.setInsertionPointAfter(op);
      for (Value result : op->getResults()) {
        if (!isToken(result.getType()))
          continue;
        result.setType(sortedType(result.getType(), cast<RouteType>(route.getType())));
        Value back = reorder(b, result, route, false);
        result.replaceAllUsesExcept(back, back.getDefiningOp());
      }
    });
  }

  static Type sortedType(Type type, RouteType route) {
    if (auto stack = dyn_cast<StackType>(type))
      return StackType::get(type.getContext(), stack.getCount(),
                            sortedType(stack.getElement(), route));
    if (!isToken(type))
      return type;
    return withRows(type, RowsAttr::get(type.getContext(), RowSpace::token, route.getName()));
  }

  /// Order by modality, for the whole of `func`.
  void sortRows(func::FuncOp func, RouteType type) {
    OpBuilder b = OpBuilder::atBlockBegin(&func.getBody().front());
    Value route = routeOf(func, type, b);
    if (!route)
      return; // no batch, so no token rows
    b.setInsertionPointAfterValue(route);
    bool entry = func->hasAttr(attr::kEntry);
    for (BlockArgument argument : func.getArguments()) {
      if (entry && isToken(argument.getType())) {
        Value sorted = reorder(b, argument, route, true);
        argument.replaceAllUsesExcept(sorted, sorted.getDefiningOp());
      } else {
        argument.setType(sortedType(argument.getType(), type));
      }
    }
    for (Operation &op : llvm::make_early_inc_range(func.getBody().front()))
      sortResults(&op, type, route);
    Operation *terminator = func.getBody().front().getTerminator();
    if (entry) {
      b.setInsertionPoint(terminator);
      for (OpOperand &operand : terminator->getOpOperands())
        if (isToken(operand.get().getType()))
          operand.set(reorder(b, operand.get(), route, false));
    }
    func.setFunctionType(b.getFunctionType(func.getBody().front().getArgumentTypes(),
                                           terminator->getOperandTypes()));
  }

  void sortResults(Operation *op, RouteType type, Value route) {
    if (auto reorder = dyn_cast<ReorderOp>(op)) {
      if (reorder.getRoute() == route)
        return;                                   // made here
      reorder.replaceAllUsesWith(reorder.getX()); // both sides lie by modality now
      reorder.erase();
      return;
    }
    auto ordered = dyn_cast<OrderedOpInterface>(op);
    if (ordered && ordered.getOrderBehaviour() == OrderBehaviour::Fixed) {
      OpBuilder b(op->getContext());
      b.setInsertionPointAfter(op);
      Value sorted = reorder(b, op->getResult(0), route, true);
      op->getResult(0).replaceAllUsesExcept(sorted, sorted.getDefiningOp());
      return;
    }
    for (Value result : op->getResults())
      result.setType(sortedType(result.getType(), type));
  }

  static Value routeOf(func::FuncOp func, RouteType type, OpBuilder &b) {
    for (BlockArgument argument : func.getArguments())
      if (isa<BatchType>(argument.getType()))
        return ModalityRouteOp::create(b, func.getLoc(), type, argument);
    return {};
  }
};
} // namespace
