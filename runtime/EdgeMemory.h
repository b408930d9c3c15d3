// Memory for tests that ends where a page begins that nobody may touch: whoever reads
// or writes beyond it faults.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

namespace momrt {

class EdgeMemory {
public:
  /// `bytes` that begin at a multiple of `alignment` and end less than that before the
  /// edge.
  EdgeMemory(size_t bytes, size_t alignment) {
    size_t page = size_t(sysconf(_SC_PAGESIZE)), room = (bytes + page - 1) / page * page;
    size = room + page;
    void *memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
      throw std::bad_alloc();
    base = static_cast<char *>(memory);
    mprotect(base + room, page, PROT_NONE);
    start = base + (room - bytes) / alignment * alignment;
  }
  EdgeMemory(EdgeMemory &&other) noexcept
      : base(std::exchange(other.base, nullptr)), start(other.start), size(other.size) {}
  ~EdgeMemory() {
    if (base)
      munmap(base, size);
  }

  char *data() const { return start; }

private:
  char *base, *start;
  size_t size;
};

} // namespace momrt
