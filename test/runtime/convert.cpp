// Storage types: what comes back, and rounding to the nearest, ties to even.
#include "runtime/Convert.h"
#include "Check.h"
#include "momrt/table.h"
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

using namespace momrt;

static float widen(uint32_t type, uint16_t stored) {
  float value;
  toFloats(type, &stored, 1, &value);
  return value;
}

static uint16_t narrow(uint32_t type, float value) {
  uint16_t stored;
  fromFloats(type, &value, 1, &stored);
  return stored;
}

static void everyValue(uint32_t type) {
  int wrong = 0, nans = 0;
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    float value = widen(type, uint16_t(bits));
    if (std::isnan(value))
      nans += std::isnan(widen(type, narrow(type, value)));
    else
      wrong += narrow(type, value) != bits;
  }
  CHECK_EQ(wrong, 0);
  CHECK_EQ(nans, type == MOMRT_F16 ? 2 * 1023 : 2 * 127);
}

/// No neighbour is nearer, and of two that are as near the even one is taken.
static void nearest(uint32_t type, float value) {
  uint16_t got = narrow(type, value);
  double distance = std::fabs(double(widen(type, got)) - value);
  for (int step : {-1, 1}) {
    uint16_t other = uint16_t(got + step);
    double there = std::fabs(double(widen(type, other)) - value);
    if (there < distance || (there == distance && got % 2)) {
      ++failures;
      fmt::print("{} as type {} became {:#x}, but {:#x} is nearer\n", value, type, got, other);
      return;
    }
  }
}

int main() {
  std::mt19937 random(3);
  for (uint32_t type : {MOMRT_BF16, MOMRT_F16}) {
    everyValue(type);
    for (int turn = 0; turn < 200000; ++turn) {
      // Of all sizes that f16 has, subnormal ones among them.
      float value = std::ldexp(float(int32_t(random())) / 0x1p31f, int(random() % 42) - 26);
      if (value != 0)
        nearest(type, value);
    }
    for (uint32_t bits = 1; bits < 0x7bff; bits += 7) { // ties
      float low = widen(type, uint16_t(bits)), high = widen(type, uint16_t(bits + 1));
      nearest(type, low + (high - low) / 2);
    }
    CHECK_EQ(widen(type, narrow(type, INFINITY)), INFINITY);
    CHECK(std::signbit(widen(type, narrow(type, -0.0f))));
  }
  CHECK_EQ(narrow(MOMRT_F16, 65519.0f), 0x7bff);
  CHECK_EQ(narrow(MOMRT_F16, 65520.0f), 0x7c00);
  CHECK_EQ(narrow(MOMRT_F16, 1e30f), 0x7c00);
  CHECK_EQ(narrow(MOMRT_F16, 0x1p-25f), 0); // a tie, to even
  CHECK_EQ(narrow(MOMRT_BF16, 3.4e38f), 0x7f80);

  std::vector<float> values(1000), back(1000);
  for (float &value : values)
    value = float(random() % 256);
  std::vector<char> bytes(2001); // unaligned
  for (uint32_t type : {MOMRT_BF16, MOMRT_F16}) {
    fromFloats(type, values.data(), 1000, bytes.data() + 1);
    toFloats(type, bytes.data() + 1, 1000, back.data());
    CHECK(values == back);
  }
  return finish();
}
