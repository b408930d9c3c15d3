// The progress of a run on stderr: a bar on a terminal, else a line now and then.
#pragma once

#include "runtime/Measures.h"
#include <chrono>

namespace momrt {

enum class ProgressMode { Automatic, Bar, Lines, Silent };

class Progress {
public:
  Progress(ProgressMode mode, int64_t firstStep, int64_t steps);
  ~Progress();

  void show(int64_t step, const std::vector<Measure> &measures,
            const std::vector<std::string> &modalities, double tokensPerSecond);
  /// A line of its own, above the bar.
  void say(const std::string &text);

private:
  using Clock = std::chrono::steady_clock;
  void clear();

  ProgressMode mode;
  const int64_t first, steps;
  const Clock::time_point start = Clock::now();
  Clock::time_point shown;
  bool any = false, barOnScreen = false;
};

/// "  lm 4.157  bits text 7.1 image 6.9": losses, and metrics by their groups, which have the
/// modalities' names if there is one a modality. Groups with no row are left out.
std::string measuresText(const std::vector<Measure> &measures,
                         const std::vector<std::string> &modalities);

/// "2:05" or "1:02:05"
std::string durationText(double seconds);

} // namespace momrt
