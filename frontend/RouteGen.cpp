// Computed routes to the mom dialect. All but the plan is ordinary arithmetic, so that the
// gradient of gates and of the balance is too; through the plan there is none.
#include "frontend/MLIRGen.h"
#include "frontend/Sema.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace mom;
using namespace mom::frontend;
using namespace mom::frontend::ast;

static_assert(kMostExperts == PlanOp::kMostGroups);

/// Probabilities, the plan, and a gate for each copy: the expert's probability, and where
/// there are several copies its share of theirs.
void FunctionGen::bindRoute(const CallExpr &top) {
  std::string name = top.routeName.str();
  Location location = locate(top.range, name);
  auto inner = [&](StringRef what) { return locate(top.range, name + "." + what.str()); };
  Value logits = value(top.arguments[0].value); // [tokens, experts]
  ComputedRoute &made = computed[&top];
  made.probabilities = SoftmaxOp::create(builder, inner("p"), logits.getType(), logits);

  auto i32 = builder.getI32Type();
  auto indices = [&](int64_t channels, RowsAttr rows) {
    return RankedTensorType::get({ShapedType::kDynamic, channels}, i32, rows);
  };
  RowsAttr tokens = rowsOf(logits);
  auto copies = RowsAttr::get(builder.getContext(), RowSpace::copy, top.copies,
                              builder.getStringAttr(name));
  SmallVector<mlir::Type> types = {
      RankedTensorType::get({top.experts + 1}, builder.getI64Type()),
      indices(top.copies, tokens), indices(1, copies)};
  types.append(top.copies, indices(1, tokens));
  auto plan = PlanOp::create(builder, location, types, made.probabilities);
  made.choices.assign(plan.getChoices().begin(), plan.getChoices().end());
  auto route = RouteType::get(builder.getContext(), builder.getStringAttr(name), top.experts,
                              top.copies);
  made.route = ComputedRouteOp::create(builder, location, route, plan.getOffsets(), plan.getRow(),
                                       plan.getCopy());

  Location gate = inner("gate");
  Value sum;
  for (Value choice : made.choices) {
    Value hot = OneHotOp::create(builder, gate, made.probabilities.getType(), choice);
    Value mine = arith::MulFOp::create(builder, gate, hot, made.probabilities);
    made.gates.push_back(reduce(mine, gate)); // [tokens, 1]
    sum = sum ? arith::AddFOp::create(builder, gate, sum, made.gates.back()).getResult()
              : made.gates.back();
  }
  if (top.copies > 1)
    for (Value &value : made.gates)
      value = arith::DivFOp::create(builder, gate, value, sum);
}

Value FunctionGen::dispatch(ArrayRef<Value> parts, const CallExpr &top, Location location) {
  auto rows = RowsAttr::get(builder.getContext(), RowSpace::copy, top.copies,
                            builder.getStringAttr(top.routeName));
  return DispatchOp::create(builder, location, withRows(parts.front().getType(), rows), parts,
                            computed.lookup(&top).route);
}

/// Gates multiply copies, not tokens' parts: their gradient then reads each row once.
Value FunctionGen::combine(Value y, const CallExpr &top, Location location) {
  ComputedRoute made = computed.lookup(&top);
  Location gate = locate(top.range, (top.routeName + ".gates").str());
  Value gates = dispatch(made.gates, top, gate); // [copies, 1]
  y = arith::MulFOp::create(builder, location, y, broadcast(gates, y, channelsOf(y), gate));
  SmallVector<mlir::Type> types(
      top.copies, withRows(y.getType(), rowsOf(made.probabilities)));
  auto parts = RetrieveOp::create(builder, location, types, y, made.route);
  Value sum = parts.getParts().front();
  for (Value part : parts.getParts().drop_front())
    sum = arith::AddFOp::create(builder, location, sum, part);
  return sum;
}

/// experts * sum over e of (share of copies sent to e) * p[i, e]: its mean over tokens is
/// the balancing loss of Switch Transformers. The shares have no gradient.
Value FunctionGen::balance(const CallExpr &top, Location location) {
  ComputedRoute made = computed.lookup(&top);
  Value hot;
  for (Value choice : made.choices) {
    Value one = OneHotOp::create(builder, location, made.probabilities.getType(), choice);
    hot = hot ? arith::AddFOp::create(builder, location, hot, one).getResult() : one;
  }
  Value sent = reduceRows(hot, location); // [experts]
  sent = broadcast(sent, made.probabilities, top.experts, location); // [tokens, experts]
  Value all = reduce(sent, location);                                // [tokens, 1]
  Value sum = reduce(arith::MulFOp::create(builder, location, sent, made.probabilities), location);
  return affine(arith::DivFOp::create(builder, location, sum, all), double(top.experts), 0,
                location);
}
