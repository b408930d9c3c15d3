// Mixture-of-Mamba dialect: verifiers of the products.
#include "dialect/Mom.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace mom;

// C1 is a matter of the whole program: mom-verify-order checks it.
OrderBehaviour LinearOp::getOrderBehaviour() { return OrderBehaviour::Indifferent; }
Value LinearOp::getRequiredRoute() { return getRoute(); }
OrderBehaviour LinearWgradOp::getOrderBehaviour() { return OrderBehaviour::Indifferent; }
Value LinearWgradOp::getRequiredRoute() { return getRoute(); }

/// Weights have a group axis, of the route's size, exactly where there is a route.
static LogicalResult verifyGroups(Operation *op, RankedTensorType weights, Value route) {
  if (!route && weights.getRank() != 2) {
    auto diag = op->emitOpError() << "expected weights [out, in] without a route, but got "
                                  << weights;
    return diag;
  }
  if (!route)
    return success();
  int64_t groups = cast<RouteType>(route.getType()).getGroups();
  if (weights.getRank() == 3 && weights.getDimSize(0) == groups)
    return success();
  auto diag = op->emitOpError() << "expected " << groups << " weights, one a group, but got "
                                << weights;
  return diag;
}

LogicalResult LinearOp::verify() {
  auto weights = cast<RankedTensorType>(getWeights().getType());
  if (failed(verifyGroups(*this, weights, getRoute()))) // C3
    return failure();
  int64_t in = weights.getShape().back(), out = weights.getShape()[weights.getRank() - 2];
  if (getTransposed())
    std::swap(in, out);
  if (channelsOf(getX()) != in) // C2
    return emitOpError() << "expected " << in << " channels of x, as the weights, but got "
                         << channelsOf(getX());
  if (getY().getType() != withChannels(getX().getType(), out)) // C4
    return emitOpError() << "expected a result " << withChannels(getX().getType(), out)
                         << ", but got " << getY().getType();
  return success();
}

LogicalResult LinearWgradOp::verify() {
  auto weights = cast<RankedTensorType>(getDweights().getType());
  if (failed(verifyGroups(*this, weights, getRoute()))) // C2
    return failure();
  ArrayRef<int64_t> shape = weights.getShape().take_back(2);
  if (rowsOf(getX()) != rowsOf(getDy()) || shape[0] != channelsOf(getDy()) ||
      shape[1] != channelsOf(getX())) // C2
    return emitOpError() << "expected x [rows, " << shape[1] << "] and dy [rows, " << shape[0]
                         << "] of the same rows, but got " << getX().getType() << " and "
                         << getDy().getType();
  return success();
}
