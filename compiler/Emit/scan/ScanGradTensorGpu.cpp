// A group of the scan's gradient on tensor cores: see ScanGradGpu.h and ScanTensorGpu.h.
#include "compiler/Emit/scan/ScanGradGpu.h"
#include "compiler/Emit/scan/ScanTensorGpu.h"

using namespace mlir;
using namespace mom;

Values ScanGradGpu::groupOnTensorCores(const ScanTile &tile, const Tiles &tiles, Value start,
                                       const Values &states, ValueRange carried) const {
  int64_t values = shape.values(), held = shape.held;
  ScanTensor tensor(tile, start);
  ScanTensor::Outer along = tensor.outerOfInputs();
  std::optional<ChannelSums> ofB, ofC;
  for (const Kind &kind : kinds)
    (kind.isC ? ofC : ofB)
        .emplace(tensor, kind.isC ? tensor.channelOperand(tile.dyTile())
                                  : tensor.channelOperandOfInputs());
  std::optional<StateSums> y;
  if (tiles.y)
    y.emplace(tensor, tile.C, /*rounded=*/false);
  // Before each token; of each.
  SmallVector<Values> h{states}, decays;
  auto byToken = [&](SmallVector<Values> &list, ValueRange ofStep) {
    for (; !ofStep.empty(); ofStep = ofStep.drop_front(values))
      list.push_back(Values(ofStep.take_front(values)));
  };
  Later later;
  for (int64_t step = 0; step < tensor.steps; ++step) {
    Values decay = decaysOfStep(tensor, step, /*polynomials=*/0);
    Values next = statesAfter(tensor, h.back(), decay, inputsOfStep(tensor, along, step));
    byToken(h, next);
    byToken(decays, decay);
    if (ofC)
      ofC->add(next, step, later);
    if (y)
      y->add(next, step, later);
    later.turn();
  }

  ScanTensor::Outer back;
  if (shape.own == 2)
    back = tensor.outer(tensor.ownTokens(tile.dyTile()), tile.C);
  StateSums sumB(tensor, tile.B, /*rounded=*/true);
  QuadSums sumA(tensor);
  Values G(carried.take_front(values)), dA(carried.drop_front(values));
  for (int64_t step = tensor.steps; step--;) {
    Values g(2 * held), ofA(2);
    if (shape.own == 2)
      g = tensor.outerProduct(back, step, G);
    for (int64_t token = tensor.stepTokens; token--;) {
      int64_t t = step * tensor.stepTokens + token;
      Values delta;
      if (shape.own == 2) {
        delta = tile.ownChannels(tile.delta, start, t);
      } else {
        ScanTile::Token at = tile.token(start, t, /*withC=*/true);
        Value dy = tile.ownChannels(tile.dyTile(), start, t)[0];
        delta = at.delta;
        for (int64_t n = 0; n < held; ++n)
          g[token * held + n] = k.fma(at.C[n], dy, G[n]);
      }
      for (int64_t n = 0; n < values; ++n) {
        int64_t row = token + n / held;
        G[n] = tile.mul(g[token * values + n], decays[t][n]);
        Value gp = tile.mul(G[n], h[t][n]);
        dA[n] = k.fma(delta[n / held], gp, dA[n]);
        ofA[row] = ofA[row] ? k.fma(tile.A[n], gp, ofA[row]) : tile.mul(tile.A[n], gp);
      }
    }
    sumB.add(g, step, later);
    if (ofB)
      ofB->add(g, step, later);
    sumA.add(ofA, step);
    later.turn();
  }
  later.finish();
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
