// momc: compiles, trains and runs Mixture-of-Mamba models.
#include "compiler/tools/momc/Verbs.h"

#include "mlir/IR/AsmState.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/TargetSelect.h"

#include "Version.inc"

using namespace mlir;
using namespace mom;
namespace cl = llvm::cl;

namespace mom::tool {
static cl::list<std::string> models(cl::Positional, cl::desc("MODEL"));

namespace {
/// An option of verbOptions that a verb takes, and what it is there.
struct Taken {
  StringRef name, description = {}; ///< empty: as declared
};

struct Verb {
  StringRef name, sentence;
  int (*run)();
  SmallVector<cl::OptionCategory *> groups;
  SmallVector<Taken> options;

  bool takes(const cl::Option &option) const {
    auto isGroup = [&](cl::OptionCategory *group) { return llvm::is_contained(groups, group); };
    return llvm::any_of(option.Categories, isGroup) ||
           llvm::any_of(options, [&](const Taken &taken) { return taken.name == option.ArgStr; });
  }
};
} // namespace

static constexpr StringLiteral kOneEntry =
    "loss, gradient, next, LAYER or LAYER.vjp (default: loss)";
static constexpr StringLiteral kProfiled =
    "loss, gradient, update, next, LAYER or LAYER.vjp; several: once each (default: gradient and "
    "update, or loss where nothing says how it is trained)";

static ArrayRef<Verb> verbs() {
  static const Verb all[] = {
      {"check",
       "report what is wrong with a model",
       check,
       {&modelOptions, &compileOptions, &checkOptions},
       {{"json", "messages as JSON, to --json=FILE or standard output"}}},
      {"fmt",
       "rewrite a model's file in place, as its text should look",
       fmt,
       {&formatOptions},
       {{"o", "write here (-: standard output) and leave the model's file"}}},
      {"emit",
       "print a stage of the compilation",
       emit,
       {&modelOptions, &compileOptions, &codeOptions},
       {{"stage"}, {"entry"}, {"o"}}},
      {"schedule",
       "print how each kernel runs, as a schedule to edit",
       schedule,
       {&modelOptions, &compileOptions, &explainOptions},
       {{"ceilings"}, {"entry"}, {"o"}}},
      {"compile",
       "write a program as an object file and a header",
       compile,
       {&modelOptions, &compileOptions, &codeOptions, &artefactOptions},
       {{"entry"}, {"o", "object file to write"}}},
      {"train",
       "train a model on token files",
       train,
       {&modelOptions, &compileOptions, &codeOptions, &runOptions, &deviceOptions, &trainOptions},
       {{"data"},
        {"checkpoint", "parameters to begin with: a checkpoint or the folder of a run"},
        {"seed", "of initial parameters and of the order of data (default: 1)"}}},
      {"eval",
       "measure a checkpoint on held-out data",
       eval,
       {&modelOptions, &compileOptions, &codeOptions, &runOptions, &deviceOptions},
       {{"data"}, {"checkpoint"}}},
      {"run",
       "run an entry on tensors from a file",
       run,
       {&modelOptions, &compileOptions, &codeOptions, &runOptions, &deviceOptions},
       {{"inputs"}, {"outputs"}, {"entry", kOneEntry}, {"checkpoint"}, {"seed"}}},
      {"generate",
       "continue token sequences from a checkpoint",
       generate,
       {&modelOptions, &compileOptions, &codeOptions, &runOptions, &deviceOptions,
        &generateOptions},
       {{"checkpoint"}, {"seed", "of what is drawn (default: 1)"}, {"o", "token file to write"}}},
      {"interpret",
       "the same by the double-precision reference interpreter",
       interpret,
       {&modelOptions},
       {{"inputs"}, {"outputs"}, {"entry", kOneEntry}, {"checkpoint"}, {"seed"}}},
      {"gradcheck",
       "compare gradients with finite differences in the interpreter",
       gradcheck,
       {&modelOptions, &gradcheckOptions},
       {{"seed", "of parameters and of the batch (default: 1)"}}},
      {"bench",
       "time kernels, layers and training steps",
       bench,
       {&modelOptions, &compileOptions, &codeOptions, &runOptions, &deviceOptions, &timingOptions},
       {{"entry"}, {"kernel"}, {"ceilings"}, {"json"}, {"checkpoint"}, {"seed"}}},
      {"profile",
       "show where a training step's time goes",
       profile,
       {&modelOptions, &compileOptions, &codeOptions, &runOptions, &deviceOptions, &timingOptions},
       {{"entry", kProfiled},
        {"top"},
        {"o", "timeline to write, for Perfetto"},
        {"checkpoint"},
        {"seed"}}},
  };
  return all;
}

static int usage(llvm::raw_ostream &os, int status) {
  os << "momc compiles, trains and runs Mixture-of-Mamba models\n\nusage: momc VERB MODEL "
        "[options]\n\n";
  for (const Verb &verb : verbs())
    os << llvm::formatv("  momc {0,-10} {1}\n", verb.name, verb.sentence);
  os << "\n`momc VERB --help` lists a verb's options, `momc --version` says which momc this is.\n";
  return status;
}

static void printVersion(llvm::raw_ostream &os) {
  os << "momc " MOMC_VERSION ", with LLVM " LLVM_VERSION_STRING "\n";
}

/// Makes help show what the verb takes, with what it is there.
static void describeOptions(const Verb &verb) {
  SmallVector<const cl::OptionCategory *> shown(verb.groups.begin(), verb.groups.end());
  shown.push_back(&verbOptions);
  cl::HideUnrelatedOptions(shown);
  for (auto &[name, option] : cl::getRegisteredOptions())
    if (llvm::is_contained(option->Categories, &verbOptions) && !verb.takes(*option))
      option->setHiddenFlag(cl::ReallyHidden);
  for (const Taken &taken : verb.options)
    if (!taken.description.empty())
      cl::getRegisteredOptions()[taken.name]->setDescription(taken.description);
  if (verb.run == check) // `momc check --json MODEL`
    jsonFile.setValueExpectedFlag(cl::ValueOptional);
}

/// An option that the verb has no use for is a mistake, not a no-op.
static bool takesItsOptions(const Verb &verb) {
  bool good = true;
  for (auto &[name, option] : cl::getRegisteredOptions()) {
    bool ours = llvm::any_of(option->Categories, [](cl::OptionCategory *group) {
      return llvm::is_contained({&verbOptions, &modelOptions, &compileOptions, &codeOptions,
                                 &runOptions, &deviceOptions, &trainOptions, &timingOptions,
                                 &gradcheckOptions, &generateOptions, &explainOptions,
                                 &artefactOptions, &checkOptions, &formatOptions},
                                group);
    });
    if (ours && option->getNumOccurrences() && !verb.takes(*option)) {
      fail("`momc " + verb.name + "` has no option " + (name.size() > 1 ? "--" : "-") + name);
      good = false;
    }
  }
  return good;
}

static int main(int argc, char **argv) {
  StringRef first = argc < 2 ? "" : argv[1];
  if (first.empty() || llvm::is_contained({"--help", "-h", "help"}, first))
    return usage(first.empty() ? llvm::errs() : llvm::outs(), first.empty() ? 1 : 0);
  if (first == "--version")
    return printVersion(llvm::outs()), 0;
  const Verb *verb = llvm::find_if(verbs(), [&](const Verb &v) { return v.name == first; });
  if (verb == verbs().end()) {
    fail("unknown verb '" + first + "'");
    return usage(llvm::errs(), 1);
  }
  describeOptions(*verb);
  cl::SetVersionPrinter(printVersion);
  std::string program = ("momc " + verb->name).str();
  SmallVector<const char *> arguments = {program.c_str()};
  arguments.append(argv + 2, argv + argc);
  cl::ParseCommandLineOptions(arguments.size(), arguments.data(), (verb->sentence + "\n").str());
  if (models.empty())
    return fail("expected a model: momc " + verb->name + " MODEL");
  if (models.size() > 1)
    return fail("expected one model, but got " + llvm::join(models, " and ") +
                (verb->run == check && jsonFile.getNumOccurrences()
                     ? "; messages go to a file with --json=FILE"
                     : ""));
  input = models.front();
  if (!takesItsOptions(*verb) || checkSharedOptions())
    return 1;
  if (llvm::is_contained(verb->groups, &deviceOptions) && chooseDevice())
    return 1;
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  llvm::InitializeNativeTargetAsmParser();
  return verb->run();
}
} // namespace mom::tool

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  registerAsmPrinterCLOptions();
  registerPassManagerCLOptions();
  return mom::tool::main(argc, argv);
}
