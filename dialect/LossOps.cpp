// Mixture-of-Mamba dialect: verifiers of the losses.
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
