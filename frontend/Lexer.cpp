#include "frontend/Lexer.h"

#include "frontend/SourceLocation.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mom::frontend;
using llvm::StringRef;

static bool startsWord(char c) { return llvm::isAlpha(c) || c == '_'; }
static bool continuesWord(char c) { return llvm::isAlnum(c) || c == '_'; }

bool Token::isKeyword() const { return kind > number && kind <= kw_not; }

StringRef mom::frontend::describe(Token::Kind kind) {
  switch (kind) {
  case Token::eof:
    return "the end of the file";
  case Token::error:
    return "text";
  case Token::identifier:
    return "a name";
  case Token::number:
    return "a number";
#define KEYWORD(word)                                                                              \
  case Token::kw_##word:                                                                           \
    return "'" #word "'";
#define PUNCTUATION(name, spelling)                                                                \
  case Token::name:                                                                                \
    return "'" spelling "'";
#include "frontend/Tokens.def"
  }
  llvm_unreachable("a token has one of the kinds above");
}

Token::Kind mom::frontend::keywordKind(StringRef word) {
  return llvm::StringSwitch<Token::Kind>(word)
#define KEYWORD(word) .Case(#word, Token::kw_##word)
#include "frontend/Tokens.def"
      .Default(Token::identifier);
}

Lexer::Lexer(llvm::SourceMgr &sources, unsigned number, mlir::MLIRContext *context)
    : sources(sources), context(context), buffer(sources.getMemoryBuffer(number)->getBuffer()),
      current(buffer.begin()) {}

mlir::InFlightDiagnostic Lexer::emitError(llvm::SMLoc place) {
  return mlir::emitError(locate(sources, place, context));
}

Token Lexer::make(Token::Kind kind, const char *begin) {
  Token token{kind, StringRef(begin, current - begin), startsLine};
  startsLine = false;
  return token;
}

Token Lexer::lex() {
  const char *end = buffer.end();
  for (; current != end; ++current) {
    if (*current == '#')
      while (current + 1 != end && current[1] != '\n')
        ++current;
    else if (*current == '\n')
      startsLine = true;
    else if (!llvm::isSpace(*current))
      break;
  }
  const char *begin = current;
  if (current == end)
    return make(Token::eof, begin);

  if (startsWord(*current)) {
    while (current != end && continuesWord(*current))
      ++current;
    return make(keywordKind(StringRef(begin, current - begin)), begin);
  }
  if (llvm::isDigit(*current))
    return lexNumber(begin);

  StringRef rest(current, end - current);
#define PUNCTUATION(name, spelling)                                                                \
  if (rest.starts_with(spelling)) {                                                                \
    current += StringRef(spelling).size();                                                         \
    return make(Token::name, begin);                                                               \
  }
#include "frontend/Tokens.def"

  // One message for a run of bytes outside ASCII: they are one character.
  do
    ++current;
  while (current != end && (*current & 0x80) && (*begin & 0x80));
  if (llvm::isPrint(*begin) || current - begin > 1)
    emitError(llvm::SMLoc::getFromPointer(begin))
        << "unexpected character '" << StringRef(begin, current - begin) << "'";
  else
    emitError(llvm::SMLoc::getFromPointer(begin))
        << "unexpected byte 0x" << llvm::utohexstr(static_cast<unsigned char>(*begin));
  return make(Token::error, begin);
}

/// number ::= digit+ ('.' digit+)? ([eE] [+-]? digit+)?
/// The dot needs a digit behind it, so that `1..N` is a range.
Token Lexer::lexNumber(const char *begin) {
  const char *end = buffer.end();
  auto digits = [&] {
    while (current != end && llvm::isDigit(*current))
      ++current;
  };
  digits();
  if (end - current > 1 && *current == '.' && llvm::isDigit(current[1])) {
    ++current;
    digits();
  }
  if (current != end && (*current == 'e' || *current == 'E')) {
    const char *exponent = current + 1;
    if (exponent != end && (*exponent == '+' || *exponent == '-'))
      ++exponent;
    if (exponent != end && llvm::isDigit(*exponent)) {
      current = exponent;
      digits();
    }
  }
  if (current == end || !continuesWord(*current))
    return make(Token::number, begin);
  while (current != end && continuesWord(*current))
    ++current;
  emitError(llvm::SMLoc::getFromPointer(begin))
      << "expected a number, but got '" << StringRef(begin, current - begin) << "'";
  return make(Token::error, begin);
}
