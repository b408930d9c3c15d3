// A GPU's context with the stream that all its work goes to, and events along
// that stream, by which the host sees how far the work has come.
#pragma once

#include "runtime/CudaDriver.h"
#include "runtime/Device.h"
#include "runtime/Table.h"
#include <array>
#include <map>
#include <optional>

namespace momrt {

class CudaQueue {
public:
  /// On a stream of its own in the GPU's primary context, or on a guest's.
  CudaQueue(const Driver &driver, const Table &table, int gpu, const std::optional<Guest> &guest);
  ~CudaQueue();
  CudaQueue(const CudaQueue &) = delete;

  const Driver &driver;
  CUdevice device = 0;
  CUstream stream = nullptr;

  /// A context is current per thread: each call may come from another one.
  void enter() const { driver.check(driver.contextSet(context), "entering the GPU's context"); }

  /// Whether the stream is a caller's.
  bool isGuest() const { return guest; }
  /// Work goes to another stream of the guest's. What is under way on the one
  /// before is the guest's to order.
  void follow(CUstream other);

  Mark mark();
  bool reached(Mark mark);
  void await(Mark mark);
  /// Waits for all work.
  void drain();
  /// The same where nothing can be done about an error.
  void drainQuietly() noexcept;

  /// Remembers that the entry was queued, for the message of a fault.
  void note(size_t entry) { entries[entry] = last + 1; }

  /// Throws if a call that queues work, `what`, failed or reports a fault of work before it.
  void check(CUresult result, const char *what);

private:
  /// Throws for a fault of the work under way, naming the entries it is in.
  void check(CUresult result);

  const Table &table;
  const bool guest;
  bool retained = false; ///< the primary context
  CUcontext context = nullptr;
  std::array<CUevent, 64> events{}; // [mark mod 64]
  Mark last = 0, done = 0;          ///< marks that were set, and were seen to be reached
  Mark elsewhere = 0;               ///< marks up to this one are on streams before this
  std::map<size_t, Mark> entries;   ///< the first mark after each was last queued
};

/// Page-locked blocks that take turns between the host, which fills one, and
/// the GPU, which reads it later.
class CudaStaging {
public:
  struct Block {
    char *host = nullptr;
    CUdeviceptr device = 0; ///< of the same size, if it was asked for
    int64_t hostBytes = 0, deviceBytes = 0;
    CUevent arrived = nullptr; ///< in `device`
    Mark busy = 0;             ///< until this is reached
  };

  CudaStaging(CudaQueue &queue, size_t blocks) : queue(queue), ring(blocks) {}
  ~CudaStaging();

  /// The block whose turn it is, of at least so many bytes: waits until it is free.
  Block &current(int64_t bytes);
  /// Its bytes are queued: the turn is the next block's, and it is free when
  /// what is queued so far is done.
  void pass();
  /// Makes sure that a block has memory on the GPU, too.
  void addDevice(Block &block);

private:
  CudaQueue &queue;
  std::vector<Block> ring;
  size_t turn = 0;
};

} // namespace momrt
