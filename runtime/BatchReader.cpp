#include "runtime/BatchReader.h"
#include "runtime/Error.h"
#include "runtime/Philox.h"
#include <algorithm>
#include <numeric>

namespace momrt {

Packer::Packer(const DataFile &data, const Packing &packing, ReaderPosition start)
    : data(data), packing(packing) {
  int64_t tokens;
  if (packing.streams < 1 || packing.length < 1 ||
      __builtin_mul_overflow(packing.streams, packing.length, &tokens) || tokens > INT32_MAX)
    fail(MOMRT_BAD_ARGUMENT, "a batch of {} streams of {} positions cannot be made",
         packing.streams, packing.length);
  if (start.epoch < 0 || start.offset < 0 || start.offset > data.tokens())
    fail(MOMRT_BAD_ARGUMENT, "epoch {}, token {} is outside '{}' with its {} tokens", start.epoch,
         start.offset, data.path(), data.tokens());
  startEpoch(start.epoch);
  seek(start.offset);
}

/// Fisher and Yates, with numbers that depend on (seed, epoch) only.
void Packer::startEpoch(int64_t which) {
  epoch = which;
  order.resize(data.documents());
  std::iota(order.begin(), order.end(), 0);
  if (packing.endless) {
    Philox random(packing.seed, fmt::format("document order/{}", epoch));
    for (uint64_t at = order.size(); at > 1; --at)
      std::swap(order[at - 1], order[random.below(at, at)]);
  }
  document = inside = offset = 0;
}

void Packer::seek(int64_t to) {
  offset = to;
  document = 0;
  inside = to;
  while (document < data.documents() && inside >= data.documentLength(order[document]))
    inside -= data.documentLength(order[document++]);
}

std::optional<Batch> Packer::next() {
  int64_t tokens = packing.streams * packing.length;
  if (!packing.endless)
    tokens = std::min(tokens, data.tokens() - offset);
  if (tokens == 0)
    return std::nullopt;
  BatchDescription batch;
  batch.streams = (tokens + packing.length - 1) / packing.length;
  batch.length = packing.length;
  batch.modality.resize(tokens);
  std::vector<BatchInput> inputs = data.makeInputs(tokens);
  for (int64_t position = 0; position < tokens;) {
    if (document == data.documents())
      startEpoch(epoch + 1);
    int64_t index = order[document];
    int64_t left = data.documentLength(index) - inside;
    int64_t room = std::min(packing.length - position % packing.length, tokens - position);
    int64_t count = std::min(left, room);
    if (count > 0) {
      data.copy({index, inside, count, position, packing.seed, epoch}, batch.modality, inputs);
      batch.segments.push_back({position, count, -1, -1});
    }
    position += count;
    offset += count;
    inside += count;
    if (count == left) {
      ++document;
      inside = 0;
    }
  }
  Batch planned(std::move(batch), data.groups());
  planned.inputs = std::move(inputs);
  return planned;
}

BatchReader::BatchReader(const DataFile &data, const Packing &packing, ReaderPosition start)
    : packer(data, packing, start), thread([this] { work(); }) {}

BatchReader::~BatchReader() {
  {
    std::lock_guard lock(mutex);
    stopping = true;
  }
  changed.notify_all();
  thread.join();
}

void BatchReader::work() {
  try {
    while (auto batch = packer.next()) {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return stopping || queue.size() < kAhead; });
      if (stopping)
        return;
      queue.emplace_back(std::move(*batch), packer.position());
      changed.notify_all();
    }
  } catch (...) {
    std::lock_guard lock(mutex);
    error = std::current_exception();
  }
  std::lock_guard lock(mutex);
  ended = true;
  changed.notify_all();
}

std::optional<std::pair<Batch, ReaderPosition>> BatchReader::next() {
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return ended || !queue.empty(); });
  if (queue.empty()) {
    if (error)
      std::rethrow_exception(error);
    return std::nullopt;
  }
  auto batch = std::move(queue.front());
  queue.pop_front();
  changed.notify_all();
  return batch;
}

} // namespace momrt
