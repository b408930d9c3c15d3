// What a block of a scan evaluates after it has walked a run.
#include "compiler/Emit/scan/ScanTileGpu.h"

using namespace mlir;
using namespace mom;

/// Threads that work at the same channels have a slot each, where there are several. A
/// thread's channels are the same in each round, as all sizes are powers of two times
/// each other.
static int64_t slotsOf(const Deal &deal) {
  return std::max<int64_t>(deal.threads / deal.perRow(), 1);
}

void ScanTile::finish(const SegmentWalk &walk, const Run &run, ValueRange fetchedLate,
                      ArrayRef<unsigned> outputs, ArrayRef<RowSum> sums, Bind bind,
                      const Run *next) const {
  int64_t width = channelDeal.width;
  auto finishVector = [&](const Deal::Place &place, int64_t number) {
    Value row = ahead ? gpu.toI64(run.rows[number]) : rowOf(walk, k.add(run.i, place.token));
    At at = placeOf(place, row), here{place.token, place.column, width, Value()};
    PointwiseEmitter pointwise(k, at);
    bindVectors(pointwise, place);
    bindLeaves(pointwise, leaves, &Leaf::after, run.fetched, number);
    bindLeaves(pointwise, lateLeaves, &Leaf::after, fetchedLate, number);
    auto [oldDelta, oldU] = loadInputs(here);
    bindAs(pointwise, op.delta, oldDelta);
    if (!products)
      bindAs(pointwise, op.u, oldU);
    else
      oldU = staged.empty() ? Value() : pointwise.value(op.u);
    for (auto [value, tile] : llvm::zip_equal(staged, more))
      bindAs(pointwise, value, loadChannels(tile, here));
    for (auto [value, emitted] : bind(here, oldU, oldDelta))
      pointwise.bind(value, emitted);
    for (unsigned output : outputs)
      k.store(pointwise.value(k.yielded(output)), k.output(output), at);
    for (const RowSum &sum : sums) {
      At own{k.rem(place.token, slotsOf(channelDeal)), place.column, width, Value()};
      k.store(add(k.load(sum.tile, own), pointwise.value(sum.x)), sum.tile, own);
    }
  };
  // A thread stages where it finishes, so the tiles of one run do for both: it makes the
  // next run's values among the finished ones', and stores them after.
  bool isTogether = next && ahead && channelDeal.even() && matrixDeal.even();
  auto finishAll = [&](bool isWhole) {
    Stores stores;
    if (isTogether)
      stage(walk, *next, &stores);
    if (!outputs.empty() || !sums.empty())
      overRounds(channelDeal, [&](Value round, int64_t number) {
        Deal::Place place = channelDeal.at(k, round);
        if (isWhole)
          finishVector(place, number);
        else
          k.ifThen(isThere(place, run.count), [&] { finishVector(place, number); });
      });
    for (const std::function<void()> &store : stores)
      store();
    if (next && !isTogether)
      stage(walk, *next);
  };
  if (!isTogether || shape.channels % shape.blockChannels())
    return finishAll(/*isWhole=*/false);
  // A run that has all its tokens needs no conditions: all rounds' waits are one. Two
  // branches: of one with two sides LLVM would take out what both make.
  k.ifThen(k.equal(run.count, k.index(shape.tokens)), [&] { finishAll(/*isWhole=*/true); });
  k.ifThen(k.less(run.count, k.index(shape.tokens)), [&] { finishAll(/*isWhole=*/false); });
}

View ScanTile::rowSumTile() const {
  int64_t slots = slotsOf(channelDeal), columns = channelDeal.columns;
  // Two tokens' vectors, which are added together, lie in different banks.
  View tile = k.sharedView(slots, columns, k.b.getF32Type(), columns + 4);
  k.loop(k.thread(), k.index(slots * columns), shape.threads, [&](Value place) {
    k.store(k.f32(0), tile, At{k.div(place, columns), k.rem(place, columns), 1, Value()});
  });
  return tile;
}

void ScanTile::storeRowSum(const View &tile, const View &parts, Value part) const {
  gpu.barrier();
  Value end = k.min(k.index(channelDeal.columns), k.sub(k.index(shape.channels), first));
  k.loop(k.thread(), end, shape.threads, [&](Value column) {
    Value total;
    for (int64_t slot = 0; slot < slotsOf(channelDeal); ++slot) {
      Value term = k.load(tile, At{k.index(slot), column, 1, Value()});
      total = total ? add(total, term) : term;
    }
    k.store(total, parts, At{part, k.add(first, column), 1, Value()});
  });
}
