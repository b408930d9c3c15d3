// The suite's runner: programs compiled ahead of time, run on the device that
// they are for, beside results that were computed where the compiler is.
#pragma once

#include "momrt/table.h"
#include <functional>
#include <string>
#include <vector>

namespace suite {

/// A program of the bundle. `file` is that of the op programs, "model" or "large".
struct Program {
  const char *file, *function, *storage;
  const momrt_program *program;
};
extern const Program programs[]; ///< check.sh writes them: a line for each object file
extern const size_t programCount;

struct Options {
  std::string folder = ".";             ///< with the folder `cases`
  std::string select;                   ///< names that contain it; a list, by commas
  std::vector<std::string> parts;       ///< ops, models, large; empty: all
  std::vector<std::string> sizes;       ///< of ops; empty: all
  int jobs = 4;                         ///< processes; 0: this one does all
  int seconds = 300;                    ///< that a check may take
  int64_t largeRows = 1'100'000;        ///< 2048 channels of them pass 2^31
};

/// What a check came to: whether it holds, and the line's last words.
struct Outcome {
  bool good;
  std::string text;
};

/// One line of the report.
struct Check {
  std::string name, size, storage;
  std::function<Outcome()> run; ///< may throw
};

/// Checks that share what is costly to make; they run in order, in one process.
struct Task {
  std::string part;
  std::function<std::vector<Check>()> checks; ///< called in the process that runs them
};

void addOps(const Options &options, std::vector<Task> &tasks);
void addModels(const Options &options, std::vector<Task> &tasks);
void addLarge(const Options &options, std::vector<Task> &tasks);

bool isSelected(const Options &options, const Program &program);

/// Runs all, prints a line for each check and a summary; the exit status.
int runTasks(const Options &options, const std::vector<Task> &tasks);

} // namespace suite
