#include "TinyModel.h"
#include "runtime/Safetensors.h"

namespace tiny {

void writeTokens(const std::string &path, const std::vector<int64_t> &lengths, int64_t vocabulary) {
  std::vector<int64_t> offsets{0};
  for (int64_t length : lengths)
    offsets.push_back(offsets.back() + length);
  std::vector<uint16_t> id;
  std::vector<uint8_t> modality;
  for (int64_t at = 0; at < offsets.back(); ++at) {
    id.push_back(uint16_t(at * 7 % vocabulary));
    modality.push_back(id.back() % 2);
  }
  momrt::SafetensorsWriter file;
  file.setText("format", "momc tokens");
  file.setText("modalities", "text,image");
  file.setText("vocabulary", std::to_string(vocabulary));
  file.add("id", MOMRT_U16, {offsets.back()}, id.data());
  file.add("modality", MOMRT_U8, {offsets.back()}, modality.data());
  file.add("document", MOMRT_I64, {int64_t(offsets.size())}, offsets.data());
  file.write(path);
}

} // namespace tiny
