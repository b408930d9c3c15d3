// Checkpoints: everything comes back, the last two stay, damaged ones are
// passed over, and those of another model are refused.
#include "runtime/Checkpoint.h"
#include "Check.h"
#include "TinyModel.h"
#include "runtime/Safetensors.h"
#include <filesystem>

using namespace momrt;

static void roundTrip(const TemporaryFolder &folder) {
  tiny::Model model;
  Session session(model.open());
  session.initialise(5);
  std::vector<float> values[3] = {session.readSpace(MOMRT_SPACE_PARAMETERS)};
  for (int moment = 1; moment < 3; ++moment)
    for (float value : values[0])
      values[moment].push_back(value * float(moment) + 1);
  for (int moment : {1, 2})
    for (size_t padding = 24; padding < 48; ++padding)
      if (padding < 32 || padding >= 38)
        values[moment][padding] = 0;
  session.writeSpace(MOMRT_SPACE_MOMENT1, values[1]);
  session.writeSpace(MOMRT_SPACE_MOMENT2, values[2]);
  RunState state{7, 7000, {3, 41}, UINT64_MAX, 1.25e-3, "", 17, 4, 2, 16};
  std::string path = saveRun(session, state, folder.path);
  CHECK_EQ(path, folder / "checkpoint-00000007.safetensors");
  SafetensorsReader file(path);
  CHECK(file.find("layers.2.shift") && file.find("moment2.layers.0.shift"));
  CHECK_EQ(file.text("settings"), "{\"V\":24.0,\"split\":1.0}");

  Session other(model.open());
  RunState loaded = loadRun(other, path);
  CHECK(loaded.step == 7 && loaded.tokens == 7000 && loaded.data == (ReaderPosition{3, 41}));
  CHECK(loaded.seed == UINT64_MAX && loaded.seconds == 1.25e-3 && loaded.digest == "0123abcd");
  CHECK(loaded.dataTokens == 17 && loaded.dataDocuments == 4);
  CHECK(other.readSpace(MOMRT_SPACE_PARAMETERS) == values[0]);
  CHECK(other.readSpace(MOMRT_SPACE_MOMENT1) == values[1]);
  CHECK(other.readSpace(MOMRT_SPACE_MOMENT2) == values[2]);

  saveParameters(session, folder / "export");
  Session third(model.open());
  loadParameters(third, folder / "export");
  CHECK(third.readSpace(MOMRT_SPACE_PARAMETERS) == values[0]);
  CHECK_FAILS("is no checkpoint of a run: its step is ''", loadRun(third, folder / "export"));
}

static void otherModels(const TemporaryFolder &folder) {
  tiny::Model model, larger(25);
  Session session(model.open());
  session.initialise(5);
  saveParameters(session, folder / "export");
  Session other(larger.open());
  CHECK_FAILS("is of a model with other settings: it has V = 24, the model V = 25",
              loadParameters(other, folder / "export"));
  std::vector<float> zeros(25);
  SafetensorsWriter file; // from elsewhere: no settings
  file.add("embed.weight", MOMRT_F32, {1, 24}, zeros.data());
  file.add("layers.0.shift", MOMRT_F32, {2}, zeros.data());
  file.add("head", MOMRT_F32, {2}, zeros.data());
  file.write(folder / "foreign");
  CHECK_FAILS("its 'embed.weight' is [1, 24], the model's [24]; it has no 'layers.1.shift'; it has "
              "no 'layers.2.shift'; its 'head' is not in the model",
              loadParameters(session, folder / "foreign"));
}

static void lastTwo(const TemporaryFolder &folder) {
  tiny::Model model;
  Session session(model.open());
  session.initialise(5);
  makeFolder(folder / "run");
  std::vector<std::string> notes;
  CHECK(!latestCheckpoint(folder / "run", notes));
  CHECK(!latestCheckpoint(folder / "absent", notes));
  for (int64_t step : {9, 100, 20, 123456789})
    saveRun(session, {step, 0, {}, 0, 0, "", 0, 0, 0, 0}, folder / "run");
  size_t count = 0;
  for (auto &entry : std::filesystem::directory_iterator(folder / "run"))
    count += entry.is_regular_file();
  CHECK_EQ(count, 2u);
  std::string last = (folder / "run") + "/checkpoint-123456789.safetensors";
  CHECK_EQ(latestCheckpoint(folder / "run", notes).value_or(""), last);
  CHECK(notes.empty());
  std::filesystem::resize_file(last, std::filesystem::file_size(last) - 1);
  CHECK_EQ(latestCheckpoint(folder / "run", notes).value_or(""),
           (folder / "run") + "/checkpoint-00000100.safetensors");
  CHECK_EQ(notes.size(), 1u);
}

int main() {
  TemporaryFolder folder;
  roundTrip(folder);
  otherModels(folder);
  lastTwo(folder);
  return finish();
}
