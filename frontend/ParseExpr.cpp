// Expressions.
#include "frontend/Parser.h"

using namespace mom::frontend;
using namespace mom::frontend::ast;
using llvm::SMLoc;
using llvm::Twine;

/// The tree is walked by recursion, so its depth has a bound.
static constexpr unsigned kMaxNodes = 1000;

Expr *Parser::parseChain(Expr *(Parser::*operand)(), llvm::ArrayRef<Token::Kind> kinds) {
  Expr *lhs = (this->*operand)();
  while (lhs && llvm::any_of(kinds, [&](Token::Kind kind) { return at(kind); })) {
    auto *binary = create<BinaryExpr>(lhs->range.Start);
    binary->op = token.spelling;
    advance();
    binary->lhs = lhs;
    if (!(binary->rhs = (this->*operand)()))
      return nullptr;
    lhs = finish(binary);
  }
  return lhs;
}

/// expr ::= conjunction ('or' conjunction)*
Expr *Parser::parseExpr() { return parseChain(&Parser::parseConjunction, {Token::kw_or}); }

/// conjunction ::= negation ('and' negation)*
Expr *Parser::parseConjunction() { return parseChain(&Parser::parseNegation, {Token::kw_and}); }

/// negation ::= 'not' negation | comparison
Expr *Parser::parseNegation() {
  if (!token.is(Token::kw_not))
    return parseComparison();
  if (!countNode())
    return nullptr;
  auto *negation = create<NotExpr>(token.start());
  advance();
  if (!(negation->operand = parseNegation()))
    return nullptr;
  return finish(negation);
}

/// comparison ::= sum (('==' | '!=' | '<' | '<=' | '>' | '>=') sum)*
Expr *Parser::parseComparison() {
  return parseChain(&Parser::parseSum,
                    {Token::equal_equal, Token::not_equal, Token::less, Token::less_equal,
                     Token::greater, Token::greater_equal});
}

/// sum ::= term (('+' | '-') term)*
Expr *Parser::parseSum() { return parseChain(&Parser::parseTerm, {Token::plus, Token::minus}); }

/// term ::= unary (('*' | '/') unary)*
Expr *Parser::parseTerm() { return parseChain(&Parser::parseUnary, {Token::star, Token::slash}); }

bool Parser::countNode() {
  return ++nodes <= kMaxNodes ||
         error("expected a shorter expression: this one has more than " + Twine(kMaxNodes) +
               " terms");
}

/// unary ::= '-' unary | primary
Expr *Parser::parseUnary() {
  if (!countNode())
    return nullptr;
  if (!token.is(Token::minus))
    return parsePrimary();
  auto *negate = create<NegateExpr>(token.start());
  advance();
  if (!(negate->operand = parseUnary()))
    return nullptr;
  return finish(negate);
}

/// primary ::= number | 'true' | 'false' | '(' expr ')' | call | name ('.' name)?
Expr *Parser::parsePrimary() {
  SMLoc start = token.start();
  switch (token.kind) {
  case Token::number: {
    auto *number = create<NumberExpr>(start);
    number->spelling = token.spelling;
    advance();
    return finish(number);
  }
  case Token::kw_true:
  case Token::kw_false: {
    auto *boolean = create<BooleanExpr>(start);
    boolean->value = token.is(Token::kw_true);
    advance();
    return finish(boolean);
  }
  case Token::l_paren: {
    advance();
    Expr *inner = parseExpr();
    return inner && expect(Token::r_paren) ? inner : nullptr;
  }
  case Token::kw_modality:
  case Token::identifier: {
    Token name = token;
    advance();
    if (at(Token::l_paren) || at(Token::l_square))
      return parseCall(name);
    if (name.is(Token::kw_modality)) {
      error("expected '(', but got " + describeToken());
      return nullptr;
    }
    auto *reference = create<NameExpr>(start);
    reference->name = name.spelling;
    finish(reference);
    if (!at(Token::dot))
      return reference;
    auto *member = create<MemberExpr>(start);
    advance();
    member->base = reference;
    return expectName(member->member, "the name of a field") ? finish(member) : nullptr;
  }
  default:
    error("expected an expression, but got " + describeToken());
    return nullptr;
  }
}

/// call ::= name ('[' name ']')? '(' (callArgument (',' callArgument)*)? ')'
Expr *Parser::parseCall(Token name) {
  auto *call = create<CallExpr>(name.start());
  call->callee = name.spelling;
  if (consumeIf(Token::l_square) &&
      (!expectName(call->by, "the name of a route") || !expect(Token::r_square)))
    return nullptr;
  if (!expect(Token::l_paren))
    return nullptr;
  while (!at(Token::r_paren)) {
    if (!parseCallArgument(*call))
      return nullptr;
    if (!consumeIf(Token::comma))
      break;
  }
  return expect(Token::r_paren) ? finish(call) : nullptr;
}

/// callArgument ::= name ':' expr | expr ('..' expr | 'where' expr)?
bool Parser::parseCallArgument(CallExpr &call) {
  CallExpr::Argument argument;
  if (!(argument.value = parseExpr()))
    return false;
  if (auto *label = llvm::dyn_cast<NameExpr>(argument.value); label && consumeIf(Token::colon)) {
    argument.label = label->name;
    if (!(argument.value = parseExpr()))
      return false;
  } else if (at(Token::dots)) {
    auto *range = create<RangeExpr>(argument.value->range.Start);
    advance();
    range->first = argument.value;
    if (!(range->last = parseExpr()))
      return false;
    argument.value = finish(range);
  } else if (consumeIfWord("where") && !(argument.where = parseExpr())) {
    return false;
  }
  call.arguments.push_back(argument);
  return true;
}

/// exprs ::= expr (',' expr)*
bool Parser::parseExprs(llvm::SmallVectorImpl<Expr *> &list) {
  do {
    Expr *expr = parseExpr();
    if (!expr)
      return false;
    list.push_back(expr);
  } while (consumeIf(Token::comma));
  return true;
}
