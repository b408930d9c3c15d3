// A block's part of a scan on a GPU: its sizes, its tiles, and the walk over a token.
#include "compiler/Emit/scan/ScanTileGpu.h"

#include "compiler/Emit/Approximations.h"
#include "compiler/Emit/scan/ScanTensorGpu.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mom;

ScanShape::ScanShape(KernelBuilder &k, const ScanOperands &op, int64_t tokens, int64_t group)
    : channels(channelsOf(op.u)), states(channelsOf(op.A)), threads(k.threads()),
      lanes(k.knob("lanes")), own(k.knob("channels")),
      held(llvm::PowerOf2Ceil(llvm::divideCeil(states, lanes))), tokens(tokens), group(group),
      exact(k.knob("exact")), polynomials(k.knob("exp2_fma")), tensor(k.knob("unit")) {}

ScanShape ScanShape::withGroup(int64_t tokens) const {
  ScanShape shape = *this;
  shape.group = tokens;
  shape.tensor = tensor && tokens % kTensorTokens == 0;
  return shape;
}

/// Element type of a body value as it is stored.
static Type storedElement(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<arith::ExtFOp, SplitOp>(op))
      break;
    value = op->getOperand(0);
  }
  return getElementTypeOrSelf(value.getType());
}

LogicalResult ScanShape::check(KernelBuilder &k, const ScanOperands &op) const {
  for (auto [name, value] : {std::pair("lanes", lanes), {"channels", own}, {"group", group}})
    if (!llvm::isPowerOf2_64(value))
      return k.error() << "expected a power of two as knob '" << name << "', but got " << value;
  if (!tensor)
    return success();
  if (exact)
    return k.error() << "expected 0 as knob 'exact' with unit 1, whose sums are of 11 bits, but "
                     << "got 1";
  for (Value matrix : {op.B, op.C})
    if (Type element = storedElement(matrix); !element.isBF16())
      return k.error() << "expected B and C of bf16 with knob 'unit' 1, but got " << element;
  if (own > 2)
    return k.error() << "expected 1 or 2 as knob 'channels' with unit 1, but got " << own;
  if (group % kTensorTokens)
    return k.error() << "expected a multiple of " << kTensorTokens
                     << " as knob 'group' with unit 1, but got " << group;
  if (lanes < kQuad || held < 2)
    return k.error() << "expected 4 or more as knob 'lanes' with unit 1, and 2 or more of the "
                     << states << " states for each, but got " << lanes << " lanes";
  if (threads % (shares() * Gpu::kWarp))
    return k.error() << "expected a multiple of " << shares() * Gpu::kWarp
                     << " as knob 'threads' with unit 1 and " << lanes << " lanes, but got "
                     << threads;
  return success();
}

/// Passes in which a warp's lanes store their sums: `lanes` neighbours have tokens side
/// by side, the others channels.
static int64_t conflicts(const ScanShape &shape, int64_t stride) {
  int64_t items = std::max<int64_t>(shape.sumGroup() * shape.own / shape.lanes, 1), worst = 0;
  SmallVector<int64_t> used(32, 0);
  for (int64_t thread = 0; thread < Gpu::kWarp; ++thread) {
    int64_t item = thread % shape.lanes * items;
    int64_t at = item / shape.own * stride + item % shape.own + thread / shape.lanes * shape.own;
    worst = std::max(worst, ++used[at % 32]);
  }
  return worst;
}

View ScanTile::sumTile() const {
  if (shape.tensor)
    return k.sharedView(shape.shares() * shape.rounded(), shape.blockChannels(), k.b.getF32Type(),
                        shape.strideOf(shape.blockChannels()));
  int64_t best = shape.blockChannels();
  for (int64_t stride = best; stride < shape.blockChannels() + 32; stride += 4)
    if (conflicts(shape, stride) < conflicts(shape, best))
      best = stride;
  return k.sharedView(shape.rounded(), shape.blockChannels(), k.b.getF32Type(), best);
}

Value ScanTile::loadSum(const View &tile, At at) const {
  Value sum, token = at.row;
  for (int64_t share = 0; share < shape.shares(); ++share) {
    at.row = k.add(token, share * shape.rounded());
    Value part = k.load(tile, at);
    sum = sum ? add(sum, part) : part;
  }
  return sum;
}

/// Of this thread among those of its channels.
static Value laneOf(KernelBuilder &k, const ScanShape &shape) {
  if (!shape.tensor)
    return k.rem(k.thread(), shape.lanes);
  Value share = k.rem(k.div(k.thread(), Gpu::kWarp), shape.shares());
  return k.add(k.mul(share, ScanShape::kQuad), k.rem(k.thread(), ScanShape::kQuad));
}

/// The first channel of this thread, counted in the block.
static Value channelOf(KernelBuilder &k, const ScanShape &shape) {
  if (!shape.tensor)
    return k.mul(k.div(k.thread(), shape.lanes), shape.own);
  int64_t quads = Gpu::kWarp / ScanShape::kQuad;
  Value warp = k.div(k.thread(), shape.shares() * Gpu::kWarp);
  Value quad = k.rem(k.div(k.thread(), ScanShape::kQuad), quads);
  return k.mul(k.add(k.mul(warp, quads), quad), shape.own);
}

ScanTile::ScanTile(KernelBuilder &k, const ScanOperands &op, const ScanShape &shape,
                   Value channelBlock, ValueRange staged, ValueRange after, ValueRange results,
                   bool needsC)
    : k(k), gpu(k), op(op), shape(shape), number(channelBlock),
      first(k.mul(channelBlock, shape.blockChannels())), lane(laneOf(k, shape)),
      mine(channelOf(k, shape)), staged(staged), needsC(needsC) {
  auto wideTile = [&](int64_t columns) {
    return k.sharedView(shape.rounded(), columns, k.b.getF32Type(), shape.strideOf(columns));
  };
  auto tileOf = [&](int64_t columns) {
    return isNarrow() ? k.sharedView(shape.rounded(), columns, k.b.getBF16Type(),
                                     narrowScanStride(columns))
                      : wideTile(columns);
  };
  int64_t channels = shape.blockChannels();
  if (shape.tensor && shape.own == 2) {
    delta = wideTile(isNarrow() ? 2 * channels : channels);
    u = tileOf(channels);
  } else {
    pairs = wideTile(2 * channels);
  }
  B = tileOf(shape.slots());
  if (needsC)
    C = tileOf(shape.slots());
  for (size_t i = 0; i < staged.size(); ++i)
    more.push_back(tileOf(channels));
  findLeaves(after, results);
  chooseWidths(after);
  loadVectors(after);
  clearPadding();
  A = statesOf([&](At at) { return PointwiseEmitter(k, at).value(op.A); });
  if (!shape.exact)
    for (Value &a : A)
      a = mul(a, k.f32(1.44269504088896341));
}

/// What no run writes and every walk reads.
void ScanTile::clearPadding() const {
  bool tokens = shape.rounded() > shape.tokens, states = shape.slots() > shape.states;
  if (!tokens && !states)
    return;
  SmallVector<View> tiles{B};
  if (needsC)
    tiles.push_back(C);
  if (tokens) {
    if (delta)
      llvm::append_values(tiles, delta, u);
    else
      tiles.push_back(pairs);
    llvm::append_range(tiles, more);
  }
  for (const View &tile : tiles)
    k.loop(k.thread(), k.index(shape.rounded() * tile.stride), shape.threads, [&](Value i) {
      k.store(k.f32(0), tile, At{Value(), i, 1, Value()});
    });
  gpu.barrier();
}

Value ScanTile::mul(Value x, Value y) const { return arith::MulFOp::create(k.b, k.loc, x, y); }
Value ScanTile::add(Value x, Value y) const { return arith::AddFOp::create(k.b, k.loc, x, y); }
Value ScanTile::sub(Value x, Value y) const { return arith::SubFOp::create(k.b, k.loc, x, y); }

View ScanTile::moved(const View &tile, Value token, Value column, int64_t lanes) const {
  View view = tile;
  view.base = k.address(tile.base, tile.element, k.add(k.mul(token, tile.stride), column));
  int64_t bytes = tile.element.getIntOrFloatBitWidth() / 8;
  view.alignment =
      std::gcd<int64_t>(16, std::gcd<int64_t>(tile.stride, llvm::PowerOf2Ceil(lanes)) * bytes);
  return view;
}

Values ScanTile::scalarsOf(Value vector, int64_t lanes) const {
  if (lanes == 1)
    return {vector};
  Values values;
  for (int64_t i = 0; i < lanes; ++i)
    values.push_back(vector::ExtractOp::create(k.b, k.loc, vector, ArrayRef<int64_t>{i}));
  return values;
}

Values ScanTile::loadScalars(const View &view, At at) const {
  return scalarsOf(k.load(view, at), at.lanes);
}

void ScanTile::storeScalars(ValueRange values, const View &view, At at) const {
  at.lanes = values.size();
  Value stored = values[0];
  if (values.size() > 1)
    stored = vector::FromElementsOp::create(
        k.b, k.loc, KernelBuilder::lanesOf(values[0].getType(), values.size()), values);
  k.store(stored, view, at);
}

//===----------------------------------------------------------------------===//
// States in memory
//===----------------------------------------------------------------------===//

// A thread's states of a channel lie side by side; where padding is among them they
// go one by one.

Values ScanTile::loadStates(const View &matrix, Value row) const {
  return statesOf([&](At at) {
    at.row = row;
    return k.load(matrix, at);
  });
}

Values ScanTile::statesOf(function_ref<Value(At)> load) const {
  Values values;
  bool whole = shape.slots() == shape.states;
  for (int64_t p = 0; p < shape.own; ++p) {
    Value channel = k.min(k.add(k.add(first, mine), p), k.index(shape.channels - 1));
    Value start = k.mul(channel, shape.states), n = k.mul(lane, shape.held);
    if (whole) {
      At at{Value(), k.add(start, n), shape.held, Value()};
      llvm::append_range(values, scalarsOf(load(at), at.lanes));
      continue;
    }
    for (int64_t j = 0; j < shape.held; ++j) {
      Value state = k.add(n, j), inside = k.less(state, k.index(shape.states));
      Value column = k.add(start, k.min(state, k.index(shape.states - 1)));
      values.push_back(k.select(inside, load(At{Value(), column, 1, Value()}), k.f32(0)));
    }
  }
  return values;
}

void ScanTile::storeStates(ValueRange states, const View &matrix, Value row) const {
  bool whole = shape.slots() == shape.states;
  for (int64_t p = 0; p < shape.own; ++p) {
    Value channel = k.add(k.add(first, mine), p);
    Value start = k.mul(channel, shape.states), n = k.mul(lane, shape.held);
    auto some = states.slice(p * shape.held, shape.held);
    auto write = [&] {
      if (whole)
        return storeScalars(some, matrix, At{row, k.add(start, n), 1, Value()});
      for (auto [j, value] : llvm::enumerate(some)) {
        Value state = k.add(n, j);
        k.ifThen(k.less(state, k.index(shape.states)), [&, value = value] {
          k.store(value, matrix, At{row, k.add(start, state), 1, {}});
        });
      }
    };
    if (shape.channels % shape.blockChannels())
      k.ifThen(k.less(channel, k.index(shape.channels)), write);
    else
      write();
  }
}

Values ScanTile::loadStatesIf(const View &matrix, Value row) const {
  if (!matrix)
    return Values(shape.values(), k.f32(0));
  // Under a condition, as there may be no row at all: then not even memory is lent for one.
  auto load = [&] { return loadStates(matrix, row); };
  return k.either(isPresent(k, row), load, [&] { return Values(shape.values(), k.f32(0)); });
}

//===----------------------------------------------------------------------===//
// Walking
//===----------------------------------------------------------------------===//

ScanTile::Token ScanTile::token(Value start, int64_t t, bool withC) const {
  At at{k.index(t), Value(), 2 * shape.own, Value()};
  Values both = loadScalars(moved(pairs, start, k.mul(mine, 2), 2 * shape.own), at);
  Token token;
  for (int64_t p = 0; p < shape.own; ++p) {
    token.delta.push_back(both[2 * p]);
    if (!products)
      token.u.push_back(both[2 * p + 1]);
    token.input.push_back(products ? both[2 * p + 1] : input(both[2 * p], both[2 * p + 1]));
  }
  Value column = k.mul(lane, shape.held);
  at.lanes = shape.held;
  token.B = loadScalars(moved(B, start, column, shape.held), at);
  if (withC)
    token.C = loadScalars(moved(C, start, column, shape.held), at);
  return token;
}

Values ScanTile::ownChannels(const View &tile, Value start, int64_t t) const {
  return loadScalars(moved(tile, start, mine, shape.own),
                     At{k.index(t), Value(), shape.own, Value()});
}

Values ScanTile::ownDelta(Value start, int64_t t, bool withPairs) const {
  if (!isNarrow())
    return ownChannels(delta, start, t);
  int64_t lanes = withPairs ? 2 * shape.own : shape.own;
  View view = moved(delta, start, k.mul(mine, 2), 2 * shape.own);
  return loadScalars(view, At{k.index(t), Value(), lanes, Value()});
}

Value ScanTile::decay(Value delta, Value a, bool isPolynomial) const {
  Value x = mul(delta, a);
  Approximations approximations{k.b, k.loc};
  if (shape.exact)
    return approximations.decay(x);
  if (isPolynomial)
    return approximations.exp2OfNegative(x);
  return gpu.intrinsic("llvm.nvvm.ex2.approx.ftz.f", k.b.getF32Type(), x);
}

Value ScanTile::decayed(Value h, Value decay) const {
  return shape.exact ? k.fma(h, decay, h) : mul(h, decay);
}

Value ScanTile::input(Value delta, Value u) const { return op.decaysInput ? u : mul(delta, u); }

Value ScanTile::next(Value h, Value decay, Value input, Value B) const {
  if (op.decaysInput)
    return decayed(k.fma(input, B, h), decay);
  // One operation between h and h: the product of input and B does not wait for h.
  return shape.exact ? k.fma(h, decay, k.fma(input, B, h)) : k.fma(h, decay, mul(input, B));
}

Values ScanTile::advance(ValueRange states, Value start) const {
  if (shape.tensor)
    return advanceOnTensorCores(*this, states, start);
  Values h(states);
  for (int64_t t = 0; t < shape.group; ++t) {
    Token token = this->token(start, t, /*withC=*/false);
    for (int64_t n = 0; n < shape.values(); ++n) {
      int64_t p = n / shape.held;
      h[n] = next(h[n], decay(token.delta[p], A[n], isPolynomial(t, n)), token.input[p],
                  token.B[n % shape.held]);
    }
  }
  return h;
}

void ScanTile::storeLaneSums(const ScatteredSums &sums, const View &tile, Value start) const {
  int64_t size = std::min<int64_t>(sums.values.size(), shape.own);
  for (size_t i = 0; i < sums.values.size(); i += size) {
    Value item = k.add(sums.first, i);
    Value column = k.add(mine, k.rem(item, shape.own));
    View to = moved(tile, k.add(start, k.div(item, shape.own)), column, size);
    storeScalars(ValueRange(sums.values).slice(i, size), to, At{});
  }
}

ScatteredSums::ScatteredSums(KernelBuilder &k, Values parts, int64_t high, int64_t low)
    : values(std::move(parts)) {
  Gpu gpu(k);
  int64_t count = values.size(), groups = high / low;
  Value rank = k.rem(k.div(k.thread(), low), groups);
  first = count >= groups ? k.mul(rank, count / groups) : k.div(rank, groups / count);
  for (int64_t mask = high / 2; mask >= low; mask /= 2) {
    if (values.size() == 1) {
      values[0] = arith::AddFOp::create(k.b, k.loc, values[0], gpu.shuffleXor(values[0], mask));
      continue;
    }
    // Each of two partners gives away the half that the other one keeps.
    Value upper = k.equal(k.rem(k.div(k.thread(), mask), 2), k.index(1));
    int64_t half = values.size() / 2;
    Values kept;
    for (int64_t i = 0; i < half; ++i) {
      Value keep = k.select(upper, values[i + half], values[i]);
      Value give = k.select(upper, values[i], values[i + half]);
      kept.push_back(arith::AddFOp::create(k.b, k.loc, keep, gpu.shuffleXor(give, mask)));
    }
    values = std::move(kept);
  }
}
