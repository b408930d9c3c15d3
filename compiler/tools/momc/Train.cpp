// momc train and momc eval.
#include "compiler/tools/momc/Verbs.h"
#include "runtime/RunFile.h"
#include "runtime/Train.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace mom;
using namespace mom::tool;
namespace cl = llvm::cl;

namespace mom::tool {
cl::opt<std::string> data("data",
                          cl::desc("token files: a folder with train.safetensors and "
                                   "heldout.safetensors, or one file"),
                          cl::value_desc("path"), cl::cat(trainOptions));
} // namespace mom::tool
static cl::opt<int64_t> steps("steps", cl::desc("of the whole run"), cl::init(500),
                              cl::cat(trainOptions));
static cl::opt<std::string> out("out", cl::desc("folder of checkpoints and log"), cl::init("run"),
                                cl::value_desc("folder"), cl::cat(trainOptions));
static cl::opt<bool> resume("resume", cl::desc("go on from the folder's last checkpoint"),
                            cl::cat(trainOptions));
static cl::opt<int64_t> saveEvery("save-every",
                                  cl::desc("steps between checkpoints; 0: at the end only"),
                                  cl::init(500), cl::cat(trainOptions));
static cl::opt<int64_t> evalEvery("eval-every",
                                  cl::desc("steps between evaluations; 0: at the end only"),
                                  cl::init(100), cl::cat(trainOptions));

/// The file of a part of the data: in the folder, or the one file there is.
static std::string dataFile(StringRef part, bool required) {
  if (!llvm::sys::fs::is_directory(data))
    return required ? data.getValue() : "";
  llvm::SmallString<128> path(StringRef(data.getValue()));
  llvm::sys::path::append(path, part + ".safetensors");
  return required || llvm::sys::fs::exists(path) ? path.str().str() : "";
}

int mom::tool::train() {
  if (data.empty())
    return fail("expected --data: a folder with train.safetensors, or a token file");
  ModelFile model({"gradient", "update"});
  FailureOr<Program> program = compileModel(model);
  if (failed(program))
    return 1;
  momrt::TrainOptions options;
  options.data = dataFile("train", true);
  options.validation = dataFile("heldout", false);
  options.folder = out;
  options.start = checkpoint;
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
  return 0;
}

int mom::tool::eval() {
  if (data.empty() || checkpoint.empty())
    return fail("expected --data and --checkpoint");
  ModelFile model({"loss"});
  FailureOr<Program> program = compileModel(model);
  if (failed(program))
    return 1;
  std::string file, error = momrt::findCheckpoint(checkpoint, file);
  std::vector<momrt::Measure> measures;
  if (error.empty())
    error = momrt::evaluateModel(program->program, sessionOptions(), file,
                                 dataFile("heldout", true), 0, 0, measures);
  if (!error.empty())
    return fail(error);
  std::vector<std::string> modalities;
  auto all = model->module()->getAttrOfType<DictionaryAttr>("mom.modalities");
  if (all && !all.empty())
    for (auto name : cast<ArrayAttr>(all.begin()->getValue()).getAsRange<StringAttr>())
      modalities.push_back(name.str());
  for (const momrt::Measure &measure : measures) {
    if (measure.loss)
      llvm::outs() << llvm::formatv("{0,-16} {1:f4}\n", measure.name, measure.value);
    for (size_t g = 0; g < measure.counts.size() && !measure.loss; ++g)
      llvm::outs() << llvm::formatv("{0,-16} {1:f4}  ({2} tokens)\n",
                                    measure.counts.size() == modalities.size()
                                        ? measure.name + " " + modalities[g]
                                        : measure.name,
                                    measure.mean(g), static_cast<int64_t>(measure.counts[g]));
  }
  return 0;
}
