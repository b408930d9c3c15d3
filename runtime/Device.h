// What the walk of a launch table needs of a device. Cpu and Cuda implement it.
#pragma once

#include "runtime/Capacities.h"
#include <cstddef>
#include <functional>
#include <tuple>
#include <utility>

namespace momrt {

/// One launch with its recipes resolved.
struct Launch {
  uint32_t kernel;
  int64_t blocks;
  void *const *pointers; ///< device addresses, one an arg
  size_t count;
};

/// What a recorded walk depends on besides buffers: an entry and a shape class.
struct WalkKey {
  size_t entry;
  Counts capacities;
  bool operator<(const WalkKey &other) const {
    return std::tie(entry, capacities) < std::tie(other.entry, other.capacities);
  }
};

class Device {
public:
  virtual ~Device() = default;

  /// Zeroed memory aligned to MOMRT_ALIGNMENT.
  virtual void *allocate(int64_t bytes) = 0;
  virtual void release(void *memory) = 0;
  virtual void copyIn(void *to, const void *from, int64_t bytes) = 0;
  /// Returns when the bytes are there, and so all work before them is done.
  virtual void copyOut(void *to, const void *from, int64_t bytes) = 0;
  virtual void fill(void *memory, uint8_t byte, int64_t bytes) = 0;

  virtual void launch(const Launch &launch) = 0;
  /// Does what `walk` launches; may record it and replay it for an equal key.
  virtual void execute(const WalkKey &key, const std::function<void()> &walk) { walk(); }
  /// Buffers have moved: what was recorded is void.
  virtual void forgetRecords() {}
};

/// Memory of a device.
class Buffer {
public:
  Buffer() = default;
  Buffer(Device &device, int64_t bytes)
      : device(&device), memory(static_cast<char *>(device.allocate(bytes))), size(bytes) {}
  Buffer(Buffer &&other) noexcept { *this = std::move(other); }
  Buffer &operator=(Buffer &&other) noexcept {
    std::swap(device, other.device);
    std::swap(memory, other.memory);
    std::swap(size, other.size);
    return *this;
  }
  ~Buffer() {
    if (memory)
      device->release(memory);
  }

  char *data() const { return memory; }
  int64_t bytes() const { return size; }

private:
  Device *device = nullptr;
  char *memory = nullptr;
  int64_t size = 0;
};

} // namespace momrt
