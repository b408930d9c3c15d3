// Random numbers by counter: Philox4x32-10 (Salmon et al., 2011). A number
// depends on (seed, purpose, index) and on nothing else, so every device and
// any number of threads draws the same ones.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace momrt {

using Words = std::array<uint32_t, 4>;

/// The bare function: ten rounds over a counter and a key.
Words philox(Words counter, std::array<uint32_t, 2> key);

/// FNV-1a, 64 bits: turns a name into a purpose.
uint64_t hashName(std::string_view name);

class Philox {
public:
  /// `purpose`: the name of a parameter, or what the numbers are for.
  Philox(uint64_t seed, std::string_view purpose) : seed(seed), purpose(hashName(purpose)) {}

  /// Four words: the key is the seed; the counter is (index, purpose).
  Words block(uint64_t index) const;
  /// 64 random bits.
  uint64_t bits(uint64_t index) const;
  /// Uniform in (0, 1): word `index mod 4` of block `index / 4`.
  double uniform(uint64_t index) const;
  /// Standard normal, by Box and Muller from two words of that block.
  double normal(uint64_t index) const;
  /// Uniform in 0 .. bound - 1.
  uint64_t below(uint64_t index, uint64_t bound) const;

private:
  uint64_t seed, purpose;
};

} // namespace momrt
