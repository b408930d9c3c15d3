#include "runtime/Capacities.h"
#include "runtime/Error.h"

namespace momrt {

int64_t roundCapacity(int64_t count) {
  if (count <= 1)
    return 1;
  if (count > INT64_MAX / 2)
    fail(MOMRT_BAD_ARGUMENT, "a count of {} is too large", count);
  int exponent = 63 - __builtin_clzll(uint64_t(count));
  int64_t step = exponent > 2 ? INT64_C(1) << (exponent - 2) : 1;
  return (count + step - 1) / step * step;
}

Counts capacitiesOf(const Counts &counts, int64_t windows) {
  Counts capacities;
  for (size_t at = 0; at < counts.size(); ++at)
    capacities[at] = roundCapacity(counts[at]);
  int64_t &tokens = capacities[MOMRT_COUNT_TOKEN];
  capacities[MOMRT_COUNT_WINDOW] = tokens;
  if (windows) {
    constexpr int64_t kRows = 128;
    capacities[MOMRT_COUNT_WINDOW] = ((tokens - 1) / windows / kRows + 1) * kRows;
    tokens = capacities[MOMRT_COUNT_WINDOW] * windows;
  }
  return capacities;
}

int64_t bytesOf(const momrt_slot &slot, const Counts &capacities) {
  int64_t sum = 0;
  for (size_t at = 0; at < capacities.size(); ++at) {
    int64_t bytes;
    if (__builtin_mul_overflow(slot.bytes[at], capacities[at], &bytes) ||
        __builtin_add_overflow(sum, bytes, &sum))
      fail(MOMRT_BAD_ARGUMENT, "a batch of {} tokens is too large: a buffer's size overflows",
           capacities[MOMRT_COUNT_TOKEN]);
  }
  return sum;
}

int64_t alignUp(int64_t bytes, int64_t alignment) {
  if (bytes > INT64_MAX - alignment)
    fail(MOMRT_BAD_ARGUMENT, "a buffer of {} bytes is too large", bytes);
  return (bytes + alignment - 1) / alignment * alignment;
}

} // namespace momrt
