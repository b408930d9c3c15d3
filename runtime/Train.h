// Training and evaluation of a model over token files.
#pragma once

#include "runtime/BatchReader.h"
#include "runtime/Measures.h"
#include "runtime/Progress.h"

namespace momrt {

/// What a step of training came to.
struct StepReport {
  int64_t step, steps, tokens; ///< tokens: of the run so far
  std::vector<Measure> measures;
  double rate, gradientNorm, tokensPerSecond, seconds;
};

struct TrainOptions {
  std::string data;                ///< token file
  std::string validation;          ///< held-out token file, or empty
  std::string folder = "run";      ///< of checkpoints and log.jsonl
  std::string start;               ///< file of initial parameters, or empty
  int64_t steps = 0;               ///< of the whole run, resumed parts included
  int64_t saveEvery = 500;         ///< steps; 0: at the end only
  int64_t evaluateEvery = 0;       ///< steps; 0: never
  int64_t streams = 0, length = 0; ///< 0: as the model says
  uint64_t seed = 0;
  bool resume = false; ///< from the folder's last checkpoint, if it has one
  int ahead = 3;       ///< steps queued on the device while an earlier one's losses are awaited
  ProgressMode progress = ProgressMode::Automatic;
  /// Whether SIGINT and SIGTERM end the run after its step. Else they are the host's.
  bool catchSignals = false;
  /// Called after each step; false ends the run as a signal does, after the
  /// steps that are queued already. Must not throw.
  std::function<bool(const StepReport &)> onStep;
};

struct TrainResult {
  int64_t step = 0;       ///< the last one done
  bool stopped = false;   ///< by a signal or by onStep, before the last step
  std::string checkpoint; ///< the last one written
};

/// Trains until options.steps, a signal or an error. Writes
/// checkpoints and the log; throws Error.
TrainResult train(Session &session, const TrainOptions &options);

/// The measures of the entry "loss" over a whole token file; throws Error.
std::vector<Measure> evaluate(Session &session, const DataFile &data, int64_t streams,
                              int64_t length);

// For callers built without exceptions: these return the text of an error,
// empty if there was none.

std::string trainModel(const momrt_program *program, const SessionOptions &session,
                       const TrainOptions &options, TrainResult &result) noexcept;

/// Evaluates the parameters of a checkpoint. `streams` and `length` 0: as the
/// model says.
std::string evaluateModel(const momrt_program *program, const SessionOptions &session,
                          const std::string &checkpoint, const std::string &data, int64_t streams,
                          int64_t length, std::vector<Measure> &measures) noexcept;

/// Writes the parameters of a checkpoint alone.
std::string exportModel(const momrt_program *program, const std::string &checkpoint,
                        const std::string &path) noexcept;

} // namespace momrt
