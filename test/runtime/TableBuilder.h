// Builds launch tables by hand.
#pragma once

#include "momrt/table.h"
#include <cstring>
#include <string>
#include <vector>

struct TableBuilder {
  std::string strings = std::string(1, '\0');
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
  std::string ptx, cubin; // of all kernels of a GPU program
  momrt_table header = {};

  uint64_t text(const std::string &value) {
    uint64_t at = strings.size();
    strings += value + '\0';
    return at;
  }
  uint32_t slot(std::vector<int64_t> bytes) { // [counts]
    momrt_slot slot = {};
    for (size_t at = 0; at < bytes.size(); ++at)
      slot.bytes[at] = bytes[at];
    slots.push_back(slot);
    return uint32_t(slots.size() - 1);
  }
  static momrt_arg arg(uint32_t space, uint32_t index = 0, int64_t offset = 0) {
    momrt_arg arg = {};
    arg.space = space;
    arg.index = index;
    arg.offset = offset;
    return arg;
  }
  /// A recipe that moves `bytes` a round.
  static momrt_arg turning(uint32_t space, int64_t offset, int64_t bytes, int64_t modulus,
                           int64_t phase = 0, uint32_t index = 0) {
    momrt_arg recipe = arg(space, index, offset);
    recipe.stride.bytes[MOMRT_COUNT_ONE] = bytes;
    recipe.phase = phase;
    recipe.modulus = modulus;
    return recipe;
  }
  uint32_t kernel(const std::string &name, int64_t scratch = 0) {
    momrt_kernel kernel = {};
    kernel.name = text(name);
    kernel.scratch = scratch;
    kernels.push_back(kernel);
    return uint32_t(kernels.size() - 1);
  }
  void launch(uint32_t kernel, uint32_t count, int64_t tile, const std::vector<momrt_arg> &list) {
    momrt_op op = {};
    op.kind = MOMRT_OP_LAUNCH;
    op.kernel = kernel;
    op.args = args.size();
    op.arg_count = list.size();
    op.grid_count = count;
    op.grid_tile = tile;
    op.grid_factor = 1;
    op.source = text("model.mom:" + std::to_string(ops.size() + 1) + ":3");
    args.insert(args.end(), list.begin(), list.end());
    ops.push_back(op);
  }
  void repeat(int64_t rounds, bool reverse = false) {
    momrt_op op = {};
    op.kind = MOMRT_OP_REPEAT;
    op.rounds = rounds;
    op.reverse = reverse;
    ops.push_back(op);
  }
  void end() {
    momrt_op op = {};
    op.kind = MOMRT_OP_END;
    ops.push_back(op);
  }
  void output(const std::string &name, uint32_t kind, int64_t channels, const momrt_arg &where,
              uint32_t count = MOMRT_COUNT_ONE) {
    outputs.push_back({text(name), kind, MOMRT_F32, count, 0, channels, where});
  }
  /// The ops, inputs and outputs that were added since the last entry.
  void entry(const std::string &name, momrt_range ins) {
    auto since = [&](size_t now, auto range) {
      uint64_t first = 0;
      for (const momrt_entry &entry : entries)
        first = (entry.*range).offset + (entry.*range).count;
      return momrt_range{first, now - first};
    };
    entries.push_back({text(name), since(ops.size(), &momrt_entry::ops), ins,
                       since(outputs.size(), &momrt_entry::outputs)});
  }

  /// The table's bytes, as 8-byte words for their alignment.
  std::vector<uint64_t> build() {
    std::string bytes(sizeof(momrt_table), '\0');
    auto align = [&] { bytes.append((8 - bytes.size() % 8) % 8, '\0'); };
    auto put = [&](momrt_range &range, const auto &values) {
      align();
      range = {bytes.size(), values.size()};
      if (!values.empty())
        bytes.append(reinterpret_cast<const char *>(values.data()),
                     values.size() * sizeof(values[0]));
    };
    header.magic = MOMRT_TABLE_MAGIC;
    header.version = MOMRT_TABLE_VERSION;
    header.accumulate = 1;
    put(header.strings, strings);
    put(header.settings, settings);
    put(header.modalities, modalities);
    put(header.parameters, parameters);
    put(header.slots, slots);
    put(header.states, states);
    put(header.args, args);
    put(header.ops, ops);
    put(header.inputs, inputs);
    put(header.outputs, outputs);
    put(header.entries, entries);
    put(header.rates, rates);
    momrt_range images[2] = {};
    if (!ptx.empty())
      put(images[0], ptx);
    if (!cubin.empty())
      put(images[1], cubin);
    for (momrt_kernel &kernel : kernels) {
      kernel.ptx = images[0];
      kernel.cubin = images[1];
    }
    put(header.kernels, kernels);
    align();
    header.bytes = bytes.size();
    std::memcpy(&bytes[0], &header, sizeof header);
    std::vector<uint64_t> words(bytes.size() / 8);
    std::memcpy(words.data(), bytes.data(), bytes.size());
    return words;
  }
};
