// Floating-point types of storage, to f32 and back.
#pragma once

#include <cstdint>

namespace momrt {

/// Whether a momrt_type is one of those below: f32, bf16, f16 or f64.
bool isFloatType(uint32_t type);

/// Whether it is bf16 or f16.
bool isNarrow(uint32_t type);

/// `count` elements of a floating-point type as f32. `from` may be unaligned.
void toFloats(uint32_t type, const void *from, int64_t count, float *to);

/// The other way, to f32, bf16 or f16: to the nearest, ties to even.
void fromFloats(uint32_t type, const float *from, int64_t count, void *to);

} // namespace momrt
