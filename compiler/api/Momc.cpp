// The C interface of the compiler.
#include "momc/momc.h"
#include "compiler/api/Compiler.h"
#include "compiler/Target/Ptx.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Support/FileUtilities.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/TargetSelect.h"

#include <mutex>

using namespace mlir;
using namespace mom;

/// The context is the program's compiler's: code does not need it once it is loaded.
struct momc_compiled {
  Program program;
  std::string warnings;
};

static thread_local std::string lastError;

static int fail(const llvm::Twine &text) {
  lastError = text.str();
  return 1;
}

const char *momc_last_error(void) { return lastError.c_str(); }

static bool readOptions(const momc_options &given, CompileOptions &options) {
  auto text = [](const char *value, std::string &to) {
    if (value)
      to = value;
  };
  text(given.target, options.pipeline.target);
  text(given.storage, options.pipeline.storage);
  text(given.cpu, options.pipeline.cpu);
  text(given.cache, options.cacheDirectory);
  for (int64_t i = 0; i < given.setting_count; ++i) {
    auto [name, value] = StringRef(given.settings[i]).split('=');
    if (value.empty())
      return fail("expected a setting as name=value, but got '" + name + "'") == 0;
    options.settings[name] = value.str();
  }
  for (int64_t i = 0; i < given.entry_count; ++i)
    options.entries.push_back(given.entries[i]);
  return true;
}

static int compile(std::unique_ptr<llvm::MemoryBuffer> buffer, const momc_options *given,
                   momc_compiled **compiled) {
  static std::once_flag initialised; // the registries of targets are the process's
  std::call_once(initialised, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    llvm::InitializeNativeTargetAsmParser();
    initialisePtx();
  });
  CompileOptions options;
  if (given && !readOptions(*given, options))
    return 1;
  std::string said;
  llvm::raw_string_ostream stream(said);
  MLIRContext context(MLIRContext::Threading::DISABLED); // the host has threads of its own
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(std::move(buffer), SMLoc());
  SourceMgrDiagnosticHandler handler(sources, &context, stream);
  Compiler compiler(context, sources, std::move(options));
  if (failed(compiler.load()))
    return fail(said);
  FailureOr<Program> program = compiler.jit();
  if (failed(program))
    return fail(said);
  *compiled = new momc_compiled{std::move(*program), std::move(said)};
  return 0;
}

static int check(uint32_t abi, const char *what, momc_compiled **compiled) {
  if (abi != MOMC_ABI_VERSION)
    return fail(llvm::formatv("the host was compiled for version {0} of momc's C interface, but "
                              "this libmomc has version {1}; compile the host with the momc.h "
                              "that belongs to it",
                              abi, MOMC_ABI_VERSION)
                    .str());
  if (!what || !compiled)
    return fail("expected a model and a place for the program but got a null pointer");
  *compiled = nullptr;
  return 0;
}

int momc_compile_text_version(uint32_t abi, const char *text, const char *name,
                              const momc_options *options, momc_compiled **compiled) {
  if (check(abi, text, compiled))
    return 1;
  return compile(llvm::MemoryBuffer::getMemBufferCopy(text, name ? name : "model.mom"), options,
                 compiled);
}

int momc_compile_file_version(uint32_t abi, const char *path, const momc_options *options,
                              momc_compiled **compiled) {
  if (check(abi, path, compiled))
    return 1;
  std::string message;
  std::unique_ptr<llvm::MemoryBuffer> buffer = openInputFile(path, &message);
  return buffer ? compile(std::move(buffer), options, compiled) : fail(message);
}

const momrt_program *momc_program_of(const momc_compiled *compiled) {
  return compiled->program.program;
}
const char *momc_warnings(const momc_compiled *compiled) { return compiled->warnings.c_str(); }
int momc_from_cache(const momc_compiled *compiled) { return compiled->program.fromCache; }
void momc_release(momc_compiled *compiled) { delete compiled; }
