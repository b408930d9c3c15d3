// Every block runs once, whatever the number of threads and blocks.
#include "Check.h"
#include "runtime/ThreadPool.h"

using namespace momrt;

namespace {
struct Job {
  std::vector<std::atomic<int>> ran;
  explicit Job(size_t blocks) : ran(blocks) {}
};
} // namespace

static void runBlocks(ThreadPool &pool, int64_t blocks) {
  Job job(blocks);
  pool.run(
      blocks,
      [](void *context, int64_t block, void *scratch) {
        // Two threads with one scratch would show as a wrong number here.
        auto *own = static_cast<volatile int64_t *>(scratch);
        *own = block;
        static_cast<Job *>(context)->ran[block] += *own == block;
      },
      &job);
  for (auto &count : job.ran)
    CHECK_EQ(count.load(), 1);
}

int main() {
  for (int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    CHECK_EQ(pool.threads(), threads);
    pool.reserveScratch(64);
    for (int round = 0; round < 300; ++round)
      for (int64_t blocks : {0, 1, 2, 3, 17, 100})
        runBlocks(pool, blocks);
    usleep(20000); // workers sleep, then wake
    runBlocks(pool, 1000);
  }
  CHECK(ThreadPool().threads() >= 1);
  CHECK_FAILS("0 to 4096 threads but got -1", ThreadPool(-1));
  return finish();
}
