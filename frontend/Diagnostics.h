// What is wrong with a text, as data: for `momc check --json` and editors.
#pragma once

#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/SourceMgr.h"

#include <string>
#include <vector>

namespace mom::frontend {

/// A place in a text, from its first byte to one past its last. Lines and columns count
/// from 1; all are 0 where there is no place.
struct Place {
  std::string file;
  unsigned line = 0, column = 0, endLine = 0, endColumn = 0;
};

struct Message {
  mlir::DiagnosticSeverity severity = mlir::DiagnosticSeverity::Error;
  std::string text;
  Place place;
  std::vector<Message> notes;
};

/// Collects the messages of a context while it lives.
class MessageCollector {
public:
  MessageCollector(llvm::SourceMgr &sources, mlir::MLIRContext *context);

  const std::vector<Message> &messages() const { return all; }

private:
  Message convert(mlir::Diagnostic &diagnostic) const;

  llvm::SourceMgr &sources;
  std::vector<Message> all;
  mlir::ScopedDiagnosticHandler handler;
};

/// {"severity", "message", "file", "line", "column", "endLine", "endColumn", "notes"}
llvm::json::Value toJson(const Message &message);

} // namespace mom::frontend
