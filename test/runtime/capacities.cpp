// Shape classes: counts rounded up to 3 bits of mantissa.
#include "Check.h"
#include "TinyModel.h"
#include "runtime/Walk.h"

using namespace momrt;

int main() {
  for (int64_t exact : {1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 4096, 5120})
    CHECK_EQ(roundCapacity(exact), exact);
  CHECK_EQ(roundCapacity(0), 1);
  CHECK_EQ(roundCapacity(9), 10);
  CHECK_EQ(roundCapacity(15), 16);
  CHECK_EQ(roundCapacity(17), 20);
  CHECK_EQ(roundCapacity(33), 40);
  CHECK_EQ(roundCapacity(4097), 5120);
  CHECK_EQ(roundCapacity((INT64_C(1) << 40) + 1), INT64_C(5) << 38);
  for (int64_t count = 1; count < 3000; ++count) {
    int64_t capacity = roundCapacity(count);
    CHECK(capacity >= count && capacity <= count + count / 4 + 1);
    CHECK_EQ(roundCapacity(capacity), capacity);
  }
  CHECK_FAILS("too large", roundCapacity(INT64_MAX));

  // Three windows of whole 128s share 1000 tokens, whose capacity is 1024.
  Counts shared = capacitiesOf({1, 1000, 2, 3, 4, 0}, 3), whole = capacitiesOf({1, 1000, 2, 3, 4, 0}, 0);
  CHECK_EQ(shared[MOMRT_COUNT_WINDOW], 384);
  CHECK_EQ(shared[MOMRT_COUNT_TOKEN], 3 * 384);
  CHECK_EQ(whole[MOMRT_COUNT_TOKEN], 1024);
  CHECK_EQ(capacitiesOf({1, 0, 1, 1, 1, 0}, 4)[MOMRT_COUNT_WINDOW], 128);

  momrt_slot slot = {{64, 1024, 0, 0, 8}};
  CHECK_EQ(bytesOf(slot, {1, 10, 1, 1, 3}), 64 + 10240 + 24);
  CHECK_FAILS("overflows", bytesOf(slot, {1, INT64_MAX / 2, 1, 1, 1}));
  CHECK_EQ(alignUp(1), 64);
  CHECK_EQ(alignUp(64), 64);

  ArenaPlan plan = planArena(tiny::Model().open()->table, {1, 10, 1, 1, 1});
  std::vector<int64_t> offsets{0, 512, 1024, 1536, 2048, 2560};
  CHECK(plan.offsets == offsets); // 8, 80, 64, 40, 40 and 4 bytes
  CHECK_EQ(plan.bytes, 3072);
  return finish();
}
