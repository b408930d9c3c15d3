#include "TinyModel.h"

namespace tiny {

momrt::Batch batchOf(int64_t tokens, int64_t first) {
  std::vector<int32_t> id, modality;
  for (int64_t at = 0; at < tokens; ++at)
    id.push_back(int32_t((at * 5 + first) % kVocabulary));
  for (int32_t value : id)
    modality.push_back(value & 1);
  momrt::Batch batch({1, 0, 1, {{0, tokens, -1, -1}}, modality}, kModalities);
  auto *bytes = reinterpret_cast<const uint8_t *>(id.data());
  batch.inputs = {{"id", MOMRT_I32, tokens, 1, {bytes, bytes + id.size() * 4}}};
  return batch;
}

} // namespace tiny
