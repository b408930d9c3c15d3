// Whole models: training on the device beside the CPU's losses, the same bits a
// second time, and after a stop and a resumption.
#include "runtime/Error.h"
#include "runtime/Safetensors.h"
#include "runtime/Train.h"
#include "test/gpu/Suite.h"
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

using namespace suite;

namespace {
/// A folder that is gone at the end.
class TemporaryFolder {
public:
  TemporaryFolder() {
    std::string text = (std::filesystem::temp_directory_path() / "momc-suite-XXXXXX").string();
    if (!mkdtemp(text.data()))
      momrt::fail(MOMRT_SYSTEM, "cannot make a folder: {}", momrt::systemError());
    path = text;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::string path;
};

struct Model {
  const Options &options;
  const Program &program;
  std::vector<double> expected; ///< losses of the CPU, one a step

  /// Trains in `folder`; with `stop`, to that step only.
  std::vector<double> train(const std::string &folder, int64_t stop, bool resume);
  Outcome checkLosses();
  Outcome checkBits(bool resumed);
};
} // namespace

static std::string nameOf(const Program &program) {
  return std::string(program.file) + "." + program.function;
}

static std::vector<double> readLosses(const Options &options, const Program &program) {
  std::string path =
      options.folder + "/cases/" + nameOf(program) + "." + program.storage + ".losses";
  std::ifstream file(path);
  std::vector<double> losses;
  for (double loss; file >> loss;)
    losses.push_back(loss);
  if (losses.empty())
    momrt::fail(MOMRT_BAD_FILE, "{}: expected losses, but there are none", path);
  return losses;
}

std::vector<double> Model::train(const std::string &folder, int64_t stop, bool resume) {
  momrt::Session session(std::make_shared<momrt::Program>(program.program), {2, 0, true, true, {}});
  std::vector<double> losses;
  momrt::TrainOptions how;
  how.data = options.folder + "/cases/tokens.safetensors";
  how.folder = folder;
  how.steps = int64_t(expected.size());
  how.saveEvery = 0;
  how.seed = 3; // as the reference (check.sh)
  how.resume = resume;
  how.progress = momrt::ProgressMode::Silent;
  how.onStep = [&](const momrt::StepReport &report) {
    auto first = std::find_if(report.measures.begin(), report.measures.end(),
                              [](const momrt::Measure &measure) { return measure.loss; });
    losses.push_back(first->value); // as check.sh takes it from the reference's log
    return report.step != stop;
  };
  momrt::train(session, how);
  return losses;
}

/// A mistake makes losses part from the first steps on; rounding only slowly.
Outcome Model::checkLosses() {
  TemporaryFolder folder;
  std::vector<double> losses = train(folder.path, 0, false);
  double limit = program.storage == std::string("f32") ? 1e-3 : 2e-2, worst = 0;
  if (losses.size() != expected.size())
    return {false, fmt::format("expected {} losses, but got {}", expected.size(), losses.size())};
  for (size_t at = 0; at < losses.size(); ++at) {
    double error = std::fabs(losses[at] - expected[at]) / std::fabs(expected[at]);
    if (!(error <= limit))
      return {false, fmt::format("step {}: loss {:.6f}, but {:.6f} on the CPU", at + 1, losses[at],
                                 expected[at])};
    worst = std::max(worst, error);
  }
  return {true, fmt::format("{:.1e}  loss {:.4f} -> {:.4f}", worst, losses.front(), losses.back())};
}

/// Whether two files hold the same tensors to the bit; a run's time may differ.
static bool sameTensors(const std::string &first, const std::string &second) {
  momrt::SafetensorsReader a(first), b(second);
  return a.tensors().size() == b.tensors().size() &&
         std::equal(a.tensors().begin(), a.tensors().end(), b.tensors().begin(),
                    [](const momrt::StoredTensor &x, const momrt::StoredTensor &y) {
                      return x.name == y.name && x.bytes == y.bytes &&
                             (!x.bytes || !std::memcmp(x.data, y.data, size_t(x.bytes)));
                    });
}

static std::string lastCheckpoint(const std::string &folder) {
  std::vector<std::string> notes;
  return momrt::latestCheckpoint(folder, notes).value_or("");
}

/// A second run, in one piece or in two, ends in the same parameters and moments.
Outcome Model::checkBits(bool resumed) {
  TemporaryFolder one, two;
  train(one.path, 0, false);
  if (resumed)
    train(two.path, int64_t(expected.size() + 1) / 2, false);
  train(two.path, 0, resumed);
  bool same = sameTensors(lastCheckpoint(one.path), lastCheckpoint(two.path));
  return {same, same ? "the same bits" : "the checkpoints differ"};
}

static std::vector<Check> checksOf(const Options &options, const Program &program) {
  auto model =
      std::make_shared<Model>(Model{options, program, readLosses(options, program)});
  std::string name = nameOf(program), steps = fmt::format("{}-steps", model->expected.size());
  return {{name, steps, program.storage, [=] { return model->checkLosses(); }},
          {name, "again", program.storage, [=] { return model->checkBits(false); }},
          {name, "resumed", program.storage, [=] { return model->checkBits(true); }}};
}

void suite::addModels(const Options &options, std::vector<Task> &tasks) {
  for (size_t at = 0; at < programCount; ++at) {
    const Program &program = programs[at];
    if (program.file == std::string("model") && isSelected(options, program))
      tasks.push_back({"models", [&options, &program] { return checksOf(options, program); }});
  }
}
