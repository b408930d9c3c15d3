// Times entries on random batches: what `momc bench` and `momc profile` print.
// Nothing here throws: an error is a text, empty if there was none.
#pragma once

#include "runtime/Session.h"

namespace momrt {

struct TimingOptions {
  std::vector<std::string> entries;
  std::string checkpoint;          ///< parameters; empty: initial ones
  uint64_t seed = 1;
  int64_t streams = 0, length = 0; ///< 0: as the model says
  bool wholeStreams = false;       ///< a stream is one document, not several uneven ones
  int warmUp = 3, repeats = 20;
};

struct EntryTiming {
  std::string entry;
  std::vector<double> runs;     ///< milliseconds of whole runs, ascending
  std::vector<double> launches; ///< [ops of the entry] milliseconds: the median of a run, with
                                ///< all rounds of a repetition
  int64_t numbers = 0;          ///< of its outputs, all finite
  bool repeated = false;        ///< the first batch gave the same bits again at the end

  double median() const { return runs.empty() ? 0 : runs[runs.size() / 2]; }
};

struct Timings {
  std::string device;
  Counts counts{};  ///< of a batch
  int batches = 0;  ///< different ones, in turn
  std::vector<EntryTiming> entries;
};

/// Runs each entry `warmUp` times and then `repeats` times whole and again launch
/// by launch, on batches of random tokens, none of them zero, that follow one
/// another so that inputs do not stay in a cache. A value that is not finite is an
/// error.
std::string timeEntries(const momrt_program *program, const SessionOptions &session,
                        const TimingOptions &options, Timings &timings) noexcept;

} // namespace momrt
