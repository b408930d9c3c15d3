// momc emit: a stage of the compilation, as text.
#include "compiler/tools/momc/Verbs.h"

#include "llvm/Support/FileSystem.h"

using namespace mlir;
using namespace mom;
using namespace mom::tool;
namespace cl = llvm::cl;

static std::string stageList() {
  std::string list;
  for (const StageInfo &info : stages())
    list += (list.empty() ? "" : "|") + info.name.str();
  return list;
}

static cl::opt<std::string> stageOption("stage", cl::desc(stageList()), cl::init("mom"),
                                        cl::value_desc("stage"), cl::cat(emitOptions));
static cl::opt<std::string> output("o", cl::desc("write here instead of to stdout"), cl::init("-"),
                                   cl::value_desc("file"), cl::cat(emitOptions));

int mom::tool::emit() {
  std::optional<Stage> stage = stageNamed(stageOption);
  if (!stage)
    return fail("no stage is named '" + stageOption + "': expected " + stageList());
  ModelFile model;
  std::string text;
  llvm::raw_string_ostream os(text);
  if (!model || failed(model->load()) || failed(model->emit(*stage, os)))
    return 1;
  if (output == "-") {
    llvm::outs() << text;
    return 0;
  }
  llvm::Error error = llvm::writeToOutput(output, [&](llvm::raw_ostream &file) {
    file << text;
    return llvm::Error::success();
  });
  if (error)
    return fail("cannot write " + output + ": " + llvm::toString(std::move(error)));
  return 0;
}
