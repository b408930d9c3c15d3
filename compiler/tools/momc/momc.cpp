// momc: compiles, trains and runs Mixture-of-Mamba models.
#include "compiler/tools/momc/Verbs.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/FileUtilities.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/WithColor.h"

using namespace mlir;
using namespace mom;
namespace cl = llvm::cl;

namespace mom::tool {
cl::OptionCategory compileOptions("Compiling"), runOptions("Running"), trainOptions("Training"),
    emitOptions("Artefacts"), artefactOptions("Objects"), checkOptions("Checking"),
    formatOptions("Formatting");

cl::opt<std::string> input(cl::Positional, cl::desc("MODEL"));
cl::opt<std::string> checkpoint("checkpoint",
                                cl::desc("parameters: a checkpoint or the folder of a run"),
                                cl::value_desc("path"), cl::cat(runOptions));
cl::opt<std::string> output("o", cl::desc("write here"), cl::init("-"), cl::value_desc("file"),
                            cl::cat(emitOptions), cl::cat(timingOptions), cl::cat(formatOptions),
                            cl::cat(generateOptions));
cl::list<std::string> entryNames("entry",
                                 cl::desc("loss, gradient, update, next, LAYER or LAYER.vjp; "
                                          "several: once each"),
                                 cl::value_desc("name"), cl::cat(emitOptions),
                                 cl::cat(timingOptions));
cl::opt<uint64_t> seed("seed", cl::desc("of initial parameters and of the order of data"),
                       cl::init(1), cl::cat(runOptions));
static cl::opt<int> threads("cpu-threads", cl::desc("of the CPU; 0: all cores"), cl::init(0),
                            cl::cat(runOptions));

static cl::list<std::string> settings("set", cl::desc("a value for a setting of the model"),
                                      cl::value_desc("name=value"), cl::cat(compileOptions));
static cl::list<std::string> schedules("schedule",
                                       cl::desc("a file of schedules for the model"),
                                       cl::value_desc("file"), cl::cat(compileOptions));
static cl::opt<std::string> startFrom("start-from", cl::desc("the input is IR of this stage"),
                                      cl::value_desc("stage"), cl::cat(compileOptions));
static cl::opt<std::string> dumpStages("dump-stages", cl::desc("write every stage into a folder"),
                                       cl::value_desc("folder"), cl::cat(compileOptions));
static cl::opt<std::string> order("order", cl::desc("of token rows: auto, modality or position"),
                                  cl::init("auto"), cl::cat(compileOptions));
static cl::opt<std::string> storage("storage",
                                    cl::desc("of rows between kernels: f32, bf16 or f16; auto: f32 "
                                             "on a CPU, the model's precision on a GPU"),
                                    cl::init("auto"), cl::cat(compileOptions));
cl::opt<std::string> target("target", cl::desc("of the kernels: cpu, or a GPU as sm_90a"),
                            cl::init("cpu"), cl::cat(compileOptions));
cl::opt<bool> emulate("emulate", cl::desc("run a GPU's kernels on the CPU, for tests"),
                      cl::Hidden, cl::cat(compileOptions));
static cl::opt<bool> strict("strict-kernels",
                            cl::desc("a GPU kernel that spills registers is an error"),
                            cl::cat(compileOptions));
static cl::opt<std::string> cpu("cpu",
                                cl::desc("to generate code for: native, or as clang's -march"),
                                cl::init("native"), cl::cat(compileOptions));
static cl::opt<int64_t>
    scanCheckpoint("scan-checkpoint",
                   cl::desc("tokens between two saved states of a scan; 0: 16 "
                            "on a CPU, on a GPU 64 of up to 16 states, 32 of up "
                            "to 64, 16 of more"),
                   cl::init(0), cl::cat(compileOptions));
static cl::opt<std::string> cacheFolder("cache",
                                        cl::desc("folder of programs that were compiled to be "
                                                 "run; those found there are not compiled again"),
                                        cl::value_desc("folder"), cl::cat(runOptions));
static cl::opt<int> recompute("recompute",
                              cl::desc("in backward: 0 nothing, 1 what forward does not store "
                                       "anyway, 2 all that is cheap, 3 more, for less memory"),
                              cl::init(1), cl::cat(compileOptions));
static cl::opt<std::string> memory("memory",
                                   cl::desc("that a training step may take, as 9GiB: chooses "
                                            "--recompute and --scan-checkpoint"),
                                   cl::value_desc("size"), cl::cat(compileOptions));
static cl::opt<int> fuse("fuse",
                         cl::desc("ops into kernels: 0 none, 1 all that is known to pay, 2 all "
                                  "that can, for the fewest launches"),
                         cl::init(1), cl::cat(compileOptions));

int fail(const llvm::Twine &text) {
  llvm::WithColor::error(llvm::errs(), "momc") << text << "\n";
  return 1;
}

/// "9GiB", "512MiB" or a count of bytes.
static std::optional<int64_t> bytesOf(StringRef text) {
  int shift = text.consume_back("GiB") ? 30 : text.consume_back("MiB") ? 20 : 0;
  double value;
  if (text.getAsDouble(value))
    return std::nullopt;
  value *= double(int64_t(1) << shift);
  bool some = value >= 1 && value < double(int64_t(1) << 60);
  return some ? std::optional(static_cast<int64_t>(value)) : std::nullopt;
}

CompileOptions compileOptionsFromCommandLine() {
  CompileOptions options;
  for (const std::string &setting : settings) {
    auto [name, value] = StringRef(setting).split('=');
    options.settings[name] = value.str();
  }
  if (!startFrom.empty())
    options.startFrom = stageNamed(startFrom);
  options.dumpDirectory = dumpStages;
  options.cacheDirectory = cacheFolder;
  options.pipeline.order = order;
  options.pipeline.storage = storage;
  options.pipeline.target = target;
  options.pipeline.emulate = emulate;
  options.pipeline.strict = strict;
  options.pipeline.cpu = cpu;
  options.pipeline.checkpoint = scanCheckpoint;
  options.pipeline.recompute = recompute;
  options.pipeline.memory = bytesOf(memory).value_or(0);
  options.pipeline.fuse = fuse;
  options.configure = [](PassManager &passes) { (void)applyPassManagerCLOptions(passes); };
  return options;
}

/// Where nothing says what backward saves, a training step is to fit its GPU. A part of that is
/// left for the driver's context and for programs.
static void fitGpu(CompileOptions &options) {
  const std::optional<momrt::Gpu> &gpu = chosenGpu();
  bool said =
      !memory.empty() || recompute.getNumOccurrences() || scanCheckpoint.getNumOccurrences();
  if (said || !gpu || !llvm::is_contained(options.entries, "update"))
    return;
  options.pipeline.memory = gpu->memory / 16 * 15;
  options.memoryOf = gpu->name;
}

momrt::SessionOptions sessionOptions() {
  momrt::SessionOptions options;
  options.threads = threads;
  setDevice(options);
  return options;
}

int addSchedules(llvm::SourceMgr &sources) {
  for (const std::string &path : schedules) {
    std::string message;
    std::unique_ptr<llvm::MemoryBuffer> buffer = openInputFile(path, &message);
    if (!buffer)
      return fail(message);
    sources.AddNewSourceBuffer(std::move(buffer), SMLoc());
  }
  return 0;
}

ModelFile::ModelFile(std::vector<std::string> entries)
    : ModelFile(std::move(entries), tool::target) {}

ModelFile::ModelFile(std::vector<std::string> entries, StringRef target)
    : forTarget(target.str()) {
  std::string message;
  std::unique_ptr<llvm::MemoryBuffer> buffer = openInputFile(input, &message);
  if (!buffer) {
    fail(message);
    return;
  }
  sources.AddNewSourceBuffer(std::move(buffer), SMLoc());
  if (addSchedules(sources))
    return;
  if (!memory.empty() && !bytesOf(memory)) {
    fail("expected --memory as 9GiB or 512MiB, but got '" + memory + "'");
    return;
  }
  handler = std::make_unique<SourceMgrDiagnosticHandler>(sources, &context);
  CompileOptions options = compileOptionsFromCommandLine();
  options.entries = std::move(entries);
  options.pipeline.target = forTarget;
  fitGpu(options);
  compiler = std::make_unique<Compiler>(context, sources, std::move(options));
}

void ModelFile::keepQuiet() {
  filter.emplace(&context, [](Diagnostic &diagnostic) {
    return success(diagnostic.getSeverity() != DiagnosticSeverity::Error); // others are dropped
  });
}

FailureOr<Program> compileModel(ModelFile &model) {
  if (!model || failed(model->load()))
    return failure();
  return model->jit();
}

namespace {
struct Verb {
  StringRef name, sentence;
  int (*run)();
  SmallVector<cl::OptionCategory *> groups;
};
} // namespace

static ArrayRef<Verb> verbs() {
  static const Verb all[] = {
      {"check", "report what is wrong with a model", check, {&compileOptions, &checkOptions}},
      {"fmt", "rewrite a model's text as it should look", fmt, {&formatOptions}},
      {"emit", "print a stage of the compilation", emit, {&compileOptions, &emitOptions}},
      {"schedule",
       "print how each kernel runs, as a schedule to edit",
       schedule,
       {&compileOptions, &emitOptions, &explainOptions}},
      {"compile",
       "write a program as an object file and a header",
       compile,
       {&compileOptions, &emitOptions, &artefactOptions}},
      {"train",
       "train a model on token files",
       train,
       {&compileOptions, &runOptions, &deviceOptions, &trainOptions}},
      {"eval",
       "measure a checkpoint on held-out data",
       eval,
       {&compileOptions, &runOptions, &deviceOptions, &trainOptions}},
      {"run",
       "run an entry on tensors from a file",
       run,
       {&compileOptions, &runOptions, &deviceOptions, &emitOptions}},
      {"generate",
       "continue token sequences from a checkpoint",
       generate,
       {&compileOptions, &runOptions, &deviceOptions, &generateOptions}},
      {"interpret",
       "the same by the double-precision reference interpreter",
       interpret,
       {&compileOptions, &runOptions, &emitOptions}},
      {"gradcheck",
       "compare gradients with finite differences in the interpreter",
       gradcheck,
       {&compileOptions, &runOptions, &gradcheckOptions}},
      {"bench",
       "time kernels, layers and training steps",
       bench,
       {&compileOptions, &runOptions, &deviceOptions, &timingOptions}},
      {"profile",
       "show where a training step's time goes",
       profile,
       {&compileOptions, &runOptions, &deviceOptions, &timingOptions}},
  };
  return all;
}

static int usage(llvm::raw_ostream &os, int status) {
  os << "momc compiles, trains and runs Mixture-of-Mamba models\n\nusage: momc VERB MODEL "
        "[options]\n\n";
  for (const Verb &verb : verbs())
    os << llvm::formatv("  momc {0,-10} {1}\n", verb.name, verb.sentence);
  os << "\n`momc VERB --help` lists a verb's options.\n";
  return status;
}

/// An option that the verb has no use for is a mistake, not a no-op.
static bool takesItsOptions(const Verb &verb) {
  bool good = true;
  for (auto &[name, option] : cl::getRegisteredOptions()) {
    auto inGroup = [&](cl::OptionCategory *group) {
      return llvm::is_contained(verb.groups, group);
    };
    bool ours = llvm::any_of(option->Categories, [](cl::OptionCategory *group) {
      return llvm::is_contained(
          {&compileOptions, &runOptions, &trainOptions, &emitOptions, &artefactOptions,
           &checkOptions, &timingOptions, &deviceOptions, &gradcheckOptions,
           &formatOptions, &generateOptions},
          group);
    });
    if (ours && option->getNumOccurrences() && llvm::none_of(option->Categories, inGroup)) {
      fail("`momc " + verb.name + "` has no option --" + name);
      good = false;
    }
  }
  return good;
}

static int main(int argc, char **argv) {
  if (argc < 2 || StringRef(argv[1]) == "--help" || StringRef(argv[1]) == "help")
    return usage(argc < 2 ? llvm::errs() : llvm::outs(), argc < 2 ? 1 : 0);
  const Verb *verb = llvm::find_if(verbs(), [&](const Verb &v) { return v.name == argv[1]; });
  if (verb == verbs().end()) {
    fail("unknown verb '" + llvm::Twine(argv[1]) + "'");
    return usage(llvm::errs(), 1);
  }
  SmallVector<const cl::OptionCategory *> shown(verb->groups.begin(), verb->groups.end());
  cl::HideUnrelatedOptions(shown);
  std::string program = (llvm::Twine("momc ") + verb->name).str();
  SmallVector<const char *> arguments = {program.c_str()};
  arguments.append(argv + 2, argv + argc);
  if (verb->run == check) // `momc check --json MODEL`: messages go to standard output
    for (const char *&argument : arguments)
      if (StringRef(argument) == "--json")
        argument = "--json=-";
  cl::ParseCommandLineOptions(arguments.size(), arguments.data(), (verb->sentence + "\n").str());
  if (input.empty())
    return fail("expected a model: momc " + verb->name + " MODEL");
  for (const std::string &setting : settings)
    if (!StringRef(setting).contains('='))
      return fail("expected --set name=value, but got --set " + setting);
  if (!startFrom.empty() && !stageNamed(startFrom))
    return fail("no stage is named '" + startFrom + "'");
  if (!takesItsOptions(*verb))
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
