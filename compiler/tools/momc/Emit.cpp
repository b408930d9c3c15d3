// momc emit: a stage of the compilation, as text. momc compile: an object file
// with the program, and a header that declares it.
#include "compiler/Target/Program.h"
#include "compiler/tools/momc/Verbs.h"

#include "llvm/Support/FileSystem.h"

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
  return list; // option descriptions are not copied
}

static cl::opt<std::string> stageOption("stage", cl::desc(stageList()), cl::init("mom"),
                                        cl::value_desc("stage"), cl::cat(emitOptions));
static cl::opt<std::string> output("o", cl::desc("write here instead of to stdout"), cl::init("-"),
                                   cl::value_desc("file"), cl::cat(emitOptions));

/// Under a temporary name first; "momc: error: ..." and 1 if it fails.
static int writeFile(StringRef path, StringRef content) {
  llvm::Error error = llvm::writeToOutput(path, [&](llvm::raw_ostream &file) {
    file << content;
    return llvm::Error::success();
  });
  return error ? fail("cannot write " + path + ": " + llvm::toString(std::move(error))) : 0;
}

int mom::tool::emit() {
  std::optional<Stage> stage = stageNamed(stageOption);
  if (!stage)
    return fail("no stage is named '" + stageOption + "': expected " + stageList());
  ModelFile model;
  std::string text;
  llvm::raw_string_ostream os(text);
  if (!model || failed(model->load()) || failed(model->emit(*stage, os)))
    return 1;
  return output == "-" ? (llvm::outs() << text, 0) : writeFile(output, text);
}

/// The header beside an object file: the one symbol that it exports.
static std::string headerFor(StringRef symbol) {
  return llvm::formatv(
      "#pragma once\n#include <momrt/momrt.h>\n\n#ifdef __cplusplus\nextern \"C\"\n#else\n"
      "extern\n#endif\nconst momrt_program {0};\n",
      symbol);
}

int mom::tool::compile() {
  if (!StringRef(output).ends_with(".o"))
    return fail("expected -o FILE.o");
  ModelFile model;
  SmallVector<char> bytes;
  if (!model || failed(model->load()) || failed(model->object(bytes)))
    return 1;
  std::string header = StringRef(output).drop_back(2).str() + ".h";
  std::string symbol = programSymbol(modelName(model->module()));
  if (int status = writeFile(output, StringRef(bytes.data(), bytes.size())))
    return status;
  return writeFile(header, headerFor(symbol));
}
