// mom-reduce: makes a program smaller while a command that takes it fails.
#include "compiler/tools/mom-reduce/Reduce.h"
#include "dialect/Mom.h"

#include "mlir/IR/AsmState.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Support/FileUtilities.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/ToolOutputFile.h"
#include "llvm/Support/WithColor.h"

#include <cstdlib>

using namespace mlir;
using namespace mom;
namespace cl = llvm::cl;

static cl::OptionCategory category("mom-reduce options");
static cl::opt<std::string> input(cl::Positional, cl::desc("<program.mlir>"), cl::Required,
                                  cl::cat(category));
static cl::opt<std::string> test("test",
                                 cl::desc("a shell's command that fails (status not 0) for the "
                                          "program, whose path takes the place of {}"),
                                 cl::Required, cl::cat(category));
static cl::opt<std::string> output("o", cl::desc("write here"), cl::init("-"),
                                   cl::value_desc("file"), cl::cat(category));

static int fail(const llvm::Twine &text) {
  llvm::WithColor::error(llvm::errs(), "mom-reduce") << text << "\n";
  return 1;
}

static bool commandFails(ModuleOp module, StringRef path) {
  std::error_code error;
  llvm::raw_fd_ostream file(path, error);
  if (error)
    return false;
  file << module;
  file.close();
  std::string command = test;
  for (size_t at; (at = command.find("{}")) != std::string::npos;)
    command.replace(at, 2, path.str());
  return std::system((command + " > /dev/null 2>&1").c_str()) != 0;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::HideUnrelatedOptions(category);
  cl::ParseCommandLineOptions(argc, argv, "mom-reduce: a smaller Mixture-of-Mamba program that still fails\n");
  if (!StringRef(test).contains("{}"))
    return fail("expected {} in --test, where the program's path goes");
  DialectRegistry registry;
  registerDialects(registry);
  MLIRContext context(registry);
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(input, &context);
  llvm::SmallString<64> path;
  if (!module)
    return 1;
  if (std::error_code error = llvm::sys::fs::createTemporaryFile("mom-reduce", "mlir", path))
    return fail("cannot make a temporary file: " + error.message());
  llvm::FileRemover remover(path);
  if (!commandFails(*module, path))
    return fail("the command does not fail for '" + input + "' itself");
  int64_t changes = reduceProgram(module, [&](ModuleOp candidate) { return commandFails(candidate, path); });
  llvm::errs() << changes << " changes\n";
  std::string message;
  auto file = openOutputFile(output, &message);
  if (!file)
    return fail(message);
  file->os() << *module << "\n";
  file->keep();
  return 0;
}
