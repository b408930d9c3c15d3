// GPU form of a RowPlan.
#include "compiler/Emit/map/TeamRows.h"

#include "compiler/Emit/Gpu.h"
#include "compiler/Emit/map/MapBody.h"
#include "compiler/Schedule/RowDefaults.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mom;

/// Vectors of a long row that a thread has under way.
static constexpr int64_t kVectorsInLoop = 4;
/// Elements of all inputs that a thread reads before the first level computes.
static constexpr int64_t kElementsAhead = 96;
/// Shared memory for values that are cheaper to keep than to compute again.
static constexpr int64_t kScratchBytes = 48 * 1024;
/// Shared memory that every device has for a block.
static constexpr int64_t kMostScratchBytes = 96 * 1024;

static int64_t lanesFor(KernelBuilder &k, int64_t size) {
  return lanesOfWidth(size, k.knob("lanes"));
}

TeamRows::TeamRows(KernelBuilder &k, bool flat, int64_t widest) : RowPlan(k, flat) {
  int64_t lanes = lanesFor(k, widest);
  inRegisters = llvm::divideCeil(widest, lanes * k.teamSize()) * lanes <= kElementsInRegisters;
  scratchLeft = kScratchBytes / k.teams();
}

LogicalResult TeamRows::checkScratch() {
  int64_t bytes = kScratchBytes - scratchLeft * k.teams();
  if (bytes <= kMostScratchBytes)
    return success();
  return k.error() << "expected scratch rows of at most " << kMostScratchBytes
                   << " bytes, but its " << k.teams() << " teams need " << bytes;
}

Value TeamRows::both(Value x, Value y) {
  return x && y ? arith::AndIOp::create(k.b, k.loc, x, y).getResult() : x ? x : y;
}

void TeamRows::guarded(Value condition, function_ref<void()> body) {
  condition ? k.ifThen(condition, body) : body();
}

/// The thread's vector among the team's that begin at `base + step`.
TeamRows::Place TeamRows::placeAt(Value base, int64_t step, int64_t size, Value row) {
  int64_t lanes = lanesFor(k, size);
  Value column = k.add(k.add(base, k.mul(k.teamRank(), lanes)), step);
  return Place{At{row, column, lanes, Value()}, Value()};
}

/// Starts the loads of all inputs of this width, whatever their level, if registers
/// hold them.
bool TeamRows::readInputs(int64_t size, MutableArrayRef<PointwiseEmitter> emitters) {
  SmallVector<Value> inputs;
  for (Value input : inputsBehind(roots()))
    if (width(input) == size)
      inputs.push_back(input);
  // What all rows share waits in caches.
  int64_t rows = llvm::count_if(inputs, [](Value v) { return isRows(v.getType()); });
  if (rows * int64_t(emitters.size()) * lanesFor(k, size) > kElementsAhead)
    return false;
  for (PointwiseEmitter &e : emitters)
    for (Value input : inputs)
      e.value(input);
  Block &body = k.kernel.getBody().front();
  return llvm::none_of(body, [](Operation &op) {
    return isa<EmbeddingOp, ReorderOp, SpreadOp, CollectOp, DispatchOp, RetrieveOp>(op);
  });
}

namespace {
/// Adds terms up in pairs of pairs, holding as few as that takes.
struct Tree {
  SmallVector<std::pair<int64_t, Value>> sums; ///< with the number of terms in each

  void push(KernelBuilder &k, Reduction kind, Value term) {
    sums.push_back({1, term});
    while (sums.size() > 1 && sums.back().first == sums[sums.size() - 2].first)
      join(k, kind);
  }
  Value total(KernelBuilder &k, Reduction kind) {
    while (sums.size() > 1)
      join(k, kind);
    return sums.front().second;
  }
  void join(KernelBuilder &k, Reduction kind) {
    auto [terms, last] = sums.pop_back_val();
    sums.back() = {sums.back().first + terms, combine(k, kind, sums.back().second, last)};
  }
};
} // namespace

void TeamRows::storeVector(const Work &work, const Place &place, ArrayRef<Value> values) {
  if (work.written.empty() && work.added.empty())
    return;
  guarded(both(place.inside, alive), [&] {
    auto [written, added] =
        std::pair(values.take_front(work.written.size()), values.drop_front(work.written.size()));
    for (auto [store, value] : llvm::zip_equal(work.written, written))
      k.store(value, store.to, place.at);
    for (auto [add, value] : llvm::zip_equal(work.added, added))
      k.store(combine(k, Reduction::sum, k.load(add.to, place.at), value), add.to, place.at);
  });
}

/// A vector is stored at once where the loads of all are under way (`areRead`), which
/// frees registers; else after all are computed, so that stores hold up no loads.
SmallVector<Value> TeamRows::emitVectors(const Work &work, ArrayRef<Place> places,
                                         MutableArrayRef<PointwiseEmitter> emitters,
                                         ValueRange sums, bool areRead) {
  SmallVector<Tree> trees(work.summed.size());
  SmallVector<SmallVector<Value>> values(places.size());
  for (auto [place, e, stored] : llvm::zip_equal(places, emitters, values)) {
    for (auto [reduce, tree] : llvm::zip_equal(work.summed, trees)) {
      ReduceOp op = reduce;
      Value x = e.value(op.getX());
      if (place.inside)
        x = k.select(place.inside, x, k.splat(k.f32(neutralOf(op.getKind())), place.at.lanes));
      tree.push(k, op.getKind(), x);
    }
    for (const Store &store : llvm::concat<const Store>(work.written, work.added))
      stored.push_back(e.value(store.value));
    if (areRead)
      storeVector(work, place, stored);
  }
  SmallVector<Value> next;
  for (auto [reduce, tree, sum] : llvm::zip_equal(work.summed, trees, sums)) {
    Reduction kind = ReduceOp(reduce).getKind();
    next.push_back(combine(k, kind, sum, tree.total(k, kind)));
  }
  if (!areRead)
    for (auto [place, stored] : llvm::zip_equal(places, values))
      storeVector(work, place, stored);
  return next;
}

void TeamRows::emitOneChannel(const Work &work, PointwiseEmitter &row) {
  for (ReduceOp reduce : work.summed)
    row.bindScalar(reduce.getY(), row.scalar(reduce.getX()));
  SmallVector<Value> values;
  for (const Store &store : work.written)
    values.push_back(row.scalar(store.value));
  if (!values.empty())
    guarded(both(leader, alive), [&] {
      for (auto [store, value] : llvm::zip_equal(work.written, values))
        k.store(value, store.to, At{rowIndex, Value(), 1, Value()});
    });
}

void TeamRows::emitWork(int64_t size, const Work &work, PointwiseEmitter &row) {
  if (work.empty())
    return;
  needScalars(work, row);
  if (size == 1)
    return emitOneChannel(work, row);
  int64_t lanes = lanesFor(k, size), step = k.teamSize() * lanes;
  int64_t whole = inRegisters ? 0 : size - size % (step * kVectorsInLoop);
  SmallVector<Value> sums;
  for (ReduceOp reduce : work.summed)
    sums.push_back(k.splat(k.f32(neutralOf(reduce.getKind())), lanes));
  auto fresh = [&](ArrayRef<Place> places) {
    std::vector<PointwiseEmitter> emitters;
    for (const Place &place : places)
      emitters.emplace_back(k, place.at).shareScalars(row);
    return emitters;
  };
  if (whole)
    sums = k.loop(k.index(0), k.index(whole), step * kVectorsInLoop, sums,
                  [&](Value base, ValueRange carried) {
                    SmallVector<Place> places;
                    for (int64_t i = 0; i < kVectorsInLoop; ++i)
                      places.push_back(placeAt(base, i * step, size, rowIndex));
                    std::vector<PointwiseEmitter> emitters = fresh(places);
                    return emitVectors(work, places, emitters, carried);
                  });
  // The rest, where the last vector may lie past the row: it reads another place.
  SmallVector<Place> places;
  for (int64_t from = whole; from < size; from += step) {
    Place place = placeAt(k.index(from), 0, size, rowIndex);
    if (from + step > size) {
      place.inside = k.less(place.at.column, k.index(size));
      place.at.column = k.min(place.at.column, k.index(size - lanes));
    }
    places.push_back(place);
  }
  if (places.empty()) {
  } else if (!inRegisters) {
    std::vector<PointwiseEmitter> emitters = fresh(places);
    sums = emitVectors(work, places, emitters, sums);
  } else {
    auto [found, first] = held.try_emplace(size);
    Held &mine = found->second;
    if (first) {
      mine.emitters = fresh(places);
      mine.areRead = readInputs(size, mine.emitters);
    }
    for (PointwiseEmitter &e : mine.emitters)
      e.shareScalars(row);
    sums = emitVectors(work, places, mine.emitters, sums, mine.areRead);
  }
  for (auto [reduce, sum] : llvm::zip_equal(work.summed, sums))
    partials.push_back({reduce, k.combineLanes(ReduceOp(reduce).getKind(), sum)});
}

/// Sums over the team. In a block, one barrier serves all of a level.
void TeamRows::emitCombine(PointwiseEmitter &row) {
  if (partials.empty())
    return;
  Gpu gpu(k);
  int64_t lanes = std::min<int64_t>(k.teamSize(), Gpu::kWarp);
  for (Partial &partial : partials)
    partial.value = gpu.combineLanes(partial.reduce.getKind(), partial.value, lanes);
  int64_t warps = k.teamSize() / lanes;
  if (warps > 1) {
    Type f32 = k.b.getF32Type();
    Value slots = k.shared(partials.size() * warps * 4);
    auto slot = [&](int64_t i, Value warp) { return k.add(warp, i * warps); };
    k.ifThen(k.equal(gpu.lane(), k.index(0)), [&] {
      for (auto [i, partial] : llvm::enumerate(partials))
        LLVM::StoreOp::create(k.b, k.loc, partial.value,
                              k.address(slots, f32, slot(i, gpu.warp())), 4);
    });
    gpu.barrier();
    for (auto [i, partial] : llvm::enumerate(partials)) {
      Value sum;
      for (int64_t w = 0; w < warps; ++w) {
        Value part = k.loadScalar(slots, f32, slot(i, k.index(w)));
        sum = sum ? combine(k, partial.reduce.getKind(), sum, part) : part;
      }
      partial.value = sum;
    }
  }
  for (Partial &partial : partials)
    row.bindScalar(partial.reduce.getY(), partial.value);
  partials.clear();
}

void TeamRows::emitRow(Value row, Value exists) {
  rowIndex = row;
  alive = exists;
  leader = k.teamSize() > 1 ? k.equal(k.teamRank(), k.index(0)) : Value();
  held.clear();
  PointwiseEmitter scalars = scalarsOf(row);
  SmallVector<int64_t> sizes = widths();
  for (int64_t atLevel = 0, last = lastLevel(); atLevel <= last; ++atLevel) {
    for (int64_t size : sizes)
      emitWork(size, workOf(atLevel, size), scalars);
    emitCombine(scalars);
    if (bindScratch(atLevel))
      k.teamBarrier();
  }
  if (row) // last: the row's loads do not wait for its labels
    emitChecks(row, scalars, both(leader, alive));
}

void TeamRows::emitRowEnd() {
  // The next row writes what the slower threads may be reading yet.
  if (usesScratch() || (k.teamSize() > Gpu::kWarp && !reductions.empty()))
    k.teamBarrier();
}

void TeamRows::prefetchRow(Value row) {
  for (Value input : inputsBehind(roots())) {
    int64_t size = width(input);
    if (!isRows(input.getType()) || size == 1)
      continue;
    int64_t lanes = lanesFor(k, size);
    for (int64_t from = 0; from < size; from += k.teamSize() * lanes) {
      Place place = placeAt(k.index(from), 0, size, row);
      place.at.column = k.min(place.at.column, k.index(size - lanes));
      k.prefetch(k.view(input), place.at);
    }
  }
}
