// momc generate: sequences that a checkpoint continues.
#include "compiler/tools/momc/Verbs.h"
#include "runtime/Generate.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace mom;
using namespace mom::tool;
namespace cl = llvm::cl;

namespace mom::tool {
cl::OptionCategory generateOptions("Generating");
} // namespace mom::tool
static cl::opt<std::string> prompts("prompts", cl::desc("token file whose documents are continued"),
                                    cl::value_desc("file"), cl::cat(generateOptions));
static Number<0> documents("documents", cl::desc("the first so many (default: all)"), cl::init(0),
                           cl::cat(generateOptions));
static Number<0> prefix("prefix", cl::desc("their first so many tokens (default: all)"),
                        cl::init(0), cl::cat(generateOptions));
static cl::opt<std::string> ids("ids",
                                cl::desc("token file, or a folder with train.safetensors: the ids "
                                         "that may be drawn, and the modality of each"),
                                cl::value_desc("path"), cl::cat(generateOptions));
static Number<0> tokens("new-tokens", cl::desc("new ones a document, at most (default: 256)"),
                        cl::init(256), cl::cat(generateOptions));
static cl::list<int> stops("stop",
                           cl::desc("an id after which a document ends; several: once each"),
                           cl::value_desc("id"), cl::cat(generateOptions));
static cl::opt<double> temperature("temperature",
                                   cl::desc("what logits are divided by; 0: the likeliest id "
                                            "(default: 1)"),
                                   cl::init(1), cl::value_desc("number"), cl::cat(generateOptions));
static Number<0> topK("top-k", cl::desc("draw from so many likeliest ids (default: from all)"),
                      cl::init(0), cl::cat(generateOptions));
static cl::opt<double> topP("top-p",
                            cl::desc("draw from the likeliest ids that have this share together "
                                     "(default: 1)"),
                            cl::init(1), cl::value_desc("number"), cl::cat(generateOptions));

static std::string idsFile() {
  llvm::SmallString<128> path(StringRef(ids.getValue()));
  if (llvm::sys::fs::is_directory(path))
    llvm::sys::path::append(path, "train.safetensors");
  return path.str().str();
}

int mom::tool::generate() {
  if (prompts.empty() || output == "-")
    return fail("expected --prompts FILE and -o FILE: the token files to read and to write");
  if (checkpoint.empty())
    warnOfNoCheckpoint();
  ModelFile model({"next"});
  FailureOr<Program> program = compileModel(model);
  if (failed(program))
    return 1;
  momrt::GenerateFileOptions options;
  options.prompts = prompts;
  options.out = output;
  options.ids = idsFile();
  options.checkpoint = checkpoint;
  options.seed = options.generate.sampling.seed = seed;
  options.documents = documents;
  options.prefix = prefix;
  options.generate.tokens = tokens;
  options.generate.stops.assign(stops.begin(), stops.end());
  options.generate.sampling.temperature = temperature;
  options.generate.sampling.topK = topK;
  options.generate.sampling.topP = topP;
  momrt::Generated made;
  std::string error = momrt::generateFile(program->program, sessionOptions(), options, made);
  if (!error.empty())
    return fail(error);
  size_t drawn = 0;
  for (const std::vector<int32_t> &sequence : made.id)
    drawn += sequence.size();
  llvm::outs() << llvm::formatv("{0} documents, {1} new tokens; prompts in {2:f3} s",
                                made.id.size(), drawn, made.promptSeconds);
  if (made.steps)
    llvm::outs() << llvm::formatv(", then {0:f1} tokens/s",
                                  double(drawn - made.id.size()) / made.seconds);
  llvm::outs() << "; " << output << "\n";
  return 0;
}
