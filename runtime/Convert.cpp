#include "runtime/Convert.h"
#include "runtime/Error.h"
#include <cmath>
#include <cstring>

namespace momrt {

static uint32_t bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}

static float fromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

static float fromBfloat(uint16_t bfloat) { return fromBits(uint32_t(bfloat) << 16); }

static float fromHalf(uint16_t half) {
  uint32_t sign = uint32_t(half & 0x8000) << 16, exponent = half >> 10 & 31, mantissa = half & 1023;
  if (exponent == 31)
    return fromBits(sign | 0x7f800000 | mantissa << 13);
  if (exponent == 0) // zero or subnormal: mantissa * 2^-24
    return (sign ? -1.0f : 1.0f) * float(mantissa) * 0x1p-24f;
  return fromBits(sign | (exponent + 112) << 23 | mantissa << 13);
}

static uint16_t toBfloat(float value) {
  uint32_t bits = bitsOf(value);
  if (std::isnan(value)) // its upper half alone could be an infinity
    return uint16_t(bits >> 16 | 0x40);
  return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static uint16_t toHalf(float value) {
  uint32_t bits = bitsOf(value);
  uint16_t sign = uint16_t(bits >> 16 & 0x8000);
  float size = std::fabs(value);
  if (std::isnan(value))
    return uint16_t(sign | 0x7e00 | (bits >> 13 & 0x3ff));
  if (size < 0x1p-14f) // subnormal, or rounded up to the least normal number
    return uint16_t(sign | uint16_t(std::nearbyint(size * 0x1p24f)));
  uint32_t rounded = (bits & 0x7fffffff) - (112u << 23);
  rounded = (rounded + 0xfff + (rounded >> 13 & 1)) >> 13;
  return uint16_t(sign | (size >= 0x1p16f || rounded > 0x7c00 ? 0x7c00 : rounded));
}

/// Element by element, wherever the bytes lie.
template <typename From, typename To, typename Convert>
static void convert(const void *from, int64_t count, void *to, Convert one) {
  auto *source = static_cast<const char *>(from);
  auto *target = static_cast<char *>(to);
  for (int64_t at = 0; at < count; ++at) {
    From value;
    std::memcpy(&value, source + at * int64_t(sizeof(From)), sizeof(From));
    To result = one(value);
    std::memcpy(target + at * int64_t(sizeof(To)), &result, sizeof(To));
  }
}

bool isFloatType(uint32_t type) {
  return type == MOMRT_F32 || type == MOMRT_BF16 || type == MOMRT_F16 || type == MOMRT_F64;
}

bool isNarrow(uint32_t type) { return type == MOMRT_BF16 || type == MOMRT_F16; }

void toFloats(uint32_t type, const void *from, int64_t count, float *to) {
  switch (type) {
  case MOMRT_F32:
    if (count)
      std::memcpy(to, from, size_t(count) * 4);
    return;
  case MOMRT_BF16:
    return convert<uint16_t, float>(from, count, to, fromBfloat);
  case MOMRT_F16:
    return convert<uint16_t, float>(from, count, to, fromHalf);
  case MOMRT_F64:
    return convert<double, float>(from, count, to, [](double value) { return float(value); });
  default:
    fail(MOMRT_INTERNAL, "type {} is no floating-point type", type);
  }
}

void fromFloats(uint32_t type, const float *from, int64_t count, void *to) {
  switch (type) {
  case MOMRT_F32:
    if (count)
      std::memcpy(to, from, size_t(count) * 4);
    return;
  case MOMRT_BF16:
    return convert<float, uint16_t>(from, count, to, toBfloat);
  case MOMRT_F16:
    return convert<float, uint16_t>(from, count, to, toHalf);
  default:
    fail(MOMRT_INTERNAL, "type {} is no floating-point type of storage", type);
  }
}

} // namespace momrt
