#include "frontend/Diagnostics.h"

#include "llvm/ADT/StringExtras.h"

using namespace mom::frontend;

MessageCollector::MessageCollector(llvm::SourceMgr &sources, mlir::MLIRContext *context)
    : sources(sources), handler(context, [this](mlir::Diagnostic &diagnostic) {
        all.push_back(convert(diagnostic));
        return mlir::success();
      }) {}

/// Bytes of the word or sign at a place.
static unsigned lengthAt(llvm::StringRef text) {
  auto isWord = [](char c) { return llvm::isAlnum(c) || c == '_'; };
  size_t length = text.find_if_not(isWord);
  return length == 0 || text.empty() ? 1 : std::min(length, text.size());
}

Message MessageCollector::convert(mlir::Diagnostic &diagnostic) const {
  Message message;
  message.severity = diagnostic.getSeverity();
  message.text = diagnostic.str();
  if (auto place = diagnostic.getLocation()->findInstanceOf<mlir::FileLineColLoc>()) {
    unsigned line = place.getLine(), column = place.getColumn(), length = 1;
    for (unsigned id = 1; id <= sources.getNumBuffers(); ++id) {
      if (sources.getMemoryBuffer(id)->getBufferIdentifier() != place.getFilename().getValue())
        continue;
      if (llvm::SMLoc loc = sources.FindLocForLineAndColumn(id, line, column); loc.isValid()) {
        llvm::StringRef buffer = sources.getMemoryBuffer(id)->getBuffer();
        length = lengthAt(buffer.drop_front(loc.getPointer() - buffer.data()));
      }
      break;
    }
    message.place = {place.getFilename().str(), line, column, line, column + length};
  }
  for (mlir::Diagnostic &note : diagnostic.getNotes())
    message.notes.push_back(convert(note));
  return message;
}

static llvm::StringRef nameOf(mlir::DiagnosticSeverity severity) {
  switch (severity) {
  case mlir::DiagnosticSeverity::Error:
    return "error";
  case mlir::DiagnosticSeverity::Warning:
    return "warning";
  case mlir::DiagnosticSeverity::Remark:
    return "remark";
  case mlir::DiagnosticSeverity::Note:
    return "note";
  }
  llvm_unreachable("a message has one of the severities above");
}

llvm::json::Value mom::frontend::toJson(const Message &message) {
  llvm::json::Array notes;
  for (const Message &note : message.notes)
    notes.push_back(toJson(note));
  const Place &place = message.place;
  return llvm::json::Object{
      {"severity", nameOf(message.severity)},
      {"message", llvm::json::fixUTF8(message.text)},
      {"file", llvm::json::fixUTF8(place.file)},
      {"line", place.line},
      {"column", place.column},
      {"endLine", place.endLine},
      {"endColumn", place.endColumn},
      {"notes", std::move(notes)},
  };
}
