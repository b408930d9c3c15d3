// momc emit: a stage of the compilation, as text.
#include "compiler/tools/momc/Verbs.h"
#include "runtime/Files.h"

using namespace mlir;
using namespace mom;
using namespace mom::tool;
namespace cl = llvm::cl;

static const std::string &stageList() {
  static const std::string list = [] {
    std::string names;
    for (const StageInfo &info : stages())
      names += (names.empty() ? "" : "|") + info.name.str();
    return names;
  }();
  return list;
}

static const std::string &stageDescription() {
  static const std::string text = stageList() + " (default: mom)";
  return text; // option descriptions are not copied
}

static cl::opt<std::string> stageOption("stage", cl::desc(stageDescription()), cl::init("mom"),
                                        cl::value_desc("stage"), cl::cat(verbOptions));

int mom::tool::writeFile(StringRef path, StringRef content) {
  if (path == "-") {
    llvm::outs() << content;
    return 0;
  }
  std::string error = momrt::writeWhole(path.str(), content.data(), content.size());
  return error.empty() ? 0 : fail(error);
}

int mom::tool::emit() {
  std::optional<Stage> stage = stageNamed(stageOption);
  if (!stage)
    return fail("no stage is named '" + stageOption + "': expected " + stageList());
  FailureOr<std::vector<std::string>> entries = entriesToKeep(*stage);
  if (failed(entries))
    return 1;
  ModelFile model(std::move(*entries));
  std::string text;
  llvm::raw_string_ostream os(text);
  if (!model || failed(model->load()) || failed(model->emit(*stage, os)))
    return 1;
  return writeFile(output, text);
}
