// A run's states in shared memory: see KeptStatesGpu.h.
#include "compiler/Emit/scan/KeptStatesGpu.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mom;

static constexpr int64_t kMatrix = 32; ///< f32 that take the room of 8 x 8 bf16
static constexpr int64_t kWarpChannels = ScanShape::kWarpChannels;
static constexpr int64_t kStateSums = 2 * kWarpChannels + 4; ///< of a token, both
static constexpr int64_t kKind = 16; ///< least f32 from a kind of sums over channels to the next

KeptStates::KeptStates(const ScanTile &tile, int64_t kinds)
    : tile(tile), k(tile.k), parts(tile.shape.held / 2), ofSlot(2 * parts * kMatrix),
      ofKind(std::max(kKind, 8 * parts)),
      // Of a token less than a multiple of 32, where its sums are not so many.
      ofChannels((kinds - 1) * ofKind + (parts == 1 && kinds == 2 ? 12 : 8 * parts + 4)),
      // Threads that finish a token load from several warps: from different banks.
      ofWarp((tile.shape.rounded() + 1) * ofSlot + 8),
      base(k.shared(tile.shape.warps() * ofWarp * 4)) {}

View KeptStates::at(Value place, int64_t lanes) const {
  View view;
  view.element = k.b.getF32Type();
  view.base = k.address(base, view.element, place);
  view.alignment = std::min<int64_t>(4 * lanes, 16);
  return view;
}

Value KeptStates::slot(Value number) const {
  return k.add(k.mul(tile.gpu.warp(), ofWarp), k.mul(number, ofSlot));
}

void KeptStates::storeApart(Value number, ValueRange pairs) const {
  for (auto [i, pair] : llvm::enumerate(pairs)) {
    int64_t matrix = i % parts * 2 + i / parts;
    Value place = k.add(slot(number), k.add(tile.gpu.lane(), matrix * kMatrix));
    k.store(arith::BitcastOp::create(k.b, k.loc, k.b.getF32Type(), pair), at(place, 1), At{});
  }
}

/// Where this lane's line of four matrices is: two of a slot, then of the next, or in turn.
static Value lineOfLane(KernelBuilder &k, int64_t ofSlot, bool inTurn) {
  Value lane = Gpu(k).lane(), line = k.mul(k.rem(lane, 8), kMatrix / 8);
  Value upper = k.div(lane, 16), odd = k.rem(k.div(lane, 8), 2);
  return k.add(line,
               k.add(k.mul(inTurn ? odd : upper, ofSlot), k.mul(inTurn ? upper : odd, kMatrix)));
}

void KeptStates::store(Value t, ValueRange first, ValueRange second) const {
  if (k.architecture < 90) {
    storeApart(k.add(t, 1), first);
    return storeApart(k.add(t, 2), second);
  }
  TensorCore core(k, k.b.getBF16Type());
  for (int64_t j = 0; j < parts; ++j) {
    Value place =
        k.add(k.add(slot(k.add(t, 1)), lineOfLane(k, ofSlot, /*inTurn=*/false)), 2 * j * kMatrix);
    core.storeMatrices(k.address(base, k.b.getF32Type(), place),
                       {first[j], first[parts + j], second[j], second[parts + j]});
  }
}

Values KeptStates::load(Value number, int64_t j, bool transposed) const {
  Value place =
      k.add(k.add(slot(number), lineOfLane(k, ofSlot, /*inTurn=*/transposed)), 2 * j * kMatrix);
  return TensorCore(k, k.b.getBF16Type())
      .loadMatrices(k.address(base, k.b.getF32Type(), place), transposed);
}

/// Where a warp has the sums of a token's group.
Value KeptStates::sums(Value warp, Value token) const {
  Value group = k.mul(k.div(token, kTensorTokens), kTensorTokens);
  return k.add(k.mul(warp, ofWarp), k.mul(k.add(group, 1), ofSlot));
}

/// Of this lane's two tokens as many values, which lie side by side: `stride` from token to
/// token, from `offset` on.
void KeptStates::storeSums(const ScanTensor &tensor, int64_t offset, int64_t stride,
                           ValueRange values) const {
  int64_t count = values.size() / 2;
  for (int64_t m = 0; m < 2; ++m) {
    Value token = k.add(k.mul(tensor.quad, 2), m);
    Value place = k.add(k.mul(token, stride), k.mul(tensor.group, count));
    place = k.add(k.add(sums(tile.gpu.warp(), tensor.start), offset), place);
    tile.storeScalars(values.slice(m * count, count), at(place, count), At{});
  }
}

void KeptStates::storeStateSums(const ScanTensor &tensor, int64_t which, ValueRange values) const {
  storeSums(tensor, which * kWarpChannels, kStateSums, values);
}

void KeptStates::storeChannelSums(const ScanTensor &tensor, int64_t kind, ValueRange values) const {
  storeSums(tensor, kTensorTokens * kStateSums + kind * ofKind, ofChannels, values);
}

/// The sum over `count` warps, `first` and each `step` on, of what lies at a place of a token's
/// group.
Value KeptStates::loadSum(Value first, int64_t step, int64_t count, Value token, Value place,
                          int64_t lanes) const {
  Value sum;
  for (int64_t i = 0; i < count; ++i) {
    Value from = k.add(sums(k.add(first, i * step), token), place);
    Value part = k.load(at(from, lanes), At{Value(), Value(), lanes, Value()});
    sum = sum ? tile.add(sum, part) : part;
  }
  return sum;
}

Value KeptStates::loadStateSum(int64_t which, At where) const {
  Value token = k.rem(where.row, kTensorTokens);
  Value place = k.add(k.mul(token, kStateSums),
                      k.add(k.rem(where.column, kWarpChannels), which * kWarpChannels));
  int64_t shares = tile.shape.shares();
  Value first = k.mul(k.div(where.column, kWarpChannels), shares);
  return loadSum(first, 1, shares, where.row, place, where.lanes);
}

Value KeptStates::loadChannelSum(Value kind, Value token, Value state, int64_t lanes) const {
  int64_t ofShare = 8 * parts;
  Value place = k.add(k.mul(k.rem(token, kTensorTokens), ofChannels), k.rem(state, ofShare));
  place = k.add(place, k.add(k.mul(kind, ofKind), kTensorTokens * kStateSums));
  return loadSum(k.div(state, ofShare), tile.shape.shares(), tile.shape.channelWarps(), token,
                 place, lanes);
}
