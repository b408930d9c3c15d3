#include "compiler/tools/mom-lsp-server/Document.h"

#include "compiler/Schedule/Knobs.h"
#include "frontend/Formatter.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"

using namespace mom;
using namespace mom::tool;
using namespace llvm::lsp;
using llvm::StringRef;

Document::Document(URIForFile uri, std::string given, int64_t version)
    : uri(std::move(uri)), text(std::move(given)), version(version) {
  sources.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBuffer(text, this->uri.file()),
                             llvm::SMLoc());
  frontend::MessageCollector collector(sources, &context);
  module = frontend::parse(sources, &context);
  if (module) {
    (void)frontend::check(*module, {}, &context); // its messages are in the collector
    index = std::make_unique<frontend::SymbolIndex>(*module);
  }
  messages = collector.messages();
}

//===----------------------------------------------------------------------===//
// Places
//===----------------------------------------------------------------------===//

/// Columns are counted in bytes, which in text within ASCII are the editor's units.
const char *Document::pointer(Position position) const {
  const char *at = text.data(), *end = at + text.size();
  for (int line = 0; line < position.line && at != end; ++at)
    line += *at == '\n';
  for (int column = 0; column < position.character && at != end && *at != '\n'; ++column)
    ++at;
  return at;
}

Range Document::rangeOf(StringRef slice) const {
  auto position = [&](const char *place) {
    StringRef before(text.data(), place - text.data());
    size_t line = before.count('\n');
    return Position(line, before.size() - (before.rfind('\n') + 1));
  };
  return Range(position(slice.begin()), position(slice.end()));
}

static Range rangeOf(const frontend::Place &place) {
  auto zeroBased = [](unsigned number) { return number ? static_cast<int>(number) - 1 : 0; };
  return Range(Position(zeroBased(place.line), zeroBased(place.column)),
               Position(zeroBased(place.endLine), zeroBased(place.endColumn)));
}

//===----------------------------------------------------------------------===//
// Answers
//===----------------------------------------------------------------------===//

std::vector<Diagnostic> Document::diagnostics() {
  std::vector<Diagnostic> result;
  for (const frontend::Message &message : messages) {
    Diagnostic diagnostic;
    diagnostic.range = ::rangeOf(message.place);
    diagnostic.severity = message.severity == mlir::DiagnosticSeverity::Error
                              ? DiagnosticSeverity::Error
                              : DiagnosticSeverity::Warning;
    diagnostic.source = "momc";
    diagnostic.message = message.text;
    std::vector<DiagnosticRelatedInformation> notes;
    for (const frontend::Message &note : message.notes)
      notes.push_back({Location(uri, ::rangeOf(note.place)), note.text});
    if (!notes.empty())
      diagnostic.relatedInformation = std::move(notes);
    result.push_back(std::move(diagnostic));
  }
  return result;
}

std::optional<Hover> Document::hover(Position position) {
  const frontend::Symbol *symbol = index ? index->at(pointer(position)) : nullptr;
  if (!symbol)
    return std::nullopt;
  Hover hover(rangeOf(symbol->name));
  hover.contents.kind = MarkupKind::Markdown;
  hover.contents.value = "```mom\n" + symbol->about + "\n```";
  return hover;
}

std::vector<Location> Document::definition(Position position) {
  const frontend::Symbol *symbol = index ? index->at(pointer(position)) : nullptr;
  if (!symbol || !symbol->decl)
    return {};
  return {Location(uri, rangeOf(symbol->decl->name))};
}

/// Inside a schedule: what items begin with, and the knobs of all kernels.
void Document::completeSchedule(CompletionList &list) const {
  for (StringRef word : {"kernel", "grad", "save"})
    list.items.emplace_back(word, CompletionItemKind::Keyword);
  llvm::SetVector<StringRef> seen;
  for (const Knob &knob : allKnobs())
    if (seen.insert(knob.name)) {
      CompletionItem item(knob.name, CompletionItemKind::Property);
      item.detail = knob.sentence.str();
      list.items.push_back(std::move(item));
    }
}

static CompletionItemKind kindOf(const frontend::ast::Decl &decl) {
  using frontend::ast::Node;
  switch (decl.kind()) {
  case Node::ConstantKind:
    return CompletionItemKind::Constant;
  case Node::Modality:
    return CompletionItemKind::Enum;
  case Node::Field:
    return CompletionItemKind::Field;
  case Node::Part:
    return CompletionItemKind::Function;
  case Node::Function:
    return CompletionItemKind::Class;
  default:
    return CompletionItemKind::Variable;
  }
}

CompletionList Document::complete(Position position) {
  CompletionList list;
  const char *here = pointer(position);
  StringRef before(text.data(), here - text.data());
  size_t word = before.find_last_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                        "0123456789_");
  StringRef prefix = before.take_front(word == StringRef::npos ? 0 : word + 1);
  // Names come from a text that could be parsed, at about the same place.
  Document *source = index ? this : lastGood.get();
  auto add = [&](const std::vector<frontend::Symbol> &symbols) {
    for (const frontend::Symbol &symbol : symbols) {
      CompletionItem item(symbol.name, kindOf(*symbol.decl));
      item.detail = symbol.about;
      list.items.push_back(std::move(item));
    }
  };
  if (prefix.ends_with(".")) {
    StringRef base = prefix.drop_back();
    base = base.drop_front(base.find_last_of(" \t\n(),[]=+-*/") + 1);
    if (source)
      add(source->index->fieldsOf(base, source->pointer(position)));
    return list;
  }
  size_t schedule = prefix.rfind("schedule ");
  if (schedule != StringRef::npos && !prefix.drop_front(schedule).contains('}') &&
      prefix.drop_front(schedule).contains('{'))
    completeSchedule(list);
  if (source)
    add(source->index->visibleAt(source->pointer(position)));
#define FUNCTION(name) list.items.emplace_back(#name, CompletionItemKind::Function);
#include "frontend/Functions.def"
  for (StringRef maker : {"linear", "conv1d", "rms_norm", "embedding"})
    list.items.emplace_back(maker, CompletionItemKind::Function);
#define KEYWORD(word) list.items.emplace_back(#word, CompletionItemKind::Keyword);
#include "frontend/Tokens.def"
  return list;
}

std::vector<TextEdit> Document::format() {
  std::optional<std::string> formatted = frontend::format(sources, &context);
  if (!formatted || *formatted == text)
    return {};
  return {TextEdit{rangeOf(text), *formatted}};
}
