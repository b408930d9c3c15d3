// Threads that share the blocks of a launch. Blocks are independent, so which
// thread runs which never shows in a result.
//
// A launch is short (microseconds), so threads that ran out of work spin for a
// little before they sleep, and the caller never waits for a thread that has
// not joined: it may be off the processor while others finish the launch.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <unistd.h>
#include <vector>

namespace momrt {

/// Processors that this process may use.
int availableCores();

class ThreadPool {
public:
  /// `threads` with the caller's own; 0: all cores.
  explicit ThreadPool(int threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  int threads() const { return int(workers.size()) + 1; }

  /// Makes each thread's scratch at least that large. Not during run.
  void reserveScratch(int64_t bytes);

  using Body = void (*)(void *context, int64_t block, void *scratch);
  /// Calls `body` for blocks 0 .. blocks-1 and returns when all are done. It
  /// must not throw. One caller at a time.
  void run(int64_t blocks, Body body, void *context);

private:
  void work(size_t thread);
  void stop();
  void takeBlocks(void *scratch);
  /// Waits for a launch after `seen`; false when the pool ends.
  bool awaitLaunch(uint64_t &seen);

  struct Free {
    void operator()(void *memory) const;
  };
  std::vector<std::unique_ptr<void, Free>> scratch; // [threads], the caller's first
  std::vector<std::thread> workers;

  // The launch: written while no worker is inside.
  Body body = nullptr;
  void *context = nullptr;
  int64_t blocks = 0, chunk = 1;

  alignas(64) std::atomic<int64_t> next{0};
  /// Workers inside the launch, and kClosed when none may enter.
  alignas(64) std::atomic<uint32_t> inside;
  alignas(64) std::atomic<uint64_t> launches{0};
  std::atomic<int> sleepers{0};
  std::atomic<bool> ending{false};
  struct Sleep {
    std::mutex mutex;
    std::condition_variable wake;
  };
  std::unique_ptr<Sleep> sleep = std::make_unique<Sleep>();
  const pid_t process = getpid(); // a fork of it has no workers
};

} // namespace momrt
