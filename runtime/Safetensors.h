// The safetensors format: a JSON header with names, types, shapes and offsets,
// then the tensors' bytes. https://huggingface.co/docs/safetensors
#pragma once

#include "momrt/table.h"
#include "runtime/Files.h"
#include <map>
#include <string>
#include <vector>

namespace momrt {

struct StoredTensor {
  std::string name;
  uint32_t type;
  std::vector<int64_t> shape;
  const uint8_t *data; ///< perhaps unaligned: the format promises nothing
  int64_t bytes;

  int64_t elements() const;
};

class SafetensorsReader {
public:
  /// Maps the file and checks all of its header; throws for whatever is wrong.
  explicit SafetensorsReader(const std::string &path);

  const std::string path;
  const std::map<std::string, std::string> &metadata() const { return texts; }
  /// The text of a key, or `otherwise`.
  std::string text(const std::string &key, const std::string &otherwise = "") const;
  /// In the order of the file.
  const std::vector<StoredTensor> &tensors() const { return list; }
  const StoredTensor *find(const std::string &name) const;
  /// Throws if there is none.
  const StoredTensor &get(const std::string &name) const;

private:
  void readHeader();
  void checkLayout(int64_t dataBytes) const;

  MappedFile file;
  std::map<std::string, std::string> texts;
  std::vector<StoredTensor> list;
  std::map<std::string, size_t> index;
};

/// Converts a floating-point tensor to f32; throws for other types.
void toFloats(const StoredTensor &tensor, float *values);

class SafetensorsWriter {
public:
  void setText(const std::string &key, const std::string &text) { texts[key] = text; }
  /// `data` must live until write().
  void add(const std::string &name, uint32_t type, std::vector<int64_t> shape, const void *data);
  /// Writes the whole file, or throws and leaves what was there.
  void write(const std::string &path) const;

private:
  std::map<std::string, std::string> texts;
  std::vector<StoredTensor> list;
};

} // namespace momrt
