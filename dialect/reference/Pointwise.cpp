// Reference loops of pointwise ops: those of mom, arith and math that frontends
// and derivatives make. Conversions between float types change nothing here.
#include "dialect/reference/Frame.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace mom;
using namespace mom::reference;

static double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

/// Either of two numbers; a NaN wins over anything.
static double maximum(double a, double b) { return std::isnan(a) || a > b ? a : b; }
static double minimum(double a, double b) { return std::isnan(a) || a < b ? a : b; }

static bool compare(arith::CmpFPredicate predicate, double a, double b) {
  using P = arith::CmpFPredicate;
  bool unordered = std::isnan(a) || std::isnan(b);
  switch (predicate) {
  case P::AlwaysFalse:
    return false;
  case P::AlwaysTrue:
    return true;
  case P::ORD:
    return !unordered;
  case P::UNO:
    return unordered;
  case P::OEQ:
    return a == b;
  case P::OGT:
    return a > b;
  case P::OGE:
    return a >= b;
  case P::OLT:
    return a < b;
  case P::OLE:
    return a <= b;
  case P::ONE:
    return !unordered && a != b;
  case P::UEQ:
    return unordered || a == b;
  case P::UGT:
    return unordered || a > b;
  case P::UGE:
    return unordered || a >= b;
  case P::ULT:
    return unordered || a < b;
  case P::ULE:
    return unordered || a <= b;
  case P::UNE:
    return a != b;
  }
  return false;
}

/// Labels are signed: the unsigned predicates are those of their bits.
static bool compare(arith::CmpIPredicate predicate, double a, double b) {
  using P = arith::CmpIPredicate;
  auto bits = [](double x) { return uint64_t(int64_t(x)); };
  switch (predicate) {
  case P::eq:
    return a == b;
  case P::ne:
    return a != b;
  case P::slt:
    return a < b;
  case P::sle:
    return a <= b;
  case P::sgt:
    return a > b;
  case P::sge:
    return a >= b;
  case P::ult:
    return bits(a) < bits(b);
  case P::ule:
    return bits(a) <= bits(b);
  case P::ugt:
    return bits(a) > bits(b);
  case P::uge:
    return bits(a) >= bits(b);
  }
  return false;
}

/// The values of a constant, scalar or dense; failure for other attributes.
static FailureOr<Tensor> constant(TypedAttr value) {
  if (auto number = dyn_cast<FloatAttr>(value))
    return Tensor{{}, {number.getValueAsDouble()}};
  if (auto number = dyn_cast<IntegerAttr>(value))
    return Tensor{{},
                  {number.getType().isInteger(1) ? double(number.getValue().getZExtValue())
                                                 : double(number.getInt())}};
  auto dense = dyn_cast<DenseElementsAttr>(value);
  if (!dense)
    return failure();
  Tensor result{SmallVector<int64_t>(dense.getType().getShape()), {}};
  if (isa<FloatType>(dense.getElementType())) {
    for (const APFloat &number : dense.getValues<APFloat>())
      result.data.push_back(number.convertToDouble());
    return result;
  }
  if (!dense.getElementType().isIntOrIndex())
    return failure();
  bool isBool = dense.getElementType().isInteger(1);
  for (const APInt &number : dense.getValues<APInt>())
    result.data.push_back(isBool ? double(number.getZExtValue()) : double(number.getSExtValue()));
  return result;
}

namespace {
/// Applies a function of numbers to each element of an op's operands.
struct Elementwise {
  Operation *op;
  Frame &frame;

  const Tensor &operand(unsigned i) const { return frame.tensor(op->getOperand(i)); }

  template <typename F> FailureOr<Tensor> map1(F f) const {
    const Tensor &a = operand(0);
    Tensor y = Tensor::zeros(a.shape);
    for (size_t i = 0; i < y.data.size(); ++i)
      y.data[i] = f(a.data[i]);
    return y;
  }
  template <typename F> FailureOr<Tensor> map2(F f) const {
    const Tensor &a = operand(0), &b = operand(1);
    Tensor y = Tensor::zeros(a.shape);
    for (size_t i = 0; i < y.data.size(); ++i)
      y.data[i] = f(a.data[i], b.data[i]);
    return y;
  }
  template <typename F> FailureOr<Tensor> map3(F f) const {
    const Tensor &a = operand(0), &b = operand(1), &c = operand(2);
    bool scalar = a.shape.empty(); // arith.select may choose whole tensors
    Tensor y = Tensor::zeros(b.shape);
    for (size_t i = 0; i < y.data.size(); ++i)
      y.data[i] = f(a.data[scalar ? 0 : i], b.data[i], c.data[i]);
    return y;
  }

  FailureOr<Tensor> evaluate() const;
};
} // namespace

FailureOr<Tensor> Elementwise::evaluate() const {
  using namespace arith;
  auto copy = [&](auto) { return map1([](double x) { return x; }); };
  return TypeSwitch<Operation *, FailureOr<Tensor>>(op)
      // clang-format off
      .Case([&](SigmoidOp) { return map1(sigmoid); })
      .Case([&](SiluOp) { return map1([](double x) { return x * sigmoid(x); }); })
      .Case([&](SoftplusOp) { return map1([](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); }); })
      .Case([&](AffineOp affine) {
        double scale = affine.getScale().convertToDouble(), offset = affine.getOffset().convertToDouble();
        // A scale of 0 fills, whatever x holds.
        return map1([=](double x) { return scale == 0.0 ? offset : scale * x + offset; });
      })
      .Case([&](ConstantOp constantOp) { return constant(constantOp.getValue()); })
      .Case([&](AddFOp) { return map2([](double a, double b) { return a + b; }); })
      .Case([&](SubFOp) { return map2([](double a, double b) { return a - b; }); })
      .Case([&](MulFOp) { return map2([](double a, double b) { return a * b; }); })
      .Case([&](DivFOp) { return map2([](double a, double b) { return a / b; }); })
      .Case([&](NegFOp) { return map1([](double a) { return -a; }); })
      .Case([&](MaximumFOp) { return map2(maximum); })
      .Case([&](MinimumFOp) { return map2(minimum); })
      .Case([&](CmpFOp cmp) { return map2([p = cmp.getPredicate()](double a, double b) { return compare(p, a, b); }); })
      .Case([&](CmpIOp cmp) { return map2([p = cmp.getPredicate()](double a, double b) { return compare(p, a, b); }); })
      .Case([&](SelectOp) { return map3([](double a, double b, double c) { return a != 0.0 ? b : c; }); })
      .Case<ExtFOp, TruncFOp, SIToFPOp, UIToFPOp, ExtUIOp>(copy)
      .Case([&](AddIOp) { return map2([](double a, double b) { return a + b; }); })
      .Case([&](SubIOp) { return map2([](double a, double b) { return a - b; }); })
      .Case([&](MulIOp) { return map2([](double a, double b) { return a * b; }); })
      .Case([&](AndIOp) { return map2([](double a, double b) { return double(int64_t(a) & int64_t(b)); }); })
      .Case([&](OrIOp) { return map2([](double a, double b) { return double(int64_t(a) | int64_t(b)); }); })
      .Case([&](XOrIOp) { return map2([](double a, double b) { return double(int64_t(a) ^ int64_t(b)); }); })
      .Case([&](math::ExpOp) { return map1([](double x) { return std::exp(x); }); })
      .Case([&](math::Exp2Op) { return map1([](double x) { return std::exp2(x); }); })
      .Case([&](math::ExpM1Op) { return map1([](double x) { return std::expm1(x); }); })
      .Case([&](math::LogOp) { return map1([](double x) { return std::log(x); }); })
      .Case([&](math::Log2Op) { return map1([](double x) { return std::log2(x); }); })
      .Case([&](math::Log1pOp) { return map1([](double x) { return std::log1p(x); }); })
      .Case([&](math::SqrtOp) { return map1([](double x) { return std::sqrt(x); }); })
      .Case([&](math::RsqrtOp) { return map1([](double x) { return 1.0 / std::sqrt(x); }); })
      .Case([&](math::TanhOp) { return map1([](double x) { return std::tanh(x); }); })
      .Case([&](math::AbsFOp) { return map1([](double x) { return std::fabs(x); }); })
      .Case([&](math::SinOp) { return map1([](double x) { return std::sin(x); }); })
      .Case([&](math::CosOp) { return map1([](double x) { return std::cos(x); }); })
      .Case([&](math::ErfOp) { return map1([](double x) { return std::erf(x); }); })
      .Case([&](math::PowFOp) { return map2([](double a, double b) { return std::pow(a, b); }); })
      .Case([&](math::FmaOp) { return map3([](double a, double b, double c) { return std::fma(a, b, c); }); })
      // clang-format on
      .Default([](Operation *) { return failure(); });
}

LogicalResult reference::evaluatePointwise(Operation *op, Frame &frame) {
  for (mlir::Value operand : op->getOperands())
    if (!frame.get(operand).tensor())
      return op->emitOpError() << "is not known to the reference interpreter";
  FailureOr<Tensor> result = Elementwise{op, frame}.evaluate();
  if (failed(result))
    return op->emitOpError() << "is not known to the reference interpreter";
  frame.set(op->getResult(0), std::move(*result));
  return success();
}
