// Mixture-of-Mamba dialect: the one page of calculus. `buildBackward` of every
// differentiable op, its formula above it. d is the gradient of the result y,
// dx the gradient of operand x. Nothing is built for an inactive operand.
#include "dialect/Calculus.h"
#include "dialect/Mom.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Builders.h"

#include <cmath>

using namespace mlir;
using namespace mom;

using Gradients = SmallVector<Value>;

//===----------------------------------------------------------------------===//
// Pointwise
//===----------------------------------------------------------------------===//

// y = 1 / (1 + exp(-x))        dx = d * y * (1 - y)
Gradients SigmoidOp::buildBackward(OpBuilder &b, ValueRange gradients, ArrayRef<bool> active) {
  if (!active[0])
    return {Value()};
  Calculus c{b, getLoc()};
  return {c.mul(gradients[0], c.mul(getY(), c.affine(getY(), -1.0, 1.0)))};
}

// y = x * s, s = sigmoid(x)    dx = d * (s + x * s * (1 - s))
// Of x alone: what makes it needs no y, which may be saved for others.
Gradients SiluOp::buildBackward(OpBuilder &b, ValueRange gradients, ArrayRef<bool> active) {
  if (!active[0])
    return {Value()};
  Calculus c{b, getLoc()};
  Value s = c.sigmoid(getX());
  return {c.mul(gradients[0], c.add(s, c.mul(c.mul(getX(), s), c.affine(s, -1.0, 1.0))))};
}

// y = log(1 + exp(x))          dx = d * (1 - exp(-y))
// Of y, not of x as sigmoid(x): so backward needs nothing but what forward's users read.
Gradients SoftplusOp::buildBackward(OpBuilder &b, ValueRange gradients, ArrayRef<bool> active) {
  if (!active[0])
    return {Value()};
  Calculus c{b, getLoc()};
  Value rest = math::ExpM1Op::create(b, getLoc(), c.neg(getY())); // exp(-y) - 1
  return {c.mul(gradients[0], c.neg(rest))};
}

// y = scale * x + offset       dx = scale * d
Gradients AffineOp::buildBackward(OpBuilder &b, ValueRange gradients, ArrayRef<bool> active) {
  double scale = getScale().convertToDouble();
  if (!active[0] || scale == 0.0)
    return {Value()};
  return {Calculus{b, getLoc()}.affine(gradients[0], scale, 0.0)};
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

// y = P x, P a permutation     dx = P^-1 d
Gradients ReorderOp::buildBackward(OpBuilder &b, ValueRange gradients, ArrayRef<bool> active) {
  Gradients result(2);
  if (active[0])
    result[0] = ReorderOp::create(b, getLoc(), getX().getType(), gradients[0], getRoute());
  return result;
}

// y[i, c] = x[i, 0]            dx[i, 0] = sum over c of d[i, c]
// y[i, c] = x[c]               dx[c]    = sum over i of d[i, c]
// y[i, c] = x[g(i), c]         dx[g, c] = sum over i in g of d[i, c]
// An operand of one channel sums over the channels of d as well.
Gradients BroadcastOp::buildBackward(OpBuilder &b, ValueRange gradients, ArrayRef<bool> active) {
  Gradients result(getNumOperands());
  if (!active[0])
    return result;
  Calculus c{b, getLoc()};
  Value d = gradients[0], x = getX();
  if (x.getType() == d.getType())
    result[0] = d;
  else if (isRows(x.getType()))
    result[0] = c.sum(d);
  else if (getRoute())
    result[0] = c.sumRows(channelsOf(x) == 1 ? c.sum(d) : d, getRoute());
  else if (isRows(d.getType()))
    result[0] = channelsOf(x) == 1 ? c.sum(c.sumRows(d, {})) : c.sumRows(d, {});
  else if (channelsOf(x) == 1)
    result[0] = c.sum(d);
  else {
    // No op sums a static matrix over its outer axes only.
    emitOpError() << "has no derivative for a vector over a static tensor, " << x.getType()
                  << " over " << d.getType();
    return {};
  }
  return result;
}

// y[i] = sum over c of x[i, c] dx[i, c] = d[i]
Gradients ReduceOp::buildBackward(OpBuilder &b, ValueRange gradients, ArrayRef<bool> active) {
  if (!active[0])
    return {Value()};
  if (getKind() != Reduction::sum) {
    emitOpError() << "has no derivative: only 'sum' has one, but got '"
                  << stringifyReduction(getKind()) << "'";
    return {};
  }
  return {Calculus{b, getLoc()}.broadcast(gradients[0], getX())};
}

// y[g] = sum over i in g of x[i]    dx[i] = d[g(i)]
Gradients ReduceRowsOp::buildBackward(OpBuilder &b, ValueRange gradients, ArrayRef<bool> active) {
  Gradients result(getNumOperands());
  if (active[0])
    result[0] = Calculus{b, getLoc()}.broadcast(gradients[0], getX(), getRoute());
  return result;
}

// y[i] = x[document of i]      dx[d] = sum over i in d of d[i], likewise divided by tokens
Gradients SpreadOp::buildBackward(OpBuilder &b, ValueRange gradients, ArrayRef<bool> active) {
  Gradients result(2);
  if (active[0])
    result[0] = CollectOp::create(b, getLoc(), getX().getType(), gradients[0], getBatch(),
                                  getMean());
  return result;
}

// y[d] = sum over i in d of x[i]    dx[i] = d[document of i]
Gradients CollectOp::buildBackward(OpBuilder &b, ValueRange gradients, ArrayRef<bool> active) {
  Gradients result(2);
  if (active[0])
    result[0] =
        SpreadOp::create(b, getLoc(), getX().getType(), gradients[0], getBatch(), getMean());
  return result;
}

// y = r x, r = 1 / sqrt(mean(x^2) + eps)    dx = r d - x r^3 mean(x d)
Gradients RmsNormOp::buildBackward(OpBuilder &b, ValueRange gradients, ArrayRef<bool> active) {
  if (!active[0])
    return {Value()};
  return {RmsNormGradOp::create(b, getLoc(), getX().getType(), getX(), gradients[0], getEpsAttr())};
}

// x = [y0 | y1 | ..]           dx = [d0 | d1 | ..], 0 where no gradient arrives
Gradients SplitOp::buildBackward(OpBuilder &b, ValueRange gradients, ArrayRef<bool> active) {
  if (!active[0])
    return {Value()};
  Calculus c{b, getLoc()};
  SmallVector<Value> parts;
  for (auto [part, gradient] : llvm::zip_equal(getParts(), gradients))
    parts.push_back(gradient ? gradient : c.zero(part));
  return {ConcatOp::create(b, getLoc(), getX().getType(), parts)};
}

// y = [x0 | x1 | ..]           dxi = range i of the channels of d
Gradients ConcatOp::buildBackward(OpBuilder &b, ValueRange gradients, ArrayRef<bool> active) {
  Gradients result(getNumOperands());
  if (llvm::none_of(active, [](bool wanted) { return wanted; }))
    return result;
  auto split = SplitOp::create(b, getLoc(), getParts().getTypes(), gradients[0]);
  for (size_t i = 0; i < result.size(); ++i)
    if (active[i])
      result[i] = split.getParts()[i];
  return result;
}

// y[i] = table[ids[i]]         dtable[v] = sum over i with ids[i] = v of d[i]
Gradients EmbeddingOp::buildBackward(OpBuilder &b, ValueRange gradients, ArrayRef<bool> active) {
  Gradients result(2);
  if (active[1])
    result[1] = EmbeddingGradOp::create(b, getLoc(), getTable().getType(), getIds(), gradients[0]);
  return result;
}

//===----------------------------------------------------------------------===//
// Computed routes
//===----------------------------------------------------------------------===//

// y = exp(x) / sum(exp(x))     dx = y * (d - sum(y * d))
Gradients SoftmaxOp::buildBackward(OpBuilder &b, ValueRange gradients, ArrayRef<bool> active) {
  if (!active[0])
    return {Value()};
  Calculus c{b, getLoc()};
  Value y = getY(), mean = c.sum(c.mul(y, gradients[0]));
  return {c.mul(y, c.sub(gradients[0], c.broadcast(mean, y)))};
}

// y[row(i, j)] = xj[i]         dxj[i] = d[row(i, j)]
Gradients DispatchOp::buildBackward(OpBuilder &b, ValueRange gradients, ArrayRef<bool> active) {
  Gradients result(getNumOperands());
  auto parts = RetrieveOp::create(b, getLoc(), getParts().getTypes(), gradients[0], getRoute());
  for (auto [i, part] : llvm::enumerate(parts.getParts()))
    if (active[i])
      result[i] = part;
  return result;
}

// yj[i] = x[row(i, j)]         dx[row(i, j)] = dj[i], 0 where no gradient arrives
Gradients RetrieveOp::buildBackward(OpBuilder &b, ValueRange gradients, ArrayRef<bool> active) {
  Gradients result(2);
  if (!active[0])
    return result;
  Calculus c{b, getLoc()};
  SmallVector<Value> parts;
  for (auto [part, gradient] : llvm::zip_equal(getParts(), gradients))
    parts.push_back(gradient ? gradient : c.zero(part));
  result[0] = DispatchOp::create(b, getLoc(), getX().getType(), parts, getRoute());
  return result;
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

// y = W x                      dx = W' d      dW = d x'
// y = W' x (transposed)        dx = W d       dW = x d'
Gradients LinearOp::buildBackward(OpBuilder &b, ValueRange gradients, ArrayRef<bool> active) {
  Gradients result(getNumOperands());
  Value d = gradients[0];
  if (active[0])
    result[0] = LinearOp::create(b, getLoc(), getX().getType(), d, getWeights(), getRoute(),
                                 getTransposed() ? UnitAttr() : b.getUnitAttr());
  if (active[1]) {
    Value inner = getTransposed() ? d : Value(getX()), outer = getTransposed() ? Value(getX()) : d;
    result[1] =
        LinearWgradOp::create(b, getLoc(), getWeights().getType(), inner, outer, getRoute());
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Sequences
//===----------------------------------------------------------------------===//

// y[t] = bias + sum over j of w[W - 1 - j] x[t - j]: see mom.conv1d_grad
Gradients Conv1dOp::buildBackward(OpBuilder &b, ValueRange gradients, ArrayRef<bool> active) {
  Gradients result(getNumOperands());
  if (llvm::none_of(active, [](bool wanted) { return wanted; }))
    return result;
  Value dy = gradients[0] ? gradients[0] : Calculus{b, getLoc()}.zero(getY());
  Value dfinal = getFinal() ? gradients[1] : Value();
  bool wantsBias = getBias() && active[3];
  bool wantsInit = getInit() && active[getNumOperands() - 1];
  auto grad = Conv1dGradOp::create(b, getLoc(), getX().getType(), getWeights().getType(),
                                   wantsBias ? getBias().getType() : Type(),
                                   wantsInit ? getInit().getType() : Type(), getX(), getWeights(),
                                   getBatch(), dy, getInit(), dfinal, getReverseAttr());
  if (active[0])
    result[0] = grad.getDx();
  if (active[1])
    result[1] = grad.getDweights();
  if (wantsBias)
    result[3] = grad.getDbias();
  if (wantsInit)
    result.back() = grad.getDinit();
  return result;
}

// h[t] = exp(delta[t] A) h[t - 1] + delta[t] u[t] B[t], y[t] = <C[t], h[t]>: see mom.scan_grad
Gradients ScanOp::buildBackward(OpBuilder &b, ValueRange gradients, ArrayRef<bool> active) {
  Gradients result(getNumOperands());
  if (llvm::none_of(active, [](bool wanted) { return wanted; }))
    return result;
  // The checkpoints are no result of the formula: a gradient never arrives at them.
  Value dy = gradients[0] ? gradients[0] : Calculus{b, getLoc()}.zero(getY());
  Value dfinal = getFinal() ? gradients[1] : Value();
  bool wantsInit = getInit() && active.back();
  auto grad = ScanGradOp::create(
      b, getLoc(), getU().getType(), getDelta().getType(), getA().getType(), getB().getType(),
      getC().getType(), wantsInit ? getInit().getType() : Type(), /*y=*/Type(), getU(),
      getDelta(), getA(), getB(), getC(), getBatch(), dy, getInit(), getCheckpoints(), dfinal, getReverseAttr());
  for (unsigned i = 0; i < 5; ++i) // u, delta, A, B, C
    if (active[i])
      result[i] = grad->getResult(i);
  if (wantsInit)
    result.back() = grad.getDinit();
  return result;
}

//===----------------------------------------------------------------------===//
// Losses
//===----------------------------------------------------------------------===//

// nll = lse(x) - x[target]     dx[v] = d * (exp(x[v] - lse) - [v = target])
Gradients CrossEntropyOp::buildBackward(OpBuilder &b, ValueRange gradients, ArrayRef<bool> active) {
  Gradients result(2);
  if (!active[0])
    return result;
  if (gradients[1]) {
    emitOpError() << "has no derivative of 'lse', but a gradient of it is asked for";
    return {};
  }
  result[0] = CrossEntropyGradOp::create(b, getLoc(), getLogits().getType(), getLogits(),
                                         getTarget(), getLse(), gradients[0]);
  return result;
}

//===----------------------------------------------------------------------===//
// arith and math, by external models
//===----------------------------------------------------------------------===//

namespace {
/// A formula for the gradient of one operand of `Op`.
using Formula = Value (*)(Calculus c, Operation *op, Value d);

/// One formula an operand; it is called for active operands only.
template <typename Op, Formula... formulas>
struct Model : DifferentiableOpInterface::ExternalModel<Model<Op, formulas...>, Op> {
  SmallVector<Value> buildBackward(Operation *op, OpBuilder &b, ValueRange gradients,
                                   ArrayRef<bool> active) const {
    static constexpr Formula table[] = {formulas...};
    SmallVector<Value> result(op->getNumOperands());
    for (size_t i = 0; i < result.size(); ++i)
      if (active[i] && table[i])
        result[i] = table[i]({b, op->getLoc()}, op, gradients[0]);
    return result;
  }
};

Value x0(Operation *op) { return op->getOperand(0); }
Value x1(Operation *op) { return op->getOperand(1); }
Value y(Operation *op) { return op->getResult(0); }

// clang-format off
Value same(Calculus, Operation *, Value d) { return d; }                       // x + b: d
Value negated(Calculus c, Operation *, Value d) { return c.neg(d); }           // a - x: -d
Value timesSecond(Calculus c, Operation *op, Value d) { return c.mul(d, x1(op)); } // x * b: d * b
Value timesFirst(Calculus c, Operation *op, Value d) { return c.mul(d, x0(op)); }  // a * x: d * a
// x / b: d / b;  a / x: -d * y / x
Value overSecond(Calculus c, Operation *op, Value d) { return c.div(d, x1(op)); }
Value divisor(Calculus c, Operation *op, Value d) { return c.neg(c.div(c.mul(d, y(op)), x1(op))); }
// max(a, b), min(a, b): d goes to the one that was taken, to a where they are equal
template <arith::CmpFPredicate takesFirst>
Value taken(Calculus c, Operation *op, Value d) { return c.choose(c.compare(takesFirst, x0(op), x1(op)), d, c.zero(d)); }
template <arith::CmpFPredicate takesFirst>
Value left(Calculus c, Operation *op, Value d) { return c.choose(c.compare(takesFirst, x0(op), x1(op)), c.zero(d), d); }
// condition ? a : b
Value ifTrue(Calculus c, Operation *op, Value d) { return c.choose(x0(op), d, c.zero(d)); }
Value ifFalse(Calculus c, Operation *op, Value d) { return c.choose(x0(op), c.zero(d), d); }
// exp: d * y;  expm1: d * (y + 1);  log: d / x;  log1p: d / (x + 1)
Value exponential(Calculus c, Operation *op, Value d) { return c.mul(d, y(op)); }
Value expm1(Calculus c, Operation *op, Value d) { return c.mul(d, c.affine(y(op), 1.0, 1.0)); }
Value logarithm(Calculus c, Operation *op, Value d) { return c.div(d, x0(op)); }
Value log1p(Calculus c, Operation *op, Value d) { return c.div(d, c.affine(x0(op), 1.0, 1.0)); }
// sqrt: d / 2y;  rsqrt: -d y^3 / 2
Value root(Calculus c, Operation *op, Value d) { return c.div(c.affine(d, 0.5, 0.0), y(op)); }
Value inverseRoot(Calculus c, Operation *op, Value d) {
  return c.mul(c.affine(d, -0.5, 0.0), c.mul(y(op), c.mul(y(op), y(op))));
}
// tanh: d * (1 - y^2);  sin: d * cos(x);  cos: -d * sin(x)
Value hyperbolic(Calculus c, Operation *op, Value d) { return c.mul(d, c.affine(c.mul(y(op), y(op)), -1.0, 1.0)); }
Value sine(Calculus c, Operation *op, Value d) { return c.mul(d, math::CosOp::create(c.b, c.loc, x0(op))); }
Value cosine(Calculus c, Operation *op, Value d) { return c.neg(c.mul(d, math::SinOp::create(c.b, c.loc, x0(op)))); }
// |x|: d where x >= 0, else -d
Value absolute(Calculus c, Operation *op, Value d) {
  return c.choose(c.compare(arith::CmpFPredicate::OGE, x0(op), c.zero(x0(op))), d, c.neg(d));
}
// erf: d * 2 / sqrt(pi) * exp(-x^2)
Value errorFunction(Calculus c, Operation *op, Value d) {
  Value bell = math::ExpOp::create(c.b, c.loc, c.neg(c.mul(x0(op), x0(op))));
  return c.mul(d, c.affine(bell, M_2_SQRTPI, 0.0));
}
// x^b: d * b * x^(b - 1);  a^x: d * y * log(a)
Value base(Calculus c, Operation *op, Value d) {
  Value power = math::PowFOp::create(c.b, c.loc, x0(op), c.affine(x1(op), 1.0, -1.0));
  return c.mul(d, c.mul(x1(op), power));
}
Value exponent(Calculus c, Operation *op, Value d) {
  return c.mul(d, c.mul(y(op), math::LogOp::create(c.b, c.loc, x0(op))));
}
// clang-format on
} // namespace

void mom::registerDerivatives(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, arith::ArithDialect *, math::MathDialect *) {
    using namespace arith;
    constexpr auto ge = CmpFPredicate::OGE, le = CmpFPredicate::OLE;
    AddFOp::attachInterface<Model<AddFOp, same, same>>(*context);
    SubFOp::attachInterface<Model<SubFOp, same, negated>>(*context);
    MulFOp::attachInterface<Model<MulFOp, timesSecond, timesFirst>>(*context);
    DivFOp::attachInterface<Model<DivFOp, overSecond, divisor>>(*context);
    NegFOp::attachInterface<Model<NegFOp, negated>>(*context);
    MaximumFOp::attachInterface<Model<MaximumFOp, taken<ge>, left<ge>>>(*context);
    MinimumFOp::attachInterface<Model<MinimumFOp, taken<le>, left<le>>>(*context);
    SelectOp::attachInterface<Model<SelectOp, nullptr, ifTrue, ifFalse>>(*context);
    math::ExpOp::attachInterface<Model<math::ExpOp, exponential>>(*context);
    math::ExpM1Op::attachInterface<Model<math::ExpM1Op, expm1>>(*context);
    math::LogOp::attachInterface<Model<math::LogOp, logarithm>>(*context);
    math::Log1pOp::attachInterface<Model<math::Log1pOp, log1p>>(*context);
    math::SqrtOp::attachInterface<Model<math::SqrtOp, root>>(*context);
    math::RsqrtOp::attachInterface<Model<math::RsqrtOp, inverseRoot>>(*context);
    math::TanhOp::attachInterface<Model<math::TanhOp, hyperbolic>>(*context);
    math::SinOp::attachInterface<Model<math::SinOp, sine>>(*context);
    math::CosOp::attachInterface<Model<math::CosOp, cosine>>(*context);
    math::AbsFOp::attachInterface<Model<math::AbsFOp, absolute>>(*context);
    math::ErfOp::attachInterface<Model<math::ErfOp, errorFunction>>(*context);
    math::PowFOp::attachInterface<Model<math::PowFOp, base, exponent>>(*context);
    math::FmaOp::attachInterface<Model<math::FmaOp, timesSecond, timesFirst, same>>(*context);
  });
}
