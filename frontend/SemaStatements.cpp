// Statements.
#include "frontend/Sema.h"

using namespace mom::frontend;
using namespace mom::frontend::ast;

void Sema::checkBind(BindStmt &statement) {
  // The last states of a walk are made where a second name asks for them.
  if (auto *call = llvm::dyn_cast<CallExpr>(statement.value))
    call->wantsFinal = statement.names.size() == 2;
  bool isRoute = !statement.isRoute || checkRouteBind(statement);
  checkExpr(statement.value);
  auto &types = statement.value->types;
  bool known = llvm::none_of(types, [](const Type &type) { return type.kind == Type::Invalid; });
  if (known && types.size() != statement.names.size()) {
    error(statement.names.front()->name)
        << "expected " << types.size() << (types.size() == 1 ? " name" : " names")
        << " for as many values, but got " << statement.names.size();
    known = false;
  }
  for (auto [index, name] : llvm::enumerate(statement.names)) {
    name->used = false;
    name->type = known && isRoute ? types[index] : Type();
    if (statement.isRoute) {
      bind(*name);
      continue;
    }
    if (!name->type.isTensor() && name->type.kind != Type::Labels &&
        name->type.kind != Type::Invalid) {
      error(name->name) << "expected rows or weights, but got " << name->type.text();
      name->type = Type();
    }
    bind(*name);
  }
}

void Sema::checkReturn(FunctionDecl &decl, ReturnStmt &statement) {
  if (decl.isModel) {
    error(&statement) << "expected a loss or a metric: a model has no results";
    return;
  }
  llvm::SmallVector<Type> types;
  for (Expr *value : statement.values)
    types.push_back(checkOne(value));
  if (types.size() != decl.results.size()) {
    error(&statement) << "expected " << decl.results.size() << " values to return, but got "
                      << types.size();
    return;
  }
  for (auto [type, expected, value] : llvm::zip(types, decl.results, statement.values))
    if (type.kind != Type::Invalid && expected.kind != Type::Invalid && !type.matches(expected))
      error(value) << "expected to return " << expected.text() << ", but got " << type.text();
}

/// name = mean(a value of each row [where condition]) [by modality(ids)]
void Sema::checkMeasure(MeasureStmt &statement) {
  statement.where = nullptr;
  statement.mean = checkMean(statement);
  statement.labels = statement.by ? checkBy(statement.by) : nullptr;
  if (statement.labels && statement.mean &&
      statement.mean->types.front().space != statement.labels->types.front().space)
    error(statement.by) << "expected the modality of the rows that the mean is of, "
                        << statement.mean->types.front().text() << ", but got that of tokens";
  if (claim(statement.name))
    measures[statement.name] = statement.name;
}

/// What the mean is of; null after a message.
Expr *Sema::checkMean(MeasureStmt &statement) {
  auto *mean = llvm::dyn_cast<CallExpr>(statement.value);
  if (!mean || mean->callee != "mean") {
    error(statement.value) << "expected mean(...) of a value of each token or document";
    return nullptr;
  }
  if (!expectArguments(*mean, 1))
    return nullptr;
  Expr *value = mean->arguments[0].value;
  Type type = checkOne(value);
  if (type.kind == Type::Invalid)
    return nullptr;
  if (type.kind != Type::Rows || type.channels() != 1 || type.space == Space::Stream ||
      type.space == Space::Copy) {
    error(value) << "expected the mean of token[1] or document[1], but got " << type.text();
    return nullptr;
  }
  if (Expr *where = mean->arguments[0].where) {
    if (!checkWhere(where, type))
      return nullptr;
    statement.where = where;
    value->types.front().addTargets(where->types.front()); // absent rows are not its opposite
  }
  return value;
}

/// A condition on the rows of `of`. False after a message.
bool Sema::checkWhere(Expr *where, const Type &of) {
  Type type = checkOne(where);
  if (type.kind == Type::Invalid)
    return false;
  if (type.kind == Type::Mask && type.space == of.space)
    return true;
  if (type.kind == Type::Mask)
    error(where) << "expected a condition on the rows of " << of.text()
                 << ", but got one on those of a " << nameOf(type.space);
  else
    error(where) << "expected a condition on rows, as modality(ids) == image, but got "
                 << (where->constant ? where->constant->text() : type.text());
  return false;
}

/// The ids whose modality is meant; null after a message.
Expr *Sema::checkBy(Expr *expr) {
  auto *call = llvm::dyn_cast<CallExpr>(expr);
  if (!call || call->callee != "modality") {
    error(expr) << "expected modality(...) of ids";
    return nullptr;
  }
  if (!expectArguments(*call, 1))
    return nullptr;
  Expr *labels = call->arguments[0].value;
  Type type = checkOne(labels);
  if (type.kind == Type::Invalid)
    return nullptr;
  if (type.kind == Type::Labels && batch && batch->modality)
    return labels;
  if (type.kind != Type::Labels)
    error(labels) << "expected ids, as index[...], but got " << type.text();
  else
    error(expr) << "the batch's tokens have no modality";
  return nullptr;
}
