#include "runtime/RunLog.h"
#include "runtime/Error.h"
#include "runtime/Files.h"
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace momrt {

/// A resumed run repeats the steps after its checkpoint, so their lines go.
/// The last line may be half written: a line that is no JSON goes as well.
static std::string linesUntil(const std::string &path, int64_t step) {
  std::string kept, line;
  std::ifstream file(path);
  while (step > 0 && std::getline(file, line)) {
    nlohmann::json entry = nlohmann::json::parse(line, nullptr, false);
    auto found = entry.is_object() ? entry.find("step") : entry.end();
    if (found != entry.end() && found->is_number_integer() && found->get<int64_t>() <= step)
      kept += line + "\n";
  }
  return kept;
}

RunLog::RunLog(const std::string &folder, int64_t keepUntil) : path(folder + "/log.jsonl") {
  std::string kept = linesUntil(path, keepUntil);
  FileWriter whole(path);
  whole.write(kept.data(), int64_t(kept.size()));
  whole.commit();
  file = std::fopen(path.c_str(), "ae");
  if (!file)
    fail(MOMRT_SYSTEM, "cannot write '{}': {}", path, systemError());
}

RunLog::~RunLog() { std::fclose(file); }

void RunLog::write(const std::string &line) {
  std::string text = line + "\n";
  if (std::fwrite(text.data(), 1, text.size(), file) != text.size() || std::fflush(file) != 0)
    fail(MOMRT_SYSTEM, "cannot write '{}': {}", path, systemError());
}

} // namespace momrt
