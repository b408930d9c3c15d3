// FOLDER/log.jsonl: one line of JSON a step or evaluation, flushed at once, so
// that it can be watched and plotted while the run goes on.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

namespace momrt {

class RunLog {
public:
  /// Keeps the lines up to a step (0: none) and appends after them.
  RunLog(const std::string &folder, int64_t keepUntil);
  ~RunLog();
  RunLog(const RunLog &) = delete;
  RunLog &operator=(const RunLog &) = delete;

  void write(const std::string &line);

private:
  std::string path;
  std::FILE *file;
};

} // namespace momrt
