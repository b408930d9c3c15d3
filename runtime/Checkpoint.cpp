#include "runtime/Checkpoint.h"
#include "runtime/Error.h"
#include "runtime/Safetensors.h"
#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

namespace momrt {

static constexpr const char *kFormat = "momc checkpoint";
static constexpr const char *kMoments[] = {"moment1.", "moment2."};
static constexpr momrt_space kMomentSpaces[] = {MOMRT_SPACE_MOMENT1, MOMRT_SPACE_MOMENT2};

static void describeModel(const Table &table, SafetensorsWriter &file) {
  nlohmann::ordered_json settings = nlohmann::ordered_json::object();
  for (const momrt_setting &setting : table.settings())
    settings[table.string(setting.name)] = setting.value;
  file.setText("format", kFormat);
  file.setText("version", "1");
  file.setText("model", table.model());
  file.setText("digest", table.digest());
  file.setText("settings", settings.dump());
}

static void addTensors(const Parameters &parameters, const std::vector<float> &values,
                       const std::string &prefix, SafetensorsWriter &file) {
  for (const Parameter &parameter : parameters.all())
    file.add(prefix + parameter.name, MOMRT_F32, parameter.shape, values.data() + parameter.offset);
}

/// The first few differences of many.
static std::string listed(const std::vector<std::string> &differences) {
  size_t shown = std::min<size_t>(differences.size(), 4);
  std::string text =
      fmt::format("{}", fmt::join(differences.begin(), differences.begin() + long(shown), "; "));
  if (shown < differences.size())
    text += fmt::format("; and {} more", differences.size() - shown);
  return text;
}

/// A file from elsewhere has no settings: then names and shapes must do.
static void checkSettings(const Table &table, const SafetensorsReader &file) {
  if (!file.metadata().count("settings"))
    return;
  nlohmann::json settings = nlohmann::json::parse(file.text("settings"), nullptr, false);
  if (!settings.is_object())
    fail(MOMRT_BAD_FILE, "'{}' has damaged settings", file.path);
  std::vector<std::string> differences;
  for (const momrt_setting &setting : table.settings()) {
    const char *name = table.string(setting.name);
    auto found = settings.find(name);
    if (found == settings.end() || !found->is_number())
      differences.push_back(fmt::format("it has no {}, the model has {}", name, setting.value));
    else if (double value = found->get<double>(); value != setting.value)
      differences.push_back(
          fmt::format("it has {} = {}, the model {} = {}", name, value, name, setting.value));
    settings.erase(name);
  }
  for (auto &[name, value] : settings.items())
    differences.push_back(fmt::format("it has {} = {}, the model has none", name, value.dump()));
  if (!differences.empty())
    fail(MOMRT_BAD_FILE, "'{}' is of a model with other settings: {}", file.path,
         listed(differences));
}

static bool isMoment(const std::string &name) {
  return std::any_of(std::begin(kMoments), std::end(kMoments), [&](const char *prefix) {
    return name.compare(0, std::strlen(prefix), prefix) == 0;
  });
}

static void checkTensors(const Parameters &parameters, const SafetensorsReader &file,
                         const std::string &prefix) {
  std::vector<std::string> differences;
  for (const Parameter &parameter : parameters.all()) {
    const StoredTensor *tensor = file.find(prefix + parameter.name);
    if (!tensor)
      differences.push_back(fmt::format("it has no '{}{}'", prefix, parameter.name));
    else if (tensor->shape != parameter.shape)
      differences.push_back(fmt::format("its '{}{}' is {}, the model's {}", prefix, parameter.name,
                                        shapeText(tensor->shape), shapeText(parameter.shape)));
  }
  if (prefix.empty())
    for (const StoredTensor &tensor : file.tensors())
      if (!isMoment(tensor.name) && !parameters.find(tensor.name))
        differences.push_back(fmt::format("its '{}' is not in the model", tensor.name));
  if (!differences.empty())
    fail(MOMRT_BAD_FILE, "'{}' does not fit the model: {}", file.path, listed(differences));
}

static void readTensors(Session &session, const SafetensorsReader &file, momrt_space space,
                        const std::string &prefix) {
  std::vector<float> values(session.parameters().elements());
  for (const Parameter &parameter : session.parameters().all())
    toFloats(file.get(prefix + parameter.name), values.data() + parameter.offset);
  session.writeSpace(space, values);
}

void saveParameters(Session &session, const std::string &path) {
  SafetensorsWriter file;
  describeModel(session.table(), file);
  std::vector<float> values = session.readSpace(MOMRT_SPACE_PARAMETERS);
  addTensors(session.parameters(), values, "", file);
  file.write(path);
}

static void loadParameters(Session &session, const SafetensorsReader &file) {
  checkSettings(session.table(), file);
  checkTensors(session.parameters(), file, "");
  readTensors(session, file, MOMRT_SPACE_PARAMETERS, "");
}

void loadParameters(Session &session, const std::string &path) {
  loadParameters(session, SafetensorsReader(path));
}

/// Where a numbered checkpoint's number stands in its name.
static std::optional<int64_t> stepOf(const std::filesystem::path &path) {
  std::string name = path.filename().string(), prefix = "checkpoint-", suffix = ".safetensors";
  if (name.size() <= prefix.size() + suffix.size() || name.compare(0, prefix.size(), prefix) != 0 ||
      name.compare(name.size() - suffix.size(), suffix.size(), suffix) != 0)
    return std::nullopt;
  const char *begin = name.data() + prefix.size(), *end = name.data() + name.size() - suffix.size();
  int64_t step = 0;
  auto [last, error] = std::from_chars(begin, end, step);
  if (last != end || error != std::errc())
    return std::nullopt;
  return step;
}

/// A folder's checkpoints, the last step first.
static std::vector<std::pair<int64_t, std::string>> checkpointsIn(const std::string &folder) {
  std::vector<std::pair<int64_t, std::string>> found;
  std::error_code error;
  for (const auto &entry : std::filesystem::directory_iterator(folder, error))
    if (auto step = stepOf(entry.path()))
      found.emplace_back(*step, entry.path().string());
  std::sort(found.rbegin(), found.rend());
  return found;
}

std::string saveRun(Session &session, const RunState &state, const std::string &folder) {
  SafetensorsWriter file;
  describeModel(session.table(), file);
  file.setText("step", std::to_string(state.step));
  file.setText("tokens", std::to_string(state.tokens));
  file.setText("epoch", std::to_string(state.data.epoch));
  file.setText("offset", std::to_string(state.data.offset));
  file.setText("seed", std::to_string(state.seed));
  file.setText("seconds", fmt::format("{}", state.seconds));
  file.setText("data_tokens", std::to_string(state.dataTokens));
  file.setText("data_documents", std::to_string(state.dataDocuments));
  file.setText("streams", std::to_string(state.streams));
  file.setText("length", std::to_string(state.length));
  std::vector<float> values[3] = {session.readSpace(MOMRT_SPACE_PARAMETERS)};
  addTensors(session.parameters(), values[0], "", file);
  for (int moment = 0; moment < 2; ++moment) {
    values[moment + 1] = session.readSpace(kMomentSpaces[moment]);
    addTensors(session.parameters(), values[moment + 1], kMoments[moment], file);
  }
  std::string path = fmt::format("{}/checkpoint-{:08}.safetensors", folder, state.step);
  file.write(path);
  auto all = checkpointsIn(folder);
  for (size_t at = 2; at < all.size(); ++at) {
    std::error_code ignored; // one too many does no harm
    std::filesystem::remove(all[at].second, ignored);
  }
  return path;
}

template <typename T> static T readNumber(const SafetensorsReader &file, const char *key) {
  std::string text = file.text(key);
  T value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size())
    fail(MOMRT_BAD_FILE, "'{}' is no checkpoint of a run: its {} is '{}'", file.path, key, text);
  return value;
}

RunState loadRun(Session &session, const std::string &path) {
  SafetensorsReader file(path);
  RunState state;
  state.digest = file.text("digest");
  state.step = readNumber<int64_t>(file, "step");
  state.tokens = readNumber<int64_t>(file, "tokens");
  state.data.epoch = readNumber<int64_t>(file, "epoch");
  state.data.offset = readNumber<int64_t>(file, "offset");
  state.seed = readNumber<uint64_t>(file, "seed");
  state.seconds = readNumber<double>(file, "seconds");
  state.dataTokens = readNumber<int64_t>(file, "data_tokens");
  state.dataDocuments = readNumber<int64_t>(file, "data_documents");
  state.streams = readNumber<int64_t>(file, "streams");
  state.length = readNumber<int64_t>(file, "length");
  loadParameters(session, file);
  for (int moment = 0; moment < 2; ++moment) {
    checkTensors(session.parameters(), file, kMoments[moment]);
    readTensors(session, file, kMomentSpaces[moment], kMoments[moment]);
  }
  return state;
}

std::optional<std::string> latestCheckpoint(const std::string &folder,
                                            std::vector<std::string> &notes) {
  for (auto &[step, path] : checkpointsIn(folder)) {
    try {
      SafetensorsReader reader(path);
      return path;
    } catch (const Error &error) {
      notes.push_back(fmt::format("passed over a damaged checkpoint: {}", error.what()));
    }
  }
  return std::nullopt;
}

} // namespace momrt
