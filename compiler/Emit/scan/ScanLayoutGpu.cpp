// How a run lies in a block's shared memory.
//
// delta and u lie side by side where a thread wants both of each channel, and apart where it
// wants several tokens' delta. In a narrow tile (ScanTile::isNarrow) they lie as products
// want them:
//
//     u, dy      of a warp's 16 channels the even ones before the odd ones: the rows of two
//                matrices, as ldmatrix loads them, turned or not
//     delta      of channels c and c + 1, c even: both as f32, then each as a pair of itself
//                in bf16, so that one access has what a step of the walk back multiplies by
#include "compiler/Emit/scan/ScanTileGpu.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mom;

/// Lanes that `order` lists of x and, after them, y.
static Value shuffled(KernelBuilder &k, Value x, Value y, ArrayRef<int64_t> order) {
  if (order.size() == 1)
    return vector::ExtractOp::create(k.b, k.loc, x, order);
  return vector::ShuffleOp::create(k.b, k.loc, x, y, order);
}

/// Every second lane of `lanes`, from `first` on.
static Value everySecond(KernelBuilder &k, Value x, int64_t first, int64_t lanes) {
  SmallVector<int64_t> order;
  for (int64_t lane = first; lane < lanes; lane += 2)
    order.push_back(lane);
  return shuffled(k, x, x, order);
}

Value ScanTile::interleaved(Value x, Value y, int64_t lanes) const {
  if (lanes == 1)
    return vector::FromElementsOp::create(k.b, k.loc, VectorType::get({2}, x.getType()),
                                          ValueRange{x, y});
  SmallVector<int64_t> order;
  for (int64_t i = 0; i < lanes; ++i)
    order.append({i, lanes + i});
  return shuffled(k, x, y, order);
}

//===----------------------------------------------------------------------===//
// Narrow tiles
//===----------------------------------------------------------------------===//

// Vectors of more than one channel begin with an even one.

static constexpr int64_t kHalf = ScanShape::kWarpChannels / 2;

static Value narrowColumn(KernelBuilder &k, Value channel) {
  Value inWarp = k.rem(channel, ScanShape::kWarpChannels);
  return k.add(k.sub(channel, inWarp), k.add(k.div(inWarp, 2), k.mul(k.rem(inWarp, 2), kHalf)));
}

void ScanTile::storeChannels(Value value, const View &tile, At at) const {
  if (!isNarrow())
    return k.store(value, tile, at);
  if (getElementTypeOrSelf(value.getType()) != tile.element)
    value =
        arith::TruncFOp::create(k.b, k.loc, KernelBuilder::lanesOf(tile.element, at.lanes), value);
  Value column = narrowColumn(k, at.column);
  if (at.lanes == 1)
    return k.store(value, tile, At{at.row, column, 1, Value()});
  for (int64_t odd = 0; odd < 2; ++odd)
    k.store(everySecond(k, value, odd, at.lanes), tile,
            At{at.row, k.add(column, odd * kHalf), at.lanes / 2, Value()});
}

Value ScanTile::loadChannels(const View &tile, At at) const {
  if (!isNarrow())
    return k.load(tile, at);
  Value column = narrowColumn(k, at.column);
  if (at.lanes == 1)
    return k.load(tile, At{at.row, column, 1, Value()});
  auto half = [&](int64_t odd) {
    Value first = k.add(column, odd * kHalf);
    return k.load(tile, At{at.row, first, at.lanes / 2, Value()});
  };
  Value even = half(0);
  return interleaved(even, half(1), at.lanes / 2);
}

static Value deltaColumn(KernelBuilder &k, Value channel) {
  return k.add(k.mul(k.div(channel, 2), 4), k.rem(channel, 2));
}

void ScanTile::storeDelta(Value newDelta, At at) const {
  if (!isNarrow())
    return k.store(newDelta, delta, at);
  int64_t lanes = at.lanes;
  Type pairs = KernelBuilder::lanesOf(k.b.getBF16Type(), 2 * lanes),
       words = KernelBuilder::lanesOf(k.b.getF32Type(), lanes);
  Value twice = arith::TruncFOp::create(k.b, k.loc, pairs, interleaved(newDelta, newDelta, lanes));
  twice = LLVM::BitcastOp::create(k.b, k.loc, words, twice);
  Value column = deltaColumn(k, at.column);
  if (lanes == 1) {
    k.store(newDelta, delta, At{at.row, column, 1, Value()});
    return k.store(twice, delta, At{at.row, k.add(column, 2), 1, Value()});
  }
  SmallVector<int64_t> order;
  for (int64_t c = 0; c < lanes; c += 2)
    order.append({c, c + 1, lanes + c, lanes + c + 1});
  k.store(shuffled(k, newDelta, twice, order), delta, At{at.row, column, 2 * lanes, Value()});
}

Value ScanTile::loadDelta(At at) const {
  if (!isNarrow())
    return k.load(delta, at);
  Value column = deltaColumn(k, at.column);
  if (at.lanes == 1)
    return k.load(delta, At{at.row, column, 1, Value()});
  Value both = k.load(delta, At{at.row, column, 2 * at.lanes, Value()});
  SmallVector<int64_t> order;
  for (int64_t c = 0; c < at.lanes; c += 2)
    order.append({2 * c, 2 * c + 1});
  return shuffled(k, both, both, order);
}

//===----------------------------------------------------------------------===//
// delta and u
//===----------------------------------------------------------------------===//

// `at` is a place of the run.

void ScanTile::storeInputs(Value newDelta, Value newU, At at) const {
  if (delta) {
    storeDelta(newDelta, at);
    return storeChannels(newU, u, at);
  }
  k.store(interleaved(newDelta, newU, at.lanes), pairs,
          At{at.row, k.mul(at.column, 2), 2 * at.lanes, Value()});
}

std::pair<Value, Value> ScanTile::loadInputs(At at) const {
  if (delta)
    return {loadDelta(at), products ? Value() : k.load(u, at)};
  Value both = k.load(pairs, At{at.row, k.mul(at.column, 2), 2 * at.lanes, Value()});
  Value ofDelta = everySecond(k, both, 0, 2 * at.lanes);
  return {ofDelta, everySecond(k, both, 1, 2 * at.lanes)};
}
