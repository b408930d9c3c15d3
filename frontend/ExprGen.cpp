// Expressions and parts to the mom dialect.
#include "frontend/MLIRGen.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"

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
  Value a = value(expr.lhs), b = value(expr.rhs);
  const ast::Type &type = expr.types.front(), &left = expr.lhs->types.front(),
                  &right = expr.rhs->types.front();
  bool isRows = type.kind == ast::Type::Rows;
  Value like = left.kind == type.kind && (isRows || left.matches(type)) ? a : b;
  auto spread = [&](Value value, const ast::Type &own) {
    return own.matches(type) ? value : broadcast(value, like, type.channels(), location);
  };
  a = spread(a, left);
  b = spread(b, right);
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
  return {function(expr, locate(expr.range, name))};
}

Value FunctionGen::function(const CallExpr &expr, Location location) {
  llvm::SmallVector<Value> x;
  for (const CallExpr::Argument &argument : llvm::ArrayRef(expr.arguments).drop_back(expr.reverse))
    x.push_back(value(argument.value));
  switch (*expr.function) {
  case ast::Function::scan: {
    auto scan = ScanOp::create(builder, location, x[0].getType(), /*final=*/mlir::Type(),
                               /*checkpoints=*/mlir::Type(), x[0], x[1], x[2], x[3], x[4], batch,
                               Value(), expr.reverse);
    return scan.getY();
  }
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
  for (const CallExpr::Argument &argument : llvm::ArrayRef(expr.arguments).drop_back(expr.reverse))
    x.push_back(value(argument.value));
  switch (part.partKind) {
  case PartKind::RmsNorm:
    return {normPart(part, x[0], inner, outer)};
  case PartKind::Linear:
    return linearPart(part, x[0], inner, outer);
  case PartKind::Conv1d:
    return {convPart(part, x[0], expr.reverse, outer)};
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

FunctionGen::Values FunctionGen::linearPart(const PartDecl &part, Value x, Location inner,
                                            Location outer) {
  const Values &parameters = bound[&part];
  Value weights = parameters[0]; // [groups?, out, in]
  int64_t out = cast<RankedTensorType>(weights.getType()).getShape().drop_back().back();
  Value by = part.modality ? route(*part.modality, inner) : Value();
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

Value FunctionGen::convPart(const PartDecl &part, Value x, bool reverse, Location outer) {
  const Values &parameters = bound[&part];
  Value bias = part.bias ? parameters[1] : Value(); // [E]
  return Conv1dOp::create(builder, outer, x.getType(), mlir::Type(), x, parameters[0], batch, bias,
                          /*init=*/Value(), reverse)
      .getY();
}

FunctionGen::Values FunctionGen::layerPart(const PartDecl &part, ValueRange carried,
                                           Location outer) {
  auto repeat = RepeatOp::create(builder, outer, carried.getTypes(), part.layer->name, part.count,
                                 carried, ValueRange{batch}, bound[&part], /*reverse=*/false);
  return Values(repeat.getCarriedResults());
}
