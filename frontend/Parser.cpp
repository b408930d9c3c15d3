// Tokens, declarations and statements.
#include "frontend/Parser.h"

#include "frontend/Frontend.h"
#include "frontend/SourceLocation.h"
#include "frontend/Suggest.h"
#include "llvm/ADT/STLExtras.h"

using namespace mom::frontend;
using namespace mom::frontend::ast;
using llvm::SMLoc;
using llvm::Twine;
using mlir::LogicalResult;

std::unique_ptr<Module> mom::frontend::parse(llvm::SourceMgr &sources, mlir::MLIRContext *context) {
  auto module = std::make_unique<Module>(sources);
  bool good = Parser(*module, sources.getMainFileID(), context).parse();
  return good ? std::move(module) : nullptr;
}

LogicalResult mom::frontend::parseSchedules(ast::Module &module, unsigned buffer,
                                            mlir::MLIRContext *context) {
  size_t before = module.declarations.size();
  if (!Parser(module, buffer, context).parse())
    return mlir::failure();
  for (const Node *node : llvm::ArrayRef(module.declarations).drop_front(before))
    if (!llvm::isa<ScheduleDecl>(node))
      return mlir::emitError(locate(module.sources, node->range.Start, context))
             << "expected schedules only: models stand in files of their own";
  return mlir::success();
}

//===----------------------------------------------------------------------===//
// Tokens
//===----------------------------------------------------------------------===//

void Parser::advance() {
  previousEnd = token.end();
  if (token.is(Token::l_paren) || token.is(Token::l_square))
    ++brackets;
  else if ((token.is(Token::r_paren) || token.is(Token::r_square)) && brackets)
    --brackets;
  token = lexer.lex();
}

bool Parser::at(Token::Kind kind) const {
  return token.is(kind) && !(token.startsLine && brackets == 0);
}

bool Parser::atWord(StringRef word) const {
  return at(Token::identifier) && token.spelling == word;
}

bool Parser::consumeIf(Token::Kind kind) {
  if (!at(kind))
    return false;
  advance();
  return true;
}

bool Parser::consumeIfWord(StringRef word) {
  if (!atWord(word))
    return false;
  advance();
  return true;
}

bool Parser::expect(Token::Kind kind) {
  if (token.is(kind)) {
    advance();
    return true;
  }
  std::string message = ("expected " + describe(kind) + ", but got " + describeToken()).str();
  // What is missing belongs to the line before.
  if (token.startsLine && !token.is(Token::error) && !token.is(Token::eof))
    return errorAt(previousEnd, message + " on a new line");
  return error(message);
}

bool Parser::expectName(StringRef &name, StringRef what) {
  if (token.isKeyword())
    return error("expected " + what + ", but '" + token.spelling + "' is a keyword");
  if (!token.is(Token::identifier))
    return error("expected " + what + ", but got " + describeToken());
  name = token.spelling;
  advance();
  return true;
}

std::string Parser::describeToken() const {
  if (token.is(Token::eof))
    return "the end of the file";
  if (token.is(Token::identifier) || token.is(Token::number))
    return ("'" + token.spelling + "'").str();
  return describe(token.kind).str();
}

bool Parser::error(const Twine &message) {
  // The lexer has said what is wrong with an error token.
  if (token.is(Token::error)) {
    failed = true;
    return false;
  }
  return errorAt(token.start(), message);
}

bool Parser::errorAt(SMLoc place, const Twine &message) {
  failed = true;
  lexer.emitError(place) << message;
  return false;
}

bool Parser::atEnd() const {
  return token.is(Token::semicolon) || token.is(Token::r_brace) || token.is(Token::eof) ||
         (token.startsLine && brackets == 0);
}

bool Parser::finishStatement() {
  nodes = 0;
  if (!atEnd())
    return error("expected the end of the statement, but got " + describeToken());
  while (token.is(Token::semicolon))
    advance();
  return true;
}

/// Whether a statement begins here, even if brackets were never closed: at the
/// start of a line, a keyword or `name =`.
bool Parser::startsStatement() const {
  if (!token.startsLine || brackets == 0 || token.isKeyword())
    return token.startsLine;
  const char *next = token.spelling.end(); // buffers end with a zero
  while (*next == ' ' || *next == '\t')
    ++next;
  return token.is(Token::identifier) && *next == '=';
}

/// Skips what is left of a statement with errors, so that the next one is
/// looked at too.
void Parser::recover() {
  nodes = 0;
  unsigned braces = 0;
  while (!token.is(Token::eof)) {
    if (braces == 0 && (token.is(Token::r_brace) || (token.is(Token::semicolon) && brackets == 0)))
      break;
    if (braces == 0 && startsStatement())
      break;
    if (token.is(Token::l_brace))
      ++braces;
    else if (token.is(Token::r_brace))
      --braces;
    advance();
  }
  brackets = 0;
  while (token.is(Token::semicolon))
    advance();
}

bool Parser::parseBlock(llvm::function_ref<bool()> statement, bool commas) {
  if (!expect(Token::l_brace))
    return false;
  SMLoc opened = previousEnd;
  while (!token.is(Token::r_brace) && !token.is(Token::eof)) {
    const char *before = token.spelling.data();
    if (statement() && ((commas && consumeIf(Token::comma)) || finishStatement()))
      continue;
    // A token that nothing accepts must not hold us up.
    if (token.spelling.data() == before && !token.is(Token::r_brace))
      advance();
    recover();
  }
  if (token.is(Token::eof))
    return errorAt(SMLoc::getFromPointer(opened.getPointer() - 1),
                   "expected a '}' for this '{', but got the end of the file");
  advance();
  return true;
}

//===----------------------------------------------------------------------===//
// Declarations
//===----------------------------------------------------------------------===//

/// file ::= (declaration end)*
bool Parser::parse() {
  token = lexer.lex();
  while (!token.is(Token::eof)) {
    const char *before = token.spelling.data();
    if (parseDeclaration() && finishStatement())
      continue;
    if (token.spelling.data() == before || token.is(Token::r_brace))
      advance();
    recover();
  }
  return !failed && !token.is(Token::error);
}

/// declaration ::= modality | constants | batch | layer | model | train
///               | export | schedule
bool Parser::parseDeclaration() {
  switch (token.kind) {
  case Token::kw_modality:
    return parseModality();
  case Token::kw_setting:
  case Token::kw_const:
    return parseConstants(token.is(Token::kw_setting));
  case Token::kw_batch:
    return parseBatch();
  case Token::kw_layer:
  case Token::kw_model:
    return parseFunction(token.is(Token::kw_model));
  case Token::kw_train:
    return parseTrain();
  case Token::kw_export:
    return parseExport();
  case Token::kw_schedule:
    return parseSchedule();
  default: {
    std::string hint;
    if (token.is(Token::identifier))
      hint = suggest(token.spelling, {"modality", "setting", "const", "batch", "layer", "model",
                                      "train", "export", "schedule"});
    return error("expected a declaration, but got " + describeToken() + hint);
  }
  }
}

/// modality ::= 'modality' name '{' name (',' name)* '}'
bool Parser::parseModality() {
  auto *decl = create<ModalityDecl>(token.start());
  advance();
  if (!expectName(decl->name) || !expect(Token::l_brace))
    return false;
  do {
    StringRef member;
    if (!expectName(member, "the name of a modality"))
      return false;
    decl->members.push_back(member);
  } while (consumeIf(Token::comma));
  if (!expect(Token::r_brace))
    return false;
  module->declarations.push_back(finish(decl));
  return true;
}

/// constants ::= ('setting' | 'const') name '=' expr (',' name '=' expr)*
bool Parser::parseConstants(bool isSetting) {
  advance();
  do {
    auto *decl = create<ConstantDecl>(token.start());
    decl->isSetting = isSetting;
    if (!expectName(decl->name) || !expect(Token::equal) || !(decl->value = parseExpr()))
      return false;
    module->declarations.push_back(finish(decl));
  } while (consumeIf(Token::comma));
  return true;
}

/// batch ::= 'batch' '{' (fields end)* '}'
bool Parser::parseBatch() {
  auto *decl = create<BatchDecl>(token.start());
  advance();
  bool ok = parseBlock([&] { return parseFields(*decl); });
  module->declarations.push_back(finish(decl));
  return ok;
}

/// fields ::= name ('by' name)? '{' (field (end | ','))* '}'
bool Parser::parseFields(BatchDecl &batch) {
  BatchDecl::Group group;
  if (!expectName(group.space, "what the rows stand for"))
    return false;
  if (consumeIf(Token::kw_by) && !expectName(group.route, "the name of a modality declaration"))
    return false;
  bool ok = parseBlock([&] { return parseField(group); }, /*commas=*/true);
  batch.groups.push_back(std::move(group));
  return ok;
}

/// field ::= (name ':')? name ':' type
bool Parser::parseField(BatchDecl::Group &group) {
  auto *field = create<FieldDecl>(token.start());
  if (!expectName(field->name) || !expect(Token::colon))
    return false;
  StringRef first = field->name;
  if (!parseType(field->syntax))
    return false;
  if (!field->syntax.bracketed && consumeIf(Token::colon)) {
    field->only = first;
    field->name = field->syntax.name;
    field->syntax = {};
    if (!parseType(field->syntax))
      return false;
  }
  group.fields.push_back(finish(field));
  return true;
}

/// layer ::= 'layer' name '(' argument (',' argument)* ')' '->' type (',' type)* body
/// model ::= 'model' name '(' argument (',' argument)* ')' body
/// argument ::= name ':' type
/// body ::= '{' (statement end)* '}'
bool Parser::parseFunction(bool isModel) {
  auto *decl = create<FunctionDecl>(token.start());
  decl->isModel = isModel;
  advance();
  if (!expectName(decl->name) || !expect(Token::l_paren))
    return false;
  do {
    auto *argument = create<ValueDecl>(token.start());
    if (!expectName(argument->name) || !expect(Token::colon) || !parseType(argument->syntax))
      return false;
    decl->arguments.push_back(finish(argument));
  } while (consumeIf(Token::comma));
  if (!expect(Token::r_paren))
    return false;
  if (isModel ? at(Token::arrow) : !expect(Token::arrow))
    return isModel ? error("expected '{', but a model has no results: it states losses and metrics")
                   : false;
  if (!isModel)
    do {
      TypeSyntax type;
      if (!parseType(type))
        return false;
      decl->resultSyntax.push_back(type);
    } while (consumeIf(Token::comma));
  bool ok = parseBlock([&] { return parseStatement(*decl); });
  module->declarations.push_back(finish(decl));
  return ok;
}

/// type ::= name ('[' expr (',' expr)* ']')?
bool Parser::parseType(TypeSyntax &type) {
  if (!expectName(type.name, "a type"))
    return false;
  type.bracketed = consumeIf(Token::l_square);
  return !type.bracketed || (parseExprs(type.sizes) && expect(Token::r_square));
}

/// statement ::= part | weight | return | loss | metric | route | bind
bool Parser::parseStatement(FunctionDecl &function) {
  switch (token.kind) {
  case Token::kw_part:
    return parsePart(function.body);
  case Token::kw_weight:
    return parseWeight(function.body);
  case Token::kw_return:
    return parseReturn(function.body);
  case Token::kw_loss:
  case Token::kw_metric:
    return parseMeasure(function.body, token.is(Token::kw_loss));
  case Token::kw_route:
  case Token::identifier:
    return parseBind(function.body);
  default:
    return error("expected a statement, but got " + describeToken());
  }
}

/// part ::= 'part' onePart (',' onePart)*
/// onePart ::= name '=' name ('[' expr ('if' expr)? ']')? ('(' arguments ')')? ('*' expr)?
bool Parser::parsePart(std::vector<Node *> &body) {
  advance();
  do {
    auto *part = create<PartDecl>(token.start());
    if (!expectName(part->name) || !expect(Token::equal) ||
        !expectName(part->maker, "a kind of part or a layer"))
      return false;
    if (consumeIf(Token::l_square)) {
      part->bracketed = true;
      if (!(part->route = parseExpr()) ||
          (consumeIf(Token::kw_if) && !(part->condition = parseExpr())) || !expect(Token::r_square))
        return false;
    }
    if (consumeIf(Token::l_paren)) {
      part->hasArguments = true;
      if (!parsePartArguments(*part) || !expect(Token::r_paren))
        return false;
    }
    if (consumeIf(Token::star) && !(part->times = parseUnary()))
      return false;
    body.push_back(finish(part));
  } while (consumeIf(Token::comma));
  return true;
}

/// arguments ::= (expr | option) (',' (expr | option))*, options last, and one
///               '->' in the place of a ','
/// option ::= name ':' expr
bool Parser::parsePartArguments(PartDecl &part) {
  if (at(Token::r_paren))
    return true;
  while (true) {
    Expr *expr = parseExpr();
    if (!expr)
      return false;
    if (auto *name = llvm::dyn_cast<NameExpr>(expr); name && consumeIf(Token::colon)) {
      if (part.hasArrow && part.outputs.empty())
        return errorAt(expr->range.Start,
                       "expected a size after '->', but got the option '" + name->name + ":'");
      Expr *value = parseExpr();
      if (!value)
        return false;
      part.options.push_back({name->name, value});
    } else if (!part.options.empty()) {
      return errorAt(expr->range.Start, "expected an option, as after '" +
                                            part.options.back().label +
                                            ":', but got a plain argument");
    } else {
      (part.hasArrow ? part.outputs : part.inputs).push_back(expr);
    }
    if (consumeIf(Token::comma))
      continue;
    if (!at(Token::arrow))
      return true;
    if (part.hasArrow || !part.options.empty())
      return error("expected one '->', before any option");
    part.hasArrow = true;
    advance();
  }
}

/// weight ::= 'weight' oneWeight (',' oneWeight)*
/// oneWeight ::= name ':' type '=' expr
bool Parser::parseWeight(std::vector<Node *> &body) {
  advance();
  do {
    auto *weight = create<WeightDecl>(token.start());
    if (!expectName(weight->name) || !expect(Token::colon) || !parseType(weight->syntax) ||
        !expect(Token::equal) || !(weight->value = parseExpr()))
      return false;
    body.push_back(finish(weight));
  } while (consumeIf(Token::comma));
  return true;
}

/// return ::= 'return' expr (',' expr)*
bool Parser::parseReturn(std::vector<Node *> &body) {
  auto *statement = create<ReturnStmt>(token.start());
  advance();
  if (!parseExprs(statement->values))
    return false;
  body.push_back(finish(statement));
  return true;
}

/// loss ::= 'loss' name '=' expr
/// metric ::= 'metric' name '=' expr ('by' expr)?
bool Parser::parseMeasure(std::vector<Node *> &body, bool isLoss) {
  auto *statement = create<MeasureStmt>(token.start());
  statement->isLoss = isLoss;
  advance();
  if (!expectName(statement->name) || !expect(Token::equal) || !(statement->value = parseExpr()))
    return false;
  if (!isLoss && consumeIf(Token::kw_by) && !(statement->by = parseExpr()))
    return false;
  body.push_back(finish(statement));
  return true;
}

/// bind ::= name (',' name)* '=' expr
/// route ::= 'route' bind
bool Parser::parseBind(std::vector<Node *> &body) {
  auto *statement = create<BindStmt>(token.start());
  statement->isRoute = token.is(Token::kw_route);
  if (statement->isRoute)
    advance();
  do {
    auto *value = create<ValueDecl>(token.start());
    if (!expectName(value->name))
      return false;
    statement->names.push_back(finish(value));
  } while (consumeIf(Token::comma));
  if (!expect(Token::equal) || !(statement->value = parseExpr()))
    return false;
  body.push_back(finish(statement));
  return true;
}

/// export ::= 'export' name (',' name)*
bool Parser::parseExport() {
  auto *decl = create<ExportDecl>(token.start());
  advance();
  do {
    StringRef name;
    if (!expectName(name, "the name of a layer or model"))
      return false;
    decl->names.push_back(name);
  } while (consumeIf(Token::comma));
  module->declarations.push_back(finish(decl));
  return true;
}
