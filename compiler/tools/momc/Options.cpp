// What several verbs share: options of the command line, and what they mean.
#include "compiler/Schedule/Knobs.h"
#include "compiler/tools/momc/Verbs.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/FileUtilities.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/WithColor.h"

using namespace mlir;
using namespace mom;
namespace cl = llvm::cl;

namespace mom::tool {
cl::OptionCategory verbOptions("Options"), modelOptions("Model"), compileOptions("Compiling"),
    codeOptions("Machine code"), runOptions("Running");

std::string input;
cl::opt<std::string> checkpoint("checkpoint",
                                cl::desc("parameters: a checkpoint or the folder of a run"),
                                cl::value_desc("path"), cl::cat(verbOptions));
cl::opt<std::string> output("o", cl::desc("write here (default: standard output)"), cl::init("-"),
                            cl::value_desc("file"), cl::cat(verbOptions));
cl::list<std::string> entryNames("entry",
                                 cl::desc("loss, gradient, update, next, LAYER or LAYER.vjp; "
                                          "several: once each (default: all but next)"),
                                 cl::value_desc("name"), cl::cat(verbOptions));
cl::opt<uint64_t> seed("seed", cl::desc("of initial parameters (default: 1)"), cl::init(1),
                       cl::value_desc("number"), cl::cat(verbOptions));

static cl::list<std::string> settings("set", cl::desc("a value for a setting of the model"),
                                      cl::value_desc("name=value"), cl::cat(modelOptions));
static cl::opt<std::string>
    startFrom("start-from",
              cl::desc("the input is IR of this stage (default: mom for a file .mlir)"),
              cl::value_desc("stage"), cl::cat(modelOptions));
static cl::opt<std::string> dumpStages("dump-stages", cl::desc("write every stage into a folder"),
                                       cl::value_desc("folder"), cl::cat(modelOptions));
static Number<0> scanCheckpoint("scan-checkpoint",
                                cl::desc("tokens between two saved states of a scan "
                                         "(default: 16 on a CPU; on a GPU 64 of up to 16 "
                                         "states, 32 of up to 64, 16 of more)"),
                                cl::init(0), cl::cat(modelOptions));

static cl::list<std::string> schedules("schedule", cl::desc("a file of schedules for the model"),
                                       cl::value_desc("file"), cl::cat(compileOptions));
static cl::opt<std::string> order("order",
                                  cl::desc("of token rows: auto, modality or position "
                                           "(default: auto)"),
                                  cl::init("auto"), cl::cat(compileOptions));
static cl::opt<std::string> storage("storage",
                                    cl::desc("of rows between kernels: f32, bf16 or f16 (default: "
                                             "f32 on a CPU, the model's precision on a GPU)"),
                                    cl::init("auto"), cl::cat(compileOptions));
cl::opt<std::string> target("target",
                            cl::desc("of the kernels: cpu, or a GPU as sm_90a (default: cpu)"),
                            cl::init("cpu"), cl::cat(compileOptions));
cl::opt<bool> emulate("emulate", cl::desc("run a GPU's kernels on the CPU, for tests"), cl::Hidden,
                      cl::cat(compileOptions));
static cl::opt<std::string> cpu("cpu",
                                cl::desc("to generate code for: native, or as clang's -march "
                                         "(default: native)"),
                                cl::init("native"), cl::cat(compileOptions));
static Number<0, 3> recompute("recompute",
                              cl::desc("in backward: 0 nothing, 1 what forward does not store "
                                       "anyway, 2 all that is cheap, 3 more, for less memory "
                                       "(default: 1)"),
                              cl::init(1), cl::cat(compileOptions));
static cl::opt<std::string> memory("memory",
                                   cl::desc("that a training step may take, as 9GiB: chooses "
                                            "--recompute and --scan-checkpoint"),
                                   cl::value_desc("size"), cl::cat(compileOptions));
static Number<0, 2> fuse("fuse",
                         cl::desc("ops into kernels: 0 none, 1 all that is known to pay, 2 all "
                                  "that can, for the fewest launches (default: 1)"),
                         cl::init(1), cl::cat(compileOptions));

static cl::opt<bool> strict("strict-kernels",
                            cl::desc("a GPU kernel that spills registers is an error"),
                            cl::cat(codeOptions));

static Number<0, 4096> threads("cpu-threads", cl::desc("of the CPU (default: all cores)"),
                               cl::init(0), cl::cat(runOptions));
static cl::opt<std::string> cacheFolder("cache",
                                        cl::desc("folder of programs that were compiled to be "
                                                 "run; those found there are not compiled again"),
                                        cl::value_desc("folder"), cl::cat(runOptions));

int fail(const llvm::Twine &text) {
  llvm::WithColor::error(llvm::errs(), "momc") << text << "\n";
  return 1;
}

void warn(const llvm::Twine &text) {
  llvm::WithColor::warning(llvm::errs(), "momc") << text << "\n";
}

void warnOfNoCheckpoint() {
  warn("without --checkpoint parameters are initial ones, those of --seed " + llvm::Twine(seed));
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

/// Of options that say nothing about the input: the passes that read them may not run.
static int checkValues() {
  StringRef rows = StringRef(storage).split(" (").first;
  if (!llvm::is_contained({"auto", "model", "f32", "bf16", "f16"}, rows))
    return fail("expected --storage f32, bf16, f16 or auto, but got " + storage);
  if (!isProcessor(cpu))
    return fail("expected --cpu native or a processor that momc generates code for, such as "
                "x86-64-v3, but got " +
                cpu);
  if (!memory.empty() && !bytesOf(memory))
    return fail("expected --memory as 9GiB or 512MiB, but got '" + memory + "'");
  return 0;
}

int checkSharedOptions() {
  for (const std::string &setting : settings)
    if (!StringRef(setting).contains('='))
      return fail("expected --set name=value, but got --set " + setting);
  if (!startFrom.empty() && !stageNamed(startFrom))
    return fail("no stage is named '" + startFrom + "'");
  bool isIr = !startFrom.empty() || StringRef(input).ends_with(".mlir");
  if (isIr && !settings.empty())
    return fail("--set " + settings.front() + " is for a model's text, but " + input +
                " is IR, where settings have their values");
  if (!cacheFolder.empty() && !dumpStages.empty())
    return fail("--dump-stages writes what --cache would pass over: leave one of them out");
  if (checkValues())
    return 1;
  // A cache that cannot be written is passed over: the program runs, but not sooner next time.
  if (!cacheFolder.empty()) {
    std::error_code code = llvm::sys::fs::create_directories(cacheFolder);
    if (!code)
      code = llvm::sys::fs::access(cacheFolder, llvm::sys::fs::AccessMode::Write);
    if (code)
      warn("--cache " + cacheFolder + " keeps no programs: " + code.message());
  }
  return 0;
}

FailureOr<std::vector<std::string>> entriesToKeep(Stage last) {
  std::optional<Stage> first = stageNamed(startFrom);
  bool late = first && *first >= Stage::Split;
  if (!entryNames.empty() && (late || last < Stage::Split)) {
    fail("--entry chooses what stage split keeps, but " +
         (late ? "the input is of stage " + startFrom : "--stage is " + nameOf(last)));
    return failure();
  }
  return std::vector<std::string>(entryNames.begin(), entryNames.end());
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
  options.pipeline.target = compiledTarget(target).str();
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
  options.threads = static_cast<int>(threads);
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
    : forTarget(compiledTarget(target).str()) {
  std::string message;
  std::unique_ptr<llvm::MemoryBuffer> buffer = openInputFile(input, &message);
  if (!buffer) {
    fail(message);
    return;
  }
  sources.AddNewSourceBuffer(std::move(buffer), SMLoc());
  if (addSchedules(sources))
    return;
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
} // namespace mom::tool
