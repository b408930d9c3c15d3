// Mixture-of-Mamba dialect: verifiers of the losses and of what is drawn.
#include "dialect/Mom.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace mom;

/// All values have the rows of the first; all but it have one channel.
static LogicalResult verifyColumns(Operation *op, Value logits, ValueRange columns) {
  for (Value column : columns) {
    if (rowsOf(column) == rowsOf(logits) && channelsOf(column) == 1)
      continue;
    auto diag = op->emitOpError() << "expected 1 channel and the rows of " << logits.getType()
                                  << ", but got " << column.getType();
    return diag;
  }
  return success();
}

LogicalResult CrossEntropyOp::verify() { // C1
  return verifyColumns(*this, getLogits(), {getTarget(), getNll(), getLse()});
}

LogicalResult CrossEntropyGradOp::verify() { // C1
  return verifyColumns(*this, getLogits(), {getTarget(), getLse(), getDnll()});
}

LogicalResult DrawOp::verify() {
  if (failed(verifyColumns(*this, getLogits(), {getId(), getGroup()}))) // C1
    return failure();
  if (rowsOf(getPlace()) != rowsOf(getLogits()) || channelsOf(getPlace()) != 3) // C1
    return emitOpError() << "expected a place of 3 channels and the rows of "
                         << getLogits().getType() << ", but got " << getPlace().getType();
  auto size = [](Value vector) {
    return cast<RankedTensorType>(vector.getType()).getNumElements();
  };
  if (size(getGroups()) != channelsOf(getLogits()) || size(getLimits()) != 2 ||
      size(getHow()) != 3) // C2
    return emitOpError() << "expected limits [2], how [3] and groups [" << channelsOf(getLogits())
                         << "], but got " << getLimits().getType() << ", " << getHow().getType()
                         << " and " << getGroups().getType();
  return success();
}
