// Schedules.
#include "frontend/Parser.h"
#include "frontend/Suggest.h"

#include "llvm/ADT/STLExtras.h"

using namespace mom::frontend;
using namespace mom::frontend::ast;

/// schedule ::= 'schedule' path ('on' name)? ('when' 'rows' ('>=' | '<') expr)?
///              '{' (item end)* '}'
bool Parser::parseSchedule() {
  auto *decl = create<ScheduleDecl>(token.start());
  advance();
  if (!parsePath(decl->name, "the name of a layer or model"))
    return false;
  if (consumeIfWord("on") && !expectName(decl->target, "a target, as cpu, gpu or sm_90a"))
    return false;
  if (consumeIfWord("when")) {
    if (!consumeIfWord("rows"))
      return error("expected 'rows', but got " + describeToken());
    if (!at(Token::greater_equal) && !at(Token::less))
      return error("expected '>=' or '<', but got " + describeToken());
    decl->comparison = token.spelling;
    advance();
    if (!(decl->rows = parseSum()))
      return false;
  }
  bool ok = parseBlock([&] { return parseScheduleItem(*decl); });
  module->declarations.push_back(finish(decl));
  return ok;
}

/// item ::= ('kernel' | 'grad') path (',' path)* ':' knob (',' knob)*
///        | 'save' path (',' path)* | 'save' 'nothing'
bool Parser::parseScheduleItem(ScheduleDecl &schedule) {
  static constexpr llvm::StringRef kinds[] = {"kernel", "grad", "save"};
  ScheduleDecl::Item item;
  item.kind = token.spelling;
  if (!token.is(Token::identifier) || !llvm::is_contained(kinds, item.kind))
    return error("expected 'kernel', 'grad' or 'save', but got " + describeToken() +
                 (token.is(Token::identifier) ? suggest(token.spelling, kinds) : ""));
  advance();
  do {
    llvm::StringRef name;
    if (!parsePath(name, "the name of a value"))
      return false;
    item.names.push_back(name);
  } while (consumeIf(Token::comma));
  if (item.kind != "save") {
    if (!expect(Token::colon))
      return false;
    do {
      if (!parseKnob(item))
        return false;
    } while (consumeIf(Token::comma));
  }
  schedule.items.push_back(std::move(item));
  return true;
}

/// knob ::= name sum | 'tile' sum 'by' sum ('by' sum)?
bool Parser::parseKnob(ScheduleDecl::Item &item) {
  ScheduleDecl::Knob knob;
  if (!expectName(knob.name, "the name of a knob"))
    return false;
  knob.place = knob.name;
  if (knob.name != "tile") {
    knob.value = parseSum();
    item.knobs.push_back(knob);
    return knob.value;
  }
  // Sizes of a product in the order that its formula has them.
  for (llvm::StringRef name : {"tile_rows", "tile_columns", "tile_inner"}) {
    knob.name = name;
    if (name == "tile_columns" ? !expect(Token::kw_by)
                               : name == "tile_inner" && !consumeIf(Token::kw_by))
      return name == "tile_inner";
    if (!(knob.value = parseSum()))
      return false;
    item.knobs.push_back(knob);
  }
  return true;
}

/// path ::= (name | number | '.' | '*')+, without space between them
bool Parser::parsePath(llvm::StringRef &path, llvm::StringRef what, bool stars) {
  const char *begin = token.spelling.begin(), *end = begin;
  auto belongs = [&] {
    return token.is(Token::identifier) || token.is(Token::number) || token.is(Token::dot) ||
           token.isKeyword() || (stars && token.is(Token::star));
  };
  while (belongs() && token.spelling.begin() == end) {
    end = token.spelling.end();
    advance();
  }
  if (begin == end)
    return error("expected " + what + ", but got " + describeToken());
  path = llvm::StringRef(begin, end - begin);
  return true;
}
