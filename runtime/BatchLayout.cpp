#include "runtime/BatchLayout.h"
#include "runtime/Error.h"
#include <algorithm>
#include <cstring>

namespace momrt {

static bool sameInput(const Table &table, const momrt_input &a, const momrt_input &b) {
  return !std::strcmp(table.string(a.name), table.string(b.name)) && a.type == b.type &&
         a.count == b.count && a.channels == b.channels;
}

BatchLayout::BatchLayout(const Table &table, const Counts &capacities)
    : window(capacities[MOMRT_COUNT_WINDOW]) {
  auto add = [&](int64_t size) {
    Part part{bytes, alignUp(std::max<int64_t>(size, 1))};
    if (__builtin_add_overflow(bytes, part.bytes, &bytes))
      fail(MOMRT_BAD_ARGUMENT, "a batch of {} tokens is too large: its arrays' size overflows",
           capacities[MOMRT_COUNT_TOKEN]);
    return part;
  };
  spaces[MOMRT_SPACE_COUNTS] = add((1 + table.windows()) * int64_t(sizeof(Counts)));
  spaces[MOMRT_SPACE_SEGMENTS] = add(std::max<int64_t>(capacities[MOMRT_COUNT_SEGMENT], 1) *
                                     int64_t(sizeof(momrt_segment_record)));
  spaces[MOMRT_SPACE_MODALITY] = add(capacities[MOMRT_COUNT_TOKEN] * 4);
  auto addRoute = [&] {
    spaces[MOMRT_SPACE_ROUTE_OFFSETS] = add((table.groups() + 1) * 8);
    for (int space : {MOMRT_SPACE_ROUTE_ROW, MOMRT_SPACE_ROUTE_POSITION})
      spaces[space] = add(capacities[MOMRT_COUNT_TOKEN] * 4);
  };
  if (!table.planEntry())
    addRoute();
  for (size_t at = 0; at < table.inputs().size(); ++at) {
    // Entries that read the same input have it in the same place.
    const momrt_input &input = table.inputs()[at];
    size_t first = 0;
    while (!sameInput(table, table.inputs()[first], input))
      ++first;
    momrt_slot row = {};
    row.bytes[input.count] = input.channels * typeBytes(input.type);
    inputs.push_back(first < at ? inputs[first] : add(bytesOf(row, capacities)));
  }
  if (table.planEntry())
    addRoute(); // behind what is copied
}

/// The batch's counts, then each window's.
static std::vector<Counts> recordsOf(const Table &table, const Batch &batch, int64_t window) {
  std::vector<Counts> records = {batch.counts()};
  for (int64_t at = 0; at < table.windows(); ++at) {
    Counts counts = batch.counts();
    int64_t before = std::min(at * window, counts[MOMRT_COUNT_TOKEN]);
    counts[MOMRT_COUNT_TOKEN] = std::min(window, counts[MOMRT_COUNT_TOKEN] - before);
    counts[MOMRT_COUNT_WINDOW] = before;
    records.push_back(counts);
  }
  return records;
}

static void put(const BatchLayout::Part &part, const void *from, int64_t size, char *to) {
  if (size)
    std::memcpy(to + part.offset, from, size_t(size));
  std::memset(to + part.offset + size, 0, size_t(part.bytes - size));
}

int64_t BatchLayout::pack(const Table &table, const Batch &batch, char *to,
                          std::vector<char> &set) const {
  auto array = [&](momrt_space space, const auto &values) {
    put(spaces[space], values.data(), int64_t(values.size() * sizeof(values[0])), to);
    return spaces[space].offset + spaces[space].bytes;
  };
  array(MOMRT_SPACE_COUNTS, recordsOf(table, batch, window));
  array(MOMRT_SPACE_SEGMENTS, segmentRecords(batch.description.segments));
  int64_t end = array(MOMRT_SPACE_MODALITY, batch.description.modality);
  if (!table.planEntry()) {
    Route route = routeByModality(batch.description.modality, table.groups());
    array(MOMRT_SPACE_ROUTE_OFFSETS, route.offsets);
    array(MOMRT_SPACE_ROUTE_ROW, route.row);
    end = array(MOMRT_SPACE_ROUTE_POSITION, route.position);
  }
  for (const BatchInput &input : batch.inputs)
    for (size_t at = 0; at < inputs.size(); ++at)
      if (input.name == table.string(table.inputs()[at].name)) {
        int64_t size = input.rows * input.channels * typeBytes(input.type);
        put(inputs[at], input.bytes.data(), size, to);
        end = std::max(end, inputs[at].offset + inputs[at].bytes);
        set[at] = true;
      }
  return end;
}

void checkInputs(const Table &table, const Batch &batch) {
  for (const BatchInput &input : batch.inputs) {
    bool known = false;
    for (const momrt_input &wanted : table.inputs())
      if (input.name == table.string(wanted.name)) {
        checkInput(table, wanted, batch.counts(), input.type, input.rows, input.channels);
        known = true;
      }
    if (!known)
      fail(MOMRT_BAD_ARGUMENT, "model '{}' has no input '{}'", table.model(), input.name);
  }
}

void checkInput(const Table &table, const momrt_input &input, const Counts &counts, uint32_t type,
                int64_t rows, int64_t channels) {
  const char *name = table.string(input.name);
  if (type != input.type || channels != input.channels)
    fail(MOMRT_BAD_ARGUMENT, "expected input '{}' to be {} with {} channels but got {} with {}",
         name, typeName(input.type), input.channels, typeName(type), channels);
  if (rows != counts[input.count])
    fail(MOMRT_BAD_ARGUMENT, "expected {} rows of input '{}' but got {}", counts[input.count], name,
         rows);
}

} // namespace momrt
