// Defaults of the knobs of GPU convolutions.
#include "compiler/Schedule/ConvDefaults.h"

#include <algorithm>

using namespace mlir;
using namespace mom;

static Conv1dGradOp gradientOf(KernelOp kernel) {
  auto grads = kernel.getBody().front().getOps<Conv1dGradOp>();
  return grads.empty() ? Conv1dGradOp() : *grads.begin();
}

int64_t mom::convLanes(KernelOp kernel) {
  auto isRowResult = [](Value result) {
    RowsAttr rows = rowsOf(result);
    return rows && rows.getSpace() == RowSpace::token;
  };
  return gradientOf(kernel) || llvm::count_if(kernel.getOutputs(), isRowResult) > 1 ? 4 : 8;
}

int64_t mom::convParts(KernelOp kernel, int64_t threads) {
  Conv1dGradOp grad = gradientOf(kernel);
  if (!grad)
    return 1;
  int64_t tiles = llvm::divideCeil(channelsOf(grad.getX()), convLanes(kernel) * threads);
  return std::clamp<int64_t>(256 / tiles, 16, 256);
}
