// Token files: safetensors with `modality` U8 [T], `document` I64 [documents +
// 1] (offsets into T) and one tensor for each input of the model, such as `id`,
// that is not drawn at random: [T] or [T, channels], [documents, ..] for one a
// document, [tokens of the modality, ..] or [T, ..] for one of a modality.
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
  /// Tokens of one document, on their way to positions of a batch. Seed and epoch say
  /// what is drawn for them.
  struct Piece {
    int64_t document, inside, count, position;
    uint64_t seed;
    int64_t epoch;
  };
  /// Copies a piece: its tokens to their positions, and what belongs to the document as
  /// one more row.
  void copy(const Piece &piece, std::vector<int32_t> &modality,
            std::vector<BatchInput> &inputs) const;

private:
  struct Column {
    std::string name;
    const StoredTensor *source; ///< null: drawn
    uint32_t type;
    int64_t channels;
    uint32_t count, draw, only; ///< as those of momrt_input
    std::vector<int64_t> before; ///< [documents + 1] stored rows, where only a modality has them
  };
  void copyRows(const Column &column, int64_t first, int64_t count, uint8_t *to) const;
  void checkFinite(const Column &column, int64_t first, int64_t count, const uint8_t *rows) const;
  template <typename T>
  void copyIndices(const Column &column, int64_t first, int64_t count, uint8_t *to) const;
  void drawRows(const Column &column, const Piece &piece, int64_t first, int64_t count,
                uint8_t *to) const;
  void copyTokens(const Column &column, const Piece &piece, BatchInput &input) const;
  void copyDocument(const Column &column, const Piece &piece, BatchInput &input) const;
  void checkDocuments();
  void checkModalities(const Table &table);
  void addColumn(const Table &table, const momrt_input &input);
  std::vector<int64_t> rowsBefore(int32_t modality) const;

  SafetensorsReader file;
  const StoredTensor *document = nullptr;
  const uint8_t *modality = nullptr; // [tokens], null for a model without modalities
  int64_t tokenCount = 0, documentCount = 0, groupCount = 1;
  std::vector<Column> columns;
};

} // namespace momrt
