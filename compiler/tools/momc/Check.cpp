// momc check: what is wrong with a model.
#include "compiler/tools/momc/Verbs.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Support/ToolUtilities.h"

using namespace mlir;
using namespace mom;
using namespace mom::tool;
namespace cl = llvm::cl;

namespace mom::tool {
cl::opt<bool> verifyDiagnostics("verify-diagnostics",
                                cl::desc("compare messages with expected-error comments"),
                                cl::cat(checkOptions));
cl::opt<bool> splitInput("split-input-file", cl::desc("check each part between '# -----' lines"),
                         cl::cat(checkOptions));
} // namespace mom::tool

/// One text through the frontend, and through the passes that find what only
/// the whole program shows.
static LogicalResult checkText(MLIRContext &context, llvm::SourceMgr &sources) {
  Compiler compiler(context, sources, compileOptionsFromCommandLine());
  if (failed(compiler.load()))
    return failure();
  return compiler.runTo(Stage::Split);
}

static LogicalResult checkBuffer(std::unique_ptr<llvm::MemoryBuffer> buffer) {
  MLIRContext context;
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(std::move(buffer), SMLoc());
  if (verifyDiagnostics) {
    SourceMgrDiagnosticVerifierHandler handler(sources, &context);
    (void)checkText(context, sources);
    return handler.verify();
  }
  SourceMgrDiagnosticHandler handler(sources, &context);
  return checkText(context, sources);
}

int mom::tool::check() {
  std::string message;
  std::unique_ptr<llvm::MemoryBuffer> buffer = openInputFile(input, &message);
  if (!buffer)
    return fail(message);
  LogicalResult result = splitAndProcessBuffer(
      std::move(buffer),
      [](std::unique_ptr<llvm::MemoryBuffer> part, llvm::raw_ostream &) {
        return checkBuffer(std::move(part));
      },
      llvm::outs(), splitInput ? "# -----" : "");
  return failed(result);
}
