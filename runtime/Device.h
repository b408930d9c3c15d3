// What the walk of a launch table needs of a device. Cpu and Cuda implement it.
//
// A device does its work in the order of the calls, but perhaps later: only
// copyOut and await wait for it. Host memory may be reused once a call that
// read it returns; what copyOutLater writes is there once a later mark is
// reached.
#pragma once

#include "runtime/Capacities.h"
#include <cstddef>
#include <functional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace momrt {

/// One launch with its recipes resolved.
struct Launch {
  uint32_t kernel;
  int64_t blocks;
  void *const *pointers; ///< device addresses, one an arg
  size_t count;
  size_t op; ///< of the table
};

/// What a recorded walk depends on besides buffers: an entry and a shape class.
struct WalkKey {
  size_t entry;
  Counts capacities;
  unsigned turn = 0;  ///< which places hold the states that are read
  size_t last = 0;    ///< of entries that run together; `entry` is the first
  bool operator<(const WalkKey &other) const {
    return std::tie(entry, capacities, turn, last) <
           std::tie(other.entry, other.capacities, other.turn, other.last);
  }
};

/// A caller's CUDA context and stream, as its driver names them.
struct Guest {
  void *context = nullptr; ///< null: the device's primary context
  void *stream = nullptr;  ///< null: the context's default stream
};

/// A point in the order of a device's work.
using Mark = uint64_t;

/// Bytes of a device's memory; 0 where nobody counts.
struct DeviceMemory {
  int64_t free = 0, total = 0;
};

/// Walks that were recorded to be replayed, and what that took.
struct RecordCosts {
  int64_t walks = 0;
  double seconds = 0;
};

class Device {
public:
  virtual ~Device() = default;

  /// "the CPU", "NVIDIA H200"
  virtual std::string name() const { return "the CPU"; }
  virtual DeviceMemory memory() { return {}; }

  /// Zeroed memory aligned to MOMRT_ALIGNMENT.
  virtual void *allocate(int64_t bytes) = 0;
  virtual void release(void *memory) = 0;
  virtual void copyIn(void *to, const void *from, int64_t bytes) = 0;
  /// Returns when the bytes are there, and so all work before them is done.
  virtual void copyOut(void *to, const void *from, int64_t bytes) = 0;
  virtual void fill(void *memory, uint8_t byte, int64_t bytes) = 0;
  /// From memory of the device to memory of it.
  virtual void copyWithin(void *to, const void *from, int64_t bytes) { copyIn(to, from, bytes); }

  /// 0: the host; 1 + n: GPU n.
  virtual uint32_t number() const { return 0; }
  /// Throws unless a caller's memory, `what`, is the device's and suits its kernels.
  virtual void checkMemory(const void *memory, const std::string &what) {}
  /// Work goes to another stream of the guest's from now on.
  virtual void followStream(void *stream);

  /// Host memory for so many bytes, which the next `send` takes to the device
  /// while the work before it still runs.
  virtual char *stage(int64_t bytes);
  virtual void send(void *to, int64_t bytes) { copyIn(to, staging.data(), bytes); }

  /// Host memory for copyOutLater.
  virtual void *allocateHost(int64_t bytes);
  virtual void releaseHost(void *memory);
  virtual void copyOutLater(void *to, const void *from, int64_t bytes) { copyOut(to, from, bytes); }
  /// The point after all work so far.
  virtual Mark mark() { return 0; }
  virtual bool reached(Mark) { return true; }
  virtual void await(Mark) {}

  virtual void launch(const Launch &launch) = 0;
  /// Does what `walk` launches; may record it and replay it for an equal key.
  virtual void execute(const WalkKey &key, const std::function<void()> &walk) { walk(); }
  /// Buffers have moved: what was recorded is void.
  virtual void forgetRecords() {}
  virtual RecordCosts recordCosts() const { return {}; }

  /// Executes it and returns the milliseconds that it takes the device.
  virtual double time(const WalkKey &key, const std::function<void()> &walk);
  /// Adds the milliseconds of each launch of `walk`, which may run twice, to its
  /// op's number, [ops].
  virtual void profile(const std::function<void()> &walk, std::vector<double> &milliseconds) = 0;

protected:
  static double clockOf(const std::function<void()> &work);

private:
  std::vector<char> staging;
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

/// Host memory that a device writes by itself.
class HostBuffer {
public:
  HostBuffer(Device &device, int64_t bytes)
      : device(&device), memory(static_cast<char *>(device.allocateHost(bytes))) {}
  HostBuffer(HostBuffer &&other) noexcept
      : device(other.device), memory(std::exchange(other.memory, nullptr)) {}
  ~HostBuffer() {
    if (memory)
      device->releaseHost(memory);
  }

  char *data() const { return memory; }

private:
  Device *device;
  char *memory;
};

} // namespace momrt
