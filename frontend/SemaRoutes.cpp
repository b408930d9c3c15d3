// Computed routes: which experts a token is sent to, and what becomes of its copies.
#include "frontend/Sema.h"
#include "frontend/Suggest.h"
#include "llvm/ADT/STLExtras.h"

using namespace mom::frontend;
using namespace mom::frontend::ast;

static CallExpr *topCall(Expr *expr) {
  auto *call = llvm::dyn_cast<CallExpr>(expr);
  return call && (call->callee == "top1" || call->callee == "top2") ? call : nullptr;
}

/// `route e = top1(logits)`: the call knows the name. False after a message.
bool Sema::checkRouteBind(BindStmt &statement) {
  CallExpr *top = topCall(statement.value);
  if (!top) {
    error(statement.value) << "expected top1(...) or top2(...) of a router's logits as route '"
                           << statement.names.front()->name << "'";
    return false;
  }
  top->routeName = statement.names.front()->name;
  return true;
}

/// top1(logits), top2(logits)
Type Sema::checkTop(CallExpr &call, const Type &logits) {
  Expr *argument = call.arguments[0].value;
  call.copies = call.callee == "top1" ? 1 : 2;
  if (call.routeName.empty())
    return invalid(error(call.callee) << "expected a name for the route, as in 'route e = "
                                      << call.callee << "(...)'");
  if (logits.kind != Type::Rows || logits.space != Space::Token)
    return invalid(error(argument) << "expected logits of tokens, as token[experts], but got "
                                   << logits.text());
  if (logits.channels() < 2 || logits.channels() > kMostExperts)
    return invalid(error(argument) << "expected logits of 2 to " << kMostExperts
                                   << " experts, but got " << logits.text());
  if (auto *inner = llvm::dyn_cast<CallExpr>(argument); inner && inner->callee == "softmax")
    return invalid(error(inner->callee)
                   << "expected logits, but got their softmax, which '" << call.callee
                   << "' takes itself");
  call.experts = logits.channels();
  Type type;
  type.kind = Type::Route;
  type.route = &call;
  type.targets = logits.targets;
  return type;
}

bool Sema::checkRoute(const CallExpr::Argument &argument, const Type &type,
                      llvm::StringRef usage) {
  if (type.kind == Type::Route)
    return true;
  error(argument.value) << "expected a route, as in " << usage << ", but got " << type.text();
  return false;
}

/// dispatch(x, e)
Type Sema::checkDispatch(CallExpr &call, llvm::ArrayRef<Type> types) {
  const Type &x = types[0], &route = types[1];
  if (!checkRoute(call.arguments[1], route, "dispatch(x, e)"))
    return {};
  if (x.kind == Type::Rows && x.space == Space::Copy)
    return invalid(error(call.arguments[0].value)
                   << "expected rows of tokens to dispatch, but got " << x.text()
                   << ", which are copies already; combine(...) makes tokens of them");
  if (x.kind != Type::Rows || x.space != Space::Token)
    return invalid(error(call.arguments[0].value)
                   << "expected rows of tokens to dispatch, but got " << x.text());
  Type copies = Type::rows(Space::Copy, x.channels());
  copies.route = route.route;
  copies.targets = x.targets;
  return copies;
}

/// combine(y, e)
Type Sema::checkCombine(CallExpr &call, llvm::ArrayRef<Type> types) {
  const Type &y = types[0], &route = types[1];
  if (!checkRoute(call.arguments[1], route, "combine(y, e)"))
    return {};
  if (y.kind != Type::Rows || y.route != route.route)
    return invalid(error(call.arguments[0].value)
                   << "expected copies by '" << route.route->routeName
                   << "' to combine, but got " << y.text() << "; dispatch(...) makes them");
  Type tokens = Type::rows(Space::Token, y.channels());
  tokens.targets = y.targets;
  return tokens;
}

/// balance(e)
Type Sema::checkBalance(CallExpr &call, const Type &argument) {
  if (!checkRoute(call.arguments[0], argument, "balance(e)"))
    return {};
  return Type::rows(Space::Token, 1);
}

bool Sema::checkPartRoute(CallExpr &call, const PartDecl &part, const Type &argument) {
  Expr *value = call.arguments.front().value;
  if (call.by.empty()) {
    if (!part.callsName)
      return true;
    error(call.callee) << "'" << part.name << "' has a weight for each expert: expected a route, "
                       << "as in " << part.name << "[e](...)";
    return false;
  }
  call.byDecl = lookup(call.by);
  if (part.modality && call.byDecl == part.modality)
    return true; // said once more
  auto *route = llvm::dyn_cast_or_null<ValueDecl>(call.byDecl);
  if (!route) {
    auto known = namesIf([](const Decl *d) {
      auto *value = llvm::dyn_cast<ValueDecl>(d);
      return value && value->type.kind == Type::Route;
    });
    error(call.by) << "unknown route '" << call.by << "'" << suggest(call.by, known);
    return false;
  }
  route->used = true;
  if (route->type.kind == Type::Invalid)
    return false;
  if (route->type.kind != Type::Route) {
    error(call.by) << "expected a route in brackets, but '" << call.by << "' is "
                   << route->type.text();
    return false;
  }
  if (!part.callsName) {
    error(call.by) << "expected no route for '" << part.name << "', which has "
                   << (part.modality ? "a weight for each modality" : "one weight")
                   << "; linear[" << route->type.route->experts << "](...) has one for each expert";
    return false;
  }
  if (part.experts && part.experts != route->type.route->experts) {
    error(call.by) << "expected a route to " << part.experts << " experts for '" << part.name
                   << "', but '" << call.by << "' has " << route->type.route->experts;
    return false;
  }
  if (argument.route == route->type.route)
    return true;
  error(value) << "expected copies by '" << call.by << "' for '" << part.name << "', but got "
               << argument.text() << "; dispatch(...) makes them";
  return false;
}
