#include "runtime/StepMemory.h"
#include "runtime/Capacities.h"
#include "runtime/Error.h"
#include "runtime/Walk.h"

#include <set>

namespace momrt {

int64_t stepBytes(const Table &table, int64_t streams, int64_t length, int64_t document) try {
  std::set<uint32_t> used{MOMRT_SPACE_PARAMETERS};
  for (const momrt_arg &arg : table.args())
    if (isLikeParameters(arg.space))
      used.insert(arg.space);
  int64_t bytes = 0;
  for (uint32_t space : used)
    bytes += table.header().parameter_elements * typeBytes(table.typeOf(space));
  int64_t tokens = streams * length;
  int64_t documents = streams * ((length - 1) / document + 1);
  Counts counts = {1, tokens, streams, documents, documents};
  SlotSet slots(table.slots().size());
  for (const char *name : {"plan", "gradient", "accumulate", "update"})
    if (const momrt_entry *entry = table.findEntry(name))
      addSlots(table, *entry, slots);
  return bytes + planArena(table, capacitiesOf(counts, table.windows()), &slots).bytes;
} catch (const Error &) {
  return INT64_MAX;
}

std::string stepBytes(const momrt_table *table, int64_t streams, int64_t length, int64_t document,
                      int64_t &bytes) noexcept {
  return textOfError([&] { bytes = stepBytes(Table(table), streams, length, document); });
}

} // namespace momrt
