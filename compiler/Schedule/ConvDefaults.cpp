// Defaults of the knobs of GPU convolutions.
#include "compiler/Schedule/ConvDefaults.h"

#include "compiler/Schedule/Knobs.h"

#include <algorithm>

using namespace mlir;
using namespace mom;

static Conv1dGradOp gradientOf(KernelOp kernel) {
  auto grads = kernel.getBody().front().getOps<Conv1dGradOp>();
  return grads.empty() ? Conv1dGradOp() : *grads.begin();
}

int64_t mom::convLanes(KernelOp kernel, int64_t architecture) {
  auto isRowResult = [](Value result) {
    RowsAttr rows = rowsOf(result);
    return rows && rows.getSpace() == RowSpace::token;
  };
  bool little = gradientOf(kernel) && sharedBytes(architecture) < 160 * 1024;
  return little || llvm::count_if(kernel.getOutputs(), isRowResult) > 1 ? 4 : 8;
}

int64_t mom::convStages(KernelOp kernel, int64_t architecture) {
  int64_t vectors = given(kernel, "ahead", 4) * given(kernel, "threads", 256), bytes = 0;
  for (Value input : kernel.getInputs())
    if (isRows(input.getType()) && rowsOf(input).getSpace() == RowSpace::token)
      bytes += vectors * given(kernel, "lanes", convLanes(kernel, architecture)) *
               getElementTypeOrSelf(input).getIntOrFloatBitWidth() / 8;
  return std::clamp<int64_t>((48 * 1024) / std::max<int64_t>(bytes, 1), 2, 4);
}

int64_t mom::convParts(KernelOp kernel, int64_t architecture) {
  Conv1dGradOp grad = gradientOf(kernel);
  if (!grad)
    return 1;
  int64_t across =
      given(kernel, "lanes", convLanes(kernel, architecture)) * given(kernel, "threads", 256);
  int64_t tiles = llvm::divideCeil(channelsOf(grad.getX()), across);
  return std::clamp<int64_t>(kMultiprocessors / tiles, 16, kMultiprocessors);
}
