// Short names for the ops that derivatives and the optimizer are written in.
#pragma once

#include "dialect/Mom.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Builders.h"

namespace mom {

/// Arithmetic at one place of the program, on rows and on static tensors.
struct Calculus {
  mlir::OpBuilder &b;
  mlir::Location loc;

  mlir::Value add(mlir::Value x, mlir::Value y) {
    return mlir::arith::AddFOp::create(b, loc, x, y);
  }
  mlir::Value sub(mlir::Value x, mlir::Value y) {
    return mlir::arith::SubFOp::create(b, loc, x, y);
  }
  mlir::Value mul(mlir::Value x, mlir::Value y) {
    return mlir::arith::MulFOp::create(b, loc, x, y);
  }
  mlir::Value div(mlir::Value x, mlir::Value y) {
    return mlir::arith::DivFOp::create(b, loc, x, y);
  }
  mlir::Value sqrt(mlir::Value x) { return mlir::math::SqrtOp::create(b, loc, x); }
  mlir::Value neg(mlir::Value x) { return mlir::arith::NegFOp::create(b, loc, x); }
  /// scale * x + offset
  mlir::Value affine(mlir::Value x, double scale, double offset) {
    return AffineOp::create(b, loc, x.getType(), x, b.getF64FloatAttr(scale),
                            b.getF64FloatAttr(offset));
  }
  /// Zeros of the shape of x, whatever x holds.
  mlir::Value zero(mlir::Value x) { return affine(x, 0.0, 0.0); }
  mlir::Value sigmoid(mlir::Value x) { return SigmoidOp::create(b, loc, x.getType(), x); }
  mlir::Value choose(mlir::Value condition, mlir::Value x, mlir::Value y) {
    return mlir::arith::SelectOp::create(b, loc, condition, x, y);
  }
  mlir::Value compare(mlir::arith::CmpFPredicate predicate, mlir::Value x, mlir::Value y) {
    return mlir::arith::CmpFOp::create(b, loc, predicate, x, y);
  }
  /// [rows, C] -> [rows, 1], or a static tensor -> [1]
  mlir::Value sum(mlir::Value x) {
    mlir::Type type = isRows(x.getType()) ? withChannels(x.getType(), 1)
                                          : mlir::RankedTensorType::get({1}, b.getF32Type());
    if (type == x.getType())
      return x;
    return ReduceOp::create(b, loc, type, Reduction::sum, x);
  }
  /// [rows, C] -> [C], or [groups, C] with a route
  mlir::Value sumRows(mlir::Value x, mlir::Value route) {
    llvm::SmallVector<int64_t> shape;
    if (route)
      shape.push_back(llvm::cast<RouteType>(route.getType()).getGroups());
    shape.push_back(channelsOf(x));
    return ReduceRowsOp::create(b, loc, mlir::RankedTensorType::get(shape, b.getF32Type()), x,
                                route);
  }
  mlir::Value broadcast(mlir::Value x, mlir::Value like, mlir::Value route = {}) {
    if (x.getType() == like.getType())
      return x;
    return BroadcastOp::create(b, loc, like.getType(), x, like, route);
  }
};

} // namespace mom
