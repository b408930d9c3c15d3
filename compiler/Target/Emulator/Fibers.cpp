// The threads of an emulated block: stacks, and who runs next.
#include "compiler/Target/Emulator/Fibers.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>

using namespace mom::emulator;

// Saves what a call must keep on the stack, and the stack's top in *save; then goes on
// where the other stack was left.
extern "C" void momc_emulator_switch(void **save, void *load);
#if defined(__x86_64__)
__asm__(R"(
.text
.globl momc_emulator_switch
.type momc_emulator_switch, @function
momc_emulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size momc_emulator_switch, .-momc_emulator_switch
)");
static constexpr int kSavedRegisters = 6;
#else
#error "the emulator switches stacks on x86-64 only"
#endif

static constexpr size_t kStack = 256 * 1024; // touched as far as it is used
static thread_local Block worker;

Block &Block::current() { return worker; }

/// The first function on a fiber's stack.
void Block::entry() {
  Block &block = current();
  (*block.body)();
  Fiber &self = block.fibers[block.running];
  self.state = Fiber::Done;
  // Those who wait for all that are left may be complete now.
  --block.left;
  int others = --block.live[block.rank()], all = block.rank() * kBarriers;
  if (block.arrived[all] && block.arrived[all] == others)
    block.release(all);
  block.suspend();
}

void Block::start(Fiber &fiber, int index) {
  fiber.state = Fiber::Ready;
  fiber.waitsAt = nullptr;
  fiber.copies.assign(1, {});
  auto *top = reinterpret_cast<void **>(stacks + kStack * (index + 1));
  // A function begins with the stack 8 bytes off a multiple of 16: the return address.
  top -= 1;
  *--top = reinterpret_cast<void *>(&Block::entry);
  for (int i = 0; i < kSavedRegisters; ++i)
    *--top = nullptr;
  fiber.stackPointer = top;
}

void Block::run(const std::function<void()> &thread, int64_t block, int cluster, int threads,
                int64_t sharedBytes, bool reverse) {
  int count = cluster * threads;
  if (stackBytes < kStack * count) {
    if (stacks)
      munmap(stacks, stackBytes);
    stackBytes = kStack * count;
    stacks = static_cast<char *>(mmap(nullptr, stackBytes, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  }
  sharedCapacity = (sharedBytes + 1023) / 1024 * 1024;
  if (sharedAll < cluster * sharedCapacity) {
    std::free(sharedMemory);
    sharedAll = cluster * sharedCapacity;
    sharedMemory = static_cast<char *>(std::aligned_alloc(1024, sharedAll));
  }
  if (sharedBytes)
    std::memset(sharedMemory, 0xff, cluster * sharedCapacity);
  body = &thread;
  number = block;
  this->threads = threads;
  live.assign(cluster, threads);
  slots.resize(size_t(count) * kSlotWords);
  fibers.resize(count);
  arrived.assign(cluster * kBarriers + 2 * count + 1, 0);
  late = reverse;
  work.clear();
  for (int i = 0; i < count; ++i)
    start(fibers[i], i);
  left = count;
  while (left) {
    bool any = false;
    for (int i = 0; i < count; ++i) {
      running = reverse ? count - 1 - i : i;
      if (fibers[running].state != Fiber::Ready)
        continue;
      any = true;
      momc_emulator_switch(&scheduler, fibers[running].stackPointer);
    }
    if (any)
      continue;
    if (work.empty())
      deadlock();
    work.front()();
    work.pop_front();
  }
}

void Block::suspend() { momc_emulator_switch(&fibers[running].stackPointer, scheduler); }
void Block::yield() { suspend(); }

void Block::release(int key) {
  arrived[key] = 0;
  for (Fiber &fiber : fibers)
    if (fiber.state == Fiber::Waiting && !fiber.waitsAt && fiber.waitsFor == key)
      fiber.state = Fiber::Ready;
}

void Block::meet(int key, int needed) {
  if (++arrived[key] == needed) {
    release(key);
    return;
  }
  fibers[running].state = Fiber::Waiting;
  fibers[running].waitsFor = key;
  suspend();
}

void Block::barrier(int id, int count) {
  meet(rank() * kBarriers + id, count ? count : live[rank()]);
}

void Block::meetGroup(int size) {
  // Groups of one warp have keys of their own, as have those of several. Blocks of a cluster
  // are whole groups.
  int all = int(fibers.size()), group = running / size;
  int key = int(live.size()) * kBarriers + (size == kWarp ? 0 : all) + group;
  meet(key, std::min(all, (group + 1) * size) - group * size);
}

void Block::meetCluster() { meet(int(arrived.size()) - 1, int(fibers.size())); }

void Block::waitCopies(int pending) {
  auto &groups = fibers[running].copies; // the last one is open
  while (int(groups.size()) - 1 > pending) {
    for (const Copy &copy : groups.front()) {
      std::memcpy(copy.to, copy.from, copy.bytes);
      std::memset(static_cast<char *>(copy.to) + copy.bytes, 0, copy.zeros);
    }
    groups.erase(groups.begin());
  }
}

void Block::waitPhase(const PhaseBarrier *barrier, int parity) {
  while ((barrier->phase & 1) == parity) {
    fibers[running].state = Fiber::Waiting;
    fibers[running].waitsAt = barrier;
    suspend();
  }
  fibers[running].waitsAt = nullptr;
}

void Block::endPhase(PhaseBarrier *barrier) {
  if (barrier->pending || barrier->bytes)
    return;
  ++barrier->phase;
  barrier->pending = barrier->arrivals;
  for (Fiber &fiber : fibers)
    if (fiber.state == Fiber::Waiting && fiber.waitsAt == barrier)
      fiber.state = Fiber::Ready;
}

void Block::behindTheBack(std::function<void()> task) {
  if (late)
    work.push_back(std::move(task));
  else
    task();
}

void Block::deadlock() {
  std::fprintf(stderr, "emulator: block %lld of %zu threads is stuck:", (long long)number,
               fibers.size());
  for (size_t i = 0; i < fibers.size(); ++i)
    if (fibers[i].state == Fiber::Waiting)
      std::fprintf(stderr, " %zu@%d%s", i, fibers[i].waitsFor, fibers[i].waitsAt ? "m" : "");
  std::fprintf(stderr, "\n");
  std::abort();
}
