// momc train and momc eval.
#include "compiler/tools/momc/Verbs.h"
#include "dialect/Mom.h"
#include "runtime/RunFile.h"
#include "runtime/Train.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <numeric>

using namespace mlir;
using namespace mom;
using namespace mom::tool;
namespace cl = llvm::cl;

namespace mom::tool {
cl::OptionCategory trainOptions("Training");
} // namespace mom::tool
static cl::opt<std::string> data("data",
                                 cl::desc("token files: a folder with train.safetensors and "
                                          "heldout.safetensors, or one file"),
                                 cl::value_desc("path"), cl::cat(verbOptions));
static Number<1> steps("steps", cl::desc("of the whole run, resumed parts included (default: 500)"),
                       cl::init(500), cl::cat(trainOptions));
static cl::opt<std::string> out("out", cl::desc("folder of checkpoints and log (default: run)"),
                                cl::init("run"), cl::value_desc("folder"), cl::cat(trainOptions));
static cl::opt<bool> resume("resume", cl::desc("go on from the folder's last checkpoint"),
                            cl::cat(trainOptions));
static Number<0> saveEvery("save-every",
                           cl::desc("steps between checkpoints; 0: at the end only (default: 500)"),
                           cl::init(500), cl::cat(trainOptions));
static Number<0> evalEvery("eval-every",
                           cl::desc("steps between evaluations; 0: at the end only (default: 100)"),
                           cl::init(100), cl::cat(trainOptions));

/// As a shell reports a program that SIGINT ended, so that `train && eval` stops there.
constexpr int kStoppedStatus = 130;

/// The file of a part of the data: in the folder, or the one file there is.
static std::string dataFile(StringRef part, bool required) {
  if (!llvm::sys::fs::is_directory(data))
    return required ? data.getValue() : "";
  llvm::SmallString<128> path(StringRef(data.getValue()));
  llvm::sys::path::append(path, part + ".safetensors");
  return required || llvm::sys::fs::exists(path) ? path.str().str() : "";
}

/// The checkpoint to begin with, empty for none; 1 after a message.
static int findStart(std::string &start) {
  if (checkpoint.empty())
    return 0;
  std::string last;
  if (resume && llvm::sys::fs::is_directory(out) && momrt::findCheckpoint(out, last).empty())
    return fail("--resume goes on from " + last + ", --checkpoint begins with " + checkpoint +
                ": leave one of them out");
  std::string error = momrt::findCheckpoint(checkpoint, start);
  return error.empty() ? 0 : fail(error);
}

int mom::tool::train() {
  if (data.empty())
    return fail("expected --data: a folder with train.safetensors, or a token file");
  momrt::TrainOptions options;
  if (findStart(options.start))
    return 1;
  ModelFile model({"gradient", "update"});
  FailureOr<Program> program = compileModel(model);
  if (failed(program))
    return 1;
  options.data = dataFile("train", true);
  options.validation = dataFile("heldout", false);
  options.folder = out;
  options.steps = steps;
  options.saveEvery = saveEvery;
  options.evaluateEvery = options.validation.empty() ? 0 : evalEvery ? evalEvery : steps;
  options.seed = seed;
  options.resume = resume;
  options.catchSignals = true;
  momrt::TrainResult result;
  std::string error = momrt::trainModel(program->program, sessionOptions(), options, result);
  if (!error.empty())
    return fail(error);
  llvm::outs() << (result.stopped ? "stopped at step " : "trained to step ") << result.step << "; "
               << result.checkpoint << "\n";
  return result.stopped ? kStoppedStatus : 0;
}

namespace {
/// Measures for people: with the modalities' names, and how many rows each is a mean of.
class Report {
public:
  /// Of a model before stage `fused`: then it does not say what rows are.
  explicit Report(ModuleOp module);
  void print(const momrt::Measure &measure) const;

private:
  std::vector<std::string> modalities;
  llvm::StringMap<StringRef> rows; ///< "tokens" or "documents", by the measure's name
};
} // namespace

Report::Report(ModuleOp module) {
  auto all = module->getAttrOfType<DictionaryAttr>(attr::kModalities);
  if (all && !all.empty())
    for (auto name : cast<ArrayAttr>(all.begin()->getValue()).getAsRange<StringAttr>())
      modalities.push_back(name.str());
  auto model = module->getAttrOfType<FlatSymbolRefAttr>(attr::kModel);
  auto loss = model ? module.lookupSymbol<func::FuncOp>(model.getValue()) : func::FuncOp();
  if (!loss)
    return;
  Operation *end = loss.getBody().front().getTerminator();
  for (OpOperand &result : end->getOpOperands()) {
    auto name = loss.getResultAttrOfType<StringAttr>(result.getOperandNumber(), attr::kSum);
    auto sum = result.get().getDefiningOp<ReduceRowsOp>();
    if (name && sum)
      rows[name.getValue()] =
          rowsOf(sum.getX()).getSpace() == RowSpace::document ? "documents" : "tokens";
  }
}

void Report::print(const momrt::Measure &measure) const {
  StringRef counted = rows.contains(measure.name) ? rows.lookup(measure.name) : "rows";
  auto line = [&](const std::string &name, double value, double count, bool sayCount) {
    std::string text = count > 0 ? llvm::formatv("{0:f4}", value).str() : "none";
    llvm::outs() << llvm::formatv("{0,-16} {1}", name, text);
    if (sayCount || !(count > 0))
      llvm::outs() << "  (" << static_cast<int64_t>(count) << " " << counted << ")";
    llvm::outs() << "\n";
  };
  size_t groups = measure.counts.size();
  if (measure.loss) // the total has no count: it is a sum of others
    return line(measure.name, measure.value,
                groups ? std::accumulate(measure.counts.begin(), measure.counts.end(), 0.0) : 1,
                /*sayCount=*/false);
  for (size_t group = 0; group < groups; ++group)
    line(groups > 1 ? measure.name + " " + momrt::groupName(group, groups, modalities)
                    : measure.name,
         measure.mean(group), measure.counts[group], /*sayCount=*/true);
}

int mom::tool::eval() {
  if (data.empty() || checkpoint.empty())
    return fail("expected --data and --checkpoint");
  ModelFile model({"loss"});
  if (!model || failed(model->load()))
    return 1;
  Report report(model->module());
  FailureOr<Program> program = model->jit();
  if (failed(program))
    return 1;
  std::string file, error = momrt::findCheckpoint(checkpoint, file);
  std::vector<momrt::Measure> measures;
  if (error.empty())
    error = momrt::evaluateModel(program->program, sessionOptions(), file,
                                 dataFile("heldout", true), 0, 0, measures);
  if (!error.empty())
    return fail(error);
  for (const momrt::Measure &measure : measures)
    report.print(measure);
  return 0;
}
