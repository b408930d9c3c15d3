#include "runtime/Cpu.h"
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <sys/mman.h>

namespace momrt {

Cpu::Cpu(const Program &program, int threads) : program(program), pool(threads) {
  int64_t scratch = 0;
  for (const momrt_kernel &kernel : program.table.kernels())
    scratch = std::max(scratch, kernel.scratch);
  pool.reserveScratch(scratch);
}

void *Cpu::allocate(int64_t bytes) {
  // Large buffers in large pages: activations are streamed through, and the
  // walk of small pages would cost more than some kernels.
  constexpr int64_t largePage = INT64_C(1) << 21;
  bool large = bytes >= 2 * largePage;
  int64_t size = alignUp(std::max<int64_t>(bytes, 1));
  if (large)
    size = (size + largePage - 1) / largePage * largePage;
  void *memory = std::aligned_alloc(large ? largePage : MOMRT_ALIGNMENT, size);
  if (!memory)
    throw std::bad_alloc();
  if (large)
    madvise(memory, size, MADV_HUGEPAGE); // a wish: its failure costs only time
  std::memset(memory, 0, size);
  return memory;
}

void Cpu::release(void *memory) { std::free(memory); }

void Cpu::copyIn(void *to, const void *from, int64_t bytes) {
  if (bytes)
    std::memcpy(to, from, bytes);
}

void Cpu::copyOut(void *to, const void *from, int64_t bytes) { copyIn(to, from, bytes); }

void Cpu::fill(void *memory, uint8_t byte, int64_t bytes) {
  if (bytes)
    std::memset(memory, byte, bytes);
}

namespace {
struct Call {
  momrt_cpu_kernel kernel;
  void *const *buffers;
};
} // namespace

void Cpu::launch(const Launch &launch) {
  Call call{program.kernel(launch.kernel), launch.pointers};
  auto run = [&] {
    pool.run(
        launch.blocks,
        [](void *context, int64_t block, void *scratch) {
          const Call &call = *static_cast<Call *>(context);
          call.kernel(call.buffers, block, scratch);
        },
        &call);
  };
  if (profiled)
    (*profiled)[launch.op] += clockOf(run);
  else
    run();
}

void Cpu::profile(const std::function<void()> &walk, std::vector<double> &milliseconds) {
  profiled = &milliseconds;
  try {
    walk();
  } catch (...) {
    profiled = nullptr;
    throw;
  }
  profiled = nullptr;
}

} // namespace momrt
