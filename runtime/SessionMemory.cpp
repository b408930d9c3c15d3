// The memory of a session: spaces like the parameters, the arena's slots, and what to do with less.
#include "runtime/Error.h"
#include "runtime/Session.h"
#include <algorithm>
#include <new>

namespace momrt {

static const char *nameOf(uint32_t space) {
  switch (space) {
  case MOMRT_SPACE_PARAMETERS:
    return "parameters";
  case MOMRT_SPACE_GRADIENTS:
    return "gradients";
  case MOMRT_SPACE_COPIES:
    return "copies";
  case MOMRT_SPACE_SUMS:
    return "sums of gradients";
  default:
    return "moments";
  }
}

std::vector<MemoryPart> Session::memory() const {
  auto bytes = [&](momrt_space which) { return spaces[which].data() ? spaces[which].bytes() : 0; };
  std::vector<MemoryPart> parts;
  for (momrt_space which : {MOMRT_SPACE_PARAMETERS, MOMRT_SPACE_COPIES, MOMRT_SPACE_GRADIENTS})
    parts.push_back({nameOf(which), bytes(which)});
  if (spaces[MOMRT_SPACE_SUMS].data())
    parts.push_back({nameOf(MOMRT_SPACE_SUMS), bytes(MOMRT_SPACE_SUMS)});
  parts.push_back({"moments", bytes(MOMRT_SPACE_MOMENT1) + bytes(MOMRT_SPACE_MOMENT2)});
  int64_t carried = 0;
  for (const State &state : states)
    carried += state.places[0].data() ? 2 * state.places[0].bytes() : 0;
  if (carried)
    parts.push_back({"states", carried});
  parts.push_back({"arena", arenaBytes()});
  parts.push_back({"batch", batchArrays.bytes()});
  return parts;
}

int64_t Session::arenaBytes() const {
  int64_t bytes = arena.bytes();
  for (const Buffer &annex : annexes)
    bytes += annex.bytes();
  return bytes;
}

/// What would need less memory.
std::string Session::advice() const {
  std::string ways = "fewer or shorter streams a batch, rows stored as bf16";
  if (spaces[MOMRT_SPACE_GRADIENTS].data() && !table().header().gradient_type)
    ways += ", bf16 gradients";
  if (spaces[MOMRT_SPACE_MOMENT1].data() && !table().header().moment_type)
    ways += ", bf16 moments";
  if (spaces[MOMRT_SPACE_GRADIENTS].data())
    ways += ", less saved for backward (momc's --memory)";
  return ways + " or a smaller model would need less";
}

/// Makes a buffer hold at least so many bytes. Recorded walks stay valid as
/// long as no buffer moves, so buffers never shrink.
Buffer &Session::grow(Buffer &buffer, int64_t bytes, const std::string &what) {
  bytes = std::max<int64_t>(bytes, MOMRT_ALIGNMENT);
  if (buffer.data() && buffer.bytes() >= bytes)
    return buffer;
  where->forgetRecords();
  buffer = Buffer(); // first, so that both need not fit
  try {
    buffer = Buffer(*where, bytes);
    return buffer;
  } catch (const Error &error) {
    if (error.code != MOMRT_OUT_OF_MEMORY)
      throw;
  } catch (const std::bad_alloc &) {
  }
  fail(MOMRT_OUT_OF_MEMORY, "{}", outOfMemoryText(*where, {what, bytes}, memory(), advice()));
}

void Session::place(momrt_space which, int64_t bytes, const std::string &what) {
  addresses.base[which] = grow(spaces[which], bytes, what).data();
}

/// A space that is laid out as the parameters are.
Buffer &Session::space(momrt_space which) {
  if (!spaces[which].data()) {
    place(which, layout.elements() * typeBytes(table().typeOf(which)),
          fmt::format("the space of {}", nameOf(which)));
    if (which == MOMRT_SPACE_SUMS) // 0 times what they begin as must be 0
      where->fill(spaces[which].data(), 0, spaces[which].bytes());
  }
  return spaces[which];
}

/// Memory for slots of the arena that an entry is the first to use: results of exported layers
/// are not there where a model is trained. What lies in the arena stays where it is, since it
/// may be read later.
void Session::addSlotsOf(const momrt_entry &entry) {
  SlotSet more = usedSlots;
  if (!addSlots(table(), entry, more))
    return;
  if (capacities != Counts{}) { // else the next batch brings memory for all
    SlotSet added(more.size());
    for (size_t slot = 0; slot < more.size(); ++slot)
      added[slot] = more[slot] && !usedSlots[slot];
    ArenaPlan annex = planArena(table(), capacities, &added);
    annexes.emplace_back();
    char *base = nullptr;
    try {
      base = grow(annexes.back(), annex.bytes,
                  fmt::format("the arena of '{}'", table().string(entry.name)))
                 .data();
    } catch (...) {
      annexes.pop_back();
      throw;
    }
    if (options.poison)
      where->fill(base, 0xff, annex.bytes);
    for (size_t slot = 0; slot < more.size(); ++slot)
      if (added[slot])
        places[slot] = base + annex.offsets[slot];
  }
  usedSlots = std::move(more);
  placeSlots();
}

/// Makes the spaces that the entry is the first to use. Gradients and moments
/// of a model that is only read need no memory.
void Session::allocateFor(const momrt_entry &entry) {
  addSlotsOf(entry);
  for (const momrt_op &op : table().ops().slice(entry.ops))
    if (op.kind == MOMRT_OP_LAUNCH)
      for (const momrt_arg &arg : table().argsOf(op)) {
        if (isLikeParameters(arg.space))
          space(momrt_space(arg.space));
        else if (isState(arg.space))
          placeState(arg.index);
      }
  for (const momrt_output &output : table().outputsOf(entry))
    if (isLikeParameters(output.where.space))
      space(momrt_space(output.where.space));
}

void Session::reserve(const std::string &entry) { allocateFor(table().entry(entry)); }

} // namespace momrt
