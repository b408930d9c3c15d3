// Defaults of the knobs of scans on a GPU.
#include "compiler/Schedule/ScanDefaults.h"

#include "compiler/Schedule/Knobs.h"
#include "dialect/TrainedRows.h"

#include <limits>

using namespace mlir;
using namespace mom;

static constexpr int64_t kHeldStates = 4; ///< of a thread: one access of shared memory
static constexpr int64_t kHeldOnTensorCores = 2; ///< likewise: a tile's two columns
static constexpr int64_t kMostHeld = 8; ///< of a walk along of bf16 rows
static constexpr int64_t kWarp = 32;

// A walk along of bf16 rows by fma is a little faster than on tensor cores where streams
// times channels give each scheduler two warps of it, and slower where it saves checkpoints:
// docs/Rationale.md has the figures.
static constexpr int64_t kManyWalks = 16384;
static constexpr int64_t kMostStatesOfMany = 16;

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

/// Element types of the float rows in memory that the first `operands` of the anchor are
/// computed from; with `channels`, of those as wide only.
static DenseSet<Type> storageOf(Operation *anchor, int64_t operands,
                                std::optional<int64_t> channels) {
  auto rows = rowsOf(anchor->getOperand(0));
  SmallVector<Value> queue(anchor->getOperands().take_front(operands));
  DenseSet<Value> seen;
  DenseSet<Type> types;
  while (!queue.empty()) {
    Value value = queue.pop_back_val();
    if (!seen.insert(value).second)
      continue;
    Type element = getElementTypeOrSelf(value.getType());
    if (Operation *definition = value.getDefiningOp())
      llvm::append_range(queue, definition->getOperands());
    else if (rowsOf(value) == rows && isa<FloatType>(element) &&
             (!channels || channelsOf(value) == *channels))
      types.insert(element);
  }
  return types;
}

/// Whether all rows are bf16 and the states neither few nor many: tensor cores can do it.
static bool isOfBF16(KernelOp kernel) {
  static constexpr int64_t kFewest = 5, kMost = 128; // states
  Operation *anchor = anchorOf(kernel);
  int64_t states = statesOf(kernel);
  if (!anchor || states < kFewest || states > kMost)
    return false;
  DenseSet<Type> types = storageOf(anchor, /*operands=*/5, std::nullopt);
  return types.size() == 1 && types.begin()->isBF16();
}

/// Streams times channels, where a train block says the streams: there may be more segments,
/// but of as many tokens in all.
static int64_t walksOf(KernelOp kernel) {
  auto module = kernel->getParentOfType<ModuleOp>();
  std::optional<TrainedBatch> batch = module ? trainedBatch(module) : std::nullopt;
  return batch ? batch->streams * channelsOf(anchorOf(kernel)->getOperand(0)) : 0;
}

/// A walk along of bf16 rows whose sums are not tensor cores' work.
static bool isByFma(KernelOp kernel) {
  return !scanUnit(kernel) && isOfBF16(kernel) && !isGradient(kernel);
}

int64_t mom::scanUnit(KernelOp kernel) {
  bool fits = isOfBF16(kernel);
  auto scan = dyn_cast_or_null<ScanOp>(anchorOf(kernel));
  bool many =
      fits && scan && statesOf(kernel) <= kMostStatesOfMany && walksOf(kernel) >= kManyWalks;
  return given(kernel, "unit", fits && !many);
}

/// States of a thread on tensor cores: a tile's two columns. A gradient keeps all states from
/// one checkpoint to the next in shared memory: the closer those are, the more a warp's can be,
/// and the fewer warps load the same tokens. Up to 16 states, or with few streams, there are
/// too few warps then.
static int64_t heldOnTensorCores(KernelOp kernel) {
  auto grad = dyn_cast_or_null<ScanGradOp>(anchorOf(kernel));
  int64_t walks = walksOf(kernel); // 0: unknown
  if (!grad || !grad.getCheckpoints() || statesOf(kernel) <= kMostStatesOfMany ||
      (walks && walks < kManyWalks / 4))
    return kHeldOnTensorCores;
  int64_t chunk = rowsOf(grad.getCheckpoints()).getChunk();
  return llvm::PowerOf2Ceil(std::clamp<int64_t>(128 / chunk, kHeldOnTensorCores, kMostHeld));
}

int64_t mom::scanLanes(KernelOp kernel) {
  if (isByFma(kernel)) {
    // With twice as many walks each lane has twice as many states: fewer load B and C.
    int64_t held = walksOf(kernel) >= 2 * kManyWalks ? 2 * kMostHeld : kMostHeld;
    return std::min<int64_t>(llvm::PowerOf2Ceil(llvm::divideCeil(statesOf(kernel), held)), kWarp);
  }
  bool tensor = scanUnit(kernel);
  int64_t held = tensor ? heldOnTensorCores(kernel) : kHeldStates;
  int64_t lanes = llvm::PowerOf2Ceil(llvm::divideCeil(statesOf(kernel), held));
  // A walk along has registers for more, and then fewer warps bring B and C of the same
  // tokens and sum states of the same channels.
  if (tensor && !isGradient(kernel))
    lanes = std::max<int64_t>(std::min<int64_t>(lanes, 8),
                              llvm::PowerOf2Ceil(llvm::divideCeil(statesOf(kernel), kMostHeld)));
  return std::clamp<int64_t>(lanes, tensor ? 4 : 1, kWarp);
}

int64_t mom::scanThreads(KernelOp kernel) {
  if (isByFma(kernel) && scanLanes(kernel) == 1)
    return 64;
  int64_t sharing = scanUnit(kernel) ? scanLanes(kernel) / 4 * kWarp : kWarp;
  return std::max<int64_t>(sharing, 128);
}

/// Of shared memory: sums over rows and vectors of channels.
static constexpr int64_t kBesides = 8192;

/// Bytes of shared memory for runs of so many tokens on tensor cores, with room for what
/// there may be besides.
static int64_t bytesOnTensorCores(KernelOp kernel, int64_t tokens) {
  int64_t lanes = scanLanes(kernel), threads = scanThreads(kernel), shares = lanes / 4;
  int64_t held = llvm::PowerOf2Ceil(llvm::divideCeil(statesOf(kernel), lanes));
  int64_t channels = threads / lanes * 2, slots = lanes * held;
  auto wide = [](int64_t columns) { return 4 * scanStride(columns); };
  auto narrow = [](int64_t columns) { return 2 * narrowScanStride(columns); };
  auto grad = dyn_cast<ScanGradOp>(anchorOf(kernel));
  if (!grad) // delta, u, B, C, sums of states times C
    return kBesides + tokens * ((2 + shares) * wide(channels) + 2 * wide(slots));
  // Its other sums take the place of states.
  int64_t inputs = wide(2 * channels) + 2 * narrow(channels) + 2 * narrow(slots);
  int64_t sums = grad.getY() ? shares * wide(channels) : 0, states = 4 * threads * 2 * held;
  int64_t bytes = kBesides + tokens * (inputs + sums);
  bytes += (tokens + 1) * states / 2; // bf16, before the run and after each token
  int64_t chunk = grad.getCheckpoints() ? rowsOf(grad.getCheckpoints()).getChunk() : tokens;
  return chunk > tokens ? bytes + chunk / tokens * states : bytes; // before each run
}

/// Likewise of a gradient by fma: delta, u, dy, three sums, B and C, each warp's sums over
/// channels, and the states before each group.
static int64_t bytesByFma(KernelOp kernel, int64_t tokens) {
  int64_t lanes = scanLanes(kernel), threads = scanThreads(kernel), warps = threads / kWarp;
  int64_t held = llvm::PowerOf2Ceil(llvm::divideCeil(statesOf(kernel), lanes));
  int64_t ofToken = 6 * threads / lanes + (2 + 2 * warps) * lanes * held;
  int64_t ofGroup = threads * held;
  return kBesides + 4 * (tokens * ofToken + llvm::divideCeil(tokens, scanGroup(kernel)) * ofGroup);
}

int64_t mom::scanTokens(KernelOp kernel, int64_t architecture) {
  if (isByFma(kernel)) // what a thread fetches ahead of 64 tokens or 32 fits in its registers
    return statesOf(kernel) > 2 * kMostHeld || scanLanes(kernel) == 1 ? 32 : 64;
  if (scanUnit(kernel)) {
    int64_t most = sharedBytes(architecture), tokens = 64;
    // A gradient's threads need all registers there are for 256 of them.
    int64_t blocks = std::max<int64_t>(256 / scanThreads(kernel), 1);
    if (!isGradient(kernel) && scanLanes(kernel) * kMostHeld / 2 < statesOf(kernel))
      tokens = 32; // states take the registers that would wait for more
    while (tokens > 8 && bytesOnTensorCores(kernel, tokens) * blocks > most)
      tokens /= 2;
    return tokens;
  }
  int64_t states = llvm::PowerOf2Ceil(std::max<int64_t>(statesOf(kernel), 16));
  // Floats in a matrix of a run: a gradient has one of each warp.
  int64_t most = (isGradient(kernel) ? 1024 : 4096) / states;
  // A thread fetches its elements of a run ahead into registers.
  int64_t elements = scanExact(kernel) ? 8 : 16;
  int64_t tokens = std::clamp<int64_t>(std::min(most, elements * scanLanes(kernel)), 4,
                                       isGradient(kernel) ? 64 : 32);
  while (isGradient(kernel) && tokens > 4 && bytesByFma(kernel, tokens) > sharedBytes(architecture))
    tokens /= 2;
  return tokens;
}

int64_t mom::scanGroup(KernelOp kernel) {
  if (isByFma(kernel))
    return scanLanes(kernel) == 1 ? 8 : 16;
  int64_t lanes = scanLanes(kernel), held = llvm::divideCeil(statesOf(kernel), lanes);
  // Tensor cores take eight. A walk along hides its waits with more, as registers allow:
  // the fewer lanes have a channel, the more of it a thread stages.
  if (scanUnit(kernel))
    return held > kHeldOnTensorCores ? 8 : !isGradient(kernel) && lanes >= 8 ? 32 : 16;
  return held <= kHeldStates ? 8 : 4;
}

int64_t mom::scanResident(KernelOp kernel) {
  // Left to itself the assembler saves registers for more blocks, and makes a walk wait.
  bool isNarrow = scanUnit(kernel) || isByFma(kernel);
  return isNarrow ? std::clamp<int64_t>(256 / scanThreads(kernel), 1, 2) : 0;
}

int64_t mom::scanPolynomials(KernelOp kernel) {
  return scanUnit(kernel) || isByFma(kernel) ? 2 : 0;
}

int64_t mom::scanExact(KernelOp kernel) {
  Operation *op = anchorOf(kernel);
  if (!op)
    return 1;
  return llvm::any_of(storageOf(op, /*operands=*/2, channelsOf(op->getOperand(0))),
                      [](Type type) { return type.isF32(); });
}

int64_t mom::scanFill(KernelOp kernel) {
  // Threads, as measured on an H200 at 512 channels of 16 states: a walk along of fewer
  // leaves it idle sooner than a gradient's, which waits for more.
  int64_t threads = isGradient(kernel) ? 15000 : 11000;
  int64_t channels = scanUnit(kernel) ? 2 : 1; // of `lanes` threads
  return std::max<int64_t>(threads * channels / scanLanes(kernel), 1);
}

/// The least of a batch that a kernel sees: the train block's, where callers hand in no other.
/// They mostly have several streams, but a prompt, from whose states a sequence goes on, is
/// often alone. To find that a batch is not cut takes up to a tenth of its scan's time.
static TrainedBatch leastBatch(KernelOp kernel, Operation *anchor) {
  auto entry = kernel->getParentOp()->getAttrOfType<StringAttr>(attr::kEntry);
  bool hasStates = isa<ScanOp>(anchor) ? cast<ScanOp>(anchor).getInit() != nullptr
                                       : cast<ScanGradOp>(anchor).getInit() != nullptr;
  std::optional<TrainedBatch> batch = trainedBatch(kernel->getParentOfType<ModuleOp>());
  if (batch && !hasStates && (!entry || entry == "loss" || entry == "gradient"))
    return *batch;
  return {hasStates ? 1 : 2, std::numeric_limits<int64_t>::max()};
}

int64_t mom::scanPiece(KernelOp kernel) {
  static constexpr int64_t kTokens = 512;
  Operation *op = anchorOf(kernel);
  if (!op)
    return 0;
  TrainedBatch batch = leastBatch(kernel, op);
  bool isIdle = batch.streams * channelsOf(op->getOperand(0)) < scanFill(kernel);
  return isIdle && batch.length > 2 * kTokens ? kTokens : 0;
}
