// What a block of a scan brings into shared memory before it walks a run.
#include "compiler/Emit/scan/ScanTileGpu.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mom;

/// Registers a thread may spend on a run that it fetches ahead.
static constexpr int64_t kRegistersAhead = 64;
/// A thread's accesses are no wider than that.
static constexpr int64_t kGreatestAccess = 16;

Deal::Place Deal::at(KernelBuilder &k, Value round) const {
  if (threads % perRow() == 0)
    return {k.add(k.div(k.thread(), perRow()), k.mul(round, threads / perRow())),
            k.mul(k.rem(k.thread(), perRow()), width)};
  Value vector = k.add(k.thread(), k.mul(round, threads));
  return {k.div(vector, perRow()), k.mul(k.rem(vector, perRow()), width)};
}

//===----------------------------------------------------------------------===//
// What is read
//===----------------------------------------------------------------------===//

/// Tensors of `like`'s rows and channels that `values` are computed from, unless by
/// way of `stops`.
static SetVector<Value> leavesOf(KernelBuilder &k, ValueRange values, ValueRange stops,
                                 Value like) {
  DenseSet<Value> seen;
  for (Value stop : stops)
    seen.insert(withoutWidening(stop));
  SetVector<Value> leaves;
  SmallVector<Value> queue(values);
  while (!queue.empty()) {
    Value value = withoutWidening(queue.pop_back_val());
    if (!isa<RankedTensorType>(value.getType()) || !seen.insert(value).second)
      continue;
    if (!k.inMemory(value)) {
      if (Operation *op = value.getDefiningOp())
        llvm::append_range(queue, op->getOperands());
      continue;
    }
    bool alike =
        rowsOf(value) && rowsOf(value) == rowsOf(like) && channelsOf(value) == channelsOf(like);
    if (alike && isa<FloatType>(getElementTypeOrSelf(value.getType())))
      leaves.insert(value);
  }
  return leaves;
}

void ScanTile::findLeaves(ValueRange after, ValueRange results) {
  // What reads u after the walk makes it again of what was fetched: shared memory is what
  // the gradient's walk waits for.
  bool isGradient = !staged.empty();
  products = isGradient ? shape.tensor : !shape.tensor && k.inMemory(withoutWidening(op.u));
  SmallVector<Value> before{op.u, op.delta}, known{op.delta};
  if (!products)
    known.push_back(op.u);
  SmallVector<Value> afterwards(after);
  if (products && isGradient)
    afterwards.push_back(op.u);
  llvm::append_range(before, staged);
  llvm::append_range(known, staged);
  llvm::append_range(known, results);
  SetVector<Value> early = leavesOf(k, before, {}, op.u),
                   late = leavesOf(k, afterwards, known, op.u);
  SetVector<Value> all = early;
  all.insert_range(late);
  for (Value value : all) {
    // On tensor cores registers are better spent on the walk than on what it does not need.
    bool waits = shape.tensor && !early.contains(value);
    (waits ? lateLeaves : leaves)
        .push_back({value, k.view(value), early.contains(value), late.contains(value)});
  }
}

static int64_t bytesOf(Type element) { return element.getIntOrFloatBitWidth() / 8; }

/// Greatest power of two of elements that one access moves, at each multiple of them.
static int64_t widthOf(const View &view) {
  int64_t size = bytesOf(view.element), width = kGreatestAccess / size;
  while (width > 1 && (view.channels % width || view.alignment % (width * size)))
    width /= 2;
  return width;
}

void ScanTile::chooseWidths(ValueRange after) {
  // As wide as the narrowest storage allows, but no wider than leaves work for all.
  int64_t width = 1, limit = kGreatestAccess;
  SmallVector<View> views;
  for (const Leaf &leaf : llvm::concat<Leaf>(leaves, lateLeaves))
    views.push_back(leaf.view);
  for (unsigned i = 0; i < k.kernel.getNumResults(); ++i)
    if (llvm::is_contained(after, k.yielded(i)))
      views.push_back(k.output(i));
  for (const View &view : views) {
    width = std::max(width, kGreatestAccess / bytesOf(view.element));
    int64_t most = widthOf(view);
    // A full access may be followed by another one.
    if (most * bytesOf(view.element) < kGreatestAccess)
      limit = std::min(limit, most);
  }
  width = std::min(width, limit);
  while (width > 1 && (shape.channels % width || shape.blockChannels() % width ||
                       shape.tokens * shape.blockChannels() < shape.threads * width))
    width /= 2;
  channelDeal = Deal{shape.threads, shape.tokens, shape.blockChannels(), width};
  int64_t states = widthOf(k.view(op.B));
  if (needsC)
    states = std::min(states, widthOf(k.view(op.C)));
  matrixDeal = Deal{shape.threads, shape.tokens, shape.states, states};

  // On tensor cores as many as f32 would take: the walk has better use for the others.
  int64_t perMatrix =
      shape.tensor ? states : llvm::divideCeil(states * bytesOf(k.view(op.B).element), 4);
  int64_t registers = matrixDeal.rounds() * (1 + perMatrix * (needsC ? 2 : 1));
  for (const Leaf &leaf : leaves)
    registers += channelDeal.rounds() * llvm::divideCeil(width * bytesOf(leaf.view.element), 4);
  // Eight tokens' states and decays leave no room beside four values or more of each.
  bool isFull = shape.tensor && !staged.empty() && shape.values() > 4;
  ahead = !isFull && registers <= kRegistersAhead;
}

/// Loads vectors of channels once: a load at each token would be waited for. A walk along
/// by fma has registers for them where a thread's channels are the same in all rounds.
void ScanTile::loadVectors(ValueRange after) {
  SmallVector<Value> queue{op.u, op.delta};
  llvm::append_range(queue, staged);
  llvm::append_range(queue, after);
  DenseSet<Value> seen;
  while (!queue.empty()) {
    Value value = queue.pop_back_val();
    Operation *definition = value.getDefiningOp();
    if (!definition || !seen.insert(value).second)
      continue;
    auto broadcast = dyn_cast<BroadcastOp>(definition);
    if (!broadcast)
      llvm::append_range(queue, definition->getOperands());
    else if (!broadcast.getRoute() && !isRows(broadcast.getX().getType()))
      vectors.push_back({value, Value(), View()});
  }
  if (vectors.empty())
    return;
  auto valueAt = [&](Value value, Value column) {
    return PointwiseEmitter(k, placeOf({Value(), column}, Value())).value(value);
  };
  if (!shape.tensor && staged.empty() && channelDeal.threads % channelDeal.perRow() == 0) {
    for (ChannelVector &vector : vectors)
      vector.held = valueAt(vector.value, channelDeal.at(k, k.index(0)).column);
    return;
  }
  for (ChannelVector &vector : vectors) {
    vector.tile = k.sharedView(1, shape.blockChannels(), k.b.getF32Type());
    k.loop(k.thread(), k.index(channelDeal.perRow()), shape.threads, [&](Value i) {
      Value column = k.mul(i, channelDeal.width);
      k.store(valueAt(vector.value, column), vector.tile,
              At{Value(), column, channelDeal.width, Value()});
    });
  }
  gpu.barrier();
}

void ScanTile::bindVectors(PointwiseEmitter &pointwise, const Deal::Place &place) const {
  At at{Value(), place.column, channelDeal.width, Value()};
  for (const ChannelVector &vector : vectors)
    pointwise.bind(vector.value, vector.held ? vector.held : k.load(vector.tile, at));
}

/// Bits of a vector, in whole registers where they fill them.
Type ScanTile::rawType(Type element, int64_t lanes) const {
  int64_t bits = element.getIntOrFloatBitWidth() * lanes;
  return bits <= 32 ? Type(k.b.getIntegerType(bits))
                    : VectorType::get({bits / 32}, k.b.getI32Type());
}

Value ScanTile::loadRaw(const View &view, At at) const {
  int64_t bytes = at.lanes * bytesOf(view.element);
  return LLVM::LoadOp::create(k.b, k.loc, rawType(view.element, at.lanes), k.address(view, at),
                              std::min(bytes, kGreatestAccess));
}

void ScanTile::storeRaw(Value raw, const View &view, At at) const {
  int64_t bytes = at.lanes * bytesOf(view.element);
  LLVM::StoreOp::create(k.b, k.loc, raw, k.address(view, at), std::min(bytes, kGreatestAccess));
}

Value ScanTile::unpacked(Value raw, Type element, int64_t lanes) const {
  OpBuilder &b = k.b;
  Type type = KernelBuilder::lanesOf(element, lanes);
  if (element.isBF16() && lanes > 1) {
    // f32 whose upper halves they are: two operations a pair.
    Type words = KernelBuilder::lanesOf(b.getI32Type(), lanes / 2);
    Type halves = KernelBuilder::lanesOf(b.getF32Type(), lanes / 2);
    auto constant = [&](int64_t value) {
      return k.splat(gpu.i32(value), lanes / 2);
    };
    Value pairs = LLVM::BitcastOp::create(b, k.loc, words, raw);
    Value low = arith::ShLIOp::create(b, k.loc, pairs, constant(16));
    Value high = arith::AndIOp::create(b, k.loc, pairs, constant(0xffff0000));
    return interleaved(arith::BitcastOp::create(b, k.loc, halves, low),
                       arith::BitcastOp::create(b, k.loc, halves, high), lanes / 2);
  }
  Value value = LLVM::BitcastOp::create(b, k.loc, type, raw);
  if (element.isF32())
    return value;
  return arith::ExtFOp::create(b, k.loc, KernelBuilder::lanesOf(b.getF32Type(), lanes), value);
}

//===----------------------------------------------------------------------===//
// Places
//===----------------------------------------------------------------------===//

Value ScanTile::rowOf(const SegmentWalk &walk, Value i) const {
  Value last = k.max(k.sub(walk.segment.length, k.index(1)), k.index(0));
  return walk.row(k.min(i, last), rowsOf(op.u));
}

/// Rounds of a deal: one after the other where the values of each are in registers.
void ScanTile::overRounds(const Deal &deal, function_ref<void(Value, int64_t)> body) const {
  if (!ahead && deal.rounds() > 1)
    return k.loop(k.index(0), k.index(deal.rounds()), 1, [&](Value round) { body(round, 0); });
  for (int64_t round = 0; round < deal.rounds(); ++round)
    body(k.index(round), round);
}

At ScanTile::placeOf(const Deal::Place &place, Value row) const {
  Value column = k.add(first, place.column);
  if (shape.channels % shape.blockChannels())
    column = k.min(column, k.index(shape.channels - channelDeal.width));
  return At{row, column, channelDeal.width, Value()};
}

/// i1: whether a place of the channels' deal is a token and a channel.
Value ScanTile::isThere(const Deal::Place &place, Value count) const {
  Value there = k.less(place.token, count);
  if (shape.channels % shape.blockChannels())
    there = arith::AndIOp::create(k.b, k.loc, there,
                                  k.less(k.add(first, place.column), k.index(shape.channels)));
  return there;
}

//===----------------------------------------------------------------------===//
// Fetching
//===----------------------------------------------------------------------===//

Values ScanTile::rows(const SegmentWalk &walk, Value i) const {
  Values rows;
  if (!ahead)
    return rows;
  for (const Deal *deal : {&channelDeal, &matrixDeal})
    for (int64_t round = 0; round < deal->rounds(); ++round)
      rows.push_back(gpu.toI32(rowOf(walk, k.add(i, deal->at(k, k.index(round)).token))));
  return rows;
}

/// Places of some leaves, and of the rows of B and C, that this thread stages.
void ScanTile::overChannels(ValueRange rows, ArrayRef<Leaf> some, Visit visit) const {
  for (int64_t round = 0; round < channelDeal.rounds(); ++round) {
    At at = placeOf(channelDeal.at(k, k.index(round)), gpu.toI64(rows[round]));
    for (const Leaf &leaf : some)
      visit(leaf.view, at);
  }
}

void ScanTile::overMatrices(ValueRange rows, Visit visit) const {
  rows = rows.drop_front(channelDeal.rounds());
  for (int64_t round = 0; round < matrixDeal.rounds(); ++round) {
    Value column = matrixDeal.at(k, k.index(round)).column;
    At at{gpu.toI64(rows[round]), column, matrixDeal.width, Value()};
    visit(k.view(op.B), at);
    if (needsC)
      visit(k.view(op.C), at);
  }
}

Values ScanTile::fetch(ValueRange rows) const {
  Values raw;
  if (!ahead)
    return raw;
  auto load = [&](const View &view, At at) { raw.push_back(loadRaw(view, at)); };
  overChannels(rows, leaves, load);
  overMatrices(rows, load);
  return raw;
}

void ScanTile::prefetch(ValueRange rows) const {
  if (!ahead)
    return;
  auto prefetch = [&](const View &view, At at) { k.prefetch(view, at); };
  overChannels(rows, leaves, prefetch);
  overChannels(rows, lateLeaves, prefetch);
  overMatrices(rows, prefetch);
}

Values ScanTile::fetchLate(ValueRange rows) const {
  Values raw;
  if (ahead)
    overChannels(rows, lateLeaves,
                 [&](const View &view, At at) { raw.push_back(loadRaw(view, at)); });
  return raw;
}

//===----------------------------------------------------------------------===//
// Staging
//===----------------------------------------------------------------------===//

/// A value, and what it widens, are `emitted` at this place.
void ScanTile::bindAs(PointwiseEmitter &pointwise, Value value, Value emitted) const {
  Value stored = withoutWidening(value);
  pointwise.bind(value, emitted);
  pointwise.bind(stored, emitted);
  for (Operation *user : stored.getUsers())
    if (isa<arith::ExtFOp>(user))
      pointwise.bind(user->getResult(0), emitted);
}

/// What was fetched of `some` leaves, if anything was, is known to those that need it.
void ScanTile::bindLeaves(PointwiseEmitter &pointwise, ArrayRef<Leaf> some, bool Leaf::*which,
                          ValueRange fetched, int64_t round) const {
  if (fetched.empty())
    return;
  for (auto [leaf, raw] : llvm::zip_equal(some, fetched.slice(round * some.size(), some.size())))
    if (leaf.*which)
      bindAs(pointwise, leaf.value, unpacked(raw, leaf.view.element, channelDeal.width));
}

/// What was fetched of a value, if it lies in memory as it should in a tile of `element`.
Value ScanTile::rawOf(Value value, Type element, ValueRange fetched, int64_t round) const {
  if (fetched.empty())
    return {};
  for (auto [leaf, raw] :
       llvm::zip_equal(leaves, fetched.slice(round * leaves.size(), leaves.size())))
    if (leaf.value == withoutWidening(value) && leaf.view.element == element)
      return raw;
  return {};
}

/// Stores now, or with what else waits.
static void storeOr(std::vector<std::function<void()>> *waiting, std::function<void()> store) {
  if (waiting)
    waiting->push_back(std::move(store));
  else
    store();
}

void ScanTile::stageChannels(const SegmentWalk &walk, Value i, Value count, ValueRange rows,
                             ValueRange fetched, bool all, Stores *waiting) const {
  int64_t width = channelDeal.width;
  bool isFetched = !fetched.empty();
  overRounds(channelDeal, [&](Value round, int64_t number) {
    Deal::Place place = channelDeal.at(k, round);
    auto stageVector = [&] {
      Value row = isFetched ? gpu.toI64(rows[number]) : rowOf(walk, k.add(i, place.token));
      PointwiseEmitter pointwise(k, placeOf(place, row));
      bindVectors(pointwise, place);
      bindLeaves(pointwise, leaves, &Leaf::before, fetched, number);
      Value there = isThere(place, count);
      auto valueOf = [&](Value value) {
        return k.select(there, pointwise.value(value), k.zeros(width));
      };
      At here{place.token, place.column, width, Value()};
      // Where delta is 0 no u is added, unless it is added as it is.
      Value newU = op.decaysInput ? valueOf(op.u) : pointwise.value(op.u);
      Value newDelta = valueOf(op.delta), second = products ? input(newDelta, newU) : newU;
      storeOr(waiting, [=] { storeInputs(newDelta, second, here); });
      if (!all)
        return;
      for (auto [value, tile] : llvm::zip_equal(staged, more)) {
        Value vector = rawOf(value, tile.element, fetched, number);
        if (!vector) {
          vector = valueOf(value);
        } else {
          TypedAttr zero = k.b.getZeroAttr(vector.getType());
          vector = k.select(there, vector, arith::ConstantOp::create(k.b, k.loc, zero));
          vector = LLVM::BitcastOp::create(k.b, k.loc, k.lanesOf(tile.element, width), vector);
        }
        storeOr(waiting, [=, tile = tile] { storeChannels(vector, tile, here); });
      }
    };
    if (channelDeal.even())
      stageVector();
    else
      k.ifThen(k.less(place.token, k.index(shape.tokens)), stageVector);
  });
}

void ScanTile::stageMatrices(const SegmentWalk &walk, Value i, ValueRange rows,
                             ValueRange fetched, bool all, Stores *waiting) const {
  int64_t width = matrixDeal.width;
  SmallVector<std::pair<View, View>> matrices{{k.view(op.B), B}};
  if (needsC && all)
    matrices.push_back({k.view(op.C), C});
  bool isFetched = !fetched.empty();
  overRounds(matrixDeal, [&](Value round, int64_t number) {
    Deal::Place place = matrixDeal.at(k, round);
    auto stageVector = [&] {
      Value row = isFetched ? Value() : rowOf(walk, k.add(i, place.token));
      for (auto [m, matrix] : llvm::enumerate(matrices)) {
        auto &[from, to] = matrix;
        At here{place.token, place.column, width, Value()};
        Value raw = isFetched ? fetched[number * matrices.size() + m]
                              : loadRaw(from, At{row, place.column, width, Value()});
        if (from.element == to.element) {
          storeOr(waiting, [=, to = to] { storeRaw(raw, to, here); });
          continue;
        }
        Value value = unpacked(raw, from.element, width);
        storeOr(waiting, [=, to = to] { k.store(value, to, here); });
      }
    };
    if (matrixDeal.even())
      stageVector();
    else
      k.ifThen(k.less(place.token, k.index(shape.tokens)), stageVector);
  });
}

void ScanTile::stage(const SegmentWalk &walk, const Run &run, Stores *waiting) const {
  int64_t rounds = ahead ? channelDeal.rounds() : 0, fetched = rounds * leaves.size();
  stageChannels(walk, run.i, run.count, run.rows.take_front(rounds),
                run.fetched.take_front(fetched), /*all=*/true, waiting);
  stageMatrices(walk, run.i, run.rows.drop_front(rounds), run.fetched.drop_front(fetched),
                /*all=*/true, waiting);
}

void ScanTile::stageStates(const SegmentWalk &walk, Value i, Value count) const {
  stageChannels(walk, i, count, {}, {}, /*all=*/false, nullptr);
  stageMatrices(walk, i, {}, {}, /*all=*/false, nullptr);
}
