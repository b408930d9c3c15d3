// The meaning of a parsed model: names, constants, shapes, row spaces and
// modalities. Every message that is not about syntax is given here.
//
//   Sema.cpp       declarations, scopes, statements
//   SemaExpr.cpp   types, expressions and constants
//   SemaCalls.cpp  calls of parts and functions
//   SemaRoutes.cpp computed routes and what they send
//   SemaParts.cpp  parts, weights and their initial values
//   SemaTrain.cpp  the train block
//   SemaSchedule.cpp  schedules, as far as the model's names go
#pragma once

#include "frontend/Frontend.h"
#include "llvm/ADT/MapVector.h"

namespace mom::frontend {

/// Groups that a plan can sort by.
inline constexpr int64_t kMostExperts = 32;

class Sema {
public:
  Sema(ast::Module &module, const Options &options, mlir::MLIRContext *context)
      : module(module), options(options), context(context) {}

  mlir::LogicalResult check();

private:
  using Expr = ast::Expr;
  using Type = ast::Type;
  using Constant = ast::Constant;
  using Scope = llvm::MapVector<llvm::StringRef, llvm::StringRef>; ///< name -> where it was bound

  // Declarations.
  void checkModality(ast::ModalityDecl &decl);
  void checkConstant(ast::ConstantDecl &decl);
  void applySetting(ast::ConstantDecl &decl, llvm::StringRef text);
  void checkSettingNames();
  void checkBatch(ast::BatchDecl &decl);
  void checkFields(ast::BatchDecl::Group &group);
  void checkField(ast::FieldDecl &field, const ast::BatchDecl::Group &group);
  std::optional<Type> resolveFieldType(ast::FieldDecl &field);
  ast::ModalityDecl *findModality(llvm::StringRef name);
  void checkFunction(ast::FunctionDecl &decl);
  void checkSignature(ast::FunctionDecl &decl);
  void checkExport(ast::ExportDecl &decl);
  void checkSchedule(ast::ScheduleDecl &decl);
  void checkTrain(ast::TrainDecl &decl);
  void checkRate(ast::TrainDecl &decl);
  void checkPhase(ast::RatePhase &phase, bool last);
  void checkExcept(ast::TrainDecl &decl, const ast::FunctionDecl &model);
  void checkMinimize(ast::TrainDecl &decl, const ast::FunctionDecl &model);
  bool addLosses(ast::TrainDecl &decl, Expr *expr, double factor,
                 llvm::ArrayRef<llvm::StringRef> known);
  void warnUnused();

  // Statements.
  void checkBind(ast::BindStmt &statement);
  void checkReturn(ast::FunctionDecl &decl, ast::ReturnStmt &statement);
  void checkMeasure(ast::MeasureStmt &statement);
  Expr *checkMean(ast::MeasureStmt &statement);
  bool checkWhere(Expr *where, const Type &of);
  Expr *checkBy(Expr *expr);
  void checkPart(ast::PartDecl &part);
  bool checkRoute(ast::PartDecl &part);
  bool checkModality(ast::PartDecl &part, const ast::NameExpr &name, bool routed);
  bool checkLayerPart(ast::PartDecl &part, ast::FunctionDecl &layer);
  bool checkPartSizes(ast::PartDecl &part);
  bool checkPartOption(ast::PartDecl &part, ast::PartDecl::Option &option);
  void checkWeight(ast::WeightDecl &weight);

  // Types and constants. A `nullopt` or false was explained.
  std::optional<Type> resolveType(const ast::TypeSyntax &syntax);
  std::optional<Constant> constant(Expr *expr, llvm::StringRef what);
  std::optional<double> number(Expr *expr, llvm::StringRef what);
  std::optional<int64_t> integer(Expr *expr, llvm::StringRef what, int64_t least = 1);
  std::optional<ast::Init> resolveInit(Expr *expr, const Type &of);

  // Expressions.
  void checkExpr(Expr *expr);
  /// The type of an expression with one value; Invalid after a message.
  Type checkOne(Expr *expr);
  Type checkName(ast::NameExpr &expr);
  Type checkMember(ast::MemberExpr &expr);
  Type checkNegate(ast::NegateExpr &expr);
  Type checkNot(ast::NotExpr &expr);
  Type checkBinary(ast::BinaryExpr &expr);
  /// The type of arithmetic on rows, weights and constants, not both constants.
  Type combine(const Expr *expr, const Type &a, const Type &b);
  Type checkComparison(ast::BinaryExpr &expr);
  Type checkLogic(ast::BinaryExpr &expr);
  Type foldBinary(ast::BinaryExpr &expr, const Constant &a, const Constant &b);
  void checkCall(ast::CallExpr &call);
  void checkPartCall(ast::CallExpr &call, ast::PartDecl &part);
  void checkLayerCall(ast::CallExpr &call, ast::PartDecl &part, llvm::ArrayRef<Type> arguments);
  Type checkFunctionCall(ast::CallExpr &call, ast::Function function);
  Type checkElementwise(ast::CallExpr &call, ast::Function function, const Type &argument);
  Type checkScan(ast::CallExpr &call, llvm::ArrayRef<Type> arguments);
  bool expectEveryToken(const ast::CallExpr &call, const Type &type);
  Type checkCrossEntropy(ast::CallExpr &call, llvm::ArrayRef<Type> arguments);
  Type checkIds(ast::CallExpr &call, ast::Function function, Type type);
  Type checkCeil(ast::CallExpr &call, const Type &argument);
  Type checkExtreme(ast::CallExpr &call, llvm::ArrayRef<Type> arguments);
  Type checkClamp(ast::CallExpr &call, llvm::ArrayRef<Type> arguments);
  Type checkMse(ast::CallExpr &call, llvm::ArrayRef<Type> arguments);
  Type checkConcat(ast::CallExpr &call, llvm::ArrayRef<Type> arguments);
  Type checkSpace(ast::CallExpr &call, const Type &argument, ast::Space from, ast::Space to);
  bool checkRouteBind(ast::BindStmt &statement);
  Type checkTop(ast::CallExpr &call, const Type &logits);
  /// Whether an argument is a route; `usage` shows a call that has one.
  bool checkRoute(const ast::CallExpr::Argument &argument, const Type &type, llvm::StringRef usage);
  Type checkDispatch(ast::CallExpr &call, llvm::ArrayRef<Type> arguments);
  Type checkCombine(ast::CallExpr &call, llvm::ArrayRef<Type> arguments);
  Type checkBalance(ast::CallExpr &call, const Type &argument);
  /// Whether the bracket of a part's call and its argument go together with the part's.
  bool checkPartRoute(ast::CallExpr &call, const ast::PartDecl &part, const Type &argument);
  bool expectArguments(ast::CallExpr &call, size_t count);
  /// Takes `reverse` and `init:` from a call that walks along the sequence; the states
  /// are stream rows of `channels`. False after a message.
  bool takeWalkOptions(ast::CallExpr &call, size_t count);
  bool checkState(ast::CallExpr &call, int64_t channels);

  // Names.
  void bind(ast::Decl &decl);
  bool claim(llvm::StringRef name);
  ast::Decl *lookup(llvm::StringRef name) const;
  llvm::SmallVector<llvm::StringRef>
  namesIf(llvm::function_ref<bool(const ast::Decl *)> accept) const;

  // Messages.
  mlir::InFlightDiagnostic error(llvm::StringRef slice);
  mlir::InFlightDiagnostic error(const ast::Node *node);
  mlir::InFlightDiagnostic warning(llvm::StringRef slice);
  mlir::Location at(llvm::StringRef slice) const;
  Type invalid(mlir::InFlightDiagnostic diagnostic);

  ast::Module &module;
  const Options &options;
  mlir::MLIRContext *context;
  llvm::MapVector<llvm::StringRef, ast::Decl *> globals, locals;
  Scope measures; ///< losses and metrics of the function at hand
  ast::BatchDecl *batch = nullptr;
  bool failed = false;
};

} // namespace mom::frontend
