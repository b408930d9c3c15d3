// Training the small model: the loss falls, the number of threads does not
// show, a resumed run has the same bits, and the log fits.
#include "Check.h"
#include "TinyModel.h"
#include "runtime/Train.h"
#include <cmath>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

using namespace momrt;

namespace {
struct Outcome {
  TrainResult result;
  std::vector<float> parameters;
  std::vector<nlohmann::json> log;
};
} // namespace

static std::vector<nlohmann::json> readLog(const std::string &folder) {
  std::ifstream file(folder + "/log.jsonl");
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(file, line);)
    lines.push_back(nlohmann::json::parse(line));
  return lines;
}

static Outcome trainTiny(int threads, const TrainOptions &options) {
  tiny::Model model;
  Session session(model.open(), {threads, 0, true});
  Outcome outcome;
  outcome.result = train(session, options);
  outcome.parameters = session.readSpace(MOMRT_SPACE_PARAMETERS);
  outcome.log = readLog(options.folder);
  return outcome;
}

static TrainOptions usual(const TemporaryFolder &folder, const std::string &run) {
  TrainOptions options;
  options.data = folder / "tokens";
  options.validation = folder / "held-out";
  options.folder = folder / run;
  options.steps = 60;
  options.saveEvery = 25;
  options.evaluateEvery = 20;
  options.seed = 42;
  options.progress = ProgressMode::Silent;
  return options;
}

/// A line without what differs from run to run.
static std::vector<nlohmann::json> timeless(std::vector<nlohmann::json> log) {
  for (nlohmann::json &line : log) {
    line.erase("seconds");
    line.erase("tokens_per_s");
  }
  return log;
}

static Outcome straight(const TemporaryFolder &folder) {
  Outcome one = trainTiny(1, usual(folder, "one"));
  CHECK_EQ(one.result.step, 60);
  CHECK(!one.result.stopped);
  CHECK_EQ(one.result.checkpoint, folder / "one" + "/checkpoint-00000060.safetensors");
  CHECK_EQ(one.log.size(), 63u); // 60 steps and 3 evaluations
  const nlohmann::json &first = one.log.front(), &last = one.log[61];
  CHECK_EQ(first["kind"].get<std::string>(), "train");
  CHECK_EQ(first["step"].get<int>(), 1);
  CHECK_EQ(first["tokens"].get<int>(), 32);
  CHECK(std::abs(first["rate"].get<double>() - 0.01) < 1e-9);
  CHECK(last["loss"]["square"].get<double>() < 0.5 * first["loss"]["square"].get<double>());
  CHECK(first["metrics"]["squares"].contains("image") && first["grad_norm"].get<double>() > 0);
  CHECK_EQ(one.log[62]["kind"].get<std::string>(), "eval");
  CHECK(one.log[62]["loss"]["square"].get<double>() > 0);

  Outcome three = trainTiny(3, usual(folder, "three"));
  CHECK(three.parameters == one.parameters);
  CHECK(timeless(three.log) == timeless(one.log));
  return one;
}

static void resumed(const TemporaryFolder &folder, const Outcome &whole) {
  TrainOptions options = usual(folder, "resumed");
  options.catchSignals = true;
  options.onStep = [](const StepReport &report) {
    if (report.step == 33)
      std::raise(SIGTERM); // as a shell would
    return true;
  };
  Outcome part = trainTiny(2, options);
  CHECK(part.result.stopped);
  CHECK_EQ(part.result.step, 33);
  CHECK_EQ(part.result.checkpoint, folder / "resumed" + "/checkpoint-00000033.safetensors");
  options.onStep = nullptr;
  CHECK_FAILS("already holds a run", trainTiny(1, options));
  options.resume = true;
  options.seed = 43;
  CHECK_FAILS("has seed 42, but now it is 43", trainTiny(1, options));
  options.seed = 42;
  options.streams = 1;
  CHECK_FAILS("has streams 2, but now it is 1", trainTiny(1, options));
  options.streams = 0;
  // As after a power cut: the last checkpoint is gone, the log is ahead of the
  // one before and ends in half a line.
  CHECK_EQ(std::remove(part.result.checkpoint.c_str()), 0);
  std::ofstream(options.folder + "/log.jsonl", std::ios::app) << "{\"kind\":\"tra";
  Outcome rest = trainTiny(1, options);
  CHECK(!rest.result.stopped);
  CHECK(rest.parameters == whole.parameters);
  CHECK(timeless(rest.log) == timeless(whole.log));
  Outcome again = trainTiny(1, options); // nothing is left to do
  CHECK_EQ(again.result.step, 60);
  CHECK(again.log == rest.log);
}

static void evaluation(const TemporaryFolder &folder, const Outcome &whole) {
  tiny::Model model;
  std::vector<Measure> measures;
  std::string error = evaluateModel(&model.program, {}, whole.result.checkpoint,
                                    folder / "held-out", 0, 0, measures);
  CHECK_EQ(error, "");
  CHECK_EQ(measures.size(), 2u);
  CHECK_EQ(measuresJson(measures, {"text", "image"}),
           fmt::format("\"loss\":{},\"metrics\":{}", whole.log[62]["loss"].dump(),
                       measuresJson(measures, {"text", "image"})
                           .substr(measuresJson(measures, {"text", "image"}).find("{\"squares"))));
  CHECK_EQ(measuresText({{"lm", true, 4.5, {}, {}},
                         {"bits", false, 0, {6, 0}, {2, 0}},
                         {"far", false, 0, {3}, {2}},
                         {"never", false, 0, {0}, {0}}},
                        {"text", "image"}),
           "  lm 4.5  bits text 3  far 1.5  never none");
  double counted = measures[1].counts[0] + measures[1].counts[1];
  CHECK_EQ(counted, 75); // every token once, whatever the batches
  std::vector<Measure> narrow;
  error =
      evaluateModel(&model.program, {}, whole.result.checkpoint, folder / "held-out", 1, 5, narrow);
  CHECK(std::abs(narrow[0].value - measures[0].value) < 1e-6);
  error = evaluateModel(&model.program, {}, folder / "absent", folder / "held-out", 0, 0, narrow);
  CHECK(error.find("cannot open") != std::string::npos);
  CHECK_EQ(exportModel(&model.program, whole.result.checkpoint, folder / "export"), "");
  Session session(model.open());
  loadParameters(session, folder / "export");
  CHECK(session.readSpace(MOMRT_SPACE_PARAMETERS) == whole.parameters);
}

static void mistakes(const TemporaryFolder &folder) {
  TrainOptions options = usual(folder, "mistakes");
  TrainResult result;
  tiny::Model model;
  options.data = folder / "absent";
  CHECK(trainModel(&model.program, {}, options, result).find("cannot open") != std::string::npos);
  options.data = folder / "tokens";
  options.steps = 0;
  CHECK_FAILS("at least 1 step of training but got 0", trainTiny(1, options));
  options.steps = 1;
  FolderLock lock(options.folder);
  CHECK_FAILS("another run is using the folder", trainTiny(1, options));
}

int main() {
  TemporaryFolder folder;
  tiny::writeTokens(folder / "tokens", {50, 3, 40, 1, 77, 10});
  tiny::writeTokens(folder / "held-out", {60, 15});
  Outcome whole = straight(folder);
  resumed(folder, whole);
  evaluation(folder, whole);
  mistakes(folder);
  return finish();
}
