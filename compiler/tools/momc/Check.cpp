// momc check: what is wrong with a model.
#include "compiler/tools/momc/Verbs.h"
#include "dialect/Mom.h"
#include "frontend/Diagnostics.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Support/ToolUtilities.h"

using namespace mlir;
using namespace mom;
using namespace mom::tool;
namespace cl = llvm::cl;

namespace mom::tool {
cl::OptionCategory checkOptions("Checking");

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
  // Schedules are about kernels, and not all that is wrong with one is seen before it is code.
  bool scheduled = compiler.module()->hasAttr(attr::kSchedules);
  return compiler.runTo(scheduled ? Stage::Lowered : Stage::Split);
}

/// Prints or writes {"messages": [...]}, on one line.
static LogicalResult checkAsJson(MLIRContext &context, llvm::SourceMgr &sources) {
  frontend::MessageCollector collector(sources, &context);
  LogicalResult result = checkText(context, sources);
  llvm::json::Array messages;
  for (const frontend::Message &message : collector.messages())
    messages.push_back(toJson(message));
  std::string text;
  llvm::raw_string_ostream os(text);
  os << llvm::json::Value(llvm::json::Object{{"messages", std::move(messages)}}) << "\n";
  if (writeFile(jsonFile, text))
    return failure();
  return result;
}

static LogicalResult checkBuffer(std::unique_ptr<llvm::MemoryBuffer> buffer) {
  MLIRContext context;
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(std::move(buffer), SMLoc());
  if (addSchedules(sources))
    return failure();
  if (verifyDiagnostics) {
    SourceMgrDiagnosticVerifierHandler handler(sources, &context);
    (void)checkText(context, sources);
    return handler.verify();
  }
  if (!jsonFile.empty())
    return checkAsJson(context, sources);
  SourceMgrDiagnosticHandler handler(sources, &context);
  return checkText(context, sources);
}

int mom::tool::check() {
  if (jsonFile.getNumOccurrences() && verifyDiagnostics)
    return fail(
        "--verify-diagnostics compares messages, --json writes them: leave one of them out");
  if (jsonFile.getNumOccurrences() && jsonFile.empty())
    jsonFile = "-";
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
