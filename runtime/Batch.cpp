#include "runtime/Batch.h"
#include "runtime/Error.h"
#include <algorithm>
#include <limits>
#include <numeric>

namespace momrt {

Route routeByModality(const std::vector<int32_t> &modality, int64_t groups) {
  Route route;
  route.offsets.assign(groups + 1, 0);
  for (int32_t group : modality)
    ++route.offsets[group + 1];
  for (int64_t group = 0; group < groups; ++group)
    route.offsets[group + 1] += route.offsets[group];

  route.row.resize(modality.size());
  route.position.resize(modality.size());
  std::vector<int64_t> next(route.offsets.begin(), route.offsets.end() - 1);
  for (size_t position = 0; position < modality.size(); ++position) {
    int64_t row = next[modality[position]]++;
    route.row[position] = int32_t(row);
    route.position[row] = int32_t(position);
  }
  return route;
}

std::vector<momrt_segment_record> segmentRecords(const std::vector<momrt_segment> &segments) {
  std::vector<size_t> order(segments.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return segments[a].length > segments[b].length;
  });
  std::vector<momrt_segment_record> records;
  for (size_t at = 0; at < segments.size(); ++at)
    records.push_back({segments[at], int64_t(order[at]), segments[order[at]].length});
  return records;
}

void checkModalities(const std::vector<int32_t> &modality, int64_t groups) {
  for (size_t position = 0; position < modality.size(); ++position)
    if (int32_t group = modality[position]; group < 0 || group >= groups)
      fail(MOMRT_BAD_ARGUMENT, "expected modalities below {} but position {} has {}", groups,
           position, group);
}

/// Streams of `length` positions; segments follow one another, each in one stream.
static void check(const BatchDescription &batch, int64_t groups) {
  int64_t tokens = int64_t(batch.modality.size());
  if (tokens > std::numeric_limits<int32_t>::max())
    fail(MOMRT_BAD_ARGUMENT, "a batch of {} tokens is too large: rows are counted in 32 bits",
         tokens);
  if (batch.streams < 0 || batch.length < 0 || batch.documents < 0)
    fail(MOMRT_BAD_ARGUMENT, "a batch has {} streams of {} positions and {} documents",
         batch.streams, batch.length, batch.documents);
  int64_t streams = batch.streams;
  if (batch.length)
    streams = tokens / batch.length + (tokens % batch.length != 0);
  if (streams != batch.streams)
    fail(MOMRT_BAD_ARGUMENT, "{} tokens are {} streams of {} positions, but the batch has {}",
         tokens, streams, batch.length, batch.streams);

  int64_t position = 0;
  for (size_t at = 0; at < batch.segments.size(); ++at) {
    const momrt_segment &segment = batch.segments[at];
    if (segment.start != position)
      fail(MOMRT_BAD_ARGUMENT,
           "expected segment {} to start at {}, where the one before ends, "
           "but it starts at {}",
           at, position, segment.start);
    if (segment.length < 1 || segment.length > tokens - position)
      fail(MOMRT_BAD_ARGUMENT, "segment {} has {} positions from {}, but the batch has {}", at,
           segment.length, segment.start, tokens);
    position += segment.length;
    if (batch.length && segment.start / batch.length != (position - 1) / batch.length)
      fail(MOMRT_BAD_ARGUMENT, "segment {}, positions {} to {}, leaves its stream of {} positions",
           at, segment.start, position, batch.length);
    for (int64_t row : {segment.initial, segment.final})
      if (row < -1 || row >= batch.streams)
        fail(MOMRT_BAD_ARGUMENT, "segment {} has its state in row {}, but there are {} streams", at,
             row, batch.streams);
  }
  if (position != tokens)
    fail(MOMRT_BAD_ARGUMENT, "segments end at position {}, but the batch has {} tokens", position,
         tokens);
  if (tokens && batch.documents && batch.documents != int64_t(batch.segments.size()))
    fail(MOMRT_BAD_ARGUMENT, "a batch has a document for each segment: expected {} but got {}",
         batch.segments.size(), batch.documents);
  checkModalities(batch.modality, groups);
}

Batch::Batch(BatchDescription given, int64_t groups) : description(std::move(given)) {
  check(description, groups);
}

Counts Batch::counts() const {
  int64_t segments = int64_t(description.segments.size());
  return {1, tokens(), description.streams, segments, segments, /*before the window*/ 0};
}

} // namespace momrt
