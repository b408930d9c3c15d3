// Mixture-of-Mamba dialect: verifiers of the row ops. `Cn` cites the op's
// numbered constraint.
#include "dialect/Mom.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace mom;

static LogicalResult verifySameRows(Operation *op, Value a, Value b) {
  if (rowsOf(a) == rowsOf(b))
    return success();
  auto diag = op->emitOpError() << "expected the same rows, but got " << a.getType() << " and "
                                << b.getType();
  return diag;
}

static LogicalResult verifyChannels(Operation *op, Value value, int64_t expected, StringRef what) {
  if (channelsOf(value) == expected)
    return success();
  auto diag = op->emitOpError() << "expected " << expected << " channels of " << what
                                << ", but got " << channelsOf(value);
  return diag;
}

OrderBehaviour ModalityOp::getOrderBehaviour() { return OrderBehaviour::Fixed; }
LogicalResult ModalityOp::verify() { return verifyChannels(*this, getY(), 1, "the result"); }

OrderBehaviour NextOp::getOrderBehaviour() { return OrderBehaviour::ByIndex; }

OrderBehaviour ReorderOp::getOrderBehaviour() { return OrderBehaviour::ByIndex; }

LogicalResult ReorderOp::verify() {
  RowsAttr from = rowsOf(getX()), to = rowsOf(getY());
  StringAttr route = getRoute().getType().getName();
  if (!(from.getRoute() == route && !to.getRoute()) &&
      !(to.getRoute() == route && !from.getRoute()))
    return emitOpError() << "expected one side by position and the other by " << route // C1
                         << ", but got " << from << " and " << to;
  if (getX().getType() != withRows(getY().getType(), from) ||
      from.getSpace() != to.getSpace()) // C2
    return emitOpError() << "expected types that differ in order only, but got " << getX().getType()
                         << " and " << getY().getType();
  return success();
}

OpFoldResult ReorderOp::fold(FoldAdaptor) {
  // reorder(reorder(x)) is x where the first one came from the order asked for.
  auto inner = getX().getDefiningOp<ReorderOp>();
  if (inner && inner.getRoute() == getRoute() && inner.getX().getType() == getY().getType())
    return inner.getX();
  return {};
}

bool mom::readsOtherRows(Operation *op) {
  return isa<NextOp, ReorderOp, SpreadOp, CollectOp, DispatchOp, RetrieveOp>(op);
}

Value mom::beforeReorder(Value value) {
  auto reorder = value.getDefiningOp<ReorderOp>();
  return reorder ? reorder.getX() : value;
}

OrderBehaviour SpreadOp::getOrderBehaviour() { return OrderBehaviour::ByIndex; }
OrderBehaviour CollectOp::getOrderBehaviour() { return OrderBehaviour::ByIndex; }

/// `document` and `token` are of these spaces and have the same channels.
static LogicalResult verifyDocuments(Operation *op, Value document, Value token) {
  if (rowsOf(document).getSpace() == RowSpace::document &&
      rowsOf(token).getSpace() == RowSpace::token && channelsOf(document) == channelsOf(token))
    return success();
  return op->emitOpError() << "expected document and token rows with the same channels, but got "
                           << document.getType() << " and " << token.getType();
}

LogicalResult SpreadOp::verify() { return verifyDocuments(*this, getX(), getY()); }  // C1
LogicalResult CollectOp::verify() { return verifyDocuments(*this, getY(), getX()); } // C1

LogicalResult EqualsOp::verify() {
  if (failed(verifySameRows(*this, getX(), getY())) ||
      failed(verifyChannels(*this, getX(), 1, "the label")) ||
      failed(verifyChannels(*this, getY(), 1, "the result"))) // C1
    return failure();
  if (getValueAttr().getInt() < 0) // C2
    return emitOpError() << "expected a value of at least 0, but got "
                         << getValueAttr().getInt();
  return success();
}

LogicalResult PresentOp::verify() {
  if (failed(verifySameRows(*this, getX(), getY())) ||
      failed(verifyChannels(*this, getX(), 1, "the label"))) // C1
    return failure();
  return verifyChannels(*this, getY(), 1, "the result");
}

LogicalResult OneHotOp::verify() { return verifySameRows(*this, getX(), getY()); } // C1

OrderBehaviour BroadcastOp::getOrderBehaviour() { return OrderBehaviour::Indifferent; }
Value BroadcastOp::getRequiredRoute() { return getRoute(); }

LogicalResult BroadcastOp::verify() {
  auto like = cast<RankedTensorType>(getLike().getType()),
       y = cast<RankedTensorType>(getY().getType());
  if (isRows(y) ? rowsOf(like) != rowsOf(y) : like != y) // C1
    return emitOpError() << "expected a result like " << like << ", but got " << y;
  if (channelsOf(getX()) != 1 && channelsOf(getX()) != channelsOf(getY())) // C2
    return emitOpError() << "expected 1 or " << channelsOf(getY()) << " channels, but got "
                         << channelsOf(getX());
  auto x = cast<RankedTensorType>(getX().getType());
  if (isRows(x)) {
    if (channelsOf(getX()) != 1)
      return emitOpError() << "expected rows of 1 channel, but got " << channelsOf(getX()); // C2
    return verifySameRows(*this, getX(), getY());
  }
  int64_t groups = getRoute() ? getRoute().getType().getGroups() : 0;
  if (x.getRank() != (getRoute() ? 2 : 1) || (getRoute() && x.getDimSize(0) != groups)) { // C3
    auto diag = emitOpError() << "expected ";
    if (getRoute())
      return diag << "a matrix of " << groups << " rows, one a group, but got " << x;
    return diag << "a vector, but got " << x;
  }
  return success();
}

LogicalResult ReduceOp::verify() {
  if (isRows(getX().getType()) && getY().getType() != withChannels(getX().getType(), 1)) // C1
    return emitOpError() << "expected rows of 1 channel like " << getX().getType() << ", but got "
                         << getY().getType();
  if (isStatic(getX().getType()) &&
      cast<RankedTensorType>(getY().getType()).getShape() != ArrayRef<int64_t>{1})
    return emitOpError() << "expected a vector of 1 element, but got " << getY().getType(); // C1
  return success();
}

OrderBehaviour ReduceRowsOp::getOrderBehaviour() { return OrderBehaviour::Indifferent; }
Value ReduceRowsOp::getRequiredRoute() { return getRoute(); }

LogicalResult ReduceRowsOp::verify() {
  SmallVector<int64_t> expected;
  if (getRoute())
    expected.push_back(getRoute().getType().getGroups());
  expected.push_back(channelsOf(getX()));
  auto type = cast<RankedTensorType>(getY().getType());
  if (type.getShape() != ArrayRef<int64_t>(expected)) // C1
    return emitOpError() << "expected a result of shape [" << expected << "], but got " << type;
  return success();
}

LogicalResult SplitOp::verify() {
  int64_t sum = 0;
  for (Value part : getParts()) {
    if (failed(verifySameRows(*this, getX(), part))) // C1
      return failure();
    sum += channelsOf(part);
  }
  return verifyChannels(*this, getX(), sum, "the operand"); // C1
}

LogicalResult ConcatOp::verify() {
  int64_t sum = 0;
  for (Value part : getParts()) {
    if (failed(verifySameRows(*this, getY(), part))) // C1
      return failure();
    if (getElementTypeOrSelf(part) != getElementTypeOrSelf(getY())) // C2
      return emitOpError() << "expected parts of " << getElementTypeOrSelf(getY()) << ", but got "
                           << part.getType();
    sum += channelsOf(part);
  }
  return verifyChannels(*this, getY(), sum, "the result"); // C1
}

LogicalResult EmbeddingOp::verify() {
  if (failed(verifySameRows(*this, getIds(), getY())) ||
      failed(verifyChannels(*this, getIds(), 1, "the ids"))) // C1
    return failure();
  return verifyChannels(*this, getY(), channelsOf(getTable()), "the result"); // C1
}

LogicalResult EmbeddingGradOp::verify() {
  if (failed(verifySameRows(*this, getIds(), getDy()))) // C1
    return failure();
  return verifyChannels(*this, getDtable(), channelsOf(getDy()), "the result"); // C1
}
