// A checked view of a launch table. Whoever holds a Table may index without
// looking: its constructor refused whatever would lead outside.
#pragma once

#include "momrt/table.h"
#include <cstddef>
#include <string>
#include <vector>

namespace momrt {

/// An array inside the table.
template <typename T> struct View {
  const T *data = nullptr;
  size_t count = 0;

  const T *begin() const { return data; }
  const T *end() const { return data + count; }
  size_t size() const { return count; }
  const T &operator[](size_t at) const { return data[at]; }
  View slice(const momrt_range &range) const { return {data + range.offset, range.count}; }
};

/// Loops deeper than this are taken for damage.
inline constexpr int kDeepestRepeat = 8;

class Table {
public:
  /// Checks magic, version and every offset, index and size; throws Error.
  explicit Table(const momrt_table *table);

  const momrt_table &header() const { return *table; }
  const char *string(uint64_t offset) const { return strings.data + offset; }
  std::string model() const { return string(table->name); }
  std::string digest() const { return string(table->digest); }

  View<momrt_setting> settings() const { return view<momrt_setting>(table->settings); }
  View<momrt_parameter> parameters() const { return view<momrt_parameter>(table->parameters); }
  View<momrt_slot> slots() const { return view<momrt_slot>(table->slots); }
  View<momrt_slot> states() const { return view<momrt_slot>(table->states); }
  View<momrt_kernel> kernels() const { return view<momrt_kernel>(table->kernels); }
  View<momrt_arg> args() const { return view<momrt_arg>(table->args); }
  View<momrt_op> ops() const { return view<momrt_op>(table->ops); }
  View<momrt_input> inputs() const { return view<momrt_input>(table->inputs); }
  View<momrt_output> outputs() const { return view<momrt_output>(table->outputs); }
  View<momrt_entry> entries() const { return view<momrt_entry>(table->entries); }
  View<momrt_rate> rates() const { return view<momrt_rate>(table->rates); }
  View<char> bytes(const momrt_range &range) const { return view<char>(range); }

  std::vector<std::string> modalities() const;
  /// Groups of the modality route: 1 for a model without modalities.
  /// Shares of the tokens that repetitions run over; 0: none do.
  int64_t windows() const { return table->windows; }
  int64_t groups() const { return table->modalities.count ? int64_t(table->modalities.count) : 1; }

  View<momrt_arg> argsOf(const momrt_op &op) const {
    return {args().data + op.args, size_t(op.arg_count)};
  }
  View<momrt_input> inputsOf(const momrt_entry &entry) const {
    return inputs().slice(entry.inputs);
  }
  View<momrt_output> outputsOf(const momrt_entry &entry) const {
    return outputs().slice(entry.outputs);
  }

  /// The momrt_type of a space that is laid out as the parameters are.
  uint32_t typeOf(uint32_t space) const;

  /// Null if there is none of that name.
  const momrt_entry *findEntry(const std::string &name) const;
  /// The entry that makes the modality route on the device; null where the host does.
  const momrt_entry *planEntry() const;
  /// Throws, listing the entries there are.
  const momrt_entry &entry(const std::string &name) const;
  /// Whether a launch of the entry is handed such a space.
  bool uses(const momrt_entry &entry, uint32_t space) const;
  /// Null if the entry has no such output.
  const momrt_output *findOutput(const momrt_entry &entry, uint32_t kind,
                                 const std::string &name) const;

private:
  template <typename T> View<T> view(const momrt_range &range) const {
    return {reinterpret_cast<const T *>(reinterpret_cast<const char *>(table) + range.offset),
            size_t(range.count)};
  }
  const momrt_table *table;
  View<char> strings;
};

/// A checked table with the kernels that belong to it.
class Program {
public:
  explicit Program(const momrt_program *program);

  const Table table;
  bool onGpu() const { return table.header().target != 0; }
  momrt_cpu_kernel kernel(size_t index) const { return kernels[index]; }

private:
  const momrt_cpu_kernel *kernels;
};

/// Whether a space has an element for each of the parameters.
inline bool isLikeParameters(uint32_t space) {
  return space >= MOMRT_SPACE_PARAMETERS && space <= MOMRT_SPACE_SUMS;
}

inline bool isState(uint32_t space) {
  return space == MOMRT_SPACE_STATES || space == MOMRT_SPACE_NEXT_STATES;
}

/// Bytes of an element of a momrt_type; 0 for what is none.
int64_t typeBytes(uint32_t type);
/// "f32", as the language writes it.
const char *typeName(uint32_t type);

} // namespace momrt
