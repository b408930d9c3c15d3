#include "runtime/Philox.h"
#include <cmath>

namespace momrt {

Words philox(Words counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    uint64_t a = uint64_t(0xD2511F53u) * counter[0];
    uint64_t b = uint64_t(0xCD9E8D57u) * counter[2];
    counter = {uint32_t(b >> 32) ^ counter[1] ^ key[0], uint32_t(b),
               uint32_t(a >> 32) ^ counter[3] ^ key[1], uint32_t(a)};
    key[0] += 0x9E3779B9u; // golden ratio
    key[1] += 0xBB67AE85u; // sqrt(3) - 1
  }
  return counter;
}

uint64_t hashName(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325ull;
  for (unsigned char byte : name)
    hash = (hash ^ byte) * 0x100000001b3ull;
  return hash;
}

Words Philox::block(uint64_t index) const {
  return philox(
      {uint32_t(index), uint32_t(index >> 32), uint32_t(purpose), uint32_t(purpose >> 32)},
      {uint32_t(seed), uint32_t(seed >> 32)});
}

uint64_t Philox::bits(uint64_t index) const {
  Words words = block(index);
  return uint64_t(words[1]) << 32 | words[0];
}

/// The middle of one of 2^32 equal parts of (0, 1): never 0, so logs are safe.
static double unit(uint32_t word) { return (word + 0.5) * 0x1p-32; }

double Philox::uniform(uint64_t index) const { return unit(block(index / 4)[index % 4]); }

double Philox::normal(uint64_t index) const {
  constexpr double tau = 6.283185307179586476925;
  Words words = block(index / 4);
  unsigned pair = index % 4 / 2 * 2;
  double radius = std::sqrt(-2 * std::log(unit(words[pair])));
  double angle = tau * unit(words[pair + 1]);
  return radius * (index % 2 ? std::sin(angle) : std::cos(angle));
}

uint64_t Philox::below(uint64_t index, uint64_t bound) const {
  return uint64_t((unsigned __int128)bits(index) * bound >> 64);
}

} // namespace momrt
