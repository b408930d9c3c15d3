// The train block.
#include "frontend/Parser.h"

#include "llvm/ADT/STLExtras.h"

using namespace mom::frontend;
using namespace mom::frontend::ast;
using llvm::SMLoc;

/// train ::= 'train' name '{' (trainItem (end | ','))* '}'
bool Parser::parseTrain() {
  auto *decl = create<TrainDecl>(token.start());
  advance();
  if (!expectName(decl->model, "the name of a model"))
    return false;
  bool ok = parseBlock([&] { return parseTrainItem(*decl); }, /*commas=*/true);
  module->declarations.push_back(finish(decl));
  return ok;
}

/// trainItem ::= 'minimize' expr | 'batch' expr 'by' expr | 'accumulate' expr
///             | 'clip' 'norm' expr | precision | optimizer
bool Parser::parseTrainItem(TrainDecl &train) {
  Token word = token;
  auto again = [&](bool given) {
    return given && !errorAt(word.start(), "'" + word.spelling + "' is given twice");
  };
  if (token.is(Token::kw_batch)) {
    if (again(train.streams))
      return false;
    advance();
    return (train.streams = parseExpr()) && expect(Token::kw_by) && (train.length = parseExpr());
  }
  if (token.is(Token::identifier)) {
    if (word.spelling == "minimize") {
      if (again(train.minimize))
        return false;
      advance();
      return (train.minimize = parseExpr());
    }
    if (word.spelling == "accumulate") {
      if (again(train.accumulate))
        return false;
      advance();
      return (train.accumulate = parseExpr());
    }
    if (word.spelling == "clip") {
      if (again(train.clip))
        return false;
      advance();
      if (!consumeIfWord("norm"))
        return error("expected 'norm', but got " + describeToken());
      return (train.clip = parseExpr());
    }
    if (word.spelling == "precision")
      return !again(!train.precision.empty()) && parsePrecision(train);
    if (word.spelling == "adamw")
      return !again(!train.optimizer.empty()) && parseOptimizer(train);
  }
  return error(
      "expected 'minimize', 'batch', 'accumulate', 'clip', 'precision' or 'adamw', but got " +
      describeToken());
}

/// type ::= 'f32' | 'bf16' | 'f16'; appended to `text`.
bool Parser::parsePrecisionType(std::string &text, llvm::StringRef what) {
  if (token.startsLine ||
      (token.spelling != "f32" && token.spelling != "bf16" && token.spelling != "f16"))
    return error("expected " + what + " of f32, bf16 or f16, but got " + describeToken());
  text += token.spelling;
  advance();
  return true;
}

/// precision ::= 'precision' type ('(' precisionItem (',' precisionItem)* ')')?
/// precisionItem ::= 'weights' type ('+' type 'copy')? |
///                   ('moments' | 'gradients' | 'residual' | 'interface') type
bool Parser::parsePrecision(TrainDecl &train) {
  advance();
  if (!parsePrecisionType(train.precision, "a precision"))
    return false;
  if (!consumeIf(Token::l_paren))
    return true;
  train.precision += " (";
  llvm::StringRef separator;
  do {
    llvm::StringRef item = token.spelling;
    if (item != "weights" && item != "moments" && item != "gradients" && item != "residual" &&
        item != "interface")
      return error("expected 'weights', 'moments', 'gradients', 'residual' or 'interface', but "
                   "got " +
                   describeToken());
    advance();
    train.precision += (separator + item + " ").str();
    if (!parsePrecisionType(train.precision, item.str()))
      return false;
    if (item == "weights" && consumeIf(Token::plus)) {
      train.precision += " + ";
      if (!parsePrecisionType(train.precision, "a copy"))
        return false;
      if (token.spelling != "copy")
        return error("expected 'copy', but got " + describeToken());
      advance();
      train.precision += " copy";
    }
    separator = ", ";
  } while (consumeIf(Token::comma));
  train.precision += ")";
  return expect(Token::r_paren);
}

/// optimizer ::= 'adamw' '(' optimizerOption (',' optimizerOption)* ')'
bool Parser::parseOptimizer(TrainDecl &train) {
  train.optimizer = token.spelling;
  advance();
  if (!expect(Token::l_paren))
    return false;
  do {
    if (!parseOptimizerOption(train))
      return false;
  } while (consumeIf(Token::comma));
  return expect(Token::r_paren);
}

/// optimizerOption ::= 'rate' ':' rate
///                   | 'betas' ':' '(' expr ',' expr ')'
///                   | 'eps' ':' expr
///                   | 'decay' ':' expr ('except' '(' pattern (',' pattern)* ')')?
bool Parser::parseOptimizerOption(TrainDecl &train) {
  StringRef label = token.spelling;
  bool known =
      token.is(Token::identifier) && llvm::is_contained({"rate", "betas", "eps", "decay"}, label);
  if (!known)
    return error("expected 'rate', 'betas', 'eps' or 'decay', but got " + describeToken());
  if ((label == "rate" && !train.rate.empty()) || (label == "betas" && !train.betas.empty()) ||
      (label == "eps" && train.eps) || (label == "decay" && train.decay))
    return error("'" + label + "' is given twice");
  advance();
  if (!expect(Token::colon))
    return false;
  if (label == "rate")
    return parseRate(train);
  if (label == "betas")
    return expect(Token::l_paren) && parseExprs(train.betas) && expect(Token::r_paren);
  if (label == "eps")
    return (train.eps = parseExpr());
  if (!(train.decay = parseExpr()))
    return false;
  if (!consumeIfWord("except"))
    return true;
  if (!expect(Token::l_paren))
    return false;
  do {
    StringRef pattern;
    if (!parsePath(pattern, "a pattern of parameter names", /*stars=*/true))
      return false;
    train.except.push_back(pattern);
  } while (consumeIf(Token::comma));
  return expect(Token::r_paren);
}

/// rate ::= phase ('then' phase)*
/// phase ::= name '(' expr ('->' expr)? (',' expr)? ')' | expr
bool Parser::parseRate(TrainDecl &train) {
  do {
    RatePhase phase;
    SMLoc start = token.start();
    if (token.is(Token::identifier) &&
        llvm::is_contained({"warmup", "cosine", "constant"}, token.spelling)) {
      phase.name = token.spelling;
      advance();
      if (!expect(Token::l_paren) || !(phase.first = parseExpr()) ||
          (consumeIf(Token::arrow) && !(phase.last = parseExpr())) ||
          (consumeIf(Token::comma) && !(phase.steps = parseExpr())) || !expect(Token::r_paren))
        return false;
    } else if (!(phase.first = parseExpr())) {
      return false;
    }
    phase.range = llvm::SMRange(start, previousEnd);
    train.rate.push_back(phase);
  } while (consumeIfWord("then"));
  return true;
}
