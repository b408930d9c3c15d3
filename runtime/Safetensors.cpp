#include "runtime/Safetensors.h"
#include "runtime/Convert.h"
#include "runtime/Error.h"
#include "runtime/Table.h"
#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

namespace momrt {

using Json = nlohmann::ordered_json;

static constexpr const char *kTypes[] = {"F32", "BF16", "F16", "I32", "I64", "U8", "U16", "F64"};
/// As large as the format's own reader allows.
static constexpr uint64_t kLongestHeader = 100'000'000;

int64_t StoredTensor::elements() const {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

/// Parses the header's JSON; a name that occurs twice is an error, too.
static Json parseHeader(const std::string &path, const char *begin, const char *end) {
  std::set<std::string> names;
  auto watch = [&](int depth, Json::parse_event_t event, Json &value) {
    if (event == Json::parse_event_t::key && depth == 1 &&
        !names.insert(value.get<std::string>()).second)
      fail(MOMRT_BAD_FILE, "'{}' has two tensors called '{}'", path, value.get<std::string>());
    return true;
  };
  Json header;
  try {
    header = Json::parse(begin, end, watch);
  } catch (const nlohmann::json::exception &error) {
    fail(MOMRT_BAD_FILE, "'{}' has a damaged header: {}", path, error.what());
  }
  if (!header.is_object())
    fail(MOMRT_BAD_FILE, "'{}' has a damaged header: expected an object of tensors", path);
  return header;
}

static int64_t readSize(const Json &value, const std::string &path, const std::string &name) {
  if (!value.is_number_unsigned() || value.get<uint64_t>() > uint64_t(INT64_MAX))
    fail(MOMRT_BAD_FILE, "tensor '{}' of '{}' has {} where a size or an offset belongs", name, path,
         value.dump());
  return int64_t(value.get<uint64_t>());
}

static StoredTensor readTensor(const std::string &path, const std::string &name, const Json &entry,
                               const uint8_t *data, int64_t dataBytes) {
  auto type = entry.is_object() ? entry.find("dtype") : entry.end();
  auto shape = entry.is_object() ? entry.find("shape") : entry.end();
  auto offsets = entry.is_object() ? entry.find("data_offsets") : entry.end();
  if (type == entry.end() || shape == entry.end() || offsets == entry.end() || !type->is_string() ||
      !shape->is_array() || !offsets->is_array() || offsets->size() != 2)
    fail(MOMRT_BAD_FILE, "tensor '{}' of '{}' lacks a dtype, a shape or two data_offsets", name,
         path);
  StoredTensor tensor{name, 0, {}, nullptr, 0};
  std::string typeText = type->get<std::string>();
  auto known = std::find(std::begin(kTypes), std::end(kTypes), typeText);
  if (known == std::end(kTypes))
    fail(MOMRT_BAD_FILE, "tensor '{}' of '{}' has the type {}, which is not read here", name, path,
         typeText);
  tensor.type = uint32_t(known - kTypes);
  int64_t bytes = typeBytes(tensor.type);
  for (const Json &size : *shape) {
    tensor.shape.push_back(readSize(size, path, name));
    if (__builtin_mul_overflow(bytes, tensor.shape.back(), &bytes))
      fail(MOMRT_BAD_FILE, "the shape {} of tensor '{}' of '{}' is too large", shape->dump(), name,
           path);
  }
  int64_t begin = readSize((*offsets)[0], path, name), end = readSize((*offsets)[1], path, name);
  if (begin > end)
    fail(MOMRT_BAD_FILE, "tensor '{}' of '{}' ends at {}, before its start at {}", name, path, end,
         begin);
  if (end > dataBytes)
    fail(MOMRT_BAD_FILE,
         "tensor '{}' of '{}' ends at byte {}, but the file has {} bytes of data: "
         "it is cut off",
         name, path, end, dataBytes);
  if (end - begin != bytes)
    fail(MOMRT_BAD_FILE, "tensor '{}' of '{}' has {} bytes, but its shape {} of {} takes {}", name,
         path, end - begin, shape->dump(), typeText, bytes);
  tensor.data = data + begin;
  tensor.bytes = bytes;
  return tensor;
}

SafetensorsReader::SafetensorsReader(const std::string &name) : path(name), file(name) {
  readHeader();
}

void SafetensorsReader::readHeader() {
  uint64_t length = 0;
  if (file.bytes() < 8)
    fail(MOMRT_BAD_FILE, "'{}' has {} bytes: too few for a safetensors file", path, file.bytes());
  std::memcpy(&length, file.data(), 8);
  if (length > kLongestHeader || length > uint64_t(file.bytes() - 8))
    fail(MOMRT_BAD_FILE, "'{}' is no safetensors file, or cut off: its header takes {} bytes of {}",
         path, length, file.bytes() - 8);
  auto *text = reinterpret_cast<const char *>(file.data()) + 8;
  const uint8_t *data = file.data() + 8 + length;
  int64_t dataBytes = file.bytes() - 8 - int64_t(length);
  Json header = parseHeader(path, text, text + length);
  for (auto &[name, entry] : header.items()) {
    if (name == "__metadata__") {
      if (!entry.is_object())
        fail(MOMRT_BAD_FILE, "'{}' has a damaged header: its metadata is no object", path);
      for (auto &[key, value] : entry.items()) {
        if (!value.is_string())
          fail(MOMRT_BAD_FILE, "'{}' has a damaged header: metadata '{}' is no text", path, key);
        texts[key] = value.get<std::string>();
      }
      continue;
    }
    index.emplace(name, list.size());
    list.push_back(readTensor(path, name, entry, data, dataBytes));
  }
  checkLayout(dataBytes);
}

/// Tensors fill the data without gaps and without overlap.
void SafetensorsReader::checkLayout(int64_t dataBytes) const {
  std::vector<const StoredTensor *> order;
  for (const StoredTensor &tensor : list)
    order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](auto *a, auto *b) {
    return a->data != b->data ? a->data < b->data : a->bytes < b->bytes;
  });
  int64_t end = 0;
  const uint8_t *data = file.data() + file.bytes() - dataBytes;
  for (const StoredTensor *tensor : order) {
    int64_t begin = tensor->data - data;
    if (begin != end)
      fail(MOMRT_BAD_FILE, "tensor '{}' of '{}' starts at byte {}, but the one before ends at {}",
           tensor->name, path, begin, end);
    end = begin + tensor->bytes;
  }
  if (end != dataBytes)
    fail(MOMRT_BAD_FILE, "the tensors of '{}' end at byte {}, but it has {} bytes of data", path,
         end, dataBytes);
}

std::string SafetensorsReader::text(const std::string &key, const std::string &otherwise) const {
  auto found = texts.find(key);
  return found == texts.end() ? otherwise : found->second;
}

const StoredTensor *SafetensorsReader::find(const std::string &name) const {
  auto found = index.find(name);
  return found == index.end() ? nullptr : &list[found->second];
}

const StoredTensor &SafetensorsReader::get(const std::string &name) const {
  if (const StoredTensor *tensor = find(name))
    return *tensor;
  fail(MOMRT_BAD_FILE, "'{}' has no tensor '{}'", path, name);
}

void toFloats(const StoredTensor &tensor, float *values) {
  if (!isFloatType(tensor.type))
    fail(MOMRT_BAD_FILE, "expected tensor '{}' to hold floating-point numbers but got {}",
         tensor.name, typeName(tensor.type));
  toFloats(tensor.type, tensor.data, tensor.elements(), values);
}

void SafetensorsWriter::add(const std::string &name, uint32_t type, std::vector<int64_t> shape,
                            const void *data) {
  StoredTensor tensor{name, type, std::move(shape), static_cast<const uint8_t *>(data), 0};
  tensor.bytes = tensor.elements() * typeBytes(type);
  list.push_back(std::move(tensor));
}

void SafetensorsWriter::write(const std::string &path) const {
  // Widest elements first: after a header of whole 8 bytes every tensor is
  // aligned to its elements, and a reader may map the file.
  std::vector<const StoredTensor *> order;
  for (const StoredTensor &tensor : list)
    order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](auto *a, auto *b) {
    int64_t first = typeBytes(a->type), second = typeBytes(b->type);
    return first != second ? first > second : a < b; // else as they were added
  });
  Json header = Json::object();
  if (!texts.empty())
    header["__metadata__"] = texts;
  int64_t at = 0;
  for (const StoredTensor *tensor : order) {
    header[tensor->name] = {{"dtype", kTypes[tensor->type]},
                            {"shape", tensor->shape},
                            {"data_offsets", {at, at + tensor->bytes}}};
    at += tensor->bytes;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  uint64_t length = text.size();
  FileWriter file(path);
  file.write(&length, 8);
  file.write(text.data(), int64_t(text.size()));
  for (const StoredTensor *tensor : order)
    file.write(tensor->data, tensor->bytes);
  file.commit();
}

} // namespace momrt
