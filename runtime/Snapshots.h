// What steps leave for the host: losses, metrics, single numbers and status
// records. They are copied as the device gets there and read when they have
// arrived, so that neither waits for the other.
#pragma once

#include "runtime/Session.h"
#include <deque>

namespace momrt {

/// Outputs as they were at one point of the work.
class Snapshot {
public:
  /// The f32 elements of an output; none if it is absent or no part of it.
  std::vector<float> floats(const std::string &entry, momrt_output_kind kind,
                            const std::string &name) const;

private:
  friend class Snapshots;
  struct Part {
    std::string entry;
    const momrt_output *output;
    int64_t offset; ///< bytes
  };
  Snapshot(const Table &table, const std::vector<Part> &parts, const char *memory)
      : table(table), parts(parts), memory(memory) {}

  const Table &table;
  const std::vector<Part> &parts;
  const char *memory;
};

class Snapshots {
public:
  /// Of losses, sums, counts and single numbers of these entries. `ahead` is
  /// how many may be under way when one is read.
  Snapshots(Session &session, const std::vector<std::string> &entries, size_t ahead);
  Snapshots(const Snapshots &) = delete;

  /// Queues copies of what the entries have left after the work so far. `when`
  /// follows the text of an error that kernels reported, as " at step 12".
  void take(const std::string &when);
  size_t waiting() const { return taken.size(); }
  /// Whether `next` is to be called: the oldest has arrived, or too many wait.
  bool due() const;
  /// Waits for the oldest one; throws what kernels reported. It is valid until
  /// `take` is called again.
  Snapshot next();

private:
  struct Taken {
    Mark mark;
    size_t slot;
    std::string when;
  };
  void add(const std::string &entry);

  Session &session;
  std::vector<Snapshot::Part> parts;
  int64_t bytes; ///< status records, then the parts
  const size_t ahead;
  std::vector<HostBuffer> slots; // a ring of ahead + 2
  size_t turn = 0;
  std::deque<Taken> taken;
};

} // namespace momrt
