// Elementary functions in f32 arithmetic. Polynomials are those of Cephes.
#include "compiler/Emit/Approximations.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/TypeUtilities.h"

#include <limits>

using namespace mlir;
using namespace mom;

static constexpr double kLn2High = 0.693359375, kLn2Low = -2.12194440e-4;
static constexpr double kLog2e = 1.44269504088896341, kLn2 = 0.693147180559945309;
static constexpr double kInfinity = std::numeric_limits<double>::infinity();

static Type withElement(Type type, Type element) {
  auto vector = dyn_cast<VectorType>(type);
  return vector ? Type(vector.clone(element)) : element;
}

Value Approximations::constant(double value, Value like) {
  auto scalar = b.getFloatAttr(getElementTypeOrSelf(like.getType()), value);
  if (auto vector = dyn_cast<VectorType>(like.getType()))
    return arith::ConstantOp::create(b, loc, DenseElementsAttr::get(vector, Attribute(scalar)));
  return arith::ConstantOp::create(b, loc, scalar);
}

Value Approximations::integer(int32_t value, Value like) {
  auto scalar = b.getI32IntegerAttr(value);
  if (auto vector = dyn_cast<VectorType>(like.getType()))
    return arith::ConstantOp::create(
        b, loc, DenseElementsAttr::get(vector.clone(b.getI32Type()), Attribute(scalar)));
  return arith::ConstantOp::create(b, loc, scalar);
}

Value Approximations::asInteger(Value x) {
  return arith::BitcastOp::create(b, loc, withElement(x.getType(), b.getI32Type()), x);
}

Value Approximations::asFloat(Value bits, Value like) {
  return arith::BitcastOp::create(b, loc, like.getType(), bits);
}

Value Approximations::fma(Value x, Value y, Value z) {
  return LLVM::FMulAddOp::create(b, loc, x, y, z);
}

#define ADD(x, y) Value(arith::AddFOp::create(b, loc, x, y))
#define SUB(x, y) Value(arith::SubFOp::create(b, loc, x, y))
#define MUL(x, y) Value(arith::MulFOp::create(b, loc, x, y))
#define DIV(x, y) Value(arith::DivFOp::create(b, loc, x, y))
#define ADDI(x, y) Value(arith::AddIOp::create(b, loc, x, y))
#define SUBI(x, y) Value(arith::SubIOp::create(b, loc, x, y))
#define IF(predicate, x, y, yes, no)                                                               \
  Value(arith::SelectOp::create(                                                                   \
      b, loc, arith::CmpFOp::create(b, loc, arith::CmpFPredicate::predicate, x, y), yes, no))

Value Approximations::special(StringRef intrinsic, Value x) {
  auto one = [&](Value lane) -> Value {
    return LLVM::CallIntrinsicOp::create(b, loc, b.getF32Type(), b.getStringAttr(intrinsic), lane)
        .getResult(0);
  };
  auto vector = dyn_cast<VectorType>(x.getType());
  if (!vector)
    return one(x);
  SmallVector<Value> lanes;
  for (int64_t i = 0; i < vector.getNumElements(); ++i)
    lanes.push_back(one(vector::ExtractOp::create(b, loc, x, ArrayRef<int64_t>{i})));
  return vector::FromElementsOp::create(b, loc, vector, lanes);
}

Value Approximations::divide(Value x, Value y) {
  return gpu ? MUL(x, special("llvm.nvvm.rcp.approx.ftz.f", y)) : DIV(x, y);
}

Value Approximations::affine(Value x, double scale, double offset) {
  if (scale == 0)
    return constant(offset, x);
  Value y = scale == 1 ? x : MUL(x, constant(scale, x));
  return offset == 0 ? y : ADD(y, constant(offset, x));
}

Value Approximations::polynomial(Value x, ArrayRef<double> fromHighest) {
  Value sum = constant(fromHighest.front(), x);
  for (double coefficient : fromHighest.drop_front())
    sum = fma(sum, x, constant(coefficient, x));
  return sum;
}

/// The integer nearest to x * scale, as i32 and as f32: adding 1.5 * 2^23
/// leaves it in the low bits of the sum. |x * scale| < 2^22.
std::pair<Value, Value> Approximations::nearest(Value x, Value scale) {
  Value magic = constant(12582912.0, x);
  Value sum = fma(x, scale, magic);
  return {SUBI(asInteger(sum), asInteger(magic)), SUB(sum, magic)};
}

/// 2^n for n in [-126, 127].
Value Approximations::power(Value n, Value like) {
  Value shifted = arith::ShLIOp::create(b, loc, ADDI(n, integer(127, like)), integer(23, like));
  return asFloat(shifted, like);
}

/// x * 2^n for n in [-252, 254]: in two factors, so that results may overflow or
/// become denormal as they should.
Value Approximations::times2(Value x, Value n) {
  Value half = arith::ShRSIOp::create(b, loc, n, integer(1, x));
  return MUL(MUL(x, power(half, x)), power(SUBI(n, half), x));
}

/// exp(r) - 1 for |r| <= ln(2) / 2.
Value Approximations::expm1Small(Value r) {
  Value p = polynomial(r, {1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2,
                           1.6666665459e-1, 5.0000001201e-1});
  return fma(MUL(p, r), r, r);
}

Value Approximations::exp(Value x) {
  if (gpu)
    return special("llvm.nvvm.ex2.approx.ftz.f", MUL(x, constant(kLog2e, x)));
  // Written so that "not a number" stays in x.
  Value bounded = IF(OLT, x, constant(-104, x), constant(-104, x), x);
  bounded = IF(OGT, bounded, constant(89, x), constant(89, x), bounded);
  auto [n, whole] = nearest(bounded, constant(kLog2e, x));
  Value r = fma(whole, constant(-kLn2High, x), bounded);
  r = fma(whole, constant(-kLn2Low, x), r);
  return times2(ADD(expm1Small(r), constant(1, x)), n);
}

Value Approximations::exp2(Value x) {
  if (gpu)
    return special("llvm.nvvm.ex2.approx.ftz.f", x);
  Value bounded = IF(OLT, x, constant(-151, x), constant(-151, x), x);
  bounded = IF(OGT, bounded, constant(129, x), constant(129, x), bounded);
  auto [n, whole] = nearest(bounded, constant(1, x));
  Value r = MUL(SUB(bounded, whole), constant(0.693147180559945309, x));
  return times2(ADD(expm1Small(r), constant(1, x)), n);
}

Value Approximations::expm1(Value x) {
  if (gpu && narrow) {
    Value size = math::AbsFOp::create(b, loc, x);
    Value near = MUL(x, polynomial(x, {0.5, 1}));
    return IF(OLT, size, constant(0.015625, x), near, SUB(exp(x), constant(1, x)));
  }
  // 2^n (exp(r) - 1) + (2^n - 1); far from 0 the 1 does not matter and 2^n may
  // be too large for one factor.
  Value bounded = IF(OLT, x, constant(-20, x), constant(-20, x), x);
  bounded = IF(OGT, bounded, constant(60, x), constant(60, x), bounded);
  auto [n, whole] = nearest(bounded, constant(kLog2e, x));
  Value r = fma(whole, constant(-kLn2High, x), bounded);
  r = fma(whole, constant(-kLn2Low, x), r);
  Value scale = power(n, x);
  Value near = fma(scale, expm1Small(r), SUB(scale, constant(1, x)));
  return IF(OGT, x, constant(60, x), exp(x), near);
}

Value Approximations::exp2OfNegative(Value x) {
  // Adding 1.5 * 2^23 leaves the nearest integer in the low bits of a sum.
  Value shift = constant(12582912, x), least = constant(-126, x);
  Value bounded = arith::MaximumFOp::create(b, loc, x, least);
  Value sum = ADD(bounded, shift), r = SUB(bounded, SUB(sum, shift));
  Value p = polynomial(r, {5.575465e-2, 2.4203533e-1, 6.9314718e-1, 1});
  Value exponent = arith::ShLIOp::create(b, loc, asInteger(sum), integer(23, x));
  return asFloat(ADDI(asInteger(p), exponent), x);
}

Value Approximations::decay(Value x) {
  Value bounded = IF(OLT, x, constant(-20, x), constant(-20, x), x);
  bounded = IF(OGT, bounded, constant(88, x), constant(88, x), bounded);
  auto [n, whole] = nearest(bounded, constant(kLog2e, x));
  // The digits of ln(2) past the 24th do not matter: close to 0, n is 0.
  Value r = fma(whole, constant(-kLn2, x), bounded);
  // Minimax for the relative error of r + r^2 p(r): 1.3e-8 for |r| <= ln(2) / 2.
  Value p = polynomial(
      r, {1.388249802e-3, 8.366647176e-3, 4.166720435e-2, 1.666654199e-1, 4.999999702e-1});
  Value scale = power(n, x);
  return fma(scale, fma(MUL(p, r), r, r), SUB(scale, constant(1, x)));
}

/// log(x) of a normal, positive, finite x, plus extraExponent * log(2).
Value Approximations::logNormal(Value x, Value extraExponent) {
  // x = 2^e * m with m in [sqrt(1/2), sqrt(2))
  Value root = integer(0x3f3504f3, x), bits = SUBI(asInteger(x), root);
  Value e = arith::ShRSIOp::create(b, loc, bits, integer(23, x));
  Value mantissa = SUBI(asInteger(x), arith::ShLIOp::create(b, loc, e, integer(23, x)));
  Value f = SUB(asFloat(mantissa, x), constant(1, x));
  if (extraExponent)
    e = ADDI(e, extraExponent);
  Value exponent = arith::SIToFPOp::create(b, loc, x.getType(), e);
  Value square = MUL(f, f);
  Value p = polynomial(f, {7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1,
                           1.4249322787e-1, -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1,
                           3.3333331174e-1});
  Value y = MUL(MUL(p, f), square);
  y = fma(exponent, constant(kLn2Low, x), y);
  y = fma(square, constant(-0.5, x), y);
  return fma(exponent, constant(kLn2High, x), ADD(f, y));
}

Value Approximations::log(Value x) {
  Value least = constant(1.17549435e-38, x);
  Value small = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT, x, least);
  Value normal = arith::SelectOp::create(b, loc, small, MUL(x, constant(8388608.0, x)), x);
  Value extra = arith::SelectOp::create(b, loc, small, integer(-23, x), integer(0, x));
  Value y = logNormal(normal, extra);
  y = IF(OEQ, x, constant(kInfinity, x), x, y);
  y = IF(OEQ, x, constant(0, x), constant(-kInfinity, x), y);
  return IF(UGE, x, constant(0, x), IF(UNO, x, x, x, y),
            constant(std::numeric_limits<double>::quiet_NaN(), x));
}

Value Approximations::log1p(Value x) {
  // What 1 + x rounded off comes back as a first-order correction.
  Value one = constant(1, x), u = ADD(x, one);
  Value correction = divide(SUB(x, SUB(u, one)), u);
  correction = IF(OEQ, u, constant(0, x), constant(0, x), correction);
  correction = IF(OEQ, u, constant(kInfinity, x), constant(0, x), correction);
  return ADD(log(u), correction);
}

Value Approximations::tanh(Value x) {
  Value z = MUL(x, x);
  Value p = polynomial(z, {-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1,
                           -3.33332819422e-1});
  Value near = fma(MUL(p, z), x, x);
  Value size = math::AbsFOp::create(b, loc, x), one = constant(1, x);
  Value far = SUB(one, divide(constant(2, x), ADD(exp(ADD(size, size)), one)));
  far = math::CopySignOp::create(b, loc, far, x);
  return IF(OLT, size, constant(0.625, x), near, far);
}

Value Approximations::erf(Value x) {
  // Near 0 an odd polynomial; else 1 - exp(p(|x|)), which goes to 1 by itself. Both are
  // minimax fits of N. Juffa's.
  Value t = math::AbsFOp::create(b, loc, x), s = MUL(x, x);
  Value p = polynomial(s, {-5.96761703e-4, 4.99119423e-3, -2.67681349e-2, 1.12819925e-1,
                           -3.76125336e-1, 1.28379166e-1});
  Value near = fma(p, x, x);
  Value r = fma(constant(-1.72853470e-5, x), t, constant(3.83197126e-4, x));
  r = fma(r, s, fma(constant(-3.88396438e-3, x), t, constant(2.42546219e-2, x)));
  for (double coefficient : {-1.06777877e-1, -6.34846687e-1, -1.28717512e-1})
    r = fma(r, t, constant(coefficient, x));
  r = fma(r, t, arith::NegFOp::create(b, loc, t));
  Value far = math::CopySignOp::create(b, loc, SUB(constant(1, x), exp(r)), x);
  return IF(OLE, t, constant(0.927734375, x), near, far);
}

Value Approximations::sigmoid(Value x) {
  Value one = constant(1, x);
  return divide(one, ADD(one, exp(arith::NegFOp::create(b, loc, x))));
}

Value Approximations::silu(Value x) {
  return divide(x, ADD(constant(1, x), exp(arith::NegFOp::create(b, loc, x))));
}

Value Approximations::softplus(Value x) {
  // log1p of y = exp(-|x|) in [0, 1]. Minimax for the relative error: 4.7e-9, or 5.7e-5.
  static constexpr double kExact[] = {-3.2440251670777798e-3, 1.985146291553974e-2,
                                      -5.695953592658043e-2,  1.0603655129671097e-1,
                                      -1.5305592119693756e-1, 1.967593878507614e-1,
                                      -2.4954134225845337e-1, 3.332996368408203e-1,
                                      -4.999990165233612e-1,  1};
  static constexpr double kNarrow[] = {4.134730249643326e-2, -1.5742720663547516e-1,
                                       3.0630093812942505e-1, -4.969778060913086e-1,
                                       9.999432563781738e-1};
  Value y = exp(arith::NegFOp::create(b, loc, math::AbsFOp::create(b, loc, x)));
  Value p = polynomial(y, narrow ? ArrayRef(kNarrow) : ArrayRef(kExact));
  return fma(p, y, IF(OGT, x, constant(0, x), x, constant(0, x)));
}
