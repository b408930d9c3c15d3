// The walk of an entry: repetitions, grids and pointer recipes, the same for
// every device.
#pragma once

#include "runtime/Device.h"
#include "runtime/Table.h"

namespace momrt {

/// Where each space lies.
struct Addresses {
  char *base[MOMRT_SPACES] = {};
  std::vector<char *> slots;  // [slots] in the arena
  std::vector<char *> inputs; // [inputs]
  std::vector<char *> states, nextStates; // [states]
};

/// Byte offsets of the slots in the arena of a shape class.
struct ArenaPlan {
  std::vector<int64_t> offsets; // [slots]
  int64_t bytes = 0;
};
/// Which of the table's slots are used.
using SlotSet = std::vector<char>;
/// Adds the slots that an entry uses; false if all were there.
bool addSlots(const Table &table, const momrt_entry &entry, SlotSet &used);

/// Places all slots, or those of `used`; others get no bytes.
ArenaPlan planArena(const Table &table, const Counts &capacities, const SlotSet *used = nullptr);

/// Blocks of a launch: (ceil(capacity / tile) + extra) * factor.
int64_t blocksOf(const momrt_op &op, const Counts &capacities);

/// Bytes from the start of its buffer at which a recipe points in a round.
int64_t offsetOf(const momrt_arg &arg, const Counts &capacities, int64_t round);

/// Checks that every recipe of the entry starts inside its buffer in each
/// round; `sizes` has the bytes of a recipe's buffer.
void checkRecipes(const Table &table, const momrt_entry &entry, const Counts &capacities,
                  const std::function<int64_t(const momrt_arg &)> &sizes);

/// The address that a recipe stands for.
char *resolve(const momrt_arg &arg, const Addresses &addresses, const Counts &capacities,
              int64_t round);

/// Launches the entry's ops in order. Recipes use the innermost repetition's
/// round, which is 0 outside of any.
void walk(const Table &table, const momrt_entry &entry, const Counts &capacities,
          const Addresses &addresses, Device &device);

} // namespace momrt
