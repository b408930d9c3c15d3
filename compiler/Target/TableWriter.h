// Collects the arrays of a launch table and writes them as one block of bytes.
#pragma once

#include "momrt/table.h"

#include "llvm/ADT/StringMap.h"

#include <cstring>
#include <string>
#include <vector>

namespace mom {

struct TableWriter {
  momrt_table header = {};
  std::vector<momrt_setting> settings;
  std::vector<uint64_t> modalities;
  std::vector<momrt_parameter> parameters;
  std::vector<momrt_slot> slots, states;
  std::vector<momrt_kernel> kernels;
  std::vector<momrt_arg> args;
  std::vector<momrt_op> ops;
  std::vector<momrt_input> inputs;
  std::vector<momrt_output> outputs;
  std::vector<momrt_entry> entries;
  std::vector<momrt_rate> rates;

  /// Bytes that kernels point at: stands right behind the header, so that its
  /// place is known from the start.
  momrt_range addBlob(llvm::StringRef bytes) {
    momrt_range range = {sizeof(momrt_table) + blob.size(), bytes.size()};
    blob.insert(blob.end(), bytes.begin(), bytes.end());
    blob.resize((blob.size() + 7) / 8 * 8);
    return range;
  }

  /// Offset of a text in the table's strings; equal texts are kept once.
  uint64_t text(llvm::StringRef value) {
    auto [place, inserted] = offsets.try_emplace(value, strings.size());
    if (inserted) {
      strings.append(value.begin(), value.end());
      strings.push_back('\0');
    }
    return place->second;
  }

  std::vector<char> finish() {
    header.magic = MOMRT_TABLE_MAGIC;
    header.version = MOMRT_TABLE_VERSION;
    std::vector<char> bytes(sizeof(momrt_table));
    bytes.insert(bytes.end(), blob.begin(), blob.end());
    auto append = [&](momrt_range &range, const auto &array) {
      range.offset = bytes.size();
      range.count = array.size();
      const char *data = reinterpret_cast<const char *>(array.data());
      bytes.insert(bytes.end(), data, data + array.size() * sizeof(array[0]));
      bytes.resize((bytes.size() + 7) / 8 * 8);
    };
    append(header.settings, settings);
    append(header.modalities, modalities);
    append(header.parameters, parameters);
    append(header.slots, slots);
    append(header.states, states);
    append(header.kernels, kernels);
    append(header.args, args);
    append(header.ops, ops);
    append(header.inputs, inputs);
    append(header.outputs, outputs);
    append(header.entries, entries);
    append(header.rates, rates);
    append(header.strings, strings);
    header.bytes = bytes.size();
    std::memcpy(bytes.data(), &header, sizeof(header));
    return bytes;
  }

private:
  std::vector<char> blob;
  std::string strings;
  llvm::StringMap<uint64_t> offsets;
};

} // namespace mom
