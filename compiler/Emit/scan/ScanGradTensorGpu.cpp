// A group of the scan's gradient on tensor cores: see ScanGradGpu.h and ScanTensorGpu.h.
#include "compiler/Emit/scan/ScanGradGpu.h"
#include "compiler/Emit/scan/ScanTensorGpu.h"

using namespace mlir;
using namespace mom;

Values ScanGradGpu::groupOnTensorCores(const ScanTile &tile, const Tiles &tiles, Value start,
                                       const Values &states, ValueRange carried) const {
  int64_t values = shape.values(), held = shape.held;
  ScanTensor tensor(tile, start);
  ScanTensor::Outer along = tensor.outer(tensor.inputs(), tile.B);
  std::optional<ChannelSums> ofB, ofC;
  for (const Kind &kind : kinds)
    (kind.isC ? ofC : ofB)
        .emplace(tensor, kind.isC ? tensor.channelOperand(tile.dyTile())
                                  : tensor.channelOperandOfInputs());
  std::optional<StateSums> y;
  if (tiles.y)
    y.emplace(tensor, tile.C, /*rounded=*/false);
  SmallVector<Values> h{states}, decays(shape.group); // before each token; of each
  for (int64_t t = 0; t < shape.group; ++t) {
    h.push_back(nextOnTensorCores(tensor, along, h[t], t, decays[t], /*polynomials=*/0));
    if (ofC)
      ofC->add(h.back(), t);
    if (y)
      y->add(h.back(), t);
  }

  ScanTensor::Outer back = tensor.outer(tensor.ownTokens(tile.dyTile()), tile.C);
  StateSums sumB(tensor, tile.B, /*rounded=*/true);
  QuadSums sumA(tensor);
  Values G(carried.take_front(values)), dA(carried.drop_front(values));
  for (int64_t t = shape.group; t--;) {
    Values g = tensor.outerProduct(back, t, G), delta = tile.ownChannels(tile.delta, start, t);
    sumB.add(g, t);
    if (ofB)
      ofB->add(g, t);
    Values ofA(shape.own);
    for (int64_t n = 0; n < values; ++n) {
      int64_t p = n / held;
      G[n] = tile.mul(g[n], decays[t][n]);
      Value gp = tile.mul(G[n], h[t][n]);
      dA[n] = k.fma(delta[p], gp, dA[n]);
      ofA[p] = ofA[p] ? k.fma(tile.A[n], gp, ofA[p]) : tile.mul(tile.A[n], gp);
    }
    sumA.add(ofA, t);
  }
  // Stored together: nothing in a group is loaded after a store that it might depend on.
  tensor.storeOwnTokens(sumA.sums(), tiles.sumA);
  tensor.storeOwnTokens(sumB.sums, tiles.sumB);
  if (y)
    tensor.storeOwnTokens(y->sums, tiles.y);
  Value warp = k.div(tile.gpu.warp(), shape.shares());
  Value row = k.add(k.mul(warp, shape.rounded()), start);
  for (auto [i, kind] : llvm::enumerate(kinds))
    (kind.isC ? ofC : ofB)->store(tiles.parts, row, i * shape.slots());
  llvm::append_range(G, dA);
  return G;
}
