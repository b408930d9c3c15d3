#include "runtime/ThreadPool.h"
#include "runtime/Capacities.h"
#include "runtime/Error.h"
#include <algorithm>
#include <cstdlib>
#include <new>
#include <sched.h>
#include <system_error>

namespace momrt {

static constexpr uint32_t kClosed = 1u << 31;
/// About 20 microseconds: longer than the gap between two launches.
static constexpr int kSpins = 1000;

static void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

int availableCores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0)
    return std::max(1, CPU_COUNT(&set));
  return int(std::max(1u, std::thread::hardware_concurrency()));
}

void ThreadPool::Free::operator()(void *memory) const { std::free(memory); }

ThreadPool::ThreadPool(int threads) : inside(kClosed) {
  if (threads < 0 || threads > 4096)
    fail(MOMRT_BAD_ARGUMENT, "expected 0 to 4096 threads but got {}", threads);
  if (threads == 0)
    threads = availableCores();
  scratch.resize(threads);
  try {
    for (int thread = 1; thread < threads; ++thread)
      workers.emplace_back([this, thread] { work(thread); });
  } catch (const std::system_error &error) {
    stop();
    fail(MOMRT_SYSTEM, "cannot start {} threads: {}", threads, error.code().message());
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() {
  if (getpid() != process) { // nobody to join, and who waited here waits for ever
    for (std::thread &worker : workers)
      worker.detach();
    (void)sleep.release();
    return;
  }
  {
    std::lock_guard lock(sleep->mutex);
    ending = true;
  }
  sleep->wake.notify_all();
  for (std::thread &worker : workers)
    worker.join();
}

void ThreadPool::reserveScratch(int64_t bytes) {
  for (auto &memory : scratch) {
    memory.reset(bytes ? std::aligned_alloc(MOMRT_ALIGNMENT, alignUp(bytes)) : nullptr);
    if (bytes && !memory)
      throw std::bad_alloc();
  }
}

void ThreadPool::takeBlocks(void *memory) {
  for (;;) {
    int64_t first = next.fetch_add(chunk, std::memory_order_relaxed);
    if (first >= blocks)
      return;
    for (int64_t block = first, end = std::min(blocks, first + chunk); block < end; ++block)
      body(context, block, memory);
  }
}

void ThreadPool::run(int64_t count, Body function, void *argument) {
  if (count <= 1 || workers.empty()) {
    for (int64_t block = 0; block < count; ++block)
      function(argument, block, scratch[0].get());
    return;
  }
  body = function;
  context = argument;
  blocks = count;
  chunk = std::max<int64_t>(1, count / (threads() * INT64_C(16)));
  next.store(0, std::memory_order_relaxed);
  inside.store(0, std::memory_order_release);
  // Sequentially consistent with the sleeper's own pair (sleepers, launches):
  // one of the two sees the other.
  launches.fetch_add(1);
  if (sleepers.load() > 0) {
    { std::lock_guard lock(sleep->mutex); }
    sleep->wake.notify_all();
  }
  takeBlocks(scratch[0].get());
  inside.fetch_or(kClosed, std::memory_order_acq_rel);
  for (int spins = 0; inside.load(std::memory_order_acquire) != kClosed; ++spins)
    spins < kSpins ? relax() : std::this_thread::yield();
}

bool ThreadPool::awaitLaunch(uint64_t &seen) {
  for (int spins = 0; spins < kSpins; ++spins) {
    uint64_t now = launches.load(std::memory_order_acquire);
    if (now != seen) {
      seen = now;
      return true;
    }
    if (ending.load(std::memory_order_relaxed))
      return false;
    relax();
  }
  std::unique_lock lock(sleep->mutex);
  sleepers.fetch_add(1);
  sleep->wake.wait(lock, [&] { return launches.load() != seen || ending; });
  sleepers.fetch_sub(1);
  seen = launches.load();
  return !ending;
}

void ThreadPool::work(size_t thread) {
  uint64_t seen = 0;
  while (awaitLaunch(seen)) {
    uint32_t count = inside.load(std::memory_order_relaxed);
    while (!(count & kClosed) &&
           !inside.compare_exchange_weak(count, count + 1, std::memory_order_acq_rel))
      ;
    if (count & kClosed)
      continue; // the others were done before this thread came
    takeBlocks(scratch[thread].get());
    inside.fetch_sub(1, std::memory_order_release);
  }
}

} // namespace momrt
