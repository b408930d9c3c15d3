// Defaults of the knobs of map and reduce_rows kernels on GPUs.
#include "compiler/Schedule/RowDefaults.h"

#include "compiler/Schedule/Knobs.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mom;

static int64_t widthOf(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return 0;
  return isRows(type) ? channelsOf(type) : tensor.getNumElements();
}

/// Calls `visit` with the type of each tensor of more than one element a row that the
/// kernel reads or writes.
static void forEachWide(KernelOp kernel, llvm::function_ref<void(Type)> visit) {
  for (Type type : llvm::concat<const Type>(kernel.getOperandTypes(), kernel.getResultTypes()))
    if (widthOf(type) > 1)
      visit(type);
}

int64_t mom::lanesOfWidth(int64_t width, int64_t lanes) {
  while (width % lanes)
    lanes /= 2;
  return lanes;
}

int64_t mom::defaultRowLanes(KernelOp kernel) {
  unsigned bits = 32;
  forEachWide(kernel, [&](Type type) {
    bits = std::min(bits, cast<RankedTensorType>(type).getElementTypeBitWidth());
  });
  return 128 / bits;
}

int64_t mom::widestRow(KernelOp kernel) {
  int64_t widest = 1;
  auto note = [&](Type type) {
    if (isRows(type))
      widest = std::max(widest, channelsOf(type));
  };
  for (Operation &op : kernel.getBody().front())
    for (Type type : llvm::concat<const Type>(op.getOperandTypes(), op.getResultTypes()))
      note(type);
  return widest;
}

bool mom::sumsRows(KernelOp kernel) {
  return kernel.getAnchor() == Anchor::map && !kernel.getBody().getOps<ReduceRowsOp>().empty();
}

Value mom::rowsOfBody(KernelOp kernel) {
  for (Value result : kernel.getResults())
    if (isRows(result.getType()))
      return result;
  auto sums = kernel.getBody().getOps<ReduceRowsOp>();
  return sums.empty() ? Value() : (*sums.begin()).getX();
}

static bool reduces(KernelOp kernel) { return !kernel.getBody().getOps<ReduceOp>().empty(); }

/// Threads that hold a row in their registers.
static int64_t threadsOfRow(KernelOp kernel) {
  int64_t width = widestRow(kernel);
  int64_t lanes = lanesOfWidth(width, given(kernel, "lanes", defaultRowLanes(kernel)));
  int64_t vectors = width / lanes;
  int64_t threads = llvm::PowerOf2Ceil(llvm::divideCeil(vectors, kElementsInRegisters / lanes));
  // Eight neighbours of 16 bytes are a cache line.
  return std::max(threads, std::min<int64_t>(8, llvm::PowerOf2Ceil(vectors)));
}

int64_t mom::defaultMapThreads(KernelOp kernel) {
  if (!rowsOfBody(kernel))
    return 256;
  int64_t row = threadsOfRow(kernel);
  // A thread's share of a row takes many registers: small blocks fill them better.
  if (row <= 32)
    return row < 32 || sumsRows(kernel) ? 256 : 128;
  // Longer rows are walked in loops: several blocks a multiprocessor, each with a row,
  // beat one with more threads that waits for its memory and then computes.
  return std::clamp<int64_t>(row, 64, 256);
}

int64_t mom::defaultTeam(KernelOp kernel) {
  int64_t threads = given(kernel, "threads", defaultMapThreads(kernel));
  int64_t row = rowsOfBody(kernel) ? threadsOfRow(kernel) : threads;
  return row <= 32 ? row : threads;
}

int64_t mom::defaultTileRows(KernelOp kernel) {
  return given(kernel, "threads", defaultMapThreads(kernel)) /
         given(kernel, "team", defaultTeam(kernel));
}

int64_t mom::defaultMapParts(KernelOp kernel) { return sumsRows(kernel) ? kMultiprocessors : 1; }

int64_t mom::defaultMapVectors(KernelOp kernel) {
  int64_t tensors = 0;
  forEachWide(kernel, [&](Type) { ++tensors; });
  int64_t lanes = given(kernel, "lanes", defaultRowLanes(kernel));
  return std::clamp<int64_t>(64 / (lanes * std::max<int64_t>(tensors, 1)), 1, 4);
}

int64_t mom::defaultMapChunk(KernelOp kernel) {
  if (!rowsOfBody(kernel) && reduces(kernel))
    return 65536;
  return given(kernel, "threads", defaultMapThreads(kernel)) *
         given(kernel, "lanes", defaultRowLanes(kernel)) *
         given(kernel, "vectors", defaultMapVectors(kernel));
}

int64_t mom::defaultSplits(KernelOp kernel) {
  int64_t channels = 1, groups = 1;
  for (auto op : kernel.getBody().getOps<ReduceRowsOp>()) {
    channels = std::max(channels, channelsOf(op.getX()));
    if (Value route = op.getRoute())
      groups = std::max<int64_t>(groups, cast<RouteType>(route.getType()).getGroups());
  }
  // About four blocks on each of 132 multiprocessors; few channels have few bytes.
  int64_t tile = 32 * lanesOfWidth(channels, given(kernel, "lanes", defaultRowLanes(kernel)));
  int64_t blocks = channels < 32 ? 64 : 528;
  return std::clamp<int64_t>(blocks / (groups * llvm::divideCeil(channels, tile)), 4, 256);
}
