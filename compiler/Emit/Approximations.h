// Elementary functions in f32 arithmetic.
//
// Each works on scalars and vectors alike, has no branch and no table. The errors
// given are the largest seen against double precision, over every 977th float of
// the range in which results are normal.
#pragma once

#include "mlir/IR/Builders.h"
#include "mlir/IR/Value.h"

namespace mom {

struct Approximations {
  mlir::OpBuilder &b;
  mlir::Location loc;
  /// GPU: exponentials and reciprocals are its own instructions (2 ulp of f32, denormal
  /// numbers flushed to 0), and so is what is made of them.
  bool gpu = false;
  /// Operands or results have 16 bits: fewer digits do.
  bool narrow = false;

  /// 1.0 ulp; 0 below -104, infinity above 88.73, denormal results kept.
  mlir::Value exp(mlir::Value x);
  mlir::Value exp2(mlir::Value x);
  /// exp2(x) of x up to 0, for bf16: x is as if it were off by 6e-4 of itself, so 1 is
  /// exact; 0 or almost below -126.
  mlir::Value exp2OfNegative(mlir::Value x);
  /// Narrow, on a GPU: off by 8e-5 of itself at most.
  mlir::Value expm1(mlir::Value x);
  /// exp(x) - 1 in half the operations, for x up to 88; it stays there above.
  mlir::Value decay(mlir::Value x);
  /// 1 ulp; minus infinity at 0, not a number below.
  mlir::Value log(mlir::Value x);
  mlir::Value log1p(mlir::Value x);
  mlir::Value tanh(mlir::Value x);
  /// 1.0 ulp.
  mlir::Value erf(mlir::Value x);
  mlir::Value sigmoid(mlir::Value x);
  mlir::Value silu(mlir::Value x);
  /// Narrow: off by 6e-5 of itself at most, however small.
  mlir::Value softplus(mlir::Value x);

  mlir::Value constant(double value, mlir::Value like);
  mlir::Value affine(mlir::Value x, double scale, double offset);

private:
  /// A function of the special function unit, lane by lane.
  mlir::Value special(llvm::StringRef intrinsic, mlir::Value x);
  mlir::Value divide(mlir::Value x, mlir::Value y);
  mlir::Value integer(int32_t value, mlir::Value like);
  mlir::Value asInteger(mlir::Value x);
  mlir::Value asFloat(mlir::Value bits, mlir::Value like);
  mlir::Value fma(mlir::Value x, mlir::Value y, mlir::Value z);
  mlir::Value polynomial(mlir::Value x, llvm::ArrayRef<double> fromHighest);
  mlir::Value power(mlir::Value n, mlir::Value like);
  mlir::Value times2(mlir::Value x, mlir::Value n);
  std::pair<mlir::Value, mlir::Value> nearest(mlir::Value x, mlir::Value scale);
  mlir::Value expm1Small(mlir::Value r);
  mlir::Value logNormal(mlir::Value x, mlir::Value extraExponent);
};

} // namespace mom
