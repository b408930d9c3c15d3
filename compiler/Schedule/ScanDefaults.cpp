// Defaults of the knobs of scans on a GPU.
#include "compiler/Schedule/ScanDefaults.h"

using namespace mlir;
using namespace mom;

static constexpr int64_t kHeldStates = 4; ///< of a thread: one access of shared memory
static constexpr int64_t kWarp = 32;

static Operation *anchorOf(KernelOp kernel) {
  for (Operation &op : kernel.getBody().front())
    if (isa<ScanOp, ScanGradOp>(op))
      return &op;
  return nullptr;
}

/// u, delta and A are the first operands of both ops.
static int64_t statesOf(KernelOp kernel) {
  Operation *op = anchorOf(kernel);
  return op ? channelsOf(op->getOperand(2)) : 1;
}

static bool isGradient(KernelOp kernel) { return isa_and_present<ScanGradOp>(anchorOf(kernel)); }

int64_t mom::scanLanes(KernelOp kernel) {
  int64_t lanes = llvm::PowerOf2Ceil(llvm::divideCeil(statesOf(kernel), kHeldStates));
  return std::min(lanes, kWarp);
}

int64_t mom::scanTokens(KernelOp kernel) {
  int64_t states = llvm::PowerOf2Ceil(std::max<int64_t>(statesOf(kernel), 16));
  // Floats in a matrix of a run: a gradient has one of each warp.
  int64_t most = (isGradient(kernel) ? 1024 : 4096) / states;
  // A thread fetches its elements of a run ahead into registers.
  int64_t elements = scanExact(kernel) ? 8 : 16;
  return std::clamp<int64_t>(std::min(most, elements * scanLanes(kernel)), 4,
                             isGradient(kernel) ? 64 : 32);
}

int64_t mom::scanGroup(KernelOp kernel) {
  int64_t held = llvm::divideCeil(statesOf(kernel), scanLanes(kernel));
  return held <= kHeldStates ? 8 : 4;
}

int64_t mom::scanExact(KernelOp kernel) {
  Operation *op = anchorOf(kernel);
  if (!op)
    return 1;
  auto rows = rowsOf(op->getOperand(0));
  int64_t channels = channelsOf(op->getOperand(0));
  SmallVector<Value> queue(op->getOperands().take_front(2));
  DenseSet<Value> seen;
  while (!queue.empty()) {
    Value value = queue.pop_back_val();
    if (!seen.insert(value).second)
      continue;
    if (Operation *definition = value.getDefiningOp()) {
      llvm::append_range(queue, definition->getOperands());
      continue;
    }
    if (rowsOf(value) == rows && channelsOf(value) == channels &&
        getElementTypeOrSelf(value.getType()).isF32())
      return 1;
  }
  return 0;
}
