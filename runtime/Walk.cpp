#include "runtime/Walk.h"
#include "runtime/Error.h"

#include <utility>

namespace momrt {

/// Kernels ask for MOMRT_ALIGNMENT. But lines of an H200's cache are 128 bytes: weight gradients
/// of rows that begin in the middle of one took 1.3 times as long. Multiples of 512 save
/// convolutions another 3 %; of more, nothing.
static constexpr int64_t kSlotAlignment = 512;

bool addSlots(const Table &table, const momrt_entry &entry, SlotSet &used) {
  bool more = false;
  auto add = [&](const momrt_arg &arg) {
    if (arg.space == MOMRT_SPACE_ARENA && !std::exchange(used[arg.index], true))
      more = true;
  };
  for (const momrt_op &op : table.ops().slice(entry.ops))
    if (op.kind == MOMRT_OP_LAUNCH)
      for (const momrt_arg &arg : table.argsOf(op))
        add(arg);
  for (const momrt_output &output : table.outputsOf(entry))
    add(output.where);
  return more;
}

ArenaPlan planArena(const Table &table, const Counts &capacities, const SlotSet *used) {
  ArenaPlan plan;
  for (const momrt_slot &slot : table.slots()) {
    bool has = !used || (*used)[plan.offsets.size()];
    plan.offsets.push_back(plan.bytes);
    int64_t bytes = has ? alignUp(bytesOf(slot, capacities), kSlotAlignment) : 0;
    if (__builtin_add_overflow(plan.bytes, bytes, &plan.bytes))
      fail(MOMRT_BAD_ARGUMENT, "a batch of {} tokens is too large: the arena's size overflows",
           capacities[MOMRT_COUNT_TOKEN]);
  }
  return plan;
}

int64_t blocksOf(const momrt_op &op, const Counts &capacities) {
  if (capacities[MOMRT_COUNT_TOKEN] <= op.grid_above)
    return 0;
  int64_t tiles = (capacities[op.grid_count] - 1) / op.grid_tile + 1; // counts are at least 1
  tiles += op.grid_segments * capacities[MOMRT_COUNT_SEGMENT] + op.grid_extra;
  int64_t blocks;
  if (__builtin_mul_overflow(tiles, op.grid_factor, &blocks) || blocks > INT32_MAX)
    fail(MOMRT_BAD_ARGUMENT,
         "a batch of {} tokens is too large: a launch has more than 2^31 blocks",
         capacities[MOMRT_COUNT_TOKEN]);
  return blocks;
}

int64_t offsetOf(const momrt_arg &arg, const Counts &capacities, int64_t round) {
  if (arg.modulus == 0)
    return arg.offset;
  int64_t turn = (round + arg.phase) % arg.modulus;
  if (turn < 0)
    turn += arg.modulus; // a phase may point back
  int64_t bytes, offset;
  if (__builtin_mul_overflow(bytesOf(arg.stride, capacities), turn, &bytes) ||
      __builtin_add_overflow(arg.offset, bytes, &offset))
    fail(MOMRT_BAD_TABLE, "damaged launch table: a recipe's offset overflows");
  return offset;
}

void checkRecipes(const Table &table, const momrt_entry &entry, const Counts &capacities,
                  const std::function<int64_t(const momrt_arg &)> &sizes) {
  auto check = [&](const momrt_arg &arg, const char *what, uint64_t name) {
    // The largest offset is that of the last of `modulus` turns.
    int64_t last = arg.modulus ? arg.modulus - 1 - arg.phase : 0;
    int64_t offset = offsetOf(arg, capacities, last), size = sizes(arg);
    if (offset > size)
      fail(MOMRT_BAD_TABLE,
           "damaged launch table: {} '{}' of entry '{}' points to byte {} of a buffer of {} bytes "
           "(space {}, index {})",
           what, table.string(name), table.string(entry.name), offset, size, arg.space, arg.index);
  };
  for (const momrt_op &op : table.ops().slice(entry.ops))
    if (op.kind == MOMRT_OP_LAUNCH)
      for (const momrt_arg &arg : table.argsOf(op))
        check(arg, "kernel", table.kernels()[op.kernel].name);
  for (const momrt_output &output : table.outputsOf(entry))
    check(output.where, "output", output.name);
}

char *resolve(const momrt_arg &arg, const Addresses &addresses, const Counts &capacities,
              int64_t round) {
  auto base = [&] {
    switch (arg.space) {
    case MOMRT_SPACE_ARENA:
      return addresses.slots[arg.index];
    case MOMRT_SPACE_INPUT:
      return addresses.inputs[arg.index];
    case MOMRT_SPACE_STATES:
      return addresses.states[arg.index];
    case MOMRT_SPACE_NEXT_STATES:
      return addresses.nextStates[arg.index];
    default:
      return addresses.base[arg.space];
    }
  };
  return base() + offsetOf(arg, capacities, round);
}

namespace {
struct Walker {
  const Table &table;
  View<momrt_op> ops;
  const Counts &capacities;
  const Addresses &addresses;
  Device &device;
  std::vector<void *> pointers;

  void launch(const momrt_op &op, int64_t round) {
    int64_t blocks = blocksOf(op, capacities);
    if (!blocks)
      return;
    pointers.clear();
    for (const momrt_arg &arg : table.argsOf(op))
      pointers.push_back(resolve(arg, addresses, capacities, round));
    device.launch(
        {op.kernel, blocks, pointers.data(), pointers.size(), size_t(&op - table.ops().begin())});
  }

  size_t endOf(size_t repeat) const {
    int depth = 0;
    for (size_t at = repeat;; ++at) {
      depth += ops[at].kind == MOMRT_OP_REPEAT ? 1 : ops[at].kind == MOMRT_OP_END ? -1 : 0;
      if (depth == 0)
        return at;
    }
  }

  void range(size_t first, size_t end, int64_t round) {
    for (size_t at = first; at < end; ++at) {
      if (ops[at].kind == MOMRT_OP_LAUNCH) {
        launch(ops[at], round);
        continue;
      }
      size_t last = endOf(at);
      int64_t rounds = ops[at].rounds;
      for (int64_t turn = 0; turn < rounds; ++turn)
        range(at + 1, last, ops[at].reverse ? rounds - 1 - turn : turn);
      at = last;
    }
  }
};
} // namespace

void walk(const Table &table, const momrt_entry &entry, const Counts &capacities,
          const Addresses &addresses, Device &device) {
  Walker walker{table, table.ops().slice(entry.ops), capacities, addresses, device, {}};
  walker.range(0, walker.ops.size(), 0);
}

} // namespace momrt
