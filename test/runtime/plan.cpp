// The plan of a batch, and what a batch may not be.
#include "Check.h"
#include "runtime/Batch.h"
#include <fmt/ranges.h>

using namespace momrt;
using Longs = std::vector<int64_t>;
using Ints = std::vector<int32_t>;

static BatchDescription two(std::vector<momrt_segment> segments, Ints modality) {
  return {2, 4, 0, std::move(segments), std::move(modality)};
}

int main() {
  Route route = routeByModality({2, 0, 0, 2, 0}, 3);
  CHECK_EQ(route.offsets, (Longs{0, 3, 3, 5})); // an empty group
  CHECK_EQ(route.row, (Ints{3, 0, 1, 4, 2}));
  CHECK_EQ(route.position, (Ints{1, 2, 4, 0, 3}));
  Route empty = routeByModality({}, 2);
  CHECK_EQ(empty.offsets, (Longs{0, 0, 0}));

  Longs longest, lengths;
  for (const momrt_segment_record &record :
       segmentRecords({{0, 2, -1, -1}, {2, 5, -1, -1}, {7, 2, -1, -1}, {9, 3, -1, -1}})) {
    longest.push_back(record.longest);
    lengths.push_back(record.longest_length);
  }
  CHECK_EQ(longest, (Longs{1, 3, 0, 2}));
  CHECK_EQ(lengths, (Longs{5, 3, 2, 2}));

  Ints eight(8, 0);
  Batch whole(two({{0, 3, -1, -1}, {3, 1, -1, 1}, {4, 4, 0, -1}}, eight), 1);
  CHECK((whole.counts() == Counts{1, 8, 2, 3, 3}));
  Batch shorter(two({{0, 4, -1, -1}, {4, 2, -1, -1}}, Ints(6, 0)), 1); // the last stream
  CHECK_EQ(shorter.tokens(), 6);
  CHECK_FAILS("expected segment 1 to start at 3, where the one before ends, but it starts at 4",
              Batch(two({{0, 3, -1, -1}, {4, 4, -1, -1}}, eight), 1));
  CHECK_FAILS("segment 1, positions 3 to 8, leaves its stream of 4 positions",
              Batch(two({{0, 3, -1, -1}, {3, 5, -1, -1}}, eight), 1));
  CHECK_FAILS("segments end at position 4, but the batch has 8 tokens",
              Batch(two({{0, 4, -1, -1}}, eight), 1));
  CHECK_FAILS("segment 0 has 9 positions from 0", Batch(two({{0, 9, -1, -1}}, eight), 1));
  CHECK_FAILS("a batch has a document for each segment: expected 2 but got 3",
              Batch({2, 4, 3, {{0, 4, -1, -1}, {4, 4, -1, -1}}, eight}, 1));
  CHECK_FAILS("segment 0 has 0 positions", Batch(two({{0, 0, -1, -1}}, eight), 1));
  CHECK_FAILS("state in row 2, but there are 2 streams",
              Batch(two({{0, 4, 2, -1}, {4, 4, -1, -1}}, eight), 1));
  CHECK_FAILS("9 tokens are 3 streams of 4 positions, but the batch has 2",
              Batch(two({{0, 4, -1, -1}}, Ints(9, 0)), 1));
  CHECK_FAILS("expected modalities below 2 but position 5 has 2",
              Batch(two({{0, 4, -1, -1}, {4, 2, -1, -1}}, {0, 1, 0, 1, 1, 2}), 2));
  CHECK_FAILS("position 0 has -1",
              Batch(two({{0, 4, -1, -1}, {4, 1, -1, -1}}, {-1, 0, 0, 0, 0}), 1));
  Batch ragged({3, 0, 3, {{0, 1, 0, 0}, {1, 5, 1, 1}, {6, 2, 2, 2}}, eight}, 1);
  CHECK_EQ(ragged.counts()[MOMRT_COUNT_STREAM], 3);
  return finish();
}
