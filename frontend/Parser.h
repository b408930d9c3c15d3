// Tokens to the tree: recursive descent, one production a function, with its
// grammar above it: declarations in Parser.cpp, the train block in ParseTrain.cpp,
// expressions in ParseExpr.cpp. docs/Language.md has the grammar in one piece.
#pragma once

#include "frontend/Ast.h"
#include "frontend/Lexer.h"

namespace mom::frontend {

class Parser {
public:
  Parser(llvm::SourceMgr &sources, mlir::MLIRContext *context)
      : lexer(sources, context), module(std::make_unique<ast::Module>(sources)) {}

  /// Null if a message was given.
  std::unique_ptr<ast::Module> parse();

private:
  // Declarations and statements add to a list and return false after a message.
  bool parseDeclaration();
  bool parseModality();
  bool parseConstants(bool isSetting);
  bool parseBatch();
  bool parseField(ast::BatchDecl &batch);
  bool parseFunction(bool isModel);
  bool parseStatement(ast::FunctionDecl &function);
  bool parsePart(std::vector<ast::Node *> &body);
  bool parsePartArguments(ast::PartDecl &part);
  bool parseWeight(std::vector<ast::Node *> &body);
  bool parseMeasure(std::vector<ast::Node *> &body, bool isLoss);
  bool parseReturn(std::vector<ast::Node *> &body);
  bool parseBind(std::vector<ast::Node *> &body);
  bool parseTrain();
  bool parseTrainItem(ast::TrainDecl &train);
  bool parsePrecision(ast::TrainDecl &train);
  bool parsePrecisionType(std::string &text, llvm::StringRef what);
  bool parseOptimizer(ast::TrainDecl &train);
  bool parseOptimizerOption(ast::TrainDecl &train);
  bool parseRate(ast::TrainDecl &train);
  bool parsePattern(ast::TrainDecl &train);
  bool parseExport();
  bool parseSchedule();
  bool parseType(ast::TypeSyntax &type);

  // Expressions return null after a message.
  ast::Expr *parseExpr();
  ast::Expr *parseTerm();
  ast::Expr *parseUnary();
  ast::Expr *parsePrimary();
  ast::Expr *parseCall();
  bool parseExprs(llvm::SmallVectorImpl<ast::Expr *> &list);

  /// A block of statements in braces; goes on after a statement with errors.
  bool parseBlock(llvm::function_ref<bool()> statement, bool commas = false);

  // The end of a statement is a `;`, a `}`, the end of the file, or, outside of
  // parentheses and brackets, the end of a line.
  bool atEnd() const;
  bool finishStatement();
  bool startsStatement() const;
  void recover();

  // Tokens.
  void advance();
  /// Whether the statement goes on with this token.
  bool at(Token::Kind kind) const;
  bool atWord(llvm::StringRef word) const;
  bool consumeIf(Token::Kind kind);
  bool consumeIfWord(llvm::StringRef word);
  bool expect(Token::Kind kind);
  bool expectName(llvm::StringRef &name, llvm::StringRef what = "a name");
  std::string describeToken() const;
  bool error(const llvm::Twine &message);
  bool errorAt(llvm::SMLoc place, const llvm::Twine &message);
  template <typename T> T *create(llvm::SMLoc start) {
    T *node = module->create<T>();
    node->range = llvm::SMRange(start, start);
    return node;
  }
  template <typename T> T *finish(T *node) {
    node->range.End = previousEnd;
    return node;
  }

  Lexer lexer;
  std::unique_ptr<ast::Module> module;
  Token token;
  llvm::SMLoc previousEnd;
  unsigned brackets = 0; ///< open parentheses and square brackets
  unsigned nodes = 0;    ///< of the expression at hand
  bool failed = false;
};

} // namespace mom::frontend
