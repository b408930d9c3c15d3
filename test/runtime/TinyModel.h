// A model with hand-written kernels, small enough to follow: the prediction of
// a token is embed[id] + the sum over 3 layers of layers.{}.shift[modality],
// and its loss the square of what it lacks to id mod 4.
#pragma once

#include "TableBuilder.h"
#include "runtime/Batch.h"
#include "runtime/Table.h"
#include <memory>

namespace tiny {

constexpr int64_t kVocabulary = 24, kModalities = 2, kLayers = 3;

/// Its table and program; `vocabulary` may differ from the usual. With a target
/// (90 is sm_90) it is a GPU program whose images are only names.
struct Model {
  explicit Model(int64_t vocabulary = kVocabulary, uint32_t target = 0);
  std::vector<uint64_t> words;
  momrt_program program;

  std::shared_ptr<const momrt::Program> open() const {
    return std::make_shared<momrt::Program>(&program);
  }
};

/// One document of so many tokens, whose ids go up by 5 from `first` on; modality = id mod 2.
momrt::Batch batchOf(int64_t tokens, int64_t first = 0);

/// Writes a token file of documents of the given lengths with ids below the
/// vocabulary; modality = id mod 2.
void writeTokens(const std::string &path, const std::vector<int64_t> &lengths,
                 int64_t vocabulary = kVocabulary);

} // namespace tiny
