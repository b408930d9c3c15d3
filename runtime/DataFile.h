// Token files: safetensors with `modality` U8 [T], `document` I64 [documents +
// 1] (offsets into T) and one tensor [T] or [T, channels] for each input of
// the model, such as `id`.
#pragma once

#include "runtime/Batch.h"
#include "runtime/Safetensors.h"
#include "runtime/Table.h"

namespace momrt {

class DataFile {
public:
  /// Opens a file and checks it against what the entry reads.
  DataFile(const std::string &path, const Table &table, const momrt_entry &entry);

  const std::string &path() const { return file.path; }
  int64_t tokens() const { return tokenCount; }
  int64_t documents() const { return documentCount; }
  /// Modalities of the model; a batch is planned for as many.
  int64_t groups() const { return groupCount; }
  int64_t documentStart(int64_t document) const;
  int64_t documentLength(int64_t document) const {
    return documentStart(document + 1) - documentStart(document);
  }

  /// Empty inputs of the entry for a batch of so many tokens.
  std::vector<BatchInput> makeInputs(int64_t tokens) const;
  /// Copies tokens begin .. begin + count to positions from `to` on.
  void copy(int64_t begin, int64_t count, int64_t to, std::vector<int32_t> &modality,
            std::vector<BatchInput> &inputs) const;

private:
  struct Column {
    std::string name;
    const StoredTensor *source;
    uint32_t type;
    int64_t channels;
  };
  void checkDocuments();
  void checkModalities(const Table &table);
  void addColumn(const Table &table, const momrt_input &input);

  SafetensorsReader file;
  const StoredTensor *document = nullptr;
  const uint8_t *modality = nullptr; // [tokens], null for a model without modalities
  int64_t tokenCount = 0, documentCount = 0, groupCount = 1;
  std::vector<Column> columns;
};

} // namespace momrt
