// Rows that are read or written in parts.
#include "dialect/Views.h"

using namespace mlir;
using namespace mom;

Joined mom::joinedIn(Value value) {
  for (OpOperand &use : value.getUses())
    if (auto whole = dyn_cast<ConcatOp>(use.getOwner())) {
      Joined joined{whole};
      for (Value before : whole.getParts().take_front(use.getOperandNumber()))
        joined.column += channelsOf(before);
      return joined;
    }
  return {};
}

Value mom::sourceOf(Value value) {
  while (auto split = value.getDefiningOp<SplitOp>())
    value = split.getX();
  return value;
}
