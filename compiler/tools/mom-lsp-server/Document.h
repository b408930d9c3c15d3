// A model's text that an editor has open.
#pragma once

#include "frontend/Diagnostics.h"
#include "frontend/Frontend.h"
#include "frontend/SymbolIndex.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/LSP/Protocol.h"

namespace mom::tool {

class Document {
public:
  Document(llvm::lsp::URIForFile uri, std::string text, int64_t version);

  std::vector<llvm::lsp::Diagnostic> diagnostics();
  std::optional<llvm::lsp::Hover> hover(llvm::lsp::Position position);
  std::vector<llvm::lsp::Location> definition(llvm::lsp::Position position);
  llvm::lsp::CompletionList complete(llvm::lsp::Position position);
  /// The edit that formats the whole text; none where it is as it should be.
  std::vector<llvm::lsp::TextEdit> format();

  const llvm::lsp::URIForFile uri;
  const std::string text;
  const int64_t version;

  /// What completion goes by where this text cannot be parsed.
  std::shared_ptr<Document> lastGood;
  bool isParsed() const { return module != nullptr; }

private:
  const char *pointer(llvm::lsp::Position position) const;
  llvm::lsp::Range rangeOf(llvm::StringRef slice) const;
  void completeSchedule(llvm::lsp::CompletionList &list) const;

  mlir::MLIRContext context;
  llvm::SourceMgr sources;
  std::vector<frontend::Message> messages;
  std::unique_ptr<frontend::ast::Module> module;
  std::unique_ptr<frontend::SymbolIndex> index;
};

} // namespace mom::tool
