#include "test/fuzz/Check.h"

#include "frontend/Formatter.h"
#include "frontend/Frontend.h"
#include "frontend/SymbolIndex.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/raw_ostream.h"

using namespace mom;
using namespace mom::fuzz;
using llvm::StringRef;

namespace {
/// A text in the frontend. The context is made once: making it takes longer than a text.
struct Session {
  explicit Session(StringRef text) {
    sources.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBufferCopy(text, "fuzz.mom"),
                               llvm::SMLoc());
  }
  std::unique_ptr<frontend::ast::Module> parse() { return frontend::parse(sources, &context()); }

  static mlir::MLIRContext &context() {
    static auto *context = new mlir::MLIRContext(mlir::MLIRContext::Threading::DISABLED);
    return *context;
  }

  llvm::SourceMgr sources;
};
} // namespace

static void require(bool holds, StringRef what, StringRef text) {
  if (holds)
    return;
  llvm::errs() << "does not hold: " << what << "\n----\n" << text << "\n----\n";
  abort();
}

static std::string print(const frontend::ast::Module &module) {
  std::string text;
  llvm::raw_string_ostream os(text);
  frontend::printAst(module, os);
  return text;
}

static void checkFormat(Session &session, const std::string *printed, StringRef text) {
  std::optional<std::string> once = frontend::format(session.sources, &Session::context());
  require(once.has_value() || !printed, "what parses can be formatted", text);
  if (!once)
    return;
  Session again(*once);
  std::optional<std::string> twice = frontend::format(again.sources, &Session::context());
  require(twice == once, "formatted text formats to itself", *once);
  if (!printed)
    return;
  auto module = again.parse();
  require(module && print(*module) == *printed, "formatted text is the same program", text);
}

Outcome mom::fuzz::check(StringRef text) {
  Outcome outcome;
  unsigned errors = 0;
  mlir::ScopedDiagnosticHandler handler(&Session::context(), [&](mlir::Diagnostic &diagnostic) {
    errors += diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error;
    require(!diagnostic.str().empty(), "a message says something", text);
    return mlir::success();
  });
  Session session(text);
  std::unique_ptr<frontend::ast::Module> module = session.parse();
  outcome.parsed = module != nullptr;
  require(outcome.parsed == (errors == 0), "parsing fails exactly with an error", text);
  std::string printed;
  if (module) {
    printed = print(*module);
    Session copy(printed);
    auto second = copy.parse();
    require(second && print(*second) == printed, "a printed tree parses to itself", text);
    errors = 0;
    outcome.checked = succeeded(frontend::check(*module, {}, &Session::context()));
    require(outcome.checked == (errors == 0), "checking fails exactly with an error", text);
    frontend::SymbolIndex index(*module);
    for (const char *place = text.begin(); place < text.end(); place += 17)
      (void)index.visibleAt(place);
  }
  checkFormat(session, module ? &printed : nullptr, text);
  if (outcome.checked) {
    mlir::OwningOpRef<mlir::ModuleOp> ir = frontend::generate(*module, &Session::context());
    require(static_cast<bool>(ir), "a checked model becomes valid IR", text);
  }
  return outcome;
}
