// Model text to tokens.
#pragma once

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/SourceMgr.h"

namespace mom::frontend {

/// A slice of the source buffer.
struct Token {
  enum Kind {
    eof,
    error, ///< reported already
    identifier,
    number,
#define KEYWORD(word) kw_##word,
#define PUNCTUATION(name, spelling) name,
#include "frontend/Tokens.def"
  };

  Kind kind = eof;
  llvm::StringRef spelling;
  bool startsLine = false; ///< the first token of its line

  bool is(Kind other) const { return kind == other; }
  bool isKeyword() const;
  llvm::SMLoc start() const { return llvm::SMLoc::getFromPointer(spelling.begin()); }
  llvm::SMLoc end() const { return llvm::SMLoc::getFromPointer(spelling.end()); }
};

/// How a kind reads in messages: "'->'", "a name".
llvm::StringRef describe(Token::Kind kind);

/// The kind of a keyword, or `identifier`.
Token::Kind keywordKind(llvm::StringRef word);

class Lexer {
public:
  /// Of a buffer of `sources`, by its number.
  Lexer(llvm::SourceMgr &sources, unsigned number, mlir::MLIRContext *context);

  Token lex();

  mlir::InFlightDiagnostic emitError(llvm::SMLoc place);

private:
  Token make(Token::Kind kind, const char *begin);
  Token lexNumber(const char *begin);

  llvm::SourceMgr &sources;
  mlir::MLIRContext *context;
  llvm::StringRef buffer;
  const char *current;
  bool startsLine = true;
};

} // namespace mom::frontend
