// Barriers in shared memory (mbarrier) and copies of tiles (TMA) as functions: see Instructions.cpp.
#include "compiler/Target/Emulator/Instructions.h"

#include <array>
#include <cstring>

using namespace mom;
using mom::emulator::Block;

static Block &here() { return Block::current(); }

//===----------------------------------------------------------------------===//
// Barriers in shared memory
//===----------------------------------------------------------------------===//

using Phases = Block::PhaseBarrier;

static void initialisePhases(Phases *barrier, int32_t arrivals) {
  *barrier = {0, uint8_t(arrivals), int16_t(arrivals), 0};
}
static void arrive(Phases *barrier) {
  --barrier->pending;
  here().endPhase(barrier);
}
static void arriveAt(Phases *barrier, int32_t rank) { arrive(here().inBlock(barrier, rank)); }
static void arriveExpecting(Phases *barrier, int32_t bytes) {
  barrier->bytes += bytes;
  arrive(barrier);
}
static void publishPhases() {}
static void waitPhase(const Phases *barrier, int32_t parity) { here().waitPhase(barrier, parity); }

//===----------------------------------------------------------------------===//
// Copies of tiles
//===----------------------------------------------------------------------===//

namespace {
/// A tensor map as the emulator keeps it: elements of two bytes, panels of 128.
struct TileMap {
  const char *base;
  int32_t rank, sizes[5], boxes[5];
  int64_t strides[5]; ///< bytes
};
static_assert(sizeof(TileMap) <= 128);
} // namespace

static void makeMap(void *to, const void *base, int rank, const int32_t *sizesAndBoxes,
                    const int64_t *strides) {
  TileMap map = {static_cast<const char *>(base), rank, {}, {}, {2}};
  for (int i = 0; i < rank; ++i) {
    map.sizes[i] = sizesAndBoxes[2 * i];
    map.boxes[i] = sizesAndBoxes[2 * i + 1];
    if (i)
      map.strides[i] = strides[i - 1];
  }
  std::memcpy(to, &map, sizeof(map));
}
static void makeMap2(void *to, const void *base, int32_t n0, int32_t b0, int32_t n1, int32_t b1,
                     int64_t s1) {
  int32_t sizes[] = {n0, b0, n1, b1};
  makeMap(to, base, 2, sizes, &s1);
}
static void makeMap3(void *to, const void *base, int32_t n0, int32_t b0, int32_t n1, int32_t b1,
                     int32_t n2, int32_t b2, int64_t s1, int64_t s2) {
  int32_t sizes[] = {n0, b0, n1, b1, n2, b2};
  int64_t strides[] = {s1, s2};
  makeMap(to, base, 3, sizes, strides);
}
static void makeMap5(void *to, const void *base, int32_t n0, int32_t b0, int32_t n1, int32_t b1,
                     int32_t n2, int32_t b2, int32_t n3, int32_t b3, int32_t n4, int32_t b4,
                     int64_t s1, int64_t s2, int64_t s3, int64_t s4) {
  int32_t sizes[] = {n0, b0, n1, b1, n2, b2, n3, b3, n4, b4};
  int64_t strides[] = {s1, s2, s3, s4};
  makeMap(to, base, 5, sizes, strides);
}
static void publishMap(void *to, const void *from) { std::memcpy(to, from, sizeof(TileMap)); }
static void acquireMap(const void *) {}

/// Copies the box at `first`; its bytes come to the barrier.
static void copyBox(char *to, const TileMap &map, const int32_t *first, Phases *barrier) {
  int lines = 1;
  for (int i = 1; i < map.rank; ++i)
    lines *= map.boxes[i];
  for (int line = 0; line < lines; ++line)
    for (int column = 0; column < map.boxes[0]; ++column) {
      int place[5] = {column}, rest = line;
      for (int i = 1; i < map.rank; rest /= map.boxes[i++])
        place[i] = rest % map.boxes[i];
      const char *from = map.base;
      bool inside = true;
      for (int i = 0; i < map.rank; ++i) {
        int64_t at = int64_t(first[i]) + place[i];
        inside &= at >= 0 && at < map.sizes[i];
        from += at * map.strides[i];
      }
      uint16_t element = 0;
      if (inside)
        std::memcpy(&element, from, 2);
      char *target = to + line * map.boxes[0] * 2 + column * 2;
      uintptr_t bits = reinterpret_cast<uintptr_t>(target);
      bits ^= ((bits >> 7) & 7) << 4; // chunks of 16 bytes are permuted
      std::memcpy(reinterpret_cast<void *>(bits), &element, 2);
    }
  barrier->bytes -= lines * map.boxes[0] * 2;
  here().endPhase(barrier);
}
static void loadTile(char *to, const void *map, Phases *barrier, std::array<int32_t, 5> first) {
  TileMap copy;
  std::memcpy(&copy, map, sizeof(copy));
  here().behindTheBack([=] { copyBox(to, copy, first.data(), barrier); });
}
static void castTile(char *to, const void *map, Phases *barrier, std::array<int32_t, 5> first,
                     int32_t blocks) {
  for (int rank = 0; blocks >> rank; ++rank)
    if (blocks >> rank & 1)
      loadTile(here().inBlock(to, rank), map, here().inBlock(barrier, rank), first);
}
static void loadTile2(char *to, const void *map, Phases *barrier, int32_t x, int32_t y) {
  loadTile(to, map, barrier, {x, y});
}
static void loadTile3(char *to, const void *map, Phases *barrier, int32_t x, int32_t y, int32_t z) {
  loadTile(to, map, barrier, {x, y, z});
}
static void loadTile5(char *to, const void *map, Phases *barrier, int32_t x, int32_t y, int32_t z,
                      int32_t u, int32_t v) {
  loadTile(to, map, barrier, {x, y, z, u, v});
}
static void castTile2(char *to, const void *map, Phases *barrier, int32_t x, int32_t y,
                      int32_t blocks) {
  castTile(to, map, barrier, {x, y}, blocks);
}

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

llvm::ArrayRef<EmulatorSymbol> mom::emulator::tileSymbols() {
  static const EmulatorSymbol symbols[] = {
      MOM_SYMBOL("asm_mbarrier_init", initialisePhases),
      MOM_SYMBOL("asm_mbarrier_publish", publishPhases),
      MOM_SYMBOL("asm_mbarrier_arrive", arrive),
      MOM_SYMBOL("asm_mbarrier_arrive_rank", arriveAt),
      MOM_SYMBOL("asm_mbarrier_expect", arriveExpecting),
      MOM_SYMBOL("asm_mbarrier_wait", waitPhase),
      MOM_SYMBOL("asm_tensormap_make2", makeMap2),
      MOM_SYMBOL("asm_tensormap_make3", makeMap3),
      MOM_SYMBOL("asm_tensormap_make5", makeMap5),
      MOM_SYMBOL("asm_tensormap_publish", publishMap),
      MOM_SYMBOL("asm_tensormap_acquire", acquireMap),
      MOM_SYMBOL("asm_tma_load2", loadTile2),
      MOM_SYMBOL("asm_tma_multicast2", castTile2),
      MOM_SYMBOL("asm_tma_load3", loadTile3),
      MOM_SYMBOL("asm_tma_load5", loadTile5),
  };
  return symbols;
}
