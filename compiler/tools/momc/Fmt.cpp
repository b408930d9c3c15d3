// momc fmt: model text as it should look.
#include "compiler/tools/momc/Verbs.h"
#include "frontend/Formatter.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Support/FileUtilities.h"
#include "llvm/Support/FileSystem.h"

using namespace mlir;
using namespace mom;
using namespace mom::tool;
namespace cl = llvm::cl;

namespace mom::tool {
cl::OptionCategory formatOptions("Formatting");
} // namespace mom::tool
static cl::opt<bool> checkOnly("check", cl::desc("change nothing; fail where something would"),
                               cl::cat(formatOptions));

/// Writes a model's text where it is: a link stays one, and the file keeps its mode.
static int rewrite(StringRef path, StringRef text) {
  llvm::SmallString<128> file;
  if (std::error_code code = llvm::sys::fs::real_path(path, file))
    return fail(path + ": " + code.message());
  auto mode = llvm::sys::fs::getPermissions(file);
  if (int status = writeFile(file, text))
    return status;
  std::error_code code = mode ? llvm::sys::fs::setPermissions(file, *mode) : mode.getError();
  return code ? fail(path + ": cannot keep the file's mode: " + code.message()) : 0;
}

int mom::tool::fmt() {
  if (checkOnly && output.getNumOccurrences())
    return fail("--check writes nothing, -o says where to: leave one of them out");
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
    return writeFile(output, *text);
  return *text == before ? 0 : rewrite(input, *text);
}
