#include "runtime/Train.h"
#include "runtime/Error.h"
#include "runtime/Rates.h"
#include "runtime/RunLog.h"
#include <cfloat>
#include <cmath>
#include <csignal>

namespace momrt {
namespace {

volatile std::sig_atomic_t signalled = 0;

/// While it lives, SIGINT and SIGTERM ask the run to end after its step; a
/// second one of the same kind ends the process as usual.
class SignalWatch {
public:
  SignalWatch() {
    signalled = 0;
    struct sigaction action = {};
    action.sa_handler = [](int) { signalled = 1; };
    action.sa_flags = SA_RESETHAND | SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, &interrupt);
    sigaction(SIGTERM, &action, &terminate);
  }
  ~SignalWatch() {
    sigaction(SIGINT, &interrupt, nullptr);
    sigaction(SIGTERM, &terminate, nullptr);
  }

private:
  struct sigaction interrupt, terminate;
};

/// One run in one folder.
class Run {
public:
  Run(Session &session, const TrainOptions &options);
  TrainResult go();

private:
  void begin();
  void resume(const std::string &checkpoint);
  StepReport step(BatchReader &reader);
  Hypers hypersOf(int64_t step, double rate) const;
  void evaluateHeldOut();
  void save();

  Session &session;
  const TrainOptions &options;
  const Table &table;
  FolderLock lock;
  DataFile data;
  std::optional<DataFile> heldOut;
  RunState state;
  TrainResult result;
  std::optional<RunLog> log;
  std::optional<Progress> progress;
  const std::vector<std::string> modalities;
};

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Makes the folder before it is locked.
const std::string &prepared(const std::string &folder) {
  makeFolder(folder);
  return folder;
}

Run::Run(Session &session, const TrainOptions &options)
    : session(session), options(options), table(session.table()), lock(prepared(options.folder)),
      data(options.data, table, table.entry("gradient")), modalities(table.modalities()) {
  if (options.steps < 1)
    fail(MOMRT_BAD_ARGUMENT, "expected at least 1 step of training but got {}", options.steps);
  if (!table.rates().size())
    fail(MOMRT_BAD_ARGUMENT, "model '{}' has no train section: there is no learning rate",
         table.model());
  table.entry("update");
  if (!options.validation.empty())
    heldOut.emplace(options.validation, table, table.entry("loss"));
  state.seed = options.seed;
  state.streams = options.streams ? options.streams : table.header().batch_streams;
  state.length = options.length ? options.length : table.header().batch_length;
  state.dataTokens = data.tokens();
  state.dataDocuments = data.documents();
}

/// Initial values, or the folder's last checkpoint.
void Run::begin() {
  std::vector<std::string> notes;
  std::optional<std::string> last = latestCheckpoint(options.folder, notes);
  if (last && !options.resume)
    fail(MOMRT_BAD_ARGUMENT,
         "the folder '{}' already holds a run: resume it or name another folder", options.folder);
  if (last) {
    resume(*last);
  } else {
    session.initialise(state.seed);
    if (!options.start.empty())
      loadParameters(session, options.start);
  }
  log.emplace(options.folder, state.step);
  progress.emplace(options.progress, state.step, options.steps);
  for (const std::string &note : notes)
    progress->say(note);
  if (last)
    progress->say(fmt::format("resuming from '{}' at step {}", *last, state.step));
  if (last && state.digest != table.digest())
    progress->say("the program has changed since that checkpoint: the run goes on, but not to the "
                  "same bits");
  result.step = state.step;
}

void Run::resume(const std::string &checkpoint) {
  RunState now = state;
  state = loadRun(session, checkpoint);
  result.checkpoint = checkpoint;
  auto same = [&](const char *what, int64_t before, int64_t after) {
    if (before != after)
      fail(MOMRT_BAD_ARGUMENT, "the run of '{}' has {} {}, but now it is {}: it cannot continue",
           checkpoint, what, before, after);
  };
  same("streams", state.streams, now.streams);
  same("stream length", state.length, now.length);
  same("data tokens", state.dataTokens, now.dataTokens);
  same("data documents", state.dataDocuments, now.dataDocuments);
  if (state.seed != now.seed)
    fail(MOMRT_BAD_ARGUMENT, "the run of '{}' has seed {}, but now it is {}: it cannot continue",
         checkpoint, state.seed, now.seed);
}

/// In double: beta2^step is close to 1 for long.
Hypers Run::hypersOf(int64_t step, double rate) const {
  const momrt_table &header = table.header();
  Hypers hypers{};
  hypers[MOMRT_HYPER_RATE] = float(rate);
  hypers[MOMRT_HYPER_BETA1] = float(header.beta1);
  hypers[MOMRT_HYPER_BETA2] = float(header.beta2);
  hypers[MOMRT_HYPER_EPS] = float(header.eps);
  hypers[MOMRT_HYPER_BIAS1] = float(1 / (1 - std::pow(header.beta1, double(step))));
  hypers[MOMRT_HYPER_BIAS2] = float(1 / (1 - std::pow(header.beta2, double(step))));
  hypers[MOMRT_HYPER_CLIP] = header.clip > 0 ? float(header.clip) : FLT_MAX;
  return hypers;
}

StepReport Run::step(BatchReader &reader) {
  Clock::time_point start = Clock::now();
  auto [batch, position] = *reader.next(); // endless
  int64_t number = state.step + 1;
  StepReport report{number, options.steps, state.tokens + batch.tokens(), {}, 0, 0, 0, 0};
  report.rate = rateAt(table.rates(), number, options.steps);
  session.setBatch(batch);
  session.setHypers(hypersOf(number, report.rate));
  session.run("gradient");
  session.run("update");
  // One wait a step: what kernels found is read with the losses.
  session.checkStatus();
  report.measures = readMeasures(session, "gradient");
  for (const Measure &measure : report.measures)
    if (measure.loss && !std::isfinite(measure.value))
      fail(MOMRT_BAD_VALUE, "loss '{}' is {} at step {}", measure.name, measure.value, number);
  std::vector<float> norm = session.readFloats("update", MOMRT_OUTPUT_TENSOR, "grad_norm");
  report.gradientNorm = norm.empty() ? 0.0 / 0.0 : norm[0];
  if (!norm.empty() && !std::isfinite(report.gradientNorm))
    fail(MOMRT_BAD_VALUE, "the gradient's norm is {} at step {}", report.gradientNorm, number);

  double seconds = secondsSince(start);
  state.step = number;
  state.tokens = report.tokens;
  state.data = position;
  state.seconds += seconds;
  report.seconds = state.seconds;
  report.tokensPerSecond = double(batch.tokens()) / seconds;
  return report;
}

void Run::evaluateHeldOut() {
  std::vector<Measure> measures = evaluate(session, *heldOut, state.streams, state.length);
  log->write(fmt::format("{{\"kind\":\"eval\",\"step\":{},{}}}", state.step,
                         measuresJson(measures, modalities)));
}

void Run::save() { result.checkpoint = saveRun(session, state, options.folder); }

TrainResult Run::go() {
  begin();
  if (state.step >= options.steps) {
    progress->say(fmt::format("the run already has {} of {} steps", state.step, options.steps));
    return result;
  }
  SignalWatch watch;
  BatchReader reader(data, {state.streams, state.length, state.seed, true}, state.data);
  int64_t saved = state.step;
  while (state.step < options.steps && !result.stopped) {
    StepReport report = step(reader);
    log->write(fmt::format("{{\"kind\":\"train\",\"step\":{},{},\"rate\":{},\"grad_norm\":{},"
                           "\"tokens_per_s\":{:.1f},\"seconds\":{:.3f},\"tokens\":{}}}",
                           report.step, measuresJson(report.measures, modalities),
                           numberJson(report.rate), numberJson(report.gradientNorm),
                           report.tokensPerSecond, report.seconds, report.tokens));
    progress->show(report.step, report.measures, modalities, report.tokensPerSecond);
    bool goOn = !options.onStep || options.onStep(report);
    if (heldOut && options.evaluateEvery > 0 && state.step % options.evaluateEvery == 0)
      evaluateHeldOut();
    result.stopped = (signalled || !goOn) && state.step < options.steps;
    if (options.saveEvery > 0 && state.step % options.saveEvery == 0) {
      save();
      saved = state.step;
    }
  }
  if (saved != state.step)
    save();
  result.step = state.step;
  if (result.stopped)
    progress->say(fmt::format("stopped after step {}; saved '{}': run the same command with "
                              "--resume to continue",
                              state.step, result.checkpoint));
  return result;
}
} // namespace

TrainResult train(Session &session, const TrainOptions &options) {
  return Run(session, options).go();
}

std::vector<Measure> evaluate(Session &session, const DataFile &data, int64_t streams,
                              int64_t length) {
  MeasureTotals totals;
  BatchReader reader(data, {streams, length, 0, false});
  while (auto next = reader.next()) {
    session.setBatch(next->first);
    session.run("loss");
    session.checkStatus();
    totals.add(readMeasures(session, "loss"), next->first.tokens());
  }
  return totals.result();
}

std::string trainModel(const momrt_program *program, const SessionOptions &sessionOptions,
                       const TrainOptions &options, TrainResult &result) noexcept {
  return textOfError([&] {
    Session session(std::make_shared<Program>(program), sessionOptions);
    result = train(session, options);
  });
}

std::string evaluateModel(const momrt_program *program, const SessionOptions &sessionOptions,
                          const std::string &checkpoint, const std::string &path, int64_t streams,
                          int64_t length, std::vector<Measure> &measures) noexcept {
  return textOfError([&] {
    Session session(std::make_shared<Program>(program), sessionOptions);
    const Table &table = session.table();
    loadParameters(session, checkpoint);
    DataFile data(path, table, table.entry("loss"));
    measures = evaluate(session, data, streams ? streams : table.header().batch_streams,
                        length ? length : table.header().batch_length);
  });
}

std::string exportModel(const momrt_program *program, const std::string &checkpoint,
                        const std::string &path) noexcept {
  return textOfError([&] {
    Session session(std::make_shared<Program>(program), {1, 0, false});
    loadParameters(session, checkpoint);
    saveParameters(session, path);
  });
}

} // namespace momrt
