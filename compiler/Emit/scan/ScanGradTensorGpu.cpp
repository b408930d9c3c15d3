// A run of the scan's gradient on tensor cores: see ScanGradTensorGpu.h.
#include "compiler/Emit/scan/ScanGradTensorGpu.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mom;

// All of shared memory is one array to the assembler, which moves no load beyond a store,
// and left to itself moves loads down to where they are used. So all that some groups of
// eight tokens need is loaded before their first store, and stored as soon as it is known.

/// Eight tokens of the walk along: what was loaded for them.
struct ScanGradTensor::Along {
  Along(const ScanGradTensor &grad, Value start)
      : grad(grad), tensor(grad.tile, start), outer(tensor.outerOfInputs()) {
    for (int64_t t = 0; t < kTensorTokens; ++t)
      deltas.push_back(grad.tile.ownDelta(start, t));
    if (grad.y)
      sums.emplace(tensor, grad.tile.C);
  }
  Values walk(ValueRange states); ///< states after them

private:
  const ScanGradTensor &grad;
  ScanTensor tensor;
  ScanTensor::Outer outer;
  SmallVector<Values> deltas;
  std::optional<StateSums> sums;
};

Values ScanGradTensor::Along::walk(ValueRange states) {
  KernelBuilder &k = grad.k;
  Later later;
  Values h(states), before; // before: pairs of the token before
  for (int64_t t = 0; t < kTensorTokens; ++t) {
    h = statesAfter(tensor, h, decaysOfStep(tensor, t, deltas[t]), inputsOfStep(tensor, outer, t));
    Values pairs = tensor.rounded(h);
    if (t % 2)
      grad.kept.store(k.add(tensor.start, t - 1), before, pairs);
    before = pairs;
    if (sums)
      sums->add(h, t, later);
    later.turn();
  }
  later.finish();
  if (sums)
    tensor.storeOwnTokens(sums->sums, grad.y);
  return h;
}

void ScanGradTensor::walkAlong(Value groups, ValueRange states) const {
  kept.storeApart(k.index(0), ScanTensor(tile, k.index(0)).rounded(states));
  auto walk = [&](Value first, Value end, int64_t together, ValueRange states) -> Values {
    return k.loop(first, end, together, states, [&](Value g, ValueRange carried) {
      Values h(carried);
      std::vector<std::unique_ptr<Along>> eights;
      for (int64_t i = 0; i < together; ++i)
        eights.push_back(std::make_unique<Along>(*this, k.mul(k.add(g, i), kTensorTokens)));
      for (const std::unique_ptr<Along> &eight : eights)
        h = eight->walk(h);
      return h;
    });
  };
  Value whole = k.mul(k.div(groups, turn), turn);
  walk(whole, groups, 1, walk(k.index(0), whole, turn, states));
  tile.gpu.warpBarrier();
}

/// Eight tokens of the walk back: what was loaded for them, and their sums.
struct ScanGradTensor::Back {
  Back(const ScanGradTensor &grad, Value start);
  /// What is carried to the tokens before, from what comes from those after.
  Values walk(ValueRange carried);
  void store() const; ///< the sums, where states lay

private:
  void goTo(int64_t t);
  void sumPair(int64_t p, Later &later); ///< of the tokens 2 p and 2 p + 1
  void addToA(int64_t p, int64_t j);
  /// x * y + z, or x * y, of pairs of bf16.
  Value fma(Value x, Value y, Value z = {}) const;
  Values fma(ValueRange x, ValueRange y, ValueRange z = {}) const;
  Value ones(Value condition) const;
  Value ofToken(int64_t t) const { return ones(k.equal(tensor.group, k.index(t))); }
  Value ofPair(int64_t p) const { return ones(k.equal(k.div(tensor.group, 2), k.index(p))); }
  Values selected(const Values &operand, int64_t p) const;
  Values ofStates(const Values &first, const Values &second, int64_t j) const;
  Value makeIdentity() const;

  const ScanGradTensor &grad;
  const ScanTile &tile;
  KernelBuilder &k;
  ScanTensor tensor;
  const int64_t parts;

  ScanTensor::Outer outer;
  SmallVector<Values> deltas; // of each token, and as pairs
  Values ofB, ofInputs, ofDy; // right operands
  Values A;                   // [2 * parts]: pairs
  Value identity;
  SmallVector<Values> before; // of each token, [2 * parts]: pairs of the states before it
  SmallVector<Values> after;  // of each two, [parts][4]: the states after them, turned
  Values G, dA, sumA, sumB;
  SmallVector<Values> sumsB, sumsC;    // [parts][4]: over channels
  SmallVector<Values> g, ofA;          // of each token, pairs: g, A p
  SmallVector<Values> ofDelta;         // of each two tokens: delta p
};

ScanGradTensor::Back::Back(const ScanGradTensor &grad, Value start)
    : grad(grad), tile(grad.tile), k(grad.k), tensor(tile, start), parts(tensor.parts) {
  outer = tensor.outer(tile.dyTile(), tile.C);
  for (int64_t t = 0; t < kTensorTokens; ++t)
    deltas.push_back(tile.ownDelta(start, t, /*withPairs=*/true));
  ofB = tensor.narrowStateOperand(tile.B);
  std::tie(ofInputs, ofDy) = tensor.narrowChannelOperands(tile.u, tile.dyTile());
  before.assign(kTensorTokens, Values(2 * parts));
  for (int64_t t = 0; t < kTensorTokens; t += 2)
    for (int64_t j = 0; j < parts; ++j) {
      Values pairs = grad.kept.load(k.add(start, t), j, /*transposed=*/false);
      for (int64_t i = 0; i < 4; ++i)
        before[t + i / 2][i % 2 * parts + j] = pairs[i];
      if (grad.kindOfC)
        after.push_back(grad.kept.load(k.add(start, t + 1), j, /*transposed=*/true));
    }
}

Value ScanGradTensor::Back::fma(Value x, Value y, Value z) const {
  Type pair = VectorType::get({2}, k.b.getBF16Type());
  auto as = [&](Type type, Value bits) -> Value {
    return LLVM::BitcastOp::create(k.b, k.loc, type, bits);
  };
  Value result = z ? Value(math::FmaOp::create(k.b, k.loc, as(pair, x), as(pair, y), as(pair, z)))
                   : Value(arith::MulFOp::create(k.b, k.loc, as(pair, x), as(pair, y)));
  return as(k.b.getI32Type(), result);
}

Values ScanGradTensor::Back::fma(ValueRange x, ValueRange y, ValueRange z) const {
  Values results;
  for (size_t i = 0; i < x.size(); ++i)
    results.push_back(fma(x[i], y[i], z.empty() ? Value() : z[i]));
  return results;
}

/// (1, 1) where the condition holds: a product with it is a selection that needs no
/// predicate, of which there are seven.
Value ScanGradTensor::Back::ones(Value condition) const {
  return k.select(condition, tile.gpu.i32(0x3f803f80), tile.gpu.i32(0));
}

/// A right operand over channels, 0 in the columns of other tokens than a pair's.
Values ScanGradTensor::Back::selected(const Values &operand, int64_t p) const {
  return {fma(operand[0], ofPair(p)), fma(operand[1], ofPair(p))};
}

/// Tile j of two tokens as a left operand: rows are channels, k the states of both.
Values ScanGradTensor::Back::ofStates(const Values &first, const Values &second, int64_t j) const {
  return {first[j], first[parts + j], second[j], second[parts + j]};
}

/// Of 8 x 8, as half a right operand.
Value ScanGradTensor::Back::makeIdentity() const {
  auto one = [&](int64_t odd, int64_t bits) {
    Value isOne = k.equal(k.add(k.mul(tensor.quad, 2), odd), tensor.group);
    return k.select(isOne, tile.gpu.i32(bits), tile.gpu.i32(0));
  };
  Value low = one(0, 0x3f80), high = one(1, 0x3f800000);
  return arith::OrIOp::create(k.b, k.loc, low, high);
}

/// From after token t to before it.
void ScanGradTensor::Back::goTo(int64_t t) {
  Values decays = decaysOfStep(tensor, t, deltas[t]);
  Values sum = tensor.outerProduct(outer, t, G), ofRows(2 * parts);
  g[t] = tensor.rounded(sum);
  for (size_t n = 0; n < G.size(); ++n)
    G[n] = tile.mul(sum[n], decays[n]);
  Values p = fma(tensor.rounded(G), before[t]);
  for (int64_t n = 0; n < 2 * parts; ++n)
    ofRows[n] = arith::BitcastOp::create(k.b, k.loc, k.b.getI32Type(), deltas[t][2 + n / parts]);
  bool isSecond = t % 2;
  ofDelta[t / 2] = isSecond ? fma(p, ofRows) : fma(p, ofRows, ofDelta[t / 2]);
  ofA[t] = fma(p, A);
}

void ScanGradTensor::Back::sumPair(int64_t p, Later &later) {
  for (int64_t j = 0; j < parts; ++j) {
    tensor.core.multiply(sumB, ofStates(g[2 * p], g[2 * p + 1], j),
                         {fma(ofB[j], ofToken(2 * p)), fma(ofB[j], ofToken(2 * p + 1))});
    tensor.core.multiply(sumA, ofStates(ofA[2 * p], ofA[2 * p + 1], j),
                         {ofToken(2 * p), ofToken(2 * p + 1)});
    if (p % 2 == 0)
      addToA(p, j);
    if (!grad.kindOfB)
      continue;
    Values turned; // rows are the states of one token, then of the other, k channels
    for (int64_t r = 0; r < 2; ++r)
      for (int64_t t : {2 * p, 2 * p + 1})
        turned.push_back(tensor.core.transpose(g[t][r * parts + j]));
    later.put(1, [=] { tensor.core.multiply(sumsB[j], turned, selected(ofInputs, p)); });
  }
}

/// Of the pairs p and p + 1.
void ScanGradTensor::Back::addToA(int64_t p, int64_t j) {
  Values sums(4);
  for (int64_t i = 0; i < 4; ++i)
    sums[i] = dA[tensor.place(i, j)];
  tensor.core.multiply(sums, ofStates(ofDelta[p], ofDelta[p + 1], j), {identity, identity});
  for (int64_t i = 0; i < 4; ++i)
    dA[tensor.place(i, j)] = sums[i];
}

Values ScanGradTensor::Back::walk(ValueRange carried) {
  A = tensor.rounded(tile.A);
  identity = makeIdentity();
  G = Values(carried.take_front(tile.shape.values()));
  dA = Values(carried.drop_front(tile.shape.values()));
  sumA = sumB = Values(4, k.f32(0));
  sumsB.assign(parts, sumA);
  sumsC.assign(parts, sumA);
  g.resize(kTensorTokens);
  ofA.resize(kTensorTokens);
  ofDelta.resize(kTensorTokens / 2);
  Later later;
  for (int64_t p = kTensorTokens / 2; p--;) {
    for (int64_t j = 0; grad.kindOfC && j < parts; ++j)
      tensor.core.multiply(sumsC[j], after[p * parts + j], selected(ofDy, p));
    goTo(2 * p + 1);
    goTo(2 * p);
    sumPair(p, later);
    later.turn();
  }
  later.finish();
  llvm::append_range(G, dA);
  return G;
}

void ScanGradTensor::Back::store() const {
  auto tokens = [](const Values &sums) { return Values{sums[0], sums[2], sums[1], sums[3]}; };
  grad.kept.storeStateSums(tensor, 0, tokens(sumA));
  grad.kept.storeStateSums(tensor, 1, tokens(sumB));
  for (auto [kind, sums] : {std::pair(grad.kindOfB, &sumsB), {grad.kindOfC, &sumsC}}) {
    if (!kind)
      continue;
    Values mine; // the first token's states are rows g, the second's rows g + 8
    for (int64_t m : {0, 3})
      for (const Values &ofTile : *sums)
        mine.push_back(ofTile[m]);
    grad.kept.storeChannelSums(tensor, *kind, mine);
  }
}

Values ScanGradTensor::walkBack(Value groups, ValueRange carried) const {
  auto walk = [&](Value end, Value first, int64_t together, ValueRange carried) -> Values {
    return k.loop(k.index(0), k.sub(end, first), together, carried, [&](Value g, ValueRange so) {
      std::vector<std::unique_ptr<Back>> eights;
      Values next(so);
      auto load = [&] {
        Value number = k.sub(end, k.add(g, eights.size() + 1));
        eights.push_back(std::make_unique<Back>(*this, k.mul(number, kTensorTokens)));
      };
      load();
      for (int64_t i = 0; i < together; ++i) {
        next = eights[i]->walk(next);
        if (i == 0) { // before all lanes have read what lies there, no sums can
          for (int64_t other = 1; other < together; ++other)
            load();
          tile.gpu.warpBarrier();
        }
        eights[i]->store();
      }
      return next;
    });
  };
  int64_t together = std::min<int64_t>(turn, 2); // more of them ran slower
  Value whole = k.mul(k.div(groups, together), together);
  return walk(whole, k.index(0), together, walk(groups, whole, 1, carried));
}
