#include "runtime/Status.h"
#include "runtime/Error.h"

namespace momrt {

static std::string placeOf(const Table &table, const momrt_op &op) {
  if (op.kind != MOMRT_OP_LAUNCH)
    return "of an unknown kernel";
  return fmt::format("of kernel '{}' ({})", table.string(table.kernels()[op.kernel].name),
                     table.string(op.source));
}

static void throwOne(const Table &table, const momrt_op &op, const momrt_status &status,
                     const std::string &when) {
  std::string where = placeOf(table, op) + when;
  switch (status.code) {
  case MOMRT_ERROR_INDEX:
    fail(MOMRT_BAD_VALUE, "index {} is out of range in row {} {}", status.value, status.row, where);
  case MOMRT_ERROR_NOT_FINITE:
    fail(MOMRT_BAD_VALUE, "a value is not finite in row {} {}", status.row, where);
  default:
    fail(MOMRT_BAD_VALUE, "error {} with value {} in row {} {}", status.code, status.value,
         status.row, where);
  }
}

void throwReported(const Table &table, const momrt_status *records, const std::string &when) {
  for (size_t op = 0; op < table.ops().size(); ++op)
    if (records[op].code != MOMRT_ERROR_NONE)
      throwOne(table, table.ops()[op], records[op], when);
}

} // namespace momrt
