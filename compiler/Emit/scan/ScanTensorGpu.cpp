// The walk of a scan on tensor cores: see ScanTensorGpu.h.
#include "compiler/Emit/scan/ScanTensorGpu.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mom;

static constexpr int64_t kQuads = Gpu::kWarp / ScanShape::kQuad;

ScanTensor::ScanTensor(const ScanTile &tile, Value start)
    : tile(tile), k(tile.k), parts(tile.shape.held / 2), core(k, k.b.getBF16Type()),
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

Values ScanTensor::inputs() const {
  Values delta = ownTokens(tile.delta), u = ownTokens(tile.u), products;
  for (auto [x, y] : llvm::zip_equal(delta, u))
    products.push_back(tile.mul(x, y));
  return products;
}

void ScanTensor::storeOwnTokens(ValueRange values, const View &to) const {
  Value share = k.rem(k.div(k.thread(), Gpu::kWarp), tile.shape.shares());
  Value token = k.add(k.add(k.mul(share, tile.shape.rounded()), start), k.mul(quad, 2));
  View view = tile.moved(to, token, tile.mine, tile.shape.own);
  for (int64_t m = 0; m < 2; ++m)
    tile.storeScalars(values.slice(m * tile.shape.own, tile.shape.own), view,
                      At{k.index(m), Value(), 1, Value()});
}

ScanTensor::Outer ScanTensor::outer(ValueRange x, const View &matrix) const {
  Type i32 = k.b.getI32Type(), f32 = k.b.getF32Type();
  Outer outer;
  for (Value value : x) {
    Value bits = arith::BitcastOp::create(k.b, k.loc, i32, value);
    bits = arith::AndIOp::create(k.b, k.loc, bits, core.gpu.i32(0xffff0000));
    Value high = arith::BitcastOp::create(k.b, k.loc, f32, bits);
    outer.x.push_back(core.pack(high, tile.sub(value, high)));
  }
  Value share = k.sub(tile.lane, quad); // its states begin there, in lanes
  Value column = k.add(k.mul(share, tile.shape.held), k.mul(group, parts));
  View view = tile.moved(matrix, k.add(start, k.mul(quad, 2)), column, parts);
  for (int64_t m = 0; m < 2; ++m)
    for (Value row : tile.loadScalars(view, At{k.index(m), Value(), parts, Value()}))
      outer.rows.push_back(core.pack(row, row));
  return outer;
}

Value ScanTensor::isMine(int64_t t) const { return k.equal(quad, k.index(t / 2)); }

void ScanTensor::take(Value &kept, Value value, int64_t t) const {
  // The first one need not be kept from anything: the others' come later.
  kept = kept ? k.select(isMine(t), value, kept) : value;
}

Values ScanTensor::outerProduct(const Outer &outer, int64_t t, ValueRange sums) const {
  int64_t held = tile.shape.held, m = t % 2;
  Values results(2 * held);
  for (int64_t j = 0; j < parts; ++j) {
    Value row = k.select(isMine(t), outer.rows[m * parts + j], core.gpu.i32(0));
    Values product(4, k.f32(0));
    auto place = [&](int64_t i) { return i / 2 * held + i % 2 * parts + j; };
    for (int64_t i = 0; i < 4 && !sums.empty(); ++i)
      product[i] = sums[place(i)];
    core.multiply(product, {outer.x[2 * m], outer.x[2 * m + 1]}, row);
    for (int64_t i = 0; i < 4; ++i)
      results[place(i)] = product[i];
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
  int64_t held = tile.shape.held;
  View view = tile.moved(matrix, k.add(start, group), k.mul(tile.lane, held), held);
  return tile.loadScalars(view, At{Value(), Value(), held, Value()});
}

/// x[t = g] of the channels 4 q .. 4 q + 3 of the warp.
Values ScanTensor::fourChannels(const View &x) const {
  Value first = k.add(k.sub(tile.mine, k.mul(group, 2)), k.mul(quad, 4));
  return tile.loadScalars(tile.moved(x, k.add(start, group), first, 4),
                          At{Value(), Value(), 4, Value()});
}

/// Rows 2 q and 2 q + 1 of a turned product are channels 4 q and 4 q + 2; eight rows on
/// are the channels after those.
Values ScanTensor::packed(ValueRange x) const {
  return {core.pack(x[0], x[2]), core.pack(x[1], x[3])};
}

Values ScanTensor::channelOperand(const View &x) const { return packed(fourChannels(x)); }

Values ScanTensor::channelOperandOfInputs() const {
  Values delta = fourChannels(tile.delta), u = fourChannels(tile.u), products;
  for (auto [x, y] : llvm::zip_equal(delta, u))
    products.push_back(tile.mul(x, y));
  return packed(products);
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

StateSums::StateSums(const ScanTensor &tensor, const View &matrix, bool rounded)
    : sums(4), tensor(tensor), rounded(rounded), operand(tensor.stateOperand(matrix)) {
  if (rounded)
    operand = tensor.rounded(operand);
}

void StateSums::add(ValueRange states, int64_t t) {
  int64_t parts = tensor.parts, held = 2 * parts;
  Values product(4, tensor.k.f32(0)), pairs = rounded ? tensor.rounded(states) : Values();
  for (int64_t j = 0; j < parts; ++j)
    if (rounded)
      tensor.core.multiply(product, {pairs[j], pairs[parts + j]}, operand[j]);
    else
      tensor.core.multiplyTf32(
          product, {states[j], states[held + j], states[parts + j], states[held + parts + j]},
          {operand[j], operand[parts + j]});
  for (int64_t p = 0; p < 2; ++p)
    tensor.take(sums[t % 2 * 2 + p], product[2 * p + t % 2], t);
}

void ChannelSums::add(ValueRange states, int64_t t) {
  int64_t parts = tensor.parts;
  Values pairs = tensor.rounded(states);
  sums.resize(2 * parts);
  for (int64_t j = 0; j < parts; ++j) {
    Half half{{}, t, j};
    for (int64_t p = 0; p < 2; ++p)
      half.turned.push_back(tensor.core.transpose(pairs[p * parts + j]));
    if (!waiting) {
      waiting = half;
      continue;
    }
    Values product(4, tensor.k.f32(0));
    const Values &first = waiting->turned, &second = half.turned;
    tensor.core.multiply(product, {first[0], second[0], first[1], second[1]}, operand);
    take(*waiting, ValueRange(product).take_front(2));
    take(half, ValueRange(product).drop_front(2));
    waiting.reset();
  }
}

void ChannelSums::take(const Half &half, ValueRange pair) {
  int64_t m = half.t % 2;
  tensor.take(sums[m * tensor.parts + half.j], pair[m], half.t);
}

void ChannelSums::store(const View &to, Value row, int64_t first) const {
  KernelBuilder &k = tensor.k;
  const ScanTile &tile = tensor.tile;
  Value share = k.mul(k.sub(tile.lane, tensor.quad), tile.shape.held);
  Value column = k.add(k.add(share, first), k.mul(tensor.group, tensor.parts));
  View view = tile.moved(to, k.add(row, k.mul(tensor.quad, 2)), column, tensor.parts);
  for (int64_t m = 0; m < 2; ++m)
    tile.storeScalars(ValueRange(sums).slice(m * tensor.parts, tensor.parts), view,
                      At{k.index(m), Value(), 1, Value()});
}

QuadSums::QuadSums(const ScanTensor &tensor) : tensor(tensor), product(4, tensor.k.f32(0)) {}

void QuadSums::add(ValueRange ofChannels, int64_t t) {
  if (waiting.empty()) {
    waiting = Values(ofChannels);
    waitingToken = t;
    return;
  }
  KernelBuilder &k = tensor.k;
  auto column = [&](int64_t token) {
    return k.select(k.equal(tensor.group, k.index(token)), k.f32(1), k.f32(0));
  };
  tensor.core.multiplyTf32(product, {waiting[0], waiting[1], ofChannels[0], ofChannels[1]},
                           {column(waitingToken), column(t)});
  waiting.clear();
}

Values QuadSums::sums() const { return {product[0], product[2], product[1], product[3]}; }

//===----------------------------------------------------------------------===//
// The walk along
//===----------------------------------------------------------------------===//

Values mom::nextOnTensorCores(const ScanTensor &tensor, const ScanTensor::Outer &outer,
                              ValueRange states, int64_t t, Values &decays, int64_t polynomials) {
  const ScanTile &tile = tensor.tile;
  Values delta = tile.ownChannels(tile.delta, tensor.start, t);
  Values next = tensor.outerProduct(outer, t);
  for (size_t n = 0; n < next.size(); ++n) {
    bool isPolynomial = int64_t(t * next.size() + n) * polynomials % 16 < polynomials;
    decays.push_back(tile.decay(delta[n / tile.shape.held], tile.A[n], isPolynomial));
    next[n] = tile.k.fma(states[n], decays.back(), next[n]);
  }
  return next;
}

Values mom::walkOnTensorCores(const ScanTile &tile, ValueRange states, Value start,
                              const View &sums) {
  Values h(states);
  SmallVector<std::pair<ScanTensor, Values>> summed;
  for (int64_t first = 0; first < tile.shape.group; first += kTensorTokens) {
    ScanTensor tensor(tile, tile.k.add(start, first));
    ScanTensor::Outer outer = tensor.outer(tensor.inputs(), tile.B);
    std::optional<StateSums> ofStates;
    if (sums)
      ofStates.emplace(tensor, tile.C, /*rounded=*/false);
    for (int64_t t = 0; t < kTensorTokens; ++t) {
      Values decays;
      h = nextOnTensorCores(tensor, outer, h, t, decays, tile.shape.polynomials);
      if (sums)
        ofStates->add(h, t);
    }
    if (sums)
      summed.push_back({tensor, ofStates->sums});
  }
  // Stored together: what the next eight tokens wait for is loaded before.
  for (auto &[tensor, values] : summed)
    tensor.storeOwnTokens(values, sums);
  return h;
}
