#include "frontend/Ast.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

using namespace mom::frontend::ast;

StringRef mom::frontend::ast::describe(Constant::Kind kind) {
  switch (kind) {
  case Constant::Integer:
    return "an integer";
  case Constant::Float:
    return "a float";
  case Constant::Boolean:
    return "a boolean";
  }
  llvm_unreachable("a constant has one of the kinds above");
}

StringRef mom::frontend::ast::nameOf(Space space) {
  switch (space) {
  case Space::Token:
    return "token";
  case Space::Stream:
    return "stream";
  case Space::Document:
    return "document";
  case Space::Copy:
    return "copy";
  }
  llvm_unreachable("rows have one of the spaces above");
}

std::string mom::frontend::ast::Constant::text() const {
  if (kind == Boolean)
    return integer ? "true" : "false";
  if (kind == Integer)
    return std::to_string(integer);
  std::string text;
  llvm::raw_string_ostream os(text);
  os << llvm::format("%g", number);
  return text;
}

Type Type::rows(Space space, int64_t channels) {
  Type type;
  type.kind = Rows;
  type.space = space;
  type.shape = {channels};
  return type;
}

Type Type::resized(int64_t channels) const {
  Type type = rows(space, channels);
  type.route = route;
  type.targets = targets;
  return type;
}

Type Type::weights(ArrayRef<int64_t> shape) {
  Type type;
  type.kind = Static;
  type.shape.assign(shape.begin(), shape.end());
  return type;
}

bool Type::matches(const Type &other) const {
  return kind == other.kind && shape == other.shape && limit == other.limit &&
         ((kind != Rows && kind != Labels) || sharesRows(other));
}

std::string Type::text() const {
  std::string text;
  llvm::raw_string_ostream os(text);
  switch (kind) {
  case Invalid:
    return "nothing";
  case Constant:
    return "a constant";
  case Record:
    return ("the fields of a " + nameOf(space)).str();
  case Groups:
    return "modalities";
  case Mask:
    return "a condition";
  case Route:
    return "a route";
  case Labels:
    os << "index[" << limit << "]";
    return text;
  case Rows:
    os << nameOf(space);
    break;
  case Static:
    os << "f32";
    break;
  }
  os << "[";
  llvm::interleaveComma(shape, os);
  os << "]";
  if (route)
    os << " by '" << route->routeName << "'";
  return text;
}

FunctionDecl *Module::model() const {
  for (FunctionDecl *function : all<FunctionDecl>())
    if (function->isModel)
      return function;
  return nullptr;
}
