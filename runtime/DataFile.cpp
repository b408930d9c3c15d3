#include "runtime/DataFile.h"
#include "runtime/Error.h"
#include <charconv>
#include <cstring>

namespace momrt {

template <typename T> static T load(const uint8_t *data, int64_t at) {
  T value;
  std::memcpy(&value, data + at * int64_t(sizeof(T)), sizeof(T));
  return value;
}

DataFile::DataFile(const std::string &path, const Table &table, const momrt_entry &entry)
    : file(path), groupCount(table.groups()) {
  if (file.text("format") != "momc tokens")
    fail(MOMRT_BAD_FILE, "'{}' is no token file: expected the format 'momc tokens' but got '{}'",
         path, file.text("format"));
  checkDocuments();
  checkModalities(table);
  for (const momrt_input &input : table.inputsOf(entry))
    addColumn(table, input);
}

void DataFile::checkDocuments() {
  document = &file.get("document");
  if (document->type != MOMRT_I64 || document->shape.size() != 1 || document->shape[0] < 1)
    fail(MOMRT_BAD_FILE, "expected 'document' of '{}' to be i64 [documents + 1] but got {} {}",
         file.path, typeName(document->type),
         fmt::format("[{}]", fmt::join(document->shape, ", ")));
  documentCount = document->shape[0] - 1;
  for (int64_t at = 0, last = 0; at <= documentCount; ++at) {
    int64_t offset = documentStart(at);
    if (at == 0 ? offset != 0 : offset < last)
      fail(MOMRT_BAD_FILE, "document {} of '{}' starts at {}, but the one before ends at {}", at,
           file.path, offset, last);
    last = offset;
  }
  tokenCount = documentStart(documentCount);
  if (tokenCount == 0)
    fail(MOMRT_BAD_FILE, "'{}' has no tokens", file.path);
}

void DataFile::checkModalities(const Table &table) {
  std::vector<std::string> names = table.modalities();
  if (names.empty())
    return;
  std::string expected = fmt::format("{}", fmt::join(names, ","));
  if (file.text("modalities") != expected)
    fail(MOMRT_BAD_FILE, "expected the modalities '{}' of model '{}', but '{}' has '{}'", expected,
         table.model(), file.path, file.text("modalities"));
  const StoredTensor &tensor = file.get("modality");
  if (tensor.type != MOMRT_U8 || tensor.elements() != tokenCount)
    fail(MOMRT_BAD_FILE, "expected 'modality' of '{}' to be u8 for {} tokens but got {} for {}",
         file.path, tokenCount, typeName(tensor.type), tensor.elements());
  modality = tensor.data;
}

/// Whether rows of a stored type can fill an input.
static bool fits(uint32_t stored, uint32_t wanted) {
  if (wanted == MOMRT_I32)
    return stored == MOMRT_I32 || stored == MOMRT_U16 || stored == MOMRT_U8;
  if (wanted == MOMRT_F32)
    return stored == MOMRT_F32 || stored == MOMRT_BF16 || stored == MOMRT_F16;
  return stored == wanted;
}

void DataFile::addColumn(const Table &table, const momrt_input &input) {
  const char *name = table.string(input.name);
  if (input.count != MOMRT_COUNT_TOKEN)
    fail(MOMRT_BAD_ARGUMENT,
         "input '{}' of model '{}' is not one row a token: it cannot come from "
         "a token file",
         name, table.model());
  const StoredTensor &tensor = file.get(name);
  if (!fits(tensor.type, input.type) || tensor.shape.empty() || tensor.shape[0] != tokenCount ||
      tensor.elements() != tokenCount * input.channels)
    fail(MOMRT_BAD_FILE, "expected '{}' of '{}' to be {} rows of {} {}, but it is {} {}", name,
         file.path, tokenCount, input.channels, typeName(input.type),
         fmt::format("[{}]", fmt::join(tensor.shape, ", ")), typeName(tensor.type));
  // The vocabulary is that of `id`; other indices are checked by kernels only.
  std::string text = file.text("vocabulary");
  int64_t vocabulary = 0;
  std::from_chars(text.data(), text.data() + text.size(), vocabulary);
  if (std::strcmp(name, "id") == 0 && input.limit && vocabulary > input.limit)
    fail(MOMRT_BAD_FILE, "'{}' has a vocabulary of {}, but model '{}' knows ids below {}",
         file.path, vocabulary, table.model(), input.limit);
  columns.push_back({name, &tensor, input.type, input.channels});
}

int64_t DataFile::documentStart(int64_t at) const { return load<int64_t>(document->data, at); }

std::vector<BatchInput> DataFile::makeInputs(int64_t tokens) const {
  std::vector<BatchInput> inputs;
  for (const Column &column : columns)
    inputs.push_back({column.name, column.type, tokens, column.channels,
                      std::vector<uint8_t>(tokens * column.channels * typeBytes(column.type))});
  return inputs;
}

template <typename T>
static void widen(const uint8_t *from, int64_t first, int64_t count, uint8_t *to) {
  for (int64_t at = 0; at < count; ++at) {
    int32_t value = int32_t(load<T>(from, first + at));
    std::memcpy(to + at * 4, &value, 4);
  }
}

void DataFile::copy(int64_t begin, int64_t count, int64_t to, std::vector<int32_t> &modalities,
                    std::vector<BatchInput> &inputs) const {
  for (int64_t at = 0; at < count; ++at)
    modalities[to + at] = modality ? modality[begin + at] : 0;
  for (size_t at = 0; at < columns.size(); ++at) {
    const Column &column = columns[at];
    int64_t first = begin * column.channels, elements = count * column.channels;
    uint8_t *target = inputs[at].bytes.data() + to * column.channels * typeBytes(column.type);
    int64_t width = typeBytes(column.source->type);
    if (column.source->type == column.type) {
      std::memcpy(target, column.source->data + first * width, size_t(elements * width));
    } else if (column.type == MOMRT_F32) {
      StoredTensor part{column.name,
                        column.source->type,
                        {elements},
                        column.source->data + first * width,
                        elements * width};
      std::vector<float> values(elements);
      toFloats(part, values.data());
      std::memcpy(target, values.data(), size_t(elements) * 4);
    } else if (column.source->type == MOMRT_U16) {
      widen<uint16_t>(column.source->data, first, elements, target);
    } else {
      widen<uint8_t>(column.source->data, first, elements, target);
    }
  }
}

} // namespace momrt
