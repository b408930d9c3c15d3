#include "runtime/DataFile.h"
#include "runtime/Error.h"
#include "runtime/Philox.h"
#include <charconv>
#include <cmath>
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
    return stored == MOMRT_I32 || stored == MOMRT_I64 || stored == MOMRT_U16 || stored == MOMRT_U8;
  if (wanted == MOMRT_F32)
    return stored == MOMRT_F32 || stored == MOMRT_BF16 || stored == MOMRT_F16;
  return stored == wanted;
}

void DataFile::addColumn(const Table &table, const momrt_input &input) {
  const char *name = table.string(input.name);
  bool isToken = input.count == MOMRT_COUNT_TOKEN;
  if (!isToken && input.count != MOMRT_COUNT_DOCUMENT)
    fail(MOMRT_BAD_ARGUMENT,
         "input '{}' of model '{}' is not one row a token or document: it cannot come from "
         "a token file",
         name, table.model());
  Column column{name, nullptr, input.type, input.channels, input.count, input.draw, input.only, {}};
  if (input.draw) {
    columns.push_back(std::move(column));
    return;
  }
  const StoredTensor &tensor = file.get(name);
  int64_t rows = isToken ? tokenCount : documentCount;
  std::string also;
  if (input.only) {
    // Few values of many tokens: stored without the others.
    column.before = rowsBefore(int32_t(input.only) - 1);
    also = fmt::format(" or {}", column.before.back());
    if (!tensor.shape.empty() && tensor.shape[0] == column.before.back())
      rows = column.before.back();
    else
      column.before.clear();
  }
  if (!fits(tensor.type, input.type) || tensor.shape.empty() || tensor.shape[0] != rows ||
      tensor.elements() != rows * input.channels)
    fail(MOMRT_BAD_FILE, "expected '{}' of '{}' to be {}{} rows of {} {}, but it is {} {}", name,
         file.path, rows, also, input.channels, typeName(input.type),
         fmt::format("[{}]", fmt::join(tensor.shape, ", ")), typeName(tensor.type));
  // The vocabulary is that of `id`; other indices are checked by kernels only.
  std::string text = file.text("vocabulary");
  int64_t vocabulary = 0;
  std::from_chars(text.data(), text.data() + text.size(), vocabulary);
  if (std::strcmp(name, "id") == 0 && input.limit && vocabulary > input.limit)
    fail(MOMRT_BAD_FILE, "'{}' has a vocabulary of {}, but model '{}' knows ids below {}",
         file.path, vocabulary, table.model(), input.limit);
  column.source = &tensor;
  columns.push_back(std::move(column));
}

/// Tokens of a modality before each document.
std::vector<int64_t> DataFile::rowsBefore(int32_t which) const {
  std::vector<int64_t> before{0};
  for (int64_t at = 0; at < documentCount; ++at) {
    int64_t count = 0;
    for (int64_t token = documentStart(at); token < documentStart(at + 1); ++token)
      count += modality && modality[token] == which;
    before.push_back(before.back() + count);
  }
  return before;
}

int64_t DataFile::documentStart(int64_t at) const { return load<int64_t>(document->data, at); }

std::vector<BatchInput> DataFile::makeInputs(int64_t tokens) const {
  std::vector<BatchInput> inputs;
  for (const Column &column : columns) {
    int64_t rows = column.count == MOMRT_COUNT_TOKEN ? tokens : 0; // a piece adds its document
    inputs.push_back({column.name, column.type, rows, column.channels,
                      std::vector<uint8_t>(rows * column.channels * typeBytes(column.type))});
  }
  return inputs;
}

/// A number that is none would only show as a loss that is none, many rows and kernels later.
void DataFile::checkFinite(const Column &column, int64_t row, int64_t count,
                           const uint8_t *rows) const {
  for (int64_t at = 0; at < count * column.channels; ++at)
    if (float value = load<float>(rows, at); !std::isfinite(value))
      fail(MOMRT_BAD_VALUE, "expected finite numbers in '{}' of '{}', but row {}, channel {} is {}",
           column.name, file.path, row + at / column.channels, at % column.channels, value);
}

/// Of 32 bits. Kernels take what is negative for an absent label, which is next(...)'s to say,
/// and report what is too large.
template <typename T>
void DataFile::copyIndices(const Column &column, int64_t row, int64_t count, uint8_t *to) const {
  int64_t first = row * column.channels;
  for (int64_t at = 0; at < count * column.channels; ++at) {
    int64_t stored = load<T>(column.source->data, first + at);
    if (stored < 0 || stored > INT32_MAX)
      fail(MOMRT_BAD_VALUE,
           "expected indices of at least 0 and of 32 bits in '{}' of '{}', but row {} has {}",
           column.name, file.path, row + at / column.channels, stored);
    int32_t value = int32_t(stored);
    std::memcpy(to + at * 4, &value, 4);
  }
}

void DataFile::copyRows(const Column &column, int64_t row, int64_t count, uint8_t *to) const {
  int64_t first = row * column.channels, elements = count * column.channels;
  int64_t width = typeBytes(column.source->type);
  if (column.type != MOMRT_F32) {
    switch (column.source->type) {
    case MOMRT_I64:
      return copyIndices<int64_t>(column, row, count, to);
    case MOMRT_U16:
      return copyIndices<uint16_t>(column, row, count, to);
    case MOMRT_U8:
      return copyIndices<uint8_t>(column, row, count, to);
    default:
      return copyIndices<int32_t>(column, row, count, to);
    }
  }
  if (column.source->type == column.type) {
    std::memcpy(to, column.source->data + first * width, size_t(elements * width));
  } else {
    StoredTensor part{column.name,
                      column.source->type,
                      {elements},
                      column.source->data + first * width,
                      elements * width};
    std::vector<float> values(elements);
    toFloats(part, values.data());
    std::memcpy(to, values.data(), size_t(elements) * 4);
  }
  checkFinite(column, row, count, to);
}

/// Numbers of rows of the file, token or document: the same wherever they lie in a batch.
void DataFile::drawRows(const Column &column, const Piece &piece, int64_t row, int64_t count,
                        uint8_t *to) const {
  Philox random(piece.seed, fmt::format("{}/{}", column.name, piece.epoch));
  for (int64_t at = 0; at < count * column.channels; ++at) {
    uint64_t index = uint64_t(row * column.channels + at);
    float value = float(column.draw == MOMRT_DRAW_NORMAL ? random.normal(index)
                                                         : random.uniform(index));
    std::memcpy(to + at * 4, &value, 4);
  }
}

void DataFile::copyTokens(const Column &column, const Piece &piece, BatchInput &input) const {
  int64_t start = documentStart(piece.document), begin = start + piece.inside;
  int64_t bytes = column.channels * typeBytes(column.type);
  auto copyRun = [&](int64_t stored, int64_t token, int64_t count) {
    uint8_t *to = input.bytes.data() + (piece.position + token - begin) * bytes;
    if (column.draw)
      drawRows(column, piece, token, count, to);
    else
      copyRows(column, stored, count, to);
  };
  if (!column.only)
    return copyRun(begin, begin, piece.count);
  auto belongs = [&](int64_t token) {
    return modality && modality[token] + 1u == column.only;
  };
  bool dense = column.before.empty();
  int64_t stored = dense ? 0 : column.before[piece.document];
  for (int64_t token = start; !dense && token < begin; ++token)
    stored += belongs(token);
  for (int64_t token = begin; token < begin + piece.count; ++token)
    if (belongs(token))
      copyRun(dense ? token : stored++, token, 1);
}

void DataFile::copyDocument(const Column &column, const Piece &piece, BatchInput &input) const {
  size_t end = input.bytes.size();
  input.bytes.resize(end + size_t(column.channels * typeBytes(column.type)));
  ++input.rows;
  if (column.draw)
    drawRows(column, piece, piece.document, 1, input.bytes.data() + end);
  else
    copyRows(column, piece.document, 1, input.bytes.data() + end);
}

void DataFile::copy(const Piece &piece, std::vector<int32_t> &modalities,
                    std::vector<BatchInput> &inputs) const {
  int64_t begin = documentStart(piece.document) + piece.inside;
  for (int64_t at = 0; at < piece.count; ++at)
    modalities[piece.position + at] = modality ? modality[begin + at] : 0;
  for (size_t at = 0; at < columns.size(); ++at)
    if (columns[at].count == MOMRT_COUNT_TOKEN)
      copyTokens(columns[at], piece, inputs[at]);
    else
      copyDocument(columns[at], piece, inputs[at]);
}

} // namespace momrt
