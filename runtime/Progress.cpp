#include "runtime/Progress.h"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fmt/format.h>
#include <unistd.h>

namespace momrt {

std::string durationText(double seconds) {
  int64_t whole = std::llround(std::clamp(seconds, 0.0, 1e9));
  if (whole >= 3600)
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

Progress::Progress(ProgressMode wanted, int64_t first, int64_t steps)
    : mode(wanted), first(first), steps(steps) {
  if (mode == ProgressMode::Automatic)
    mode = isatty(2) ? ProgressMode::Bar : ProgressMode::Lines;
}

Progress::~Progress() {
  if (barOnScreen)
    std::fputc('\n', stderr);
}

void Progress::clear() {
  if (barOnScreen)
    std::fputs("\r\033[K", stderr);
  barOnScreen = false;
}

void Progress::say(const std::string &text) {
  if (mode == ProgressMode::Silent)
    return;
  clear();
  fmt::print(stderr, "{}\n", text);
}

static std::string barText(double done) {
  constexpr int width = 20;
  int full = int(std::clamp(done, 0.0, 1.0) * width);
  return std::string(full, '#') + std::string(width - full, '.');
}

std::string measuresText(const std::vector<Measure> &measures,
                         const std::vector<std::string> &modalities) {
  std::string text;
  for (const Measure &measure : measures) {
    if (measure.loss) {
      text += fmt::format("  {} {:.4g}", measure.name, measure.value);
      continue;
    }
    std::string means;
    for (size_t group = 0; group < measure.sums.size(); ++group) {
      if (measure.counts[group] == 0)
        continue;
      if (measure.sums.size() > 1) // else the metric has no groups
        means += " " + groupName(group, measure.sums.size(), modalities);
      means += fmt::format(" {:.3g}", measure.mean(group));
    }
    text += fmt::format("  {}{}", measure.name, means.empty() ? " none" : means);
  }
  return text;
}

void Progress::show(int64_t step, const std::vector<Measure> &measures,
                    const std::vector<std::string> &modalities, double tokensPerSecond) {
  if (mode == ProgressMode::Silent)
    return;
  Clock::time_point now = Clock::now();
  auto pause = mode == ProgressMode::Bar ? std::chrono::milliseconds(1000)
                                         : std::chrono::milliseconds(10000);
  if (any && now - shown < pause && step < steps)
    return;
  any = true;
  shown = now;
  std::string text = fmt::format("{:{}}/{}", step, fmt::formatted_size("{}", steps), steps);
  text += measuresText(measures, modalities);
  double passed = std::chrono::duration<double>(now - start).count();
  double left = passed / double(std::max<int64_t>(step - first, 1)) * double(steps - step);
  text += fmt::format("  {:.0f} tokens/s  {} left", tokensPerSecond, durationText(left));
  if (mode == ProgressMode::Lines) {
    fmt::print(stderr, "{}\n", text);
    return;
  }
  clear();
  fmt::print(stderr, "[{}] {}", barText(double(step) / double(steps)), text);
  std::fflush(stderr);
  barOnScreen = true;
}

} // namespace momrt
