#include "runtime/Table.h"
#include "runtime/Error.h"

namespace momrt {

std::vector<std::string> Table::modalities() const {
  std::vector<std::string> names;
  for (uint64_t name : view<uint64_t>(table->modalities))
    names.push_back(string(name));
  return names;
}

uint32_t Table::typeOf(uint32_t space) const {
  switch (space) {
  case MOMRT_SPACE_PARAMETERS:
    return table->parameter_type;
  case MOMRT_SPACE_GRADIENTS:
    return table->gradient_type;
  case MOMRT_SPACE_COPIES:
    return table->copy_type;
  case MOMRT_SPACE_SUMS:
    return MOMRT_F32;
  default:
    return table->moment_type;
  }
}

const momrt_entry *Table::findEntry(const std::string &name) const {
  for (const momrt_entry &entry : entries())
    if (name == string(entry.name))
      return &entry;
  return nullptr;
}

const momrt_entry *Table::planEntry() const {
  // A layer may have the name too, but it gives the caller something.
  const momrt_entry *plan = findEntry("plan");
  return plan && !plan->outputs.count ? plan : nullptr;
}

const momrt_entry &Table::entry(const std::string &name) const {
  if (const momrt_entry *entry = findEntry(name))
    return *entry;
  std::string known;
  for (const momrt_entry &entry : entries())
    known += fmt::format("{}'{}'", known.empty() ? "" : ", ", string(entry.name));
  fail(MOMRT_BAD_ARGUMENT, "model '{}' has no entry '{}', only {}", model(), name,
       known.empty() ? "none at all" : known);
}

bool Table::uses(const momrt_entry &entry, uint32_t space) const {
  for (const momrt_op &op : ops().slice(entry.ops))
    if (op.kind == MOMRT_OP_LAUNCH)
      for (const momrt_arg &arg : argsOf(op))
        if (arg.space == space)
          return true;
  return false;
}

const momrt_output *Table::findOutput(const momrt_entry &entry, uint32_t kind,
                                      const std::string &name) const {
  for (const momrt_output &output : outputsOf(entry))
    if (output.kind == kind && name == string(output.name))
      return &output;
  return nullptr;
}

static const momrt_table *tableOf(const momrt_program *program) {
  if (!program)
    fail(MOMRT_BAD_ARGUMENT, "expected a program but got a null pointer");
  return program->table;
}

/// Those of the table's extensions that this processor lacks, or the system does not allow.
static std::vector<std::string> missingExtensions(uint64_t extensions) {
#if defined(__x86_64__)
#define MOMRT_IS_HERE(name) __builtin_cpu_supports(name)
#else
#define MOMRT_IS_HERE(name) false
#endif
#define MOMRT_CHECK(name)                                                                          \
  if (extensions >> bit++ & 1 && !MOMRT_IS_HERE(name))                                             \
    missing.push_back(name);
  std::vector<std::string> missing;
  unsigned bit = 0;
  MOMRT_X86_EXTENSIONS(MOMRT_CHECK)
#undef MOMRT_CHECK
#undef MOMRT_IS_HERE
  for (; bit < 64; ++bit)
    if (extensions >> bit & 1)
      missing.push_back(fmt::format("extension {}", bit));
  return missing;
}

Program::Program(const momrt_program *program)
    : table(tableOf(program)), kernels(program->kernels) {
  if (auto missing = missingExtensions(table.header().extensions); !missing.empty())
    fail(MOMRT_DEVICE,
         "model '{}' is compiled for a processor with {}, which this one lacks: compile it with "
         "--cpu=x86-64-v3, or the processor that is to run it",
         table.model(), fmt::join(missing, ", "));
  if (onGpu()) {
    for (const momrt_kernel &kernel : table.kernels())
      if (!kernel.cubin.count && !kernel.ptx.count)
        fail(MOMRT_BAD_TABLE, "kernel '{}' of a GPU program has neither cubin nor ptx",
             table.string(kernel.name));
    return;
  }
  for (size_t at = 0; at < table.kernels().size(); ++at)
    if (!kernels || !kernels[at])
      fail(MOMRT_BAD_TABLE, "kernel '{}' of a CPU program has no function",
           table.string(table.kernels()[at].name));
}

int64_t typeBytes(uint32_t type) {
  static constexpr int64_t bytes[] = {4, 2, 2, 4, 8, 1, 2, 8};
  return type <= MOMRT_F64 ? bytes[type] : 0;
}

const char *typeName(uint32_t type) {
  static constexpr const char *names[] = {"f32", "bf16", "f16", "i32", "i64", "u8", "u16", "f64"};
  return type <= MOMRT_F64 ? names[type] : "unknown type";
}

} // namespace momrt
