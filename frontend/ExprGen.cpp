// Expressions and parts to the mom dialect.
#include "frontend/MLIRGen.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace mom;
using namespace mom::frontend;
using namespace mom::frontend::ast;
using llvm::StringRef;

//===----------------------------------------------------------------------===//
// Small pieces
//===----------------------------------------------------------------------===//

Value FunctionGen::route(const ModalityDecl &modality, Location location) {
  Value &route = routes[&modality];
  if (!route) {
    auto type = RouteType::get(builder.getContext(), builder.getStringAttr(modality.name),
                               modality.members.size());
    route = ModalityRouteOp::create(
        builder, NameLoc::get(builder.getStringAttr(modality.name), location), type, batch);
  }
  return route;
}

Value FunctionGen::broadcast(Value x, Value like, int64_t channels, Location location,
                             Value route) {
  mlir::Type type =
      isRows(like.getType()) ? withChannels(like.getType(), channels) : like.getType();
  return BroadcastOp::create(builder, location, type, x, like, route);
}

Value FunctionGen::affine(Value x, double scale, double offset, Location location) {
  return AffineOp::create(builder, location, x.getType(), x, builder.getF64FloatAttr(scale),
                          builder.getF64FloatAttr(offset));
}

Value FunctionGen::reduce(Value x, Location location) {
  if (channelsOf(x) == 1)
    return x;
  return ReduceOp::create(builder, location, withChannels(x.getType(), 1), Reduction::sum, x);
}

Value FunctionGen::reduceRows(Value x, Location location) {
  auto type = RankedTensorType::get({channelsOf(x)}, builder.getF32Type());
  return ReduceRowsOp::create(builder, location, type, x, Value());
}

/// The modality of ids: of the token that they belong to, or of one ahead.
Value FunctionGen::labelModality(const Expr *labels, Location location) {
  auto rows = RowsAttr::get(builder.getContext(), RowSpace::token);
  auto type = RankedTensorType::get({ShapedType::kDynamic, 1}, builder.getI32Type(), rows);
  Value modality = ModalityOp::create(builder, location, type, batch);
  for (int64_t step = 0; step < labels->types.front().ahead; ++step)
    modality = NextOp::create(builder, location, type, modality, batch);
  return modality;
}

//===----------------------------------------------------------------------===//
// Expressions
//===----------------------------------------------------------------------===//

FunctionGen::Values FunctionGen::values(const Expr *expr, StringRef name) {
  Location location = locate(expr->range, name);
  return llvm::TypeSwitch<const Expr *, Values>(expr)
      .Case([&](const NameExpr *reference) { return bound.lookup(reference->decl); })
      .Case([&](const MemberExpr *member) { return bound.lookup(member->field); })
      .Case([&](const CallExpr *expr) { return call(*expr, name); })
      .Case([&](const NegateExpr *negate) {
        return Values{arith::NegFOp::create(builder, location, value(negate->operand))};
      })
      .Case([&](const BinaryExpr *expr) { return Values{binary(*expr, name)}; });
}

Value FunctionGen::binary(const BinaryExpr &expr, StringRef name) {
  // An operator without a name of its own is found by its own place.
  Location location =
      locate(llvm::SMRange(llvm::SMLoc::getFromPointer(expr.op.data()), expr.range.End), name);
  if (expr.lhs->constant || expr.rhs->constant)
    return withConstant(expr, location);
  auto [a, b] = operands(*expr.lhs, *expr.rhs, expr.types.front(), location);
  switch (expr.op.front()) {
  case '+':
    return arith::AddFOp::create(builder, location, a, b);
  case '-':
    return arith::SubFOp::create(builder, location, a, b);
  case '*':
    return arith::MulFOp::create(builder, location, a, b);
  default:
    return arith::DivFOp::create(builder, location, a, b);
  }
}

std::pair<Value, Value> FunctionGen::operands(const Expr &lhs, const Expr &rhs,
                                              const ast::Type &type, Location location) {
  if (lhs.constant) {
    Value b = value(&rhs);
    return {affine(b, 0, lhs.constant->asDouble(), location), b};
  }
  Value a = value(&lhs);
  if (rhs.constant)
    return {a, affine(a, 0, rhs.constant->asDouble(), location)};
  Value b = value(&rhs);
  const ast::Type &left = lhs.types.front(), &right = rhs.types.front();
  bool isRows = type.kind == ast::Type::Rows;
  Value like = left.kind == type.kind && (isRows || left.matches(type)) ? a : b;
  auto spread = [&](Value value, const ast::Type &own) {
    return own.matches(type) ? value : broadcast(value, like, type.channels(), location);
  };
  return {spread(a, left), spread(b, right)};
}

Value FunctionGen::mask(const Expr &condition, Location location) {
  if (auto *negation = llvm::dyn_cast<NotExpr>(&condition))
    return affine(mask(*negation->operand, location), -1, 1, location);
  const auto &binary = llvm::cast<BinaryExpr>(condition);
  if (binary.isLogic()) {
    Value a = mask(*binary.lhs, location), b = mask(*binary.rhs, location);
    if (binary.op == "and")
      return arith::MulFOp::create(builder, location, a, b);
    return arith::MaximumFOp::create(builder, location, a, b);
  }
  const auto *call = llvm::dyn_cast<CallExpr>(binary.lhs);
  bool ofModality = binary.lhs->types.front().kind == ast::Type::Groups;
  Value labels = ofModality ? labelModality(call->arguments[0].value, location)
                            : value(binary.lhs);
  auto type = RankedTensorType::get({ShapedType::kDynamic, 1}, builder.getF32Type(),
                                    rowsOf(labels));
  Value equal = EqualsOp::create(builder, location, type, labels, binary.member);
  return binary.op == "==" ? equal : affine(equal, -1, 1, location);
}

/// Rows and weights meet constants in mom.affine.
Value FunctionGen::withConstant(const BinaryExpr &expr, Location location) {
  bool onLeft = expr.lhs->constant.has_value();
  double c = (onLeft ? expr.lhs : expr.rhs)->constant->asDouble();
  Value x = value(onLeft ? expr.rhs : expr.lhs);
  switch (expr.op.front()) {
  case '+':
    return affine(x, 1, c, location);
  case '-':
    return onLeft ? affine(x, -1, c, location) : affine(x, 1, -c, location);
  case '*':
    return affine(x, c, 0, location);
  default:
    if (!onLeft)
      return affine(x, 1 / c, 0, location);
    return arith::DivFOp::create(builder, location, affine(x, 0, c, location), x);
  }
}

FunctionGen::Values FunctionGen::call(const CallExpr &expr, StringRef name) {
  if (expr.part)
    return part(expr, name);
  Location location = locate(expr.range, name);
  if (expr.function == ast::Function::scan)
    return scan(expr, location);
  return {function(expr, location)};
}

FunctionGen::Values FunctionGen::scan(const CallExpr &expr, Location location) {
  llvm::SmallVector<Value> x;
  for (const CallExpr::Argument &argument : expr.values())
    x.push_back(value(argument.value));
  Value init = expr.init ? value(expr.init) : Value();
  auto scan = ScanOp::create(
      builder, location, x[0].getType(),
      expr.wantsFinal ? convert(expr.types[1], builder.getContext()) : mlir::Type(),
      /*checkpoints=*/mlir::Type(), x[0], x[1], x[2], x[3], x[4], batch, init, expr.reverse);
  return expr.wantsFinal ? Values{scan.getY(), scan.getFinal()} : Values{scan.getY()};
}

Value FunctionGen::function(const CallExpr &expr, Location location) {
  auto argument = [&](size_t index) { return expr.arguments[index].value; };
  llvm::SmallVector<Value> x;
  switch (*expr.function) {
  case ast::Function::min:
  case ast::Function::max: {
    auto [a, b] = operands(*argument(0), *argument(1), expr.types.front(), location);
    if (*expr.function == ast::Function::min)
      return arith::MinimumFOp::create(builder, location, a, b);
    return arith::MaximumFOp::create(builder, location, a, b);
  }
  case ast::Function::clamp: {
    Value v = value(argument(0));
    Value low = affine(v, 0, argument(1)->constant->asDouble(), location),
          high = affine(v, 0, argument(2)->constant->asDouble(), location);
    v = arith::MaximumFOp::create(builder, location, v, low);
    return arith::MinimumFOp::create(builder, location, v, high);
  }
  case ast::Function::mse: {
    ast::Type type = expr.types.front();
    type.shape = {std::max(argument(0)->types.front().channels(),
                           argument(1)->types.front().channels())};
    auto [a, b] = operands(*argument(0), *argument(1), type, location);
    Value d = arith::SubFOp::create(builder, location, a, b); // [rows, C]
    Value sum = reduce(arith::MulFOp::create(builder, location, d, d), location);
    return affine(sum, 1.0 / double(type.channels()), 0, location);
  }
  case ast::Function::dispatch: {
    const CallExpr &top = *argument(1)->types.front().route;
    llvm::SmallVector<Value> parts(top.copies, value(argument(0)));
    return dispatch(parts, top, location);
  }
  case ast::Function::combine:
    return combine(value(argument(0)), *argument(1)->types.front().route, location);
  case ast::Function::balance:
    return balance(*argument(0)->types.front().route, location);
  default:
    break;
  }
  for (const CallExpr::Argument &argument : expr.arguments)
    x.push_back(value(argument.value));
  mlir::Type type = convert(expr.types.front(), builder.getContext());
  switch (*expr.function) {
  case ast::Function::sum:
    return reduce(x[0], location);
  case ast::Function::softmax:
    return SoftmaxOp::create(builder, location, type, x[0]);
  case ast::Function::concat:
    return ConcatOp::create(builder, location, type, x);
  case ast::Function::spread:
    return SpreadOp::create(builder, location, type, x[0], batch, /*mean=*/false);
  case ast::Function::pool:
    return CollectOp::create(builder, location, type, x[0], batch, /*mean=*/true);
  case ast::Function::next:
    return targets[&expr] = NextOp::create(builder, location, x[0].getType(), x[0], batch);
  case ast::Function::cross_entropy: {
    mlir::Type column = withChannels(x[0].getType(), 1);
    return CrossEntropyOp::create(builder, location, column, column, x[0], x[1]).getNll();
  }
  default:
    return elementwise(*expr.function, x[0], location);
  }
}

Value FunctionGen::elementwise(ast::Function function, Value x, Location location) {
  switch (function) {
  case ast::Function::silu:
    return SiluOp::create(builder, location, x.getType(), x);
  case ast::Function::softplus:
    return SoftplusOp::create(builder, location, x.getType(), x);
  case ast::Function::sigmoid:
    return SigmoidOp::create(builder, location, x.getType(), x);
  case ast::Function::exp:
    return math::ExpOp::create(builder, location, x);
  case ast::Function::log:
    return math::LogOp::create(builder, location, x);
  case ast::Function::sqrt:
    return math::SqrtOp::create(builder, location, x);
  case ast::Function::tanh:
    return math::TanhOp::create(builder, location, x);
  case ast::Function::abs:
    return math::AbsFOp::create(builder, location, x);
  case ast::Function::gelu: { // x / 2 * (1 + erf(x / sqrt(2)))
    Value bell = math::ErfOp::create(builder, location, affine(x, M_SQRT1_2, 0, location));
    return arith::MulFOp::create(builder, location, affine(x, 0.5, 0, location),
                                 affine(bell, 1, 1, location));
  }
  case ast::Function::relu:
    return arith::MaximumFOp::create(builder, location, x, affine(x, 0, 0, location));
  case ast::Function::erf:
    return math::ErfOp::create(builder, location, x);
  case ast::Function::sin:
    return math::SinOp::create(builder, location, x);
  case ast::Function::cos:
    return math::CosOp::create(builder, location, x);
  default:
    llvm_unreachable("a checked tree has elementwise functions here");
  }
}

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

/// What a part makes on its way is named after the part, its result as the
/// statement says.
FunctionGen::Values FunctionGen::part(const CallExpr &expr, StringRef name) {
  const PartDecl &part = *expr.part;
  Location inner = locate(expr.range, part.name),
           outer = locate(expr.range, name.empty() ? part.name : name);
  llvm::SmallVector<Value> x;
  for (const CallExpr::Argument &argument : expr.values())
    x.push_back(value(argument.value));
  switch (part.partKind) {
  case PartKind::RmsNorm:
    return {normPart(part, x[0], inner, outer)};
  case PartKind::Linear:
    return linearPart(expr, x[0], inner, outer);
  case PartKind::Conv1d:
    return convPart(expr, x[0], outer);
  case PartKind::Embedding: {
    Value table = bound[&part].front(); // [V, D]
    auto ids = cast<RankedTensorType>(x[0].getType());
    auto type = RankedTensorType::get({ShapedType::kDynamic, channelsOf(table)},
                                      builder.getF32Type(), ids.getEncoding());
    return {EmbeddingOp::create(builder, outer, type, x[0], table)};
  }
  case PartKind::Layer:
    return layerPart(part, x, outer);
  }
  llvm_unreachable("a part has one of the kinds above");
}

Value FunctionGen::normPart(const PartDecl &part, Value x, Location inner, Location outer) {
  Value y = RmsNormOp::create(builder, inner, x.getType(), x, builder.getF64FloatAttr(part.eps));
  Value scale = broadcast(bound[&part].front(), x, part.in, inner); // [D] -> [rows, D]
  return arith::MulFOp::create(builder, outer, y, scale);
}

FunctionGen::Values FunctionGen::linearPart(const CallExpr &expr, Value x, Location inner,
                                            Location outer) {
  const PartDecl &part = *expr.part;
  const Values &parameters = bound[&part];
  Value weights = parameters[0]; // [groups?, out, in]
  int64_t out = cast<RankedTensorType>(weights.getType()).getShape().drop_back().back();
  Value by;
  if (part.modality)
    by = route(*part.modality, inner);
  else if (part.experts)
    by = computed.lookup(expr.arguments[0].value->types.front().route).route;
  bool splits = part.out.size() > 1;
  mlir::Type type = withChannels(x.getType(), out);
  Value y = LinearOp::create(builder, splits || part.bias ? inner : outer, type, x, weights, by,
                             /*transposed=*/false);
  if (part.bias) {
    Value bias = broadcast(parameters[1], y, out, inner, by); // [groups?, out] -> [rows, out]
    y = arith::AddFOp::create(builder, splits ? inner : outer, y, bias);
  }
  if (!splits)
    return {y};
  llvm::SmallVector<mlir::Type> types;
  for (int64_t channels : part.out)
    types.push_back(withChannels(type, channels));
  return Values(SplitOp::create(builder, outer, types, y).getParts());
}

FunctionGen::Values FunctionGen::convPart(const CallExpr &expr, Value x, Location outer) {
  const Values &parameters = bound[expr.part];
  Value bias = expr.part->bias ? parameters[1] : Value(); // [E]
  Value init = expr.init ? value(expr.init) : Value();
  auto conv = Conv1dOp::create(
      builder, outer, x.getType(),
      expr.wantsFinal ? convert(expr.types[1], builder.getContext()) : mlir::Type(), x,
      parameters[0], batch, bias, init, expr.reverse);
  return expr.wantsFinal ? Values{conv.getY(), conv.getFinal()} : Values{conv.getY()};
}

FunctionGen::Values FunctionGen::layerPart(const PartDecl &part, ValueRange carried,
                                           Location outer) {
  auto repeat = RepeatOp::create(builder, outer, carried.getTypes(), part.layer->name, part.count,
                                 carried, ValueRange{batch}, bound[&part], /*reverse=*/false);
  return Values(repeat.getCarriedResults());
}
