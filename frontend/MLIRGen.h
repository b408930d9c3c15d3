// The checked tree to the mom dialect.
//
// A layer becomes a private function of its arguments, the batch and its
// parameters; the model a public one of the batch, its fields and all
// parameters, which returns its losses and metrics. Attributes of arguments and
// of the module hold what is not an op: docs/Dialect.md lists them.
//
// mom.train = {streams, length, accumulate, clip, betas, eps, loss, precision, rates}:
// counts are i64, other numbers f64. `clip` is the largest norm of the gradient,
// 0 where the text has none; `precision` is the text of its line. A rate
// is {kind = "warmup", steps} or {kind = "cosine" | "constant", steps, from, to};
// `steps` of 0 are the rest of the run, in the last one only.
//
// Every value that has a name in the text carries it in a NameLoc round its
// place; an op with several results has their names joined by dots, `u.gate`.
#pragma once

#include "dialect/Mom.h"
#include "frontend/Frontend.h"
#include "frontend/Parameters.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/DenseMap.h"

namespace mom::frontend {

/// The tensor type of rows, labels or weights.
mlir::Type convert(const ast::Type &type, mlir::MLIRContext *context);

/// Generates the body of one layer or model.
class FunctionGen {
public:
  FunctionGen(const ast::Module &module, mlir::OpBuilder &builder)
      : module(module), builder(builder) {}

  mlir::func::FuncOp layer(const ast::FunctionDecl &decl);
  mlir::func::FuncOp model(const ast::FunctionDecl &decl);

private:
  using Value = mlir::Value;
  using Values = llvm::SmallVector<mlir::Value, 2>;

  // Arguments.
  mlir::func::FuncOp begin(const ast::FunctionDecl &decl, llvm::StringRef marker);
  Value addArgument(mlir::Type type, mlir::Location location, mlir::DictionaryAttr attributes = {});
  void addParameters(const ast::FunctionDecl &decl);
  void end(mlir::func::FuncOp function, mlir::ValueRange results,
           llvm::ArrayRef<mlir::DictionaryAttr> attributes, mlir::Location location);

  // Statements.
  void bind(const ast::BindStmt &statement);
  void total(const ast::TrainDecl &train, Values &results,
             llvm::SmallVectorImpl<mlir::DictionaryAttr> &attributes);
  void measure(const ast::MeasureStmt &statement, Values &results,
               llvm::SmallVectorImpl<mlir::DictionaryAttr> &attributes);

  // Expressions. `name` is that of the value, for its location.
  Values values(const ast::Expr *expr, llvm::StringRef name = {});
  Value value(const ast::Expr *expr, llvm::StringRef name = {}) {
    return values(expr, name).front();
  }
  Value binary(const ast::BinaryExpr &expr, llvm::StringRef name);
  Value withConstant(const ast::BinaryExpr &expr, mlir::Location location);
  /// 1 in the rows where a condition holds, else 0: [rows, 1]
  Value mask(const ast::Expr &condition, mlir::Location location);
  Values call(const ast::CallExpr &expr, llvm::StringRef name);
  Value function(const ast::CallExpr &expr, mlir::Location location);
  Values scan(const ast::CallExpr &expr, mlir::Location location);
  /// Two operands with the shape of their result, and a number in place of a constant.
  std::pair<Value, Value> operands(const ast::Expr &lhs, const ast::Expr &rhs,
                                   const ast::Type &type, mlir::Location location);
  Value elementwise(ast::Function function, Value x, mlir::Location location);

  // Computed routes: RouteGen.cpp.
  void bindRoute(const ast::CallExpr &top);
  Value dispatch(llvm::ArrayRef<Value> parts, const ast::CallExpr &top, mlir::Location location);
  Value combine(Value y, const ast::CallExpr &top, mlir::Location location);
  Value balance(const ast::CallExpr &top, mlir::Location location);

  // Parts, in the order of PartKind.
  Values part(const ast::CallExpr &expr, llvm::StringRef name);
  Value normPart(const ast::PartDecl &part, Value x, mlir::Location inner, mlir::Location outer);
  Values linearPart(const ast::CallExpr &expr, Value x, mlir::Location inner,
                    mlir::Location outer);
  Values convPart(const ast::CallExpr &expr, Value x, mlir::Location outer);
  Values layerPart(const ast::PartDecl &part, mlir::ValueRange carried, mlir::Location outer);

  // Small pieces.
  Value route(const ast::ModalityDecl &modality, mlir::Location location);
  Value broadcast(Value x, Value like, int64_t channels, mlir::Location location, Value route = {});
  Value affine(Value x, double scale, double offset, mlir::Location location);
  Value reduce(Value x, mlir::Location location); ///< [rows, C] -> [rows, 1]: the sum
  Value reduceRows(Value x, mlir::Location location);
  Value labelModality(const ast::Expr *labels, mlir::Location location);
  mlir::Location locate(llvm::SMRange range, llvm::StringRef name) const;
  mlir::Location locate(llvm::StringRef name) const;
  mlir::DictionaryAttr dictionary(llvm::StringRef name, llvm::StringRef value) const;

  const ast::Module &module;
  mlir::OpBuilder &builder;
  mlir::Block *block = nullptr;
  llvm::SmallVector<mlir::DictionaryAttr> argumentAttributes;
  Value batch;
  llvm::DenseMap<const ast::Decl *, Values> bound; ///< of a part or weight: its parameters
  llvm::DenseMap<const ast::CallExpr *, Value> targets;
  llvm::DenseMap<const ast::ModalityDecl *, Value> routes;
  /// What top1(...) or top2(...) computes.
  struct ComputedRoute {
    Value route, probabilities; ///< [tokens, experts]
    Values choices, gates;      ///< [tokens, 1], one for each copy
  };
  llvm::DenseMap<const ast::CallExpr *, ComputedRoute> computed;
};

} // namespace mom::frontend
