// The threads of an emulated block, or of the blocks of a cluster.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

namespace mom::emulator {

/// Threads of one block on one worker, and of the others of its cluster. Everything here is
/// called by fibers.
class Block {
public:
  static constexpr int kWarp = 32, kBarriers = 16;

  /// The block that this worker runs now.
  static Block &current();

  /// Runs `thread` as `threads` fibers of each of `cluster` blocks, from `block` on, to the end.
  void run(const std::function<void()> &thread, int64_t block, int cluster, int threads,
           int64_t sharedBytes, bool reverse);

  int thread() const { return running % threads; }
  int lane() const { return thread() % kWarp; }
  int warp() const { return thread() / kWarp; }
  int64_t block() const { return number + rank(); }
  char *shared() { return sharedMemory + rank() * sharedCapacity; }
  /// What lies in shared memory of block `rank` of the cluster where `place` lies in this one's.
  template <typename T> T *inBlock(T *place, int rank) {
    return reinterpret_cast<T *>(sharedMemory + rank * sharedCapacity +
                                 (reinterpret_cast<char *>(place) - shared()));
  }

  /// Meets `count` threads (0: all that are left) at a barrier of the block.
  void barrier(int id, int count = 0);
  /// Meets the threads of the warp, or of the `size / 32` neighbouring warps.
  void meetWarp() { meetGroup(kWarp); }
  void meetGroup(int size);
  /// Meets all threads of the cluster.
  void meetCluster();
  /// Lets the others go on; for loops that wait for memory.
  void yield();

  /// A place of `words` 32-bit words for each thread, to hand registers round in:
  /// write your own, meet, read the others', meet.
  uint32_t *laneSlot(int lane) {
    return &slots[size_t(running - this->lane() + lane) * kSlotWords];
  }
  static constexpr int kSlotWords = 160;

  /// Copies that go on behind the thread's back, done when it waits for them.
  struct Copy {
    void *to;
    const void *from;
    int bytes, zeros;
  };
  void copyLater(const Copy &copy) { fibers[running].copies.back().push_back(copy); }
  void commitCopies() { fibers[running].copies.emplace_back(); }
  void waitCopies(int pending);

  /// A barrier in shared memory, as mbarrier.init makes one: a phase ends when nothing is
  /// pending and all bytes have come.
  struct PhaseBarrier {
    uint8_t phase, arrivals;
    int16_t pending;
    int32_t bytes;
  };
  void waitPhase(const PhaseBarrier *barrier, int parity);
  /// Ends the phase where nothing is missing any more.
  void endPhase(PhaseBarrier *barrier);
  /// What another unit does behind the threads' back: at once, or, where fibers run in the
  /// opposite order, when no fiber can go on without it.
  void behindTheBack(std::function<void()> work);

private:
  struct Fiber {
    void *stackPointer = nullptr;
    enum { Ready, Waiting, Done } state = Ready;
    int waitsFor = 0;
    const void *waitsAt = nullptr; ///< a barrier in shared memory
    std::vector<std::vector<Copy>> copies;
  };
  int rank() const { return running / threads; }
  static void entry();
  void start(Fiber &fiber, int index);
  void meet(int key, int needed);
  void release(int key);
  void suspend();
  [[noreturn]] void deadlock();

  std::vector<Fiber> fibers;
  std::vector<int> arrived; // [barriers of each block + groups + cluster]
  std::vector<int> live;    // of each block
  std::vector<uint32_t> slots;
  char *stacks = nullptr, *sharedMemory = nullptr;
  size_t stackBytes = 0, sharedAll = 0, sharedCapacity = 0; ///< of all blocks; of each
  const std::function<void()> *body = nullptr;
  std::deque<std::function<void()>> work; ///< behind the threads' back
  bool late = false;
  void *scheduler = nullptr; // its stack pointer while a fiber runs
  int running = 0, left = 0, threads = 1; ///< left: fibers not done; threads of a block
  int64_t number = 0;
};

} // namespace mom::emulator
