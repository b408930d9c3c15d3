#include "runtime/Snapshots.h"
#include "runtime/Error.h"
#include "runtime/Status.h"
#include <cstring>

namespace momrt {

std::vector<float> Snapshot::floats(const std::string &entry, momrt_output_kind kind,
                                    const std::string &name) const {
  for (const Part &part : parts) {
    const momrt_output &output = *part.output;
    if (part.entry != entry || output.kind != uint32_t(kind) || name != table.string(output.name))
      continue;
    std::vector<float> values(size_t(output.channels));
    std::memcpy(values.data(), memory + part.offset, values.size() * sizeof(float));
    return values;
  }
  return {};
}

Snapshots::Snapshots(Session &session, const std::vector<std::string> &entries, size_t ahead)
    : session(session), bytes(int64_t(session.table().ops().size() * sizeof(momrt_status))),
      ahead(ahead) {
  for (const std::string &entry : entries)
    add(entry);
  for (size_t slot = 0; slot < ahead + 2; ++slot)
    slots.emplace_back(session.device(), bytes);
}

void Snapshots::add(const std::string &entry) {
  for (const momrt_output &output : session.table().outputsOf(session.table().entry(entry))) {
    bool number = output.kind == MOMRT_OUTPUT_TENSOR && output.channels == 1;
    if ((output.kind > MOMRT_OUTPUT_COUNT && !number) || output.type != MOMRT_F32)
      continue;
    parts.push_back({entry, &output, bytes});
    bytes += output.channels * int64_t(sizeof(float));
  }
}

void Snapshots::take(const std::string &when) {
  if (taken.size() + 1 > slots.size() - 1)
    fail(MOMRT_INTERNAL, "{} results wait to be read, more than {}", taken.size(), ahead + 1);
  Device &device = session.device();
  char *memory = slots[turn].data();
  device.copyOutLater(memory, session.statusAddress(),
                      int64_t(session.table().ops().size() * sizeof(momrt_status)));
  for (const Snapshot::Part &part : parts)
    if (session.hasOutputs(part.entry)) // there is no update after each batch of a step
      device.copyOutLater(memory + part.offset, session.addressOf(*part.output),
                          part.output->channels * int64_t(sizeof(float)));
  taken.push_back({device.mark(), turn, when});
  turn = (turn + 1) % slots.size();
}

bool Snapshots::due() const {
  return !taken.empty() && (taken.size() > ahead || session.device().reached(taken.front().mark));
}

Snapshot Snapshots::next() {
  Taken oldest = std::move(taken.front());
  taken.pop_front();
  session.device().await(oldest.mark);
  const char *memory = slots[oldest.slot].data();
  try {
    throwReported(session.table(), reinterpret_cast<const momrt_status *>(memory), oldest.when);
  } catch (...) {
    session.clearStatus();
    throw;
  }
  return Snapshot(session.table(), parts, memory);
}

} // namespace momrt
