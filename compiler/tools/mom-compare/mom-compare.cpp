// mom-compare: runs functions on random inputs by the reference interpreter and
// prints their results, or compares their gradients with finite differences, or
// compares compiled code with it; or compares either with results that a file tells.
#include "compiler/Passes.h"
#include "compiler/Schedule/Knobs.h"
#include "compiler/tools/mom-compare/Bundle.h"
#include "compiler/tools/mom-compare/Compiled.h"
#include "compiler/tools/mom-compare/Given.h"
#include "compiler/tools/mom-compare/Gradients.h"
#include "compiler/tools/mom-compare/Inputs.h"

#include "mlir/IR/AsmState.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/ToolOutputFile.h"
#include "llvm/Support/WithColor.h"

using namespace mlir;
using namespace mom;
using namespace mom::compare;
namespace cl = llvm::cl;

static cl::OptionCategory category("mom-compare options");
static cl::opt<std::string> input(cl::Positional, cl::desc("<program.mlir>"), cl::init("-"),
                                  cl::cat(category));
static cl::list<std::string> functions("function", cl::desc("function to run; all public ones"),
                                       cl::CommaSeparated, cl::cat(category));
static cl::opt<std::string> pipeline("pass-pipeline", cl::desc("passes to run first"),
                                     cl::cat(category));
static cl::list<int64_t> tokens("tokens", cl::desc("tokens of the batch; a list: a batch of each"),
                                cl::CommaSeparated, cl::list_init<int64_t>({40}),
                                cl::cat(category));
static cl::opt<int64_t> streams("streams", cl::desc("streams of the batch"), cl::init(2),
                                cl::cat(category));
static cl::opt<int64_t> segments("segments", cl::desc("segments of the batch"), cl::init(5),
                                 cl::cat(category));
static cl::opt<int64_t> documents("documents", cl::desc("documents of the batch; the segments"),
                                  cl::init(0), cl::cat(category));
static cl::list<unsigned> modalitiesEmpty("modalities-empty",
                                          cl::desc("modalities without a token"),
                                          cl::CommaSeparated, cl::cat(category));
static cl::list<int64_t> lengths("lengths", cl::desc("lengths of segments, instead of random ones"),
                                 cl::CommaSeparated, cl::cat(category));
static cl::list<int> modality("modality", cl::desc("modality of each token, likewise"),
                              cl::CommaSeparated, cl::cat(category));
static cl::opt<uint64_t> seed("seed", cl::desc("of the random numbers"), cl::init(7),
                              cl::cat(category));
static cl::opt<bool> gradient("gradient", cl::desc("compare gradients with finite differences"),
                              cl::cat(category));
static cl::opt<std::string> joint("joint",
                                  cl::desc("the function with gradients; "
                                           "<function>.joint or <function>.gradient"),
                                  cl::cat(category));
static cl::opt<int64_t> elements("elements", cl::desc("elements to check in each argument"),
                                 cl::init(200), cl::cat(category));
static cl::opt<double> tolerance("tolerance", cl::desc("relative"), cl::init(1e-6),
                                 cl::cat(category));
static cl::opt<bool> compiled("compiled", cl::desc("compare compiled code with the interpreter"),
                              cl::cat(category));
static cl::opt<std::string> givenPath("given",
                                      cl::desc("arguments and expected results, as safetensors, "
                                               "instead of random ones"),
                                      cl::value_desc("file"), cl::cat(category));
static cl::opt<std::string> givenCase("case",
                                      cl::desc("what the names in the file of --given begin with; "
                                               "the function's name"),
                                      cl::value_desc("name"), cl::cat(category));
static cl::opt<double> rtol("rtol",
                            cl::desc("of compiled code: |out - ref| <= rtol |ref| + atol sqrt(n); "
                                     "by default for the storage type"),
                            cl::init(0), cl::cat(category));
static cl::opt<double> absolute("atol", cl::desc("likewise"), cl::init(kAbsoluteTolerance),
                                cl::cat(category));
static cl::opt<std::string> order("order",
                                  cl::desc("of rows in compiled code: auto, modality, position"),
                                  cl::init("auto"), cl::cat(category));
static cl::opt<std::string> storage("storage", cl::desc("between kernels: f32, bf16, f16"),
                                    cl::init("f32"), cl::cat(category));
static cl::opt<int> fuse("fuse", cl::desc("ops into kernels: 0, 1, 2 as of momc"), cl::init(1),
                         cl::cat(category));
static cl::opt<std::string> target("target", cl::desc("of the kernels: cpu, or a GPU as sm_90a"),
                                   cl::init("cpu"), cl::cat(category));
static cl::opt<bool> emulate("emulate", cl::desc("run a GPU's kernels on the CPU"),
                             cl::cat(category));
static cl::opt<uint64_t> knobs("knobs",
                               cl::desc("random schedules from this seed; 0: the defaults"),
                               cl::init(0), cl::cat(category));
static cl::list<std::string> knob("knob", cl::desc("of every kernel that has it"),
                                  cl::value_desc("name=value"), cl::cat(category));
static cl::opt<std::string> cpu("cpu", cl::desc("for which to compile"), cl::init("native"),
                                cl::cat(category));

static cl::opt<std::string> bundle("bundle",
                                   cl::desc("write checks for the runner of test/gpu: programs "
                                            "for the target, in a list of storage types, and "
                                            "the interpreter's results"),
                                   cl::value_desc("folder"), cl::cat(category));

/// Parses and runs the pass pipeline, if one is given.
static LogicalResult runPasses(ModuleOp module) {
  if (pipeline.empty())
    return success();
  FailureOr<OpPassManager> parsed = parsePassPipeline(pipeline);
  if (failed(parsed))
    return failure();
  PassManager manager(module.getContext());
  static_cast<OpPassManager &>(manager) = std::move(*parsed);
  return manager.run(module);
}

static bool fails(llvm::Error error) {
  if (!error)
    return false;
  llvm::WithColor::error(llvm::errs(), "mom-compare") << llvm::toString(std::move(error)) << "\n";
  return true;
}

static bool isClose(func::FuncOp func, const Difference &difference) {
  double relative = rtol;
  if (!rtol.getNumOccurrences())
    relative = relativeTolerance(storage) * toleranceFactor(func);
  return difference.normWithin(relative, absolute);
}

/// Runs and compares one function on one batch; failure after an error, false
/// where a comparison fails.
static FailureOr<bool> runFunction(func::FuncOp func, int64_t count, CompiledFunctions &machine) {
  std::mt19937_64 random(seed);
  BatchOptions options;
  options.tokens = count;
  options.streams = streams;
  options.segments = segments.getNumOccurrences() ? segments : std::min<int64_t>(segments, count);
  options.documents = documents;
  options.empty.assign(modalitiesEmpty.begin(), modalitiesEmpty.end());
  options.lengths.assign(lengths.begin(), lengths.end());
  options.modality.assign(modality.begin(), modality.end());
  auto batch = randomBatch(options, countGroups(func), random);
  if (fails(batch.takeError()))
    return failure();
  auto arguments = randomArguments(func, *batch, random);
  if (failed(arguments))
    return failure();

  llvm::outs() << "@" << func.getSymName();
  if (tokens.size() > 1)
    llvm::outs() << ", " << count << " tokens";
  llvm::outs() << "\n";
  if (gradient)
    return checkGradients(func, *arguments, {joint, elements, tolerance}, reference::interpret,
                          random, llvm::outs());
  if (compiled)
    roundToFloat(*arguments);
  auto results = reference::interpret(func, *arguments);
  if (failed(results))
    return failure();
  if (compiled) {
    auto computed = machine.execute(func, *arguments);
    if (failed(computed))
      return failure();
    roundToFloat(*results); // what overflows is infinite in both
    return compareResults(
        *computed, *results,
        [&](const Difference &difference) { return isClose(func, difference); }, llvm::outs());
  }
  for (auto [i, value] : llvm::enumerate(*results)) {
    llvm::outs() << "result " << i << ": ";
    print(value, llvm::outs());
  }
  return true;
}

/// The results of the interpreter, or of compiled code, against those of a file.
static FailureOr<bool> runGiven(func::FuncOp func, const GivenFile &file,
                                CompiledFunctions &machine) {
  StringRef name = givenCase.empty() ? func.getSymName() : StringRef(givenCase);
  FailureOr<GivenCase> given = file.read(func, name);
  if (failed(given))
    return failure();
  llvm::outs() << "@" << func.getSymName() << "\n";
  auto results = compiled ? machine.execute(func, given->arguments)
                          : reference::interpret(func, given->arguments);
  if (failed(results))
    return failure();
  return compareResults(
      *results, given->results,
      [&](const Difference &difference) {
        // Nothing is added for what is small: some gradients are.
        return compiled ? isClose(func, difference) : difference.normWithin(tolerance, 1e-15);
      },
      llvm::outs());
}

/// The functions that are named, or all that others may call.
static FailureOr<SmallVector<func::FuncOp>> chosen(ModuleOp module) {
  SmallVector<func::FuncOp> result;
  for (const std::string &name : functions) {
    auto func = module.lookupSymbol<func::FuncOp>(name);
    if (!func)
      return module.emitError() << "has no function '" << name << "'";
    result.push_back(func);
  }
  if (functions.empty())
    for (auto func : module.getOps<func::FuncOp>())
      if (func.isPublic() && !func.getSymName().contains('.'))
        result.push_back(func);
  return result;
}

static FailureOr<KnobChoice> chosenKnobs() {
  KnobChoice choice(knobs);
  for (StringRef text : knob) {
    auto [name, digits] = text.split('=');
    int64_t value = 0;
    bool known =
        llvm::any_of(allKnobs(), [&, name = name](const Knob &k) { return k.name == name; });
    if (!known || !llvm::to_integer(digits, value)) {
      llvm::WithColor::error(llvm::errs(), "mom-compare")
          << "expected a knob and a number, but got '" << text << "'\n";
      return failure();
    }
    choice.given.push_back({name.str(), value});
  }
  return choice;
}

static int writeBundles(ArrayRef<func::FuncOp> funcs, const PipelineOptions &how,
                        const KnobChoice &choice) {
  BundleOptions options;
  options.folder = bundle;
  options.program = llvm::sys::path::stem(input).str();
  for (StringRef part : llvm::split(StringRef(storage.getValue()), ','))
    options.storages.push_back(part.str());
  options.tokens.assign(tokens.begin(), tokens.end());
  options.seed = seed;
  options.knobs = choice;
  bool good = true;
  for (func::FuncOp func : funcs)
    good &= succeeded(writeBundle(func, how, options));
  return good ? 0 : 1;
}

static int run() {
  DialectRegistry registry;
  registerDialects(registry);
  MLIRContext context(registry);
  context.printOpOnDiagnostic(false); // a caret says where; a whole module says nothing
  std::string error;
  auto buffer = openInputFile(input, &error);
  if (!buffer) {
    llvm::WithColor::error(llvm::errs(), "mom-compare") << error << "\n";
    return 1;
  }
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(std::move(buffer), SMLoc());
  SourceMgrDiagnosticHandler handler(sources, &context);
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(sources, &context);
  if (!module || failed(runPasses(*module)))
    return 1;
  auto funcs = chosen(*module);
  if (failed(funcs))
    return 1;
  PipelineOptions how;
  how.order = order;
  how.storage = storage;
  how.fuse = fuse;
  how.target = target;
  how.emulate = emulate;
  how.cpu = cpu;
  FailureOr<KnobChoice> choice = chosenKnobs();
  if (failed(choice))
    return 1;
  if (!bundle.empty())
    return writeBundles(*funcs, how, *choice);
  CompiledFunctions machine(how, *choice);
  bool good = true;
  if (!givenPath.empty()) {
    FailureOr<GivenFile> file = GivenFile::open(givenPath);
    for (func::FuncOp func : *funcs) {
      FailureOr<bool> result = failure();
      if (succeeded(file))
        result = runGiven(func, *file, machine);
      good &= succeeded(result) && *result;
    }
    return good ? 0 : 1;
  }
  for (func::FuncOp func : *funcs)
    for (int64_t count : tokens) {
      FailureOr<bool> result = runFunction(func, count, machine);
      good &= succeeded(result) && *result;
    }
  return good ? 0 : 1;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  mom::registerPasses();
  registerTransformsPasses();
  cl::HideUnrelatedOptions(category);
  cl::ParseCommandLineOptions(argc, argv,
                              "mom-compare: Mixture-of-Mamba functions against the reference\n");
  return run();
}
