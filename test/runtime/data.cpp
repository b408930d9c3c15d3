// Token files and how documents are packed into batches.
#include "Check.h"
#include "TinyModel.h"
#include "runtime/BatchReader.h"
#include <algorithm>
#include <cstring>
#include <fmt/ranges.h>
#include <set>

using namespace momrt;
using Longs = std::vector<int64_t>;

static std::vector<int32_t> idsOf(const Batch &batch) {
  const BatchInput &input = batch.inputs.at(0);
  std::vector<int32_t> ids(input.bytes.size() / 4);
  std::memcpy(ids.data(), input.bytes.data(), input.bytes.size());
  return ids;
}

static Longs segmentsOf(const Batch &batch) {
  Longs flat;
  for (const momrt_segment &segment : batch.description.segments) {
    flat.push_back(segment.start);
    flat.push_back(segment.length);
  }
  return flat;
}

static void evaluationOrder(const DataFile &data) {
  // Documents of 5, 3, 0 and 9 tokens in 2 streams of 4.
  Packer packer(data, {2, 4, 0, false});
  Batch first = *packer.next();
  CHECK_EQ(segmentsOf(first), (Longs{0, 4, 4, 1, 5, 3})); // the first document is cut
  CHECK((first.counts() == Counts{1, 8, 2, 3, 3}));
  CHECK_EQ(idsOf(first), (std::vector<int32_t>{0, 7, 14, 21, 4, 11, 18, 1}));
  CHECK_EQ(first.description.modality, (std::vector<int32_t>{0, 1, 0, 1, 0, 1, 0, 1}));
  Batch second = *packer.next();
  CHECK_EQ(segmentsOf(second), (Longs{0, 4, 4, 4}));
  Batch last = *packer.next(); // what is left
  CHECK((last.counts() == Counts{1, 1, 1, 1, 1}));
  CHECK(!packer.next());
}

static void trainingOrder(const DataFile &data) {
  Packing packing{2, 4, 11, true};
  Packer packer(data, packing), again(data, packing);
  std::vector<int32_t> stream;
  std::vector<ReaderPosition> positions;
  std::vector<std::vector<int32_t>> batches;
  for (int round = 0; round < 40; ++round) {
    positions.push_back(packer.position());
    Batch batch = *packer.next();
    CHECK_EQ(batch.tokens(), 8);
    batches.push_back(idsOf(batch));
    stream.insert(stream.end(), batches.back().begin(), batches.back().end());
    CHECK_EQ(idsOf(*again.next()), batches.back());
  }
  // Each epoch has every token once; 17 tokens an epoch.
  std::set<std::vector<int32_t>> epochs;
  std::vector<int32_t> all;
  for (int64_t at = 0; at < 17; ++at)
    all.push_back(int32_t(at * 7 % tiny::kVocabulary));
  std::sort(all.begin(), all.end());
  for (size_t at = 0; at + 17 <= stream.size(); at += 17) {
    std::vector<int32_t> epoch(stream.begin() + long(at), stream.begin() + long(at) + 17);
    epochs.insert(epoch);
    std::sort(epoch.begin(), epoch.end());
    CHECK_EQ(epoch, all);
  }
  CHECK(epochs.size() > 2); // in orders of their own
  // From every position the same batch follows, on the reader's thread too.
  for (size_t at = 0; at < positions.size(); ++at) {
    Packer resumed(data, packing, positions[at]);
    CHECK_EQ(idsOf(*resumed.next()), batches[at]);
  }
  BatchReader reader(data, packing, positions[5]);
  for (size_t at = 5; at + 1 < positions.size(); ++at) {
    auto [batch, after] = *reader.next();
    CHECK_EQ(idsOf(batch), batches[at]);
    CHECK(after == positions[at + 1]);
  }
  Packer other(data, {2, 4, 12, true});
  std::vector<int32_t> different;
  for (int round = 0; round < 3; ++round)
    for (int32_t id : idsOf(*other.next()))
      different.push_back(id);
  CHECK(!std::equal(different.begin(), different.end(), stream.begin()));
}

static void badFiles(const TemporaryFolder &folder, const Table &table) {
  std::string path = folder / "bad";
  const momrt_entry &entry = table.entry("loss");
  Longs document{0, 2};
  std::vector<uint16_t> id{1, 2};
  std::vector<uint8_t> modality{0, 1};
  auto write = [&](auto change) {
    SafetensorsWriter file;
    file.setText("format", "momc tokens");
    file.setText("modalities", "text,image");
    file.setText("vocabulary", "24");
    change(file);
    file.write(path);
  };
  auto usual = [&](SafetensorsWriter &file) {
    file.add("modality", MOMRT_U8, {2}, modality.data());
    file.add("document", MOMRT_I64, {int64_t(document.size())}, document.data());
  };
  auto fails = [&](const char *part, auto change) {
    write([&](SafetensorsWriter &file) {
      usual(file);
      change(file);
    });
    CHECK_FAILS(part, DataFile(path, table, entry));
  };
  auto withIds = [&](SafetensorsWriter &file) { file.add("id", MOMRT_U16, {2}, id.data()); };
  fails("has no tensor 'id'", [](auto &) {});
  fails("but model 'tiny' knows ids below 24", [&](auto &file) {
    withIds(file);
    file.setText("vocabulary", "1344");
  });
  fails("expected the modalities 'text,image' of model 'tiny', but", [&](auto &file) {
    withIds(file);
    file.setText("modalities", "image,text");
  });
  fails("is no token file", [&](auto &file) { file.setText("format", "pt"); });
  fails("to be 2 rows of 1 i32, but it is [1] u16",
        [&](auto &file) { file.add("id", MOMRT_U16, {1}, id.data()); });
  std::vector<float> floats{1, 2};
  fails("but it is [2] f32", [&](auto &file) { file.add("id", MOMRT_F32, {2}, floats.data()); });
  document = {0, 2, 1};
  fails("document 2 of", withIds);
  document = {1, 2};
  fails("document 0 of", withIds);
  document = {0};
  fails("has no tokens", withIds);
  document = {0, 3};
  fails("for 3 tokens but got u8 for 2", withIds);
  modality = {0, 2};
  document = {0, 2};
  write([&](SafetensorsWriter &file) {
    usual(file);
    withIds(file);
  });
  DataFile data(path, table, entry);
  BatchReader reader(data, {1, 2, 0, false});
  CHECK_FAILS("expected modalities below 2 but position 1 has 2", reader.next());
  modality = {0, 1};
  for (int64_t wrong : {INT64_C(-100), INT64_C(1) << 32}) {
    std::vector<int64_t> wide{3, wrong};
    write([&](SafetensorsWriter &file) {
      usual(file);
      file.add("id", MOMRT_I64, {2}, wide.data());
    });
    DataFile indices(path, table, entry);
    BatchReader batches(indices, {1, 2, 0, false});
    CHECK_FAILS("expected indices of at least 0 and of 32 bits in 'id' of", batches.next());
  }
}

int main() {
  TemporaryFolder folder;
  tiny::Model model;
  auto program = model.open();
  tiny::writeTokens(folder / "tokens", {5, 3, 0, 9});
  DataFile data(folder / "tokens", program->table, program->table.entry("loss"));
  CHECK_EQ(data.tokens(), 17);
  CHECK_EQ(data.documents(), 4);
  evaluationOrder(data);
  trainingOrder(data);
  badFiles(folder, program->table);
  CHECK_FAILS("cannot be made", Packer(data, {0, 4, 0, true}));
  CHECK_FAILS("outside", Packer(data, {1, 4, 0, true}, {0, 18}));
  return finish();
}
