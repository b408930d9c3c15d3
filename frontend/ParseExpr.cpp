// Expressions.
#include "frontend/Parser.h"

using namespace mom::frontend;
using namespace mom::frontend::ast;
using llvm::SMLoc;
using llvm::Twine;

/// The tree is walked by recursion, so its depth has a bound.
static constexpr unsigned kMaxNodes = 1000;

/// expr ::= term (('+' | '-') term)*
Expr *Parser::parseExpr() {
  Expr *lhs = parseTerm();
  while (lhs && (at(Token::plus) || at(Token::minus))) {
    auto *binary = create<BinaryExpr>(lhs->range.Start);
    binary->op = token.spelling;
    advance();
    binary->lhs = lhs;
    if (!(binary->rhs = parseTerm()))
      return nullptr;
    lhs = finish(binary);
  }
  return lhs;
}

/// term ::= unary (('*' | '/') unary)*
Expr *Parser::parseTerm() {
  Expr *lhs = parseUnary();
  while (lhs && (at(Token::star) || at(Token::slash))) {
    auto *binary = create<BinaryExpr>(lhs->range.Start);
    binary->op = token.spelling;
    advance();
    binary->lhs = lhs;
    if (!(binary->rhs = parseUnary()))
      return nullptr;
    lhs = finish(binary);
  }
  return lhs;
}

/// unary ::= '-' unary | primary
Expr *Parser::parseUnary() {
  if (++nodes > kMaxNodes) {
    error("expected a shorter expression: this one has more than " + Twine(kMaxNodes) + " terms");
    return nullptr;
  }
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
    if (at(Token::l_paren)) {
      auto *call = create<CallExpr>(start);
      call->callee = name.spelling;
      advance();
      while (!at(Token::r_paren)) {
        CallExpr::Argument argument;
        if (!(argument.value = parseExpr()))
          return nullptr;
        if (auto *label = llvm::dyn_cast<NameExpr>(argument.value);
            label && consumeIf(Token::colon)) {
          argument.label = label->name;
          if (!(argument.value = parseExpr()))
            return nullptr;
        } else if (at(Token::dots)) {
          auto *range = create<RangeExpr>(argument.value->range.Start);
          advance();
          range->first = argument.value;
          if (!(range->last = parseExpr()))
            return nullptr;
          argument.value = finish(range);
        }
        call->arguments.push_back(argument);
        if (!consumeIf(Token::comma))
          break;
      }
      return expect(Token::r_paren) ? finish(call) : nullptr;
    }
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
