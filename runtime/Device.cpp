// What a device does that works at once and in host memory.
#include "runtime/Device.h"
#include "runtime/Error.h"
#include <chrono>
#include <cstdlib>
#include <new>

namespace momrt {

char *Device::stage(int64_t bytes) {
  if (int64_t(staging.size()) < bytes)
    staging.resize(size_t(bytes));
  return staging.data();
}

void *Device::allocateHost(int64_t bytes) {
  void *memory = std::aligned_alloc(MOMRT_ALIGNMENT, size_t(alignUp(bytes > 0 ? bytes : 1)));
  if (!memory)
    throw std::bad_alloc();
  return memory;
}

void Device::releaseHost(void *memory) { std::free(memory); }

void Device::followStream(void *stream) {
  fail(MOMRT_BAD_ARGUMENT, "{} has no streams", name());
}

double Device::clockOf(const std::function<void()> &work) {
  auto start = std::chrono::steady_clock::now();
  work();
  std::chrono::duration<double, std::milli> passed = std::chrono::steady_clock::now() - start;
  return passed.count();
}

double Device::time(const WalkKey &key, const std::function<void()> &walk) {
  return clockOf([&] { execute(key, walk); });
}

} // namespace momrt
