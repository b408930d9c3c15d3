// What kernels report: a record for each launch of the table, read with results.
#pragma once

#include "runtime/Table.h"

namespace momrt {

/// Throws MOMRT_BAD_VALUE for the first error among the records, [ops]; `when`
/// follows the text, as " at step 12".
void throwReported(const Table &table, const momrt_status *records, const std::string &when = "");

} // namespace momrt
