// Rows whose parts are written by different kernels.
#include "dialect/Joined.h"

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
