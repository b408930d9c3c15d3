// Tokens to the tree: recursive descent, one production a function, with its
// grammar above it: declarations in Parser.cpp, the train block in ParseTrain.cpp,
// schedules in ParseSchedule.cpp, expressions in ParseExpr.cpp. docs/Language.md has the grammar in one piece.
#pragma once

#include "frontend/Ast.h"
#include "frontend/Lexer.h"

namespace mom::frontend {

class Parser {
public:
  /// Adds what buffer number `buffer` of the module's sources declares to the module.
  Parser(ast::Module &module, unsigned buffer, mlir::MLIRContext *context)
      : lexer(module.sources, buffer, context), module(&module) {}

  /// False if a message was given.
  bool parse();

private:
  // Declarations and statements add to a list and return false after a message.
  bool parseDeclaration();
  bool parseModality();
  bool parseConstants(bool isSetting);
  bool parseBatch();
  bool parseFields(ast::BatchDecl &batch);
  bool parseField(ast::BatchDecl::Group &group);
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
  bool parseExport();
  bool parseSchedule();
  bool parseScheduleItem(ast::ScheduleDecl &schedule);
  bool parseKnob(ast::ScheduleDecl::Item &item);
  /// Names, numbers, '.' and perhaps '*' without space between them.
  bool parsePath(llvm::StringRef &path, llvm::StringRef what, bool stars = false);
  bool parseType(ast::TypeSyntax &type);

  // Expressions return null after a message.
  ast::Expr *parseExpr();
  ast::Expr *parseConjunction();
  ast::Expr *parseNegation();
  ast::Expr *parseComparison();
  ast::Expr *parseSum();
  ast::Expr *parseTerm();
  ast::Expr *parseUnary();
  ast::Expr *parsePrimary();
  ast::Expr *parseCall(Token name);
  bool parseCallArgument(ast::CallExpr &call);
  /// operand (op operand)*, for the operators that `kinds` lists.
  ast::Expr *parseChain(ast::Expr *(Parser::*operand)(), llvm::ArrayRef<Token::Kind> kinds);
  bool parseExprs(llvm::SmallVectorImpl<ast::Expr *> &list);

  /// A block of statements in braces; goes on after a statement with errors.
  bool parseBlock(llvm::function_ref<bool()> statement, bool commas = false);

  // The end of a statement is a `;`, a `}`, the end of the file, or, outside of
  // parentheses and brackets, the end of a line.
  bool atEnd() const;
  bool finishStatement();
  bool startsStatement() const;
  void recover();

  /// False, after a message, once the expression at hand is too long.
  bool countNode();

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
  ast::Module *module;
  Token token;
  llvm::SMLoc previousEnd;
  unsigned brackets = 0; ///< open parentheses and square brackets
  unsigned nodes = 0;    ///< of the expression at hand
  bool failed = false;
};

} // namespace mom::frontend
