// The walk of a scan on tensor cores: see ScanTensorGpu.h.
#include "compiler/Emit/scan/ScanTensorGpu.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mom;

static constexpr int64_t kQuads = Gpu::kWarp / ScanShape::kQuad;

ScanTensor::ScanTensor(const ScanTile &tile, Value start)
    : tile(tile), k(tile.k), own(tile.shape.own), held(tile.shape.held), parts(held / 2),
      stepTokens(2 / own), steps(kTensorTokens / stepTokens), core(k, k.b.getBF16Type()),
      quad(k.rem(k.thread(), ScanShape::kQuad)),
      group(k.rem(k.div(k.thread(), ScanShape::kQuad), kQuads)), start(start) {}

Values ScanTensor::ownTokens(const View &from) const {
  Value token = k.add(start, k.mul(quad, 2));
  View view = tile.moved(from, token, tile.mine, tile.shape.own);
  Values values;
  for (int64_t m = 0; m < 2; ++m)
    llvm::append_range(values,
                       tile.loadScalars(view, At{k.index(m), Value(), tile.shape.own, Value()}));
  return values;
}

void ScanTensor::storeOwnTokens(ValueRange values, const View &to) const {
  Value share = k.rem(k.div(k.thread(), Gpu::kWarp), tile.shape.shares());
  Value token = k.add(k.add(k.mul(share, tile.shape.rounded()), start), k.mul(quad, 2));
  View view = tile.moved(to, token, tile.mine, tile.shape.own);
  for (int64_t m = 0; m < 2; ++m)
    tile.storeScalars(values.slice(m * tile.shape.own, tile.shape.own), view,
                      At{k.index(m), Value(), 1, Value()});
}

ScanTensor::Outer ScanTensor::outerOfInputs() const {
  if (own == 1)
    return {};
  if (tile.isNarrow())
    return outer(tile.u, tile.B);
  Values inputs = ownTokens(tile.u);
  if (!tile.hasProducts())
    for (auto [input, delta] : llvm::zip_equal(inputs, ownTokens(tile.delta)))
      input = tile.input(delta, input);
  return outerOfParts(inputs, tile.B);
}

View ScanTensor::ofTokensAndStates(const View &matrix) const {
  Value share = k.sub(tile.lane, quad); // its states begin there, in lanes
  Value column = k.add(k.mul(share, tile.shape.held), k.mul(group, parts));
  return tile.moved(matrix, k.add(start, k.mul(quad, 2)), column, parts);
}

ScanTensor::Outer ScanTensor::outerOfParts(ValueRange x, const View &matrix) const {
  Type i32 = k.b.getI32Type(), f32 = k.b.getF32Type();
  Outer outer;
  for (Value value : x) {
    Value bits = arith::BitcastOp::create(k.b, k.loc, i32, value);
    bits = arith::AndIOp::create(k.b, k.loc, bits, core.gpu.i32(0xffff0000));
    Value high = arith::BitcastOp::create(k.b, k.loc, f32, bits);
    outer.x.push_back(core.pack(high, tile.sub(value, high)));
  }
  View view = ofTokensAndStates(matrix);
  for (int64_t m = 0; m < 2; ++m)
    for (Value row : tile.loadScalars(view, At{k.index(m), Value(), parts, Value()}))
      outer.rows.push_back(core.pack(row, row));
  return outer;
}

/// k of a product are the eight tokens, of which a lane has two: a right operand has the
/// first one's M in its lower half, the second one's in its upper half.
ScanTensor::Outer ScanTensor::outer(const View &narrow, const View &matrix) const {
  Type i16 = k.b.getI16Type(), i32 = k.b.getI32Type();
  Outer outer;
  View ofM = ofTokensAndStates(matrix);
  outer.x = core.loadMatrices(lineOfChannels(narrow), /*transposed=*/true, 2);
  for (int64_t m = 0; m < 2; ++m) {
    Value row = k.fetch(ofM, At{k.index(m), Value(), parts, Value()});
    for (int64_t j = 0; j < parts; ++j) {
      Value one = row;
      if (parts > 1)
        one = vector::ExtractOp::create(k.b, k.loc, row, ArrayRef<int64_t>{j});
      one = arith::BitcastOp::create(k.b, k.loc, i16, one);
      one = arith::ExtUIOp::create(k.b, k.loc, i32, one);
      outer.rows.push_back(m ? Value(arith::ShLIOp::create(k.b, k.loc, one, core.gpu.i32(16)))
                             : one);
    }
  }
  return outer;
}

Value ScanTensor::isMine(int64_t step) const {
  return k.equal(quad, k.index(step * stepTokens / 2));
}

void ScanTensor::take(Value &kept, Value value, int64_t step) const {
  // The first one need not be kept from anything: the others' come later.
  kept = kept ? k.select(isMine(step), value, kept) : value;
}

Values ScanTensor::outerProduct(const Outer &outer, int64_t step, ValueRange sums) const {
  int64_t m = step % 2, x = outer.x.size() == 2 ? 0 : 2 * m;
  Values results(2 * held);
  for (int64_t j = 0; j < parts; ++j) {
    Value row = k.select(isMine(step), outer.rows[m * parts + j], core.gpu.i32(0));
    Values product(4, k.f32(0));
    for (int64_t i = 0; i < 4 && !sums.empty(); ++i)
      product[i] = sums[place(i, j)];
    core.multiply(product, {outer.x[x], outer.x[x + 1]}, row);
    for (int64_t i = 0; i < 4; ++i)
      results[place(i, j)] = product[i];
  }
  return results;
}

Values ScanTensor::rounded(ValueRange states) const {
  Values pairs;
  for (size_t first = 0; first < states.size(); first += 2 * parts)
    for (int64_t j = 0; j < parts; ++j)
      pairs.push_back(core.pack(states[first + j], states[first + parts + j]));
  return pairs;
}

Values ScanTensor::stateOperand(const View &matrix) const {
  View view = tile.moved(matrix, k.add(start, group), k.mul(tile.lane, held), held);
  return tile.loadScalars(view, At{Value(), Value(), held, Value()});
}

Values ScanTensor::narrowStateOperand(const View &matrix) const {
  View view = tile.moved(matrix, k.add(start, group), k.mul(tile.lane, held), held);
  Value states = k.fetch(view, At{Value(), Value(), held, Value()});
  Values pairs;
  for (int64_t j = 0; j < parts; ++j) {
    Value pair = parts == 1 ? states
                            : vector::ShuffleOp::create(k.b, k.loc, states, states,
                                                        ArrayRef<int64_t>{j, parts + j});
    pairs.push_back(LLVM::BitcastOp::create(k.b, k.loc, k.b.getI32Type(), pair));
  }
  return pairs;
}

Value ScanTensor::lineOfChannels(const View &narrow) const {
  Value lane = core.gpu.lane(), warpsFirst = k.sub(tile.mine, k.mul(group, own));
  Value odd = k.mul(k.rem(k.div(lane, 8), 2), ScanShape::kWarpChannels / 2);
  Value column = k.add(warpsFirst, odd);
  return tile.moved(narrow, k.add(start, k.rem(lane, 8)), column, 8).base;
}

std::pair<Values, Values> ScanTensor::narrowChannelOperands(const View &x, const View &y) const {
  Value isFirst = k.less(core.gpu.lane(), k.index(Gpu::kWarp / 2));
  Value line = k.select(isFirst, lineOfChannels(x), lineOfChannels(y));
  Values matrices = core.loadMatrices(line, /*transposed=*/false);
  return {Values{matrices[0], matrices[1]}, Values{matrices[2], matrices[3]}};
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

void Later::turn() {
  ++now;
  for (size_t i = 0; i < queue.size();) {
    if (queue[i].turn > now) {
      ++i;
      continue;
    }
    std::function<void()> work = std::move(queue[i].work);
    queue.erase(queue.begin() + i);
    work();
  }
}

void Later::finish() {
  while (!queue.empty())
    turn();
}

void StateSums::add(ValueRange states, int64_t step, Later &later) {
  int64_t parts = tensor.parts, held = tensor.held;
  Values product(4, tensor.k.f32(0));
  for (int64_t j = 0; j < parts; ++j)
    tensor.core.multiplyTf32(
        product, {states[j], states[held + j], states[parts + j], states[held + parts + j]},
        {operand[j], operand[parts + j]});
  later.put(Later::kProduct, [=] { take(product, step); });
}

/// Of row r, the column of its token.
void StateSums::take(ValueRange product, int64_t step) {
  int64_t own = tensor.own;
  for (int64_t r = 0; r < 2; ++r) {
    int64_t m = own == 2 ? step % 2 : r, p = own == 2 ? r : 0;
    tensor.take(sums[m * own + p], product[2 * r + m], step);
  }
}

//===----------------------------------------------------------------------===//
// The walk along
//===----------------------------------------------------------------------===//

Values mom::deltaOfStep(const ScanTensor &tensor, int64_t step) {
  const ScanTile &tile = tensor.tile;
  Values delta;
  for (int64_t t = tensor.stepTokens * step; t < tensor.stepTokens * (step + 1); ++t)
    llvm::append_range(delta, tensor.own == 2 ? tile.ownDelta(tensor.start, t)
                                              : tile.token(tensor.start, t, /*withC=*/false).delta);
  return delta;
}

Values mom::decaysOfStep(const ScanTensor &tensor, int64_t step, ValueRange delta) {
  int64_t own = tensor.own, held = tensor.held, polynomials = tensor.tile.shape.polynomials;
  Values decays;
  for (int64_t n = 0; n < 2 * held; ++n) {
    bool isPolynomial = (step * 2 * held + n) * polynomials % 16 < polynomials;
    decays.push_back(
        tensor.tile.decay(delta[n / held], tensor.tile.A[n % (own * held)], isPolynomial));
  }
  return decays;
}

Values mom::inputsOfStep(const ScanTensor &tensor, const ScanTensor::Outer &outer, int64_t step) {
  if (tensor.own == 2)
    return tensor.outerProduct(outer, step);
  Values inputs;
  for (int64_t t = 2 * step; t < 2 * (step + 1); ++t) {
    ScanTile::Token token = tensor.tile.token(tensor.start, t, /*withC=*/false);
    for (Value b : token.B)
      inputs.push_back(tensor.tile.mul(token.input[0], b));
  }
  return inputs;
}

Values mom::statesAfter(const ScanTensor &tensor, ValueRange states, ValueRange decays,
                        ValueRange inputs) {
  const ScanTile &tile = tensor.tile;
  int64_t values = tensor.own * tensor.held;
  Values next;
  for (int64_t n = 0; n < 2 * tensor.held; ++n) {
    Value before = n < values ? states[n] : next[n - values];
    next.push_back(tile.op.decaysInput ? tile.mul(tile.add(before, inputs[n]), decays[n])
                                       : tensor.k.fma(before, decays[n], inputs[n]));
  }
  return next;
}

Values mom::advanceOnTensorCores(const ScanTile &tile, ValueRange states, Value start) {
  Values h(states);
  for (int64_t first = 0; first < tile.shape.group; first += kTensorTokens) {
    ScanTensor tensor(tile, tile.k.add(start, first));
    ScanTensor::Outer outer = tensor.outerOfInputs();
    for (int64_t step = 0; step < tensor.steps; ++step) {
      Values next =
          statesAfter(tensor, h, decaysOfStep(tensor, step), inputsOfStep(tensor, outer, step));
      h.assign(next.end() - h.size(), next.end());
    }
  }
  return h;
}

/// Eight tokens of a walk, and what does not need their states.
struct WalkAlong::Eight {
  Eight(const ScanTile &tile, Value start) : tensor(tile, start) {}
  Eight(const ScanTile &tile, Value start, const View &sums) : tensor(tile, start) {
    outer = tensor.outerOfInputs();
    if (sums)
      ofStates.emplace(tensor, tile.C);
  }
  ScanTensor tensor;
  ScanTensor::Outer outer;
  std::optional<StateSums> ofStates;
};

/// Ahead are the decays of some steps, the inputs of one, and operands of eight tokens.
Values WalkAlong::begin(Value start) const {
  Eight eight(tile, start, sums);
  Values ahead;
  for (int64_t step = 0; step < stepsAhead(); ++step)
    llvm::append_range(ahead, decaysOfStep(eight.tensor, step));
  llvm::append_range(ahead, inputsOfStep(eight.tensor, eight.outer, 0));
  llvm::append_range(ahead, eight.outer.x);
  llvm::append_range(ahead, eight.outer.rows);
  if (sums)
    llvm::append_range(ahead, eight.ofStates->operand);
  return ahead;
}

Values WalkAlong::walk(ValueRange states, Values &ahead, Value start, Value next,
                       int64_t tokens) const {
  KernelBuilder &k = tile.k;
  int64_t own = tile.shape.own, held = tile.shape.held;
  SmallVector<std::unique_ptr<Eight>> eights;
  SmallVector<Values> decays, inputs; // of each step
  Later later;
  eights.push_back(std::make_unique<Eight>(tile, start));
  Eight &first = *eights.front();
  ValueRange rest(ahead);
  auto takeFront = [&](int64_t count) {
    Values some(rest.take_front(count));
    rest = rest.drop_front(count);
    return some;
  };
  for (int64_t step = 0; step < stepsAhead(); ++step)
    decays.push_back(takeFront(2 * held));
  inputs.push_back(takeFront(2 * held));
  if (own == 2) {
    first.outer.x = takeFront(2 * own);
    first.outer.rows = takeFront(2 * first.tensor.parts);
  }
  if (sums)
    first.ofStates.emplace(first.tensor, takeFront(held));

  Values h(states), last; // last: states of a step
  int64_t perEight = first.tensor.steps, steps = tokens / kTensorTokens * perEight;
  auto eightOf = [&](int64_t step) -> Eight & { return *eights[step / perEight]; };
  for (int64_t step = 0; step < steps; ++step) {
    if (step % perEight == std::min(perEight / 2 - 1, perEight - stepsAhead())) {
      int64_t token = int64_t(eights.size()) * kTensorTokens;
      eights.push_back(
          std::make_unique<Eight>(tile, token < tokens ? k.add(start, token) : next, sums));
    }
    int64_t beyond = step + stepsAhead();
    decays.push_back(decaysOfStep(eightOf(beyond).tensor, beyond % perEight));
    Eight &ofInputs = eightOf(step + 1);
    inputs.push_back(inputsOfStep(ofInputs.tensor, ofInputs.outer, (step + 1) % perEight));
    Values after = statesAfter(eightOf(step).tensor, h, decays[step], inputs[step]);
    if (sums)
      eightOf(step).ofStates->add(after, step % perEight, later);
    later.turn();
    h.assign(after.end() - h.size(), after.end());
  }
  later.finish();

  ahead.clear();
  for (const Values &ofStep : ArrayRef(decays).drop_front(steps))
    llvm::append_range(ahead, ofStep);
  llvm::append_range(ahead, inputs.back());
  Eight &beyond = *eights.back();
  llvm::append_range(ahead, beyond.outer.x);
  llvm::append_range(ahead, beyond.outer.rows);
  if (sums)
    llvm::append_range(ahead, beyond.ofStates->operand);
  // Stored together: what the next eight tokens wait for is loaded before.
  for (const std::unique_ptr<Eight> &eight : ArrayRef(eights).drop_back())
    if (sums)
      eight->tensor.storeOwnTokens(eight->ofStates->sums, sums);
  return h;
}
