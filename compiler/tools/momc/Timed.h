// A model whose entries were timed, launch by launch, with what each launch must
// move and compute: the common part of `momc bench` and `momc profile`.
#pragma once

#include "compiler/Target/KernelCosts.h"
#include "compiler/tools/momc/Verbs.h"
#include "runtime/Timing.h"

namespace mom::tool {

/// A launch of the table; in a repetition, all its rounds together.
struct TimedLaunch {
  std::string symbol, source; ///< emitted function; line of the model's text
  int64_t rounds = 1;
  double milliseconds = 0;
  LaunchCosts what;           ///< of one round
};

/// Launches of one kernel, or of whatever else `name` says, together.
struct TimedKernel {
  std::string name, source;
  int64_t launches = 0;
  double milliseconds = 0, bytes = 0, flops = 0, exps = 0;

  /// The slowest first; a fixed order of equal ones.
  bool operator<(const TimedKernel &other) const {
    return std::tie(other.milliseconds, name) < std::tie(milliseconds, other.name);
  }
  double gigabytesPerSecond() const { return rate(bytes, 1e6); }
  double teraflops() const { return rate(flops, 1e9); }
  double gigaexps() const { return rate(exps, 1e6); }

private:
  double rate(double amount, double unit) const {
    return milliseconds > 0 ? amount / unit / milliseconds : 0;
  }
};

struct TimedModel {
  momrt::Timings timings;
  std::vector<std::vector<TimedLaunch>> launches; ///< [entries timed] in the table's order

  /// Launches of an entry by kernel, the slowest first.
  std::vector<TimedKernel> kernels(size_t entry) const;
  /// Launches of an entry once a round, in the order in which they run; each has
  /// its share of its rounds' time.
  std::vector<TimedLaunch> timeline(size_t entry) const;

  std::vector<std::vector<momrt_op>> ops; ///< [entries timed] launches and repetitions
};

/// Options of timing from the command line.
momrt::TimingOptions timingOptionsFromCommandLine();

/// Compiles a program, times the entries that `options` names and attaches costs.
mlir::FailureOr<TimedModel> timeModel(Compiler &compiler, const momrt::TimingOptions &options);

/// A source as people look for it: the line, without its folder and column.
std::string lineOf(llvm::StringRef source);

/// "NVIDIA H200; 4096 tokens in ...; median of 20 runs over 4 batches in turn"
std::string describe(const TimedModel &model, const momrt::TimingOptions &options);

/// The speeds that times are held against; 0: unknown.
struct Ceilings {
  double copy = 0, product = 0, exps = 0; ///< GB/s, TFLOP/s, Gexp/s
  std::string origin;                     ///< where they come from, for people
};

/// Whether --ceilings names a file.
bool hasCeilings();
/// From the file of --ceilings; measured, and written there, if there is none.
mlir::FailureOr<Ceilings> findCeilings();

} // namespace mom::tool
