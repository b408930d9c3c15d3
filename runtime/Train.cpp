#include "runtime/Train.h"
#include "runtime/Error.h"
#include "runtime/Rates.h"
#include "runtime/RunLog.h"
#include <cmath>
#include <csignal>
#include <deque>

namespace momrt {
namespace {

volatile std::sig_atomic_t signalled = 0;
constexpr size_t kEvaluateAhead = 3;

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

using Clock = std::chrono::steady_clock;

/// One run in one folder. Steps are queued ahead of their results; whatever
/// looks at the parameters waits until there are none under way.
class Run {
public:
  Run(Session &session, const TrainOptions &options);
  TrainResult go();

private:
  void begin();
  bool pausesAfter(int64_t step) const;
  void resume(const std::string &checkpoint);
  void stretch();
  void queueStep();
  void finishBatch();
  std::optional<StepReport> report(const Snapshot &snapshot);
  bool isSignalled() const { return options.catchSignals && signalled; }
  bool isDue(int64_t every, int64_t step) const { return every > 0 && step % every == 0; }
  void evaluateHeldOut();
  void save();

  /// A batch of a step that the device may still be at.
  struct Queued {
    int64_t step, tokens; ///< tokens: of the batch
    double rate;
    ReaderPosition next; ///< where the batch after it begins
    bool last;           ///< of its step
  };

  Session &session;
  const TrainOptions &options;
  const Table &table;
  FolderLock lock;
  DataFile data;
  std::optional<DataFile> heldOut;
  RunState state; ///< after the last step whose results were read
  TrainResult result;
  std::optional<RunLog> log;
  std::optional<Progress> progress;
  const std::vector<std::string> modalities;
  std::optional<BatchReader> reader;
  std::optional<Snapshots> snapshots;
  std::deque<Queued> queued;
  MeasureTotals totals;   ///< of the batches of a step so far
  int64_t stepTokens = 0; ///< likewise
  Clock::time_point finished; ///< the last step, or the pause before the next
  bool goOn = true;           ///< says options.onStep
};

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
  removePartialFiles(options.folder);
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

void Run::queueStep() {
  int64_t step = (queued.empty() ? state.step : queued.back().step) + 1;
  int64_t batches = table.header().accumulate;
  double rate = rateAt(table.rates(), step, options.steps);
  session.setStep(step, options.steps);
  for (int64_t at = 0; at < batches; ++at) {
    auto [batch, next] = *reader->next(); // endless
    session.setBatch(batch);
    session.run("gradient");
    if (batches > 1)
      session.run("accumulate");
    if (at + 1 == batches)
      session.run("update");
    snapshots->take(fmt::format(" at step {}", step));
    queued.push_back({step, batch.tokens(), rate, next, at + 1 == batches});
    while (snapshots->due())
      finishBatch();
  }
}

/// What the oldest step came to, with the last of its batches.
std::optional<StepReport> Run::report(const Snapshot &snapshot) {
  Queued step = queued.front();
  queued.pop_front();
  std::vector<Measure> measures = readMeasures(table, snapshot, "gradient");
  totals.add(measures, step.tokens);
  stepTokens += step.tokens;
  if (!step.last)
    return std::nullopt;
  StepReport report{step.step, options.steps, state.tokens + stepTokens, {}, step.rate, 0, 0, 0};
  report.measures = table.header().accumulate > 1 ? totals.result() : std::move(measures);
  totals = {};
  for (const Measure &measure : report.measures)
    if (measure.loss && !std::isfinite(measure.value))
      fail(MOMRT_BAD_VALUE, "loss '{}' is {} at step {}", measure.name, measure.value, step.step);
  std::vector<float> norm = snapshot.floats("update", MOMRT_OUTPUT_TENSOR, "grad_norm");
  report.gradientNorm = norm.empty() ? 0.0 / 0.0 : norm[0];
  if (!norm.empty() && !std::isfinite(report.gradientNorm))
    fail(MOMRT_BAD_VALUE, "the gradient's norm is {} at step {}", report.gradientNorm, step.step);

  // Between two results lies one step of the device.
  double seconds = secondsSince(finished);
  finished = Clock::now();
  state.step = step.step;
  state.tokens = report.tokens;
  state.data = step.next;
  state.seconds += seconds;
  report.seconds = state.seconds;
  report.tokensPerSecond = double(stepTokens) / seconds;
  stepTokens = 0;
  return report;
}

void Run::finishBatch() {
  std::optional<StepReport> done = report(snapshots->next());
  if (!done)
    return;
  const StepReport &step = *done;
  log->write(fmt::format("{{\"kind\":\"train\",\"step\":{},{},\"rate\":{},\"grad_norm\":{},"
                         "\"tokens_per_s\":{:.1f},\"seconds\":{:.3f},\"tokens\":{}}}",
                         step.step, measuresJson(step.measures, modalities), numberJson(step.rate),
                         numberJson(step.gradientNorm), step.tokensPerSecond, step.seconds,
                         step.tokens));
  progress->show(step.step, step.measures, modalities, step.tokensPerSecond);
  goOn = (!options.onStep || options.onStep(step)) && goOn;
}

/// Whether the parameters after a step are looked at, or it is the last.
bool Run::pausesAfter(int64_t step) const {
  return step >= options.steps || isDue(options.saveEvery, step) ||
         (heldOut && isDue(options.evaluateEvery, step));
}

/// Steps up to a pause or a request to stop; none is under way afterwards.
void Run::stretch() {
  finished = Clock::now();
  int64_t step = state.step;
  do {
    queueStep();
    if (step == result.step) // the first: all memory is there
      progress->say(memoryText(session.device(), session.memory()));
  } while (!pausesAfter(++step) && goOn && !isSignalled());
  while (snapshots->waiting())
    finishBatch();
}

void Run::evaluateHeldOut() {
  std::vector<Measure> measures = evaluate(session, *heldOut, state.streams, state.length);
  log->write(fmt::format("{{\"kind\":\"eval\",\"step\":{},{}}}", state.step,
                         measuresJson(measures, modalities)));
  progress->say(fmt::format("held out after step {}:{}", state.step,
                            measuresText(measures, modalities)));
}

void Run::save() { result.checkpoint = saveRun(session, state, options.folder); }

TrainResult Run::go() {
  begin();
  if (state.step >= options.steps) {
    progress->say(fmt::format("the run already has {} of {} steps", state.step, options.steps));
    return result;
  }
  std::optional<SignalWatch> watch;
  if (options.catchSignals)
    watch.emplace();
  // The arena comes last, as its size is what a user can choose.
  session.reserve("gradient");
  if (table.header().accumulate > 1)
    session.reserve("accumulate");
  session.reserve("update");
  reader.emplace(data, Packing{state.streams, state.length, state.seed, true}, state.data);
  snapshots.emplace(session, std::vector<std::string>{"gradient", "update"},
                    size_t(std::max(options.ahead, 0)));
  int64_t saved = state.step;
  while (state.step < options.steps && !result.stopped) {
    stretch();
    if (heldOut && isDue(options.evaluateEvery, state.step))
      evaluateHeldOut();
    result.stopped = (isSignalled() || !goOn) && state.step < options.steps;
    if (isDue(options.saveEvery, state.step)) {
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
  if (!streams || !length)
    fail(MOMRT_BAD_ARGUMENT, "model '{}' has no train section: there is no size of a batch",
         session.table().model());
  MeasureTotals totals;
  BatchReader reader(data, {streams, length, 0, false});
  Snapshots snapshots(session, {"loss"}, kEvaluateAhead);
  std::deque<int64_t> tokens; // of the batches under way
  auto finish = [&] {
    totals.add(readMeasures(session.table(), snapshots.next(), "loss"), tokens.front());
    tokens.pop_front();
  };
  for (int64_t batch = 1; auto next = reader.next(); ++batch) {
    session.setBatch(next->first);
    session.run("loss");
    snapshots.take(fmt::format(" in batch {} of the evaluation", batch));
    tokens.push_back(next->first.tokens());
    while (snapshots.due())
      finish();
  }
  while (snapshots.waiting())
    finish();
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
    Session session(std::make_shared<Program>(program), {1, 0, false, true, {}});
    loadParameters(session, checkpoint);
    saveParameters(session, path);
  });
}

} // namespace momrt
