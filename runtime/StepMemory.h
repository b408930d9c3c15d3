// What a training step needs of a device's memory, before there is a device.
#pragma once

#include "runtime/Table.h"

namespace momrt {

/// Bytes of parameters and all that is laid out like them, and of what a step's entries use of
/// the arena, for batches of
/// `streams` x `length` tokens in documents of `document` tokens; INT64_MAX where sizes
/// overflow. Batches themselves and what the driver takes for itself come on top.
int64_t stepBytes(const Table &table, int64_t streams, int64_t length, int64_t document);
/// The same of a table that is checked first, for callers without exceptions: the text of an
/// error, empty if there was none.
std::string stepBytes(const momrt_table *table, int64_t streams, int64_t length, int64_t document,
                      int64_t &bytes) noexcept;

} // namespace momrt
