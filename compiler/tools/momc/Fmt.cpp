// momc fmt: model text as it should look.
#include "compiler/tools/momc/Verbs.h"
#include "frontend/Formatter.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Support/FileUtilities.h"

using namespace mlir;
using namespace mom;
using namespace mom::tool;
namespace cl = llvm::cl;

static cl::opt<bool> checkOnly("check", cl::desc("change nothing; fail where something would"),
                               cl::cat(formatOptions));

int mom::tool::fmt() {
  std::string message;
  std::unique_ptr<llvm::MemoryBuffer> buffer = openInputFile(input, &message);
  if (!buffer)
    return fail(message);
  std::string before = buffer->getBuffer().str();
  MLIRContext context;
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(std::move(buffer), SMLoc());
  SourceMgrDiagnosticHandler handler(sources, &context);
  std::optional<std::string> text = frontend::format(sources, &context);
  if (!text)
    return 1;
  if (checkOnly)
    return *text == before ? 0 : fail(input + " is not formatted: momc fmt " + input);
  if (output.getNumOccurrences() || input == "-")
    return output == "-" ? (llvm::outs() << *text, 0) : writeFile(output, *text);
  return *text == before ? 0 : writeFile(input, *text);
}
