// What a guest lends a session: inputs and outputs in the guest's memory, its
// workspace, modalities that are on the device already.
#include "runtime/Error.h"
#include "runtime/Session.h"
#include <algorithm>
#include <utility>

namespace momrt {

/// Recorded walks hold addresses.
void Session::moveInput(size_t at, char *to) {
  if (addresses.inputs[at] != to)
    where->forgetRecords();
  addresses.inputs[at] = to;
}

void Session::returnInput(size_t at) {
  moveInput(at, batchArrays.data() + batchLayout.inputs[at].offset);
}

void Session::bindInput(const std::string &name, uint32_t type, int64_t rows, int64_t channels,
                        void *data) {
  if (data && rows)
    where->checkMemory(data, fmt::format("input '{}'", name));
  forInput(name, type, rows, channels, [&](size_t at, int64_t) {
    if (data)
      moveInput(at, static_cast<char *>(data));
    else
      returnInput(at);
  });
  hasLoans = true;
}

void Session::copyInput(const std::string &name, uint32_t type, int64_t rows, int64_t channels,
                        const void *data) {
  forInput(name, type, rows, channels, [&](size_t at, int64_t bytes) {
    returnInput(at);
    where->copyWithin(addresses.inputs[at], data, bytes);
    where->fill(addresses.inputs[at] + bytes, 0, batchLayout.inputs[at].bytes - bytes);
  });
}

void Session::setModality(const int32_t *modality, bool onDevice) {
  requireBatch("the modalities");
  int64_t bytes = trueCounts[MOMRT_COUNT_TOKEN] * int64_t(sizeof *modality);
  const momrt_entry *entry = table().planEntry();
  if (onDevice && bytes)
    where->checkMemory(modality, "modalities");
  if (!entry)
    return onDevice && where->number() ? fail(MOMRT_BAD_ARGUMENT,
                                              "model '{}' is planned on the host: expected "
                                              "modalities in its memory (device 0)",
                                              table().model())
                                       : routeOnHost(modality);
  char *to = addresses.base[MOMRT_SPACE_MODALITY];
  onDevice ? where->copyWithin(to, modality, bytes) : where->copyIn(to, modality, bytes);
  checkEntry(*entry);
  execute(*entry);
}

void Session::routeOnHost(const int32_t *modality) {
  std::vector<int32_t> groups(modality, modality + trueCounts[MOMRT_COUNT_TOKEN]);
  checkModalities(groups, table().groups());
  Route route = routeByModality(groups, table().groups());
  auto put = [&](momrt_space space, const auto &values) {
    where->copyIn(addresses.base[space], values.data(),
                  int64_t(values.size() * sizeof(values[0])));
  };
  put(MOMRT_SPACE_MODALITY, groups);
  put(MOMRT_SPACE_ROUTE_OFFSETS, route.offsets);
  put(MOMRT_SPACE_ROUTE_ROW, route.row);
  put(MOMRT_SPACE_ROUTE_POSITION, route.position);
}

/// Whether an output's slot holds it and nothing else, in as many bytes.
bool Session::liesAlone(const momrt_output &output) const {
  if (output.where.space != MOMRT_SPACE_ARENA || output.where.offset || output.where.modulus)
    return false;
  momrt_slot whole = {};
  whole.bytes[output.count] = output.channels * typeBytes(output.type);
  const momrt_slot &slot = table().slots()[output.where.index];
  return std::equal(std::begin(slot.bytes), std::end(slot.bytes), std::begin(whole.bytes));
}

void Session::bindOutput(const momrt_output &output, void *to) {
  requireBatch(fmt::format("output '{}'", table().string(output.name)));
  if (to && outputElements(output))
    where->checkMemory(to, fmt::format("output '{}'", table().string(output.name)));
  void *&place = boundOutputs[size_t(&output - table().outputs().begin())];
  if (std::exchange(place, to) != to)
    where->forgetRecords(); // they may have copies to it
  hasLoans = true;
  placeSlots();
}

void Session::copyBoundOutputs(const momrt_entry &entry) {
  for (uint64_t at = entry.outputs.offset; at < entry.outputs.offset + entry.outputs.count; ++at) {
    // Two outputs may be one value: its slot is where the guest wants one of them.
    const momrt_output &output = table().outputs()[at];
    if (boundOutputs[at] && boundOutputs[at] != addressOf(output))
      where->copyWithin(boundOutputs[at], addressOf(output),
                        outputElements(output) * typeBytes(output.type));
  }
}

void Session::forgetLoans() {
  if (!hasLoans)
    return;
  hasLoans = false;
  for (size_t at = 0; at < addresses.inputs.size(); ++at)
    returnInput(at);
  std::fill(boundOutputs.begin(), boundOutputs.end(), nullptr);
  placeSlots();
}

int64_t Session::workspaceBytes(const Counts &counts) const {
  return std::max<int64_t>(planArena(table(), capacitiesOf(counts, table().windows())).bytes,
                           MOMRT_ALIGNMENT);
}

void Session::setWorkspace(void *memory, int64_t bytes) {
  std::fill(hasRun.begin(), hasRun.end(), false); // what lies in the arena is no more
  if (memory) {
    where->checkMemory(memory, "the workspace");
    if (reinterpret_cast<uintptr_t>(memory) % MOMRT_ALIGNMENT)
      fail(MOMRT_BAD_ARGUMENT, "expected a workspace at a multiple of {} bytes, but it lies at {}",
           MOMRT_ALIGNMENT, memory);
    usedSlots.assign(usedSlots.size(), true); // the guest cannot bring more later
    if (capacities != Counts{} && bytes < planArena(table(), capacities).bytes)
      capacities = {}; // it is for another batch, which is to come
    if (arena.data()) {
      where->forgetRecords();
      arena = Buffer();
    }
  }
  workspace = static_cast<char *>(memory);
  workspaceSize = bytes;
  if (capacities != Counts{})
    planSlots(capacities);
}

/// Memory for an arena of so many bytes: the guest's, else the session's own.
char *Session::arenaOf(int64_t bytes) {
  int64_t tokens = trueCounts[MOMRT_COUNT_TOKEN];
  if (!workspace)
    return grow(arena, bytes, fmt::format("the arena for {} tokens", tokens)).data();
  if (workspaceSize < bytes)
    fail(MOMRT_OUT_OF_MEMORY, "the caller's workspace has {} bytes, but {} tokens need {}",
         workspaceSize, tokens, bytes);
  return workspace;
}

/// Gives the slots their places, but those of outputs that the guest wants elsewhere.
void Session::placeSlots() {
  auto put = [&](size_t slot, char *to) {
    if (addresses.slots[slot] != to)
      where->forgetRecords();
    addresses.slots[slot] = to;
  };
  std::vector<char *> wanted = places;
  for (size_t at = 0; at < boundOutputs.size(); ++at)
    if (boundOutputs[at] && liesAlone(table().outputs()[at]))
      wanted[table().outputs()[at].where.index] = static_cast<char *>(boundOutputs[at]);
  for (size_t slot = 0; slot < wanted.size(); ++slot)
    put(slot, wanted[slot]);
}

} // namespace momrt
