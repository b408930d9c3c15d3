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

static constexpr int64_t kLeastStages = 2;

/// Shared memory of a block: chunks of all rows that are read, with what a gradient that makes
/// the convolution again looks back to, and its sums.
static int64_t bytesOf(KernelOp kernel, int64_t lanes, int64_t stages) {
  int64_t threads = given(kernel, "threads", 256), ahead = given(kernel, "ahead", 4);
  int64_t ofToken = 0, sums = 0, chunks = stages;
  for (Value input : kernel.getInputs())
    if (isRows(input.getType()) && rowsOf(input).getSpace() == RowSpace::token)
      ofToken += getElementTypeOrSelf(input).getIntOrFloatBitWidth() / 8;
  if (Conv1dGradOp grad = gradientOf(kernel)) {
    int64_t width = channelsOf(grad.getWeights());
    sums = width + 1;
    if (!kernel.getBody().front().getOps<Conv1dOp>().empty())
      chunks += llvm::divideCeil(width - 1, ahead);
  }
  return threads * lanes * (chunks * ahead * ofToken + 4 * sums);
}

int64_t mom::convLanes(KernelOp kernel, int64_t architecture) {
  auto isRowResult = [](Value result) {
    RowsAttr rows = rowsOf(result);
    return rows && rows.getSpace() == RowSpace::token;
  };
  bool little = gradientOf(kernel) && sharedBytes(architecture) < 160 * 1024;
  int64_t lanes = little || llvm::count_if(kernel.getOutputs(), isRowResult) > 1 ? 4 : 8;
  while (lanes > 1 && bytesOf(kernel, lanes, kLeastStages) > sharedBytes(architecture))
    lanes /= 2;
  return lanes;
}

int64_t mom::convStages(KernelOp kernel, int64_t architecture) {
  int64_t lanes = given(kernel, "lanes", convLanes(kernel, architecture));
  int64_t bytes = bytesOf(kernel, lanes, 1) - bytesOf(kernel, lanes, 0); // of a chunk
  int64_t stages = std::clamp<int64_t>((48 * 1024) / std::max<int64_t>(bytes, 1), kLeastStages, 4);
  while (stages > kLeastStages && bytesOf(kernel, lanes, stages) > sharedBytes(architecture))
    --stages;
  return stages;
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
