// Batches from a token file. Documents follow one another in an order of the
// epoch and are cut into streams: a cut document goes on in the next stream,
// as a segment of its own.
#pragma once

#include "runtime/Checkpoint.h"
#include "runtime/DataFile.h"
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

namespace momrt {

struct Packing {
  int64_t streams = 1, length = 1;
  uint64_t seed = 0;
  /// Endless, each epoch in an order of its own (training); else once, in the
  /// file's order, the last batch perhaps smaller (evaluation).
  bool endless = true;
};

/// Makes one batch after another.
class Packer {
public:
  Packer(const DataFile &data, const Packing &packing, ReaderPosition start = {});

  /// The next batch; none at the end of the file.
  std::optional<Batch> next();
  /// Where the next batch begins.
  ReaderPosition position() const { return {epoch, offset}; }

private:
  void startEpoch(int64_t epoch);
  /// Goes to a token of the epoch.
  void seek(int64_t offset);

  const DataFile &data;
  const Packing packing;
  std::vector<int64_t> order; // [documents]
  int64_t epoch = 0, offset = 0;
  int64_t document = 0, inside = 0; ///< place in `order`, and in that document
};

/// Makes batches ahead, on a thread of its own.
class BatchReader {
public:
  BatchReader(const DataFile &data, const Packing &packing, ReaderPosition start = {});
  ~BatchReader();

  /// The next batch and where the one after it begins; none at the end.
  std::optional<std::pair<Batch, ReaderPosition>> next();

private:
  void work();

  static constexpr size_t kAhead = 2;
  Packer packer;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::pair<Batch, ReaderPosition>> queue;
  std::exception_ptr error;
  bool ended = false, stopping = false;
  std::thread thread; // last: it uses all of the above
};

} // namespace momrt
