// mom-random: random legal programs, compiled and by the interpreter. A program that
// fails is reduced and written with the command that runs it. With --texts they are model
// texts, and go through the frontend, too.
#include "compiler/Passes.h"
#include "compiler/tools/mom-compare/Bundle.h"
#include "compiler/tools/mom-random/CheckCase.h"
#include "compiler/tools/mom-random/CheckText.h"
#include "compiler/tools/mom-random/RandomText.h"
#include "compiler/tools/mom-reduce/Reduce.h"

#include "mlir/Pass/PassManager.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/TargetSelect.h"

#include <csignal>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace mlir;
using namespace mom;
using namespace mom::random;
namespace cl = llvm::cl;

static cl::OptionCategory category("mom-random options");
static cl::opt<uint64_t> seed("seed", cl::desc("of the first program; the next ones follow"),
                              cl::init(1), cl::cat(category));
static cl::opt<int64_t> count("count", cl::desc("of programs"), cl::init(100), cl::cat(category));
static cl::opt<int64_t> statements("statements", cl::desc("at most, of a program"), cl::init(12),
                                   cl::cat(category));
static cl::opt<int64_t> tokens("tokens", cl::desc("at most, of a batch"), cl::init(140),
                               cl::cat(category));
static cl::opt<int64_t> elements("elements",
                                 cl::desc("of each argument whose gradient is compared with "
                                          "finite differences, in every fourth program"),
                                 cl::init(2), cl::cat(category));
static cl::opt<std::string> target("target", cl::desc("of the kernels: cpu, or a GPU as sm_90a"),
                                   cl::init("cpu"), cl::cat(category));
static cl::opt<bool> emulate("emulate", cl::desc("run a GPU's kernels on the CPU"),
                             cl::cat(category));
static cl::opt<std::string> storage("storage", cl::desc("between kernels: f32, bf16, f16"),
                                    cl::init("f32"), cl::cat(category));
static cl::opt<bool> knobs("knobs", cl::desc("each program has a random schedule"),
                           cl::cat(category));
static cl::opt<bool> texts("texts", cl::desc("of model texts: the frontend, and the gradient"),
                           cl::cat(category));
static cl::opt<std::string> folder("folder", cl::desc("where reduced programs are written"),
                                   cl::init("."), cl::cat(category));
static cl::opt<bool> printOnly("print", cl::desc("print the programs, and run nothing"),
                               cl::cat(category));
static cl::opt<bool> printJoint("print-joint",
                                cl::desc("print forward and backward of each as a function "
                                         "@program_SEED, for mom-compare, and run nothing"),
                                cl::cat(category));

// A program that takes longer hangs.
static constexpr rlim_t kSeconds = 60;

static RandomOptions randomOptions() {
  RandomOptions options;
  options.how.target = target;
  options.how.emulate = emulate;
  options.how.storage = storage;
  options.statements = statements;
  options.tokens = tokens;
  return options;
}

static CheckOptions checkOptions(uint64_t program) {
  return {program, knobs ? program + 1 : 0, program % 4 == 3, program % 4 == 0 ? elements : 0};
}

/// The joint function of a program, as one for mom-compare.
static LogicalResult printJointOf(RandomCase &random, uint64_t program) {
  PassManager passes(random.module->getContext());
  passes.addPass(createDifferentiatePass({random.scanCheckpoint, true}));
  if (failed(passes.run(*random.module)))
    return failure();
  auto joint = random.module->lookupSymbol<func::FuncOp>("f.joint");
  for (Operation &op : llvm::make_early_inc_range(*random.module->getBody()))
    if (&op != joint)
      op.erase();
  joint.setName("program_" + std::to_string(program));
  joint->setAttr(compare::kRandomProgram, UnitAttr::get(joint.getContext()));
  llvm::outs() << *random.module << "\n";
  return success();
}

/// A check in a process of its own, as a failure may be a crash; what it prints comes back
/// in `text`.
static Verdict apart(llvm::function_ref<Verdict(raw_ostream &)> check, std::string &text) {
  int ends[2];
  if (pipe(ends))
    return Verdict::Good;
  pid_t process = fork();
  if (process == 0) {
    close(ends[0]);
    dup2(ends[1], STDERR_FILENO); // with the stack, after a crash
    rlimit limit{kSeconds, kSeconds}; // of its own time: the machine may be busy
    setrlimit(RLIMIT_CPU, &limit);
    // LLVM's handlers allocate, and hang where memory is damaged.
    for (int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE})
      std::signal(signal, SIG_DFL);
    llvm::raw_fd_ostream os(ends[1], /*shouldClose=*/true);
    Verdict verdict = check(os);
    os.flush();
    _exit(int(verdict));
  }
  close(ends[1]);
  char bytes[4096];
  text.clear();
  for (ssize_t got; (got = read(ends[0], bytes, sizeof bytes)) > 0;)
    text.append(bytes, size_t(got));
  close(ends[0]);
  int status = 0;
  waitpid(process, &status, 0);
  if (WIFEXITED(status))
    return Verdict(std::min(WEXITSTATUS(status), int(Verdict::BadGradient)));
  text += llvm::formatv("the process ended by signal {0}\n", WTERMSIG(status));
  return Verdict::Bad;
}

static Verdict checkApart(ModuleOp module, const RandomCase &how, const CheckOptions &options,
                          std::string &text) {
  return apart([&](raw_ostream &os) { return checkCase(module, how, options, os); }, text);
}

static Verdict checkTextApart(const std::string &model, uint64_t program, std::string &said) {
  return apart(
      [&](raw_ostream &os) {
        return checkText(model, randomOptions(), program, knobs ? program + 1 : 0, os);
      },
      said);
}

/// Writes what is left of a text where it fails; an illegal one as it is.
static void reduceAndWrite(std::string model, uint64_t program, Verdict verdict) {
  std::string said;
  if (isLegal(model))
    model = reduceText(std::move(model), [&](const std::string &shorter) {
      return isLegal(shorter) && checkTextApart(shorter, program, said) == verdict;
    });
  (void)checkTextApart(model, program, said);
  std::string path = llvm::formatv("{0}/random-{1}.mom", folder, program);
  std::error_code error = llvm::sys::fs::create_directories(folder);
  if (!error)
    llvm::raw_fd_ostream(path, error) << model;
  llvm::outs() << "reduced: " << path << "\n" << said << model << "\n";
}

/// Shrinks the batch, then the program, then writes it.
static void reduceAndWrite(RandomCase &how, const CheckOptions &options, uint64_t program,
                           Verdict verdict) {
  std::string text;
  auto isBad = [&](ModuleOp module, const RandomCase &as) {
    return checkApart(module, as, options, text) == verdict;
  };
  auto shorter = [&](auto change) {
    RandomCase other{how.module->clone(), how.batch, how.how, how.scanCheckpoint};
    if (!change(other) || !isBad(*other.module, other))
      return false;
    how.batch = other.batch;
    how.how = other.how;
    return true;
  };
  auto cut = [&](size_t keep) {
    return shorter([&](RandomCase &other) {
      if (keep >= other.batch.lengths.size())
        return false;
      other.batch.lengths.resize(keep);
      int64_t left = 0;
      for (int64_t length : other.batch.lengths)
        left += length;
      other.batch.modality.resize(left);
      other.batch.tokens = left;
      return true;
    });
  };
  for (size_t keep : {0, 1, 2, 3})
    if (cut(keep))
      break;
  shorter([](RandomCase &other) { return std::exchange(other.how.order, "auto") != "auto"; });
  shorter([](RandomCase &other) { return std::exchange(other.how.fuse, 1) != 1; });
  reduceProgram(how.module, [&](ModuleOp module) { return isBad(module, how); });
  isBad(*how.module, how); // for its text
  std::string path = llvm::formatv("{0}/random-{1}.mlir", folder, program);
  std::error_code error = llvm::sys::fs::create_directories(folder);
  if (!error) {
    llvm::raw_fd_ostream file(path, error);
    if (!error)
      file << "// " << commandFor(how, options, path) << "\n" << *how.module << "\n";
  }
  llvm::outs() << "reduced: " << path << (error ? ", which cannot be written: " : "")
               << (error ? error.message() : "") << "\n"
               << text << commandFor(how, options, path) << "\n" << *how.module << "\n";
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::HideUnrelatedOptions(category);
  cl::ParseCommandLineOptions(
      argc, argv, "mom-random: random Mixture-of-Mamba programs, compiled and interpreted\n");
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  llvm::InitializeNativeTargetAsmParser();
  DialectRegistry registry;
  registerDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED); // forks
  context.loadAllAvailableDialects();
  context.printOpOnDiagnostic(false);
  int64_t verdicts[4] = {};
  for (uint64_t program = seed; program < seed + count; ++program) {
    if (texts) {
      std::string model = makeText(program), said;
      if (printOnly) {
        llvm::outs() << model;
        continue;
      }
      Verdict verdict = checkTextApart(model, program, said);
      ++verdicts[int(std::min(verdict, Verdict::Bad))];
      if (verdict < Verdict::Bad)
        continue;
      llvm::outs() << "text " << program << " fails\n" << said;
      llvm::outs().flush();
      reduceAndWrite(std::move(model), program, verdict);
      llvm::outs().flush();
      continue;
    }
    RandomCase random = makeCase(context, program, randomOptions());
    if (printOnly) {
      llvm::outs() << "// " << commandFor(random, checkOptions(program), "-") << "\n"
                   << *random.module << "\n";
      continue;
    }
    if (printJoint) {
      if (failed(printJointOf(random, program)))
        return 1;
      continue;
    }
    std::string text;
    Verdict verdict = checkApart(*random.module, random, checkOptions(program), text);
    ++verdicts[int(std::min(verdict, Verdict::Bad))];
    if (verdict < Verdict::Bad)
      continue;
    llvm::outs() << "program " << program << " fails\n" << text;
    llvm::outs().flush();
    reduceAndWrite(random, checkOptions(program), program, verdict);
    llvm::outs().flush();
  }
  if (printOnly || printJoint)
    return 0;
  llvm::outs() << llvm::formatv(
      "seeds {0} to {1}: {2} programs good, {3} too sensitive to compare, {4}{5} bad\n", seed,
      seed + count - 1, verdicts[0], verdicts[1],
      knobs ? llvm::formatv("{0} schedules refused, ", verdicts[2]).str() : "", verdicts[3]);
  return verdicts[3] != 0;
}
