// A group of the scan's gradient by multiplications and shuffles: see ScanGradGpu.h.
#include "compiler/Emit/scan/ScanGradGpu.h"

using namespace mlir;
using namespace mom;

/// Goes through a group from the states before it, and back.
Values ScanGradGpu::group(const ScanTile &tile, const Tiles &tiles, Value start,
                          const Values &states, ValueRange carried) const {
  int64_t values = shape.values(), held = shape.held;
  SmallVector<Values> h{states}, decays; // before each token and after the last; of each
  for (int64_t t = 0; t < shape.group; ++t) {
    ScanTile::Token token = tile.token(start, t, /*withC=*/false);
    Values after, decay;
    for (int64_t n = 0; n < values; ++n) {
      decay.push_back(tile.decay(token.delta[n / held], tile.A[n]));
      after.push_back(tile.next(h[t][n], decay[n], token.input[n / held], token.B[n % held]));
    }
    h.push_back(after);
    decays.push_back(decay);
  }

  Values G(carried.take_front(values)), dA(values), sumsA, sumsB, sumsY;
  SmallVector<ScatteredSums> overChannels;              // of each token, from the last
  SmallVector<SmallVector<ScatteredSums, 3>> overLanes; // of some tokens, likewise
  for (int64_t t = shape.group; t--;) {
    ScanTile::Token token = tile.token(start, t, /*withC=*/true);
    Values dy = tile.ownChannels(tile.dyTile(), start, t);
    Values ofB(held), ofC(held), sumA(shape.own), sumB(shape.own), y(tiles.y ? shape.own : 0);
    auto addTo = [&](Value &sum, Value x, Value y) {
      sum = sum ? k.fma(x, y, sum) : tile.mul(x, y);
    };
    for (int64_t n = 0; n < values; ++n) {
      int64_t p = n / held, j = n % held;
      Value g = k.fma(token.C[j], dy[p], G[n]);
      Value gp = tile.mul(g, tile.decayed(h[t][n], decays[t][n]));
      addTo(dA[n], token.delta[p], gp);
      addTo(sumA[p], tile.A[n], gp);
      addTo(sumB[p], g, token.B[j]);
      if (tiles.y)
        addTo(y[p], token.C[j], h[t + 1][n]);
      addTo(ofB[j], g, token.input[p]);
      addTo(ofC[j], dy[p], h[t + 1][n]);
      G[n] = tile.decayed(g, decays[t][n]);
    }
    Values ofChannels;
    for (const Kind &kind : kinds)
      llvm::append_range(ofChannels, kind.isC ? ofC : ofB);
    if (!kinds.empty())
      overChannels.push_back(ScatteredSums(k, ofChannels, Gpu::kWarp, shape.lanes));
    sumsA.insert(sumsA.begin(), sumA.begin(), sumA.end());
    sumsB.insert(sumsB.begin(), sumB.begin(), sumB.end());
    sumsY.insert(sumsY.begin(), y.begin(), y.end());
    if (t % shape.sumGroup())
      continue;
    overLanes.push_back({});
    for (Values *sums : {&sumsA, &sumsB, &sumsY}) {
      if (!sums->empty())
        overLanes.back().push_back(tile.laneSums(*sums));
      sums->clear();
    }
  }
  // Stored together: nothing in a group is loaded after a store that it might depend on.
  for (auto [i, sums] : llvm::enumerate(llvm::reverse(overChannels)))
    storeChannelSums(tile, tiles, k.add(start, i), sums);
  const View *places[] = {&tiles.sumA, &tiles.sumB, &tiles.y};
  for (auto [i, sums] : llvm::enumerate(llvm::reverse(overLanes))) {
    Value token = k.add(start, i * shape.sumGroup());
    for (auto [sum, place] : llvm::zip_first(sums, places))
      tile.storeLaneSums(sum, *place, token);
  }

  // dA sums over a whole segment: what each sum rounds off is added to the next.
  Values sums, errors;
  for (int64_t n = 0; n < values; ++n) {
    Value old = carried[values + n];
    if (!shape.exact) {
      sums.push_back(tile.add(old, dA[n]));
      continue;
    }
    Value more = tile.sub(dA[n], carried[2 * values + n]);
    sums.push_back(tile.add(old, more));
    errors.push_back(tile.sub(tile.sub(sums.back(), old), more));
  }
  llvm::append_range(G, sums);
  llvm::append_range(G, errors);
  return G;
}

/// Sums [kinds * held] over the channels of a warp, of one token.
void ScanGradGpu::storeChannelSums(const ScanTile &tile, const Tiles &tiles, Value token,
                                   const ScatteredSums &warp) const {
  int64_t size = std::min<int64_t>(warp.values.size(), shape.held);
  Value row = k.add(k.mul(tile.gpu.warp(), shape.rounded()), token);
  for (size_t i = 0; i < warp.values.size(); i += size) {
    Value item = k.add(warp.first, i); // of [kinds, held]
    Value column = k.add(k.mul(k.div(item, shape.held), shape.slots()),
                         k.add(k.mul(tile.lane, shape.held), k.rem(item, shape.held)));
    tile.storeScalars(ValueRange(warp.values).slice(i, size),
                      tile.moved(tiles.parts, row, column, size), At{});
  }
}

/// The sum over the block's warps at a token and states.
Value ScanGradGpu::loadChannelSum(const ScanTile &tile, const Tiles &tiles, Value kind, Value token,
                                  Value state, int64_t lanes) const {
  Value column = k.add(k.mul(kind, shape.slots()), state), sum;
  for (int64_t w = 0; w < shape.channelWarps(); ++w) {
    Value part = k.load(tiles.parts, At{k.add(token, w * shape.rounded()), column, lanes, Value()});
    sum = sum ? tile.add(sum, part) : part;
  }
  return sum;
}
