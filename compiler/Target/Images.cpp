// From emitted functions to the code of each kernel: LLVM and ptxas, many at a time.
#include "compiler/Target/Cpu.h"
#include "compiler/Target/Ptx.h"

#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/ThreadPool.h"
#include "llvm/Transforms/Utils/Cloning.h"

using namespace mlir;
using namespace mom;

namespace {
struct Job {
  std::string name, bitcode;
  KernelImage image;
  std::string error, note;
};
} // namespace

/// The path of ptxas, or none.
static std::string findPtxas() {
  if (auto found = llvm::sys::findProgramByName("ptxas"))
    return *found;
  std::vector<std::string> folders = {"/usr/local/cuda/bin"};
  for (const char *variable : {"CUDA_PATH", "CUDA_HOME"})
    if (const char *home = std::getenv(variable))
      folders.insert(folders.begin(), std::string(home) + "/bin");
  SmallVector<StringRef> places(folders.begin(), folders.end());
  auto found = llvm::sys::findProgramByName("ptxas", places);
  return found ? *found : "";
}

static std::string readAndRemove(StringRef path) {
  auto file = llvm::MemoryBuffer::getFile(path);
  std::string text = file ? (*file)->getBuffer().str() : "";
  (void)llvm::sys::fs::remove(path);
  return text;
}

std::string mom::ptxasVersion() {
  std::string ptxas = findPtxas();
  SmallString<128> report;
  if (ptxas.empty() || llvm::sys::fs::createTemporaryFile("momc", "log", report))
    return "";
  StringRef arguments[] = {ptxas, "--version"};
  std::optional<StringRef> redirects[] = {std::nullopt, StringRef(report), StringRef(report)};
  (void)llvm::sys::ExecuteAndWait(ptxas, arguments, std::nullopt, redirects);
  return ptxas + "\n" + readAndRemove(report);
}

/// ptxas spills a register or two outside loops so that one more block fits a
/// multiprocessor; that is its choice, and costs nothing.
static constexpr unsigned kHarmlessBytes = 16;

/// What of ptxas' report means slow code: spilled registers, wgmma made serial.
static std::string complaintsIn(StringRef report) {
  std::string complaints;
  for (StringRef line : llvm::split(report, '\n')) {
    // "8 bytes stack frame, 4 bytes spill stores, 4 bytes spill loads"
    unsigned bytes = 0;
    bool spills = line.contains("bytes spill stores") &&
                  !line.split("frame,").second.trim().consumeInteger(10, bytes) &&
                  bytes > kHarmlessBytes;
    if (spills || line.contains("C75"))
      complaints += (complaints.empty() ? "" : "; ") + line.trim().str();
  }
  return complaints;
}

static void assemble(Job &job, StringRef ptxas, StringRef target) {
  SmallString<128> in, out, report;
  if (llvm::sys::fs::createTemporaryFile("momc", "ptx", in) ||
      llvm::sys::fs::createTemporaryFile("momc", "cubin", out) ||
      llvm::sys::fs::createTemporaryFile("momc", "log", report)) {
    job.error = "cannot create a temporary file for ptxas";
    return;
  }
  {
    std::error_code code;
    llvm::raw_fd_ostream file(in, code);
    file << job.image.ptx;
    file.close();
    if (file.has_error()) {
      job.error = "cannot write " + std::string(in) + ": " + file.error().message();
      file.clear_error(); // else the stream ends the process
      for (StringRef path : {StringRef(in), StringRef(out), StringRef(report)})
        (void)llvm::sys::fs::remove(path);
      return;
    }
  }
  std::string arch = ("-arch=" + target).str();
  StringRef arguments[] = {ptxas, arch, "-O3", "-v", in, "-o", out};
  std::optional<StringRef> redirects[] = {std::nullopt, StringRef(report), StringRef(report)};
  std::string problem;
  int status = llvm::sys::ExecuteAndWait(ptxas, arguments, std::nullopt, redirects, 0, 0, &problem);
  std::string said = readAndRemove(report);
  job.image.cubin = readAndRemove(out);
  (void)llvm::sys::fs::remove(in);
  if (status)
    job.error = "ptxas failed: " + (problem.empty() ? said : problem);
  else
    job.note = complaintsIn(said);
}

static void compileJob(Job &job, StringRef target, StringRef ptxas) {
  llvm::LLVMContext context;
  auto module =
      llvm::parseBitcodeFile(llvm::MemoryBufferRef(job.bitcode, job.name), context);
  if (!module) {
    job.error = llvm::toString(module.takeError());
    return;
  }
  if (!generatePtx(**module, target, job.image.ptx, job.error))
    return;
  if (!ptxas.empty())
    assemble(job, ptxas, target);
}

FailureOr<GpuImages> mom::compileImages(ModuleOp emitted, StringRef target, bool strict,
                                        function_ref<InFlightDiagnostic()> emitError) {
  GpuImages images;
  if (StringRef number = target; !number.consume_front("sm_") ||
                                 number.consumeInteger(10, images.architecture) ||
                                 !(number.empty() || number == "a"))
    return emitError() << "expected a GPU as target, such as sm_90a, but got " << target;
  llvm::LLVMContext context;
  FailureOr<std::unique_ptr<llvm::Module>> whole =
      translateToLlvm(emitted, context, /*expandBf16=*/false);
  if (failed(whole))
    return failure();
  std::vector<Job> jobs;
  for (llvm::Function &function : **whole) {
    if (function.isDeclaration())
      continue;
    llvm::ValueToValueMapTy map;
    // Other kernels stay as declarations, which nothing calls.
    auto alone = llvm::CloneModule(**whole, map, [&](const llvm::GlobalValue *value) {
      return value == &function || isa<llvm::GlobalVariable>(value);
    });
    for (llvm::Function &other : llvm::make_early_inc_range(*alone))
      if (other.isDeclaration() && other.use_empty())
        other.eraseFromParent();
    Job job;
    job.name = function.getName().str();
    llvm::raw_string_ostream stream(job.bitcode);
    llvm::WriteBitcodeToFile(*alone, stream);
    jobs.push_back(std::move(job));
  }
  std::string ptxas = findPtxas();
  initialisePtx();
  llvm::DefaultThreadPool pool(llvm::heavyweight_hardware_concurrency());
  // The longest first, so that none is left alone at the end.
  SmallVector<Job *> order = llvm::map_to_vector(jobs, [](Job &job) { return &job; });
  llvm::stable_sort(order,
                    [](Job *a, Job *b) { return a->bitcode.size() > b->bitcode.size(); });
  for (Job *job : order)
    pool.async([job, target, &ptxas] { compileJob(*job, target, ptxas); });
  pool.wait();

  for (Job &job : jobs) {
    if (!job.error.empty())
      return emitError() << "kernel '" << job.name << "': " << job.error;
    if (!job.note.empty()) {
      if (strict)
        return emitError() << "kernel '" << job.name << "': " << job.note;
      emitWarning(emitted.getLoc()) << "kernel '" << job.name << "': " << job.note;
    }
    images.kernels[job.name] = std::move(job.image);
  }
  return images;
}
