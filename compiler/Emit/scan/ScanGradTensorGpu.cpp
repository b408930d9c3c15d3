// A group of the scan's gradient on tensor cores: see ScanGradGpu.h and ScanTensorGpu.h.
#include "compiler/Emit/scan/ScanGradGpu.h"
#include "compiler/Emit/scan/ScanTensorGpu.h"

using namespace mlir;
using namespace mom;

/// Steps of the way forward through a group whose decays are known before it begins.
static int64_t stepsAhead(const ScanTensor &tensor) {
  static constexpr int64_t kDecaysAhead = 16; // of a lane
  return std::clamp<int64_t>(kDecaysAhead / (2 * tensor.held), 1, tensor.steps);
}

/// Of the group at token `start`: its first decays, operands of its inputs.
Values ScanGradGpu::aheadOfGroup(const ScanTile &tile, Value start) const {
  ScanTensor tensor(tile, start);
  Values ahead;
  for (int64_t step = 0; step < stepsAhead(tensor); ++step)
    llvm::append_range(ahead, decaysOfStep(tensor, step, /*polynomials=*/0));
  ScanTensor::Outer along = tensor.outerOfInputs();
  llvm::append_range(ahead, along.x);
  llvm::append_range(ahead, along.rows);
  return ahead;
}

Values ScanGradGpu::groupOnTensorCores(const ScanTile &tile, const Tiles &tiles, Value start,
                                       const Values &states, ValueRange carried, Values &ahead,
                                       Value next) const {
  int64_t values = shape.values(), held = shape.held;
  ScanTensor tensor(tile, start);
  std::optional<ChannelSums> ofB, ofC;
  for (const Kind &kind : kinds)
    (kind.isC ? ofC : ofB)
        .emplace(tensor, kind.isC ? tensor.channelOperand(tile.dyTile())
                                  : tensor.channelOperandOfInputs());
  std::optional<StateSums> y;
  if (tiles.y)
    y.emplace(tensor, tile.C, /*rounded=*/false);

  ValueRange rest(ahead);
  auto takeFront = [&](int64_t count) {
    Values some(rest.take_front(count));
    rest = rest.drop_front(count);
    return some;
  };
  SmallVector<Values> decaysOfSteps;
  for (int64_t step = 0; step < stepsAhead(tensor); ++step)
    decaysOfSteps.push_back(takeFront(2 * held));
  ScanTensor::Outer along;
  if (shape.own == 2) {
    along.x = takeFront(2 * shape.own);
    along.rows = takeFront(2 * tensor.parts);
  }
  // Before each token; of each.
  SmallVector<Values> h{states}, decays, inputs{inputsOfStep(tensor, along, 0)};
  auto byToken = [&](SmallVector<Values> &list, ValueRange ofStep) {
    for (; !ofStep.empty(); ofStep = ofStep.drop_front(values))
      list.push_back(Values(ofStep.take_front(values)));
  };
  Later later;
  ScanTensor::Outer back;
  for (int64_t step = 0; step < tensor.steps; ++step) {
    if (int64_t beyond = step + stepsAhead(tensor); beyond < tensor.steps)
      decaysOfSteps.push_back(decaysOfStep(tensor, beyond, /*polynomials=*/0));
    if (step + 1 < tensor.steps)
      inputs.push_back(inputsOfStep(tensor, along, step + 1));
    Values after = statesAfter(tensor, h.back(), decaysOfSteps[step], inputs[step]);
    byToken(h, after);
    byToken(decays, decaysOfSteps[step]);
    if (ofC)
      ofC->add(after, step, later);
    if (y)
      y->add(after, step, later);
    if (step == tensor.steps / 2 && shape.own == 2)
      back = tensor.outer(tensor.ownTokens(tile.dyTile()), tile.C);
    later.turn();
  }

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
      for (int64_t n = 0; n < values; ++n)
        G[n] = tile.mul(g[token * values + n], decays[t][n]);
      for (int64_t n = 0; n < values; ++n) {
        int64_t row = token + n / held;
        Value gp = tile.mul(G[n], h[t][n]);
        dA[n] = k.fma(delta[n / held], gp, dA[n]);
        ofA[row] = ofA[row] ? k.fma(tile.A[n], gp, ofA[row]) : tile.mul(tile.A[n], gp);
      }
    }
    sumB.add(g, step, later);
    if (ofB)
      ofB->add(g, step, later);
    sumA.add(ofA, step);
    if (step == tensor.steps / 2)
      ahead = aheadOfGroup(tile, next);
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

/// Goes through the groups from the last one, whose states before it are given, to the first.
Values ScanGradGpu::groupsOnTensorCores(const ScanTile &tile, const Tiles &tiles, Value last,
                                        const Values &states, ValueRange gradients) const {
  size_t count = gradients.size();
  Values carried(gradients);
  llvm::append_range(carried, states);
  llvm::append_range(carried, aheadOfGroup(tile, k.mul(last, shape.group)));
  carried = k.loop(k.index(0), k.add(last, 1), 1, carried, [&](Value back, ValueRange values) {
    Value g = k.sub(last, back), before = k.max(k.sub(g, k.index(1)), k.index(0));
    Values nextStates = kept(tile, tiles.groups, before);
    Values states(values.slice(count, nextStates.size()));
    Values ahead(values.drop_front(count + nextStates.size()));
    Values next = groupOnTensorCores(tile, tiles, k.mul(g, shape.group), states,
                                     values.take_front(count), ahead, k.mul(before, shape.group));
    llvm::append_range(next, nextStates);
    llvm::append_range(next, ahead);
    return next;
  });
  carried.truncate(count);
  return carried;
}
