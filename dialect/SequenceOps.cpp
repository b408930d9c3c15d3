// Mixture-of-Mamba dialect: verifiers of the ops that follow the sequence.
#include "dialect/Mom.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace mom;

OrderBehaviour Conv1dOp::getOrderBehaviour() { return OrderBehaviour::ByIndex; }
OrderBehaviour Conv1dGradOp::getOrderBehaviour() { return OrderBehaviour::ByIndex; }
OrderBehaviour ScanOp::getOrderBehaviour() { return OrderBehaviour::ByIndex; }
OrderBehaviour ScanGradOp::getOrderBehaviour() { return OrderBehaviour::ByIndex; }

static LogicalResult verifyType(Operation *op, Value value, Type expected, StringRef what) {
  if (!value || value.getType() == expected)
    return success();
  auto diag = op->emitOpError() << "expected " << what << " of type " << expected << ", but got "
                                << value.getType();
  return diag;
}

/// A carried state: `channels` channels of space `space`.
static LogicalResult verifyState(Operation *op, Value state, RowSpace space, int64_t channels) {
  if (!state || (rowsOf(state).getSpace() == space && channelsOf(state) == channels))
    return success();
  auto diag = op->emitOpError() << "expected a state of " << stringifyRowSpace(space)
                                << " rows with " << channels << " channels, but got "
                                << state.getType();
  return diag;
}

/// What follows a sequence has a row for each of its tokens.
static LogicalResult verifyTokens(Operation *op, Value rows) {
  if (rowsOf(rows).getSpace() == RowSpace::token)
    return success();
  return op->emitOpError() << "expected rows of tokens, but got " << rows.getType();
}

static LogicalResult verifyConv(Operation *op, Value x, Value weights, Value bias,
                                ArrayRef<Value> states) {
  auto type = cast<RankedTensorType>(weights.getType());
  int64_t channels = channelsOf(x), width = type.getDimSize(1);
  if (type.getDimSize(0) != channels || width < 1) { // C1
    auto diag = op->emitOpError() << "expected weights [" << channels << ", taps], but got "
                                  << type;
    return diag;
  }
  if (bias && channelsOf(bias) != channels) { // C2
    auto diag = op->emitOpError() << "expected a bias of " << channels << " channels, but got "
                                  << channelsOf(bias);
    return diag;
  }
  for (Value state : states) // C3
    if (failed(verifyState(op, state, RowSpace::stream, (width - 1) * channels)))
      return failure();
  return success();
}

LogicalResult Conv1dOp::verify() {
  if (failed(verifyTokens(*this, getX())) ||
      failed(verifyConv(*this, getX(), getWeights(), getBias(), {getInit(), getFinal()})))
    return failure();
  return verifyType(*this, getY(), getX().getType(), "a result"); // C4
}

LogicalResult Conv1dGradOp::verify() {
  if (failed(verifyConv(*this, getX(), getWeights(), getDbias(),
                        {getInit(), getDfinal(), getDinit()})) ||
      failed(verifyType(*this, getDx(), getX().getType(), "dx")) || // C1
      failed(verifyType(*this, getDweights(), getWeights().getType(), "dweights")))
    return failure();
  return verifyType(*this, getDy(), getX().getType(), "dy"); // C2
}

static LogicalResult verifyScan(Operation *op, Value u, Value delta, Value A, Value B, Value C,
                                ArrayRef<Value> states, Value checkpoints) {
  auto matrix = cast<RankedTensorType>(A.getType());
  int64_t channels = channelsOf(u), n = matrix.getDimSize(1);
  if (failed(verifyTokens(op, u)) || failed(verifyType(op, delta, u.getType(), "delta"))) // C1
    return failure();
  if (matrix.getDimSize(0) != channels) { // C2
    auto diag = op->emitOpError() << "expected A [" << channels << ", states], but got " << matrix;
    return diag;
  }
  Type perState = withChannels(u.getType(), n);
  if (failed(verifyType(op, B, perState, "B")) || failed(verifyType(op, C, perState, "C"))) // C2
    return failure();
  for (Value state : states) // C3
    if (failed(verifyState(op, state, RowSpace::stream, channels * n)))
      return failure();
  return verifyState(op, checkpoints, RowSpace::chunk, channels * n); // C4
}

LogicalResult ScanOp::verify() {
  if (failed(verifyScan(*this, getU(), getDelta(), getA(), getB(), getC(), {getInit(), getFinal()},
                        getCheckpoints())))
    return failure();
  return verifyType(*this, getY(), getU().getType(), "a result"); // C1
}

LogicalResult ScanGradOp::verify() {
  if (failed(verifyScan(*this, getU(), getDelta(), getA(), getB(), getC(),
                        {getInit(), getDfinal(), getDinit()}, getCheckpoints()))) // C2
    return failure();
  Value gradients[] = {getDy(), getDu(), getDdelta(), getDA(), getDB(), getDC()};
  Value owners[] = {getU(), getU(), getDelta(), getA(), getB(), getC()};
  for (auto [gradient, owner] : llvm::zip_equal(gradients, owners)) // C1
    if (failed(verifyType(*this, gradient, owner.getType(), "a gradient")))
      return failure();
  return getY() ? verifyType(*this, getY(), getDy().getType(), "the scan's result") : success();
}
