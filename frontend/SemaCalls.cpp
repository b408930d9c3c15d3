// Calls: of parts here, of functions in SemaFunctions.cpp.
#include "frontend/Sema.h"
#include "frontend/Suggest.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mom::frontend;
using namespace mom::frontend::ast;

static std::optional<Function> functionNamed(StringRef name) {
  return llvm::StringSwitch<std::optional<Function>>(name)
#define FUNCTION(name) .Case(#name, Function::name)
#include "frontend/Functions.def"
      .Default(std::nullopt);
}

bool Sema::expectArguments(CallExpr &call, size_t count) {
  for (CallExpr::Argument &argument : call.arguments)
    if (!argument.label.empty()) {
      error(argument.label) << "unknown option '" << argument.label << "' of '" << call.callee
                            << "'";
      return false;
    }
  if (call.arguments.size() == count)
    return true;
  error(call.callee) << "expected " << count << (count == 1 ? " argument" : " arguments") << " of '"
                     << call.callee << "', but got " << call.arguments.size();
  return false;
}

bool Sema::takeWalkOptions(CallExpr &call, size_t count) {
  llvm::ArrayRef<CallExpr::Argument> all(call.arguments);
  if (!all.empty() && all.back().label == "init") {
    call.init = all.back().value;
    all = all.drop_back();
  }
  if (all.size() == count + 1 && all.back().label.empty())
    if (auto *word = llvm::dyn_cast<NameExpr>(all.back().value); word && word->name == "reverse")
      call.reverse = true;
  for (const CallExpr::Argument &argument : all)
    if (!argument.label.empty()) {
      if (argument.label == "init")
        error(argument.label) << "expected 'init:' as the last argument of '" << call.callee << "'";
      else
        error(argument.label) << "unknown option '" << argument.label << "' of '" << call.callee
                              << "'" << suggest(argument.label, {"init"});
      return false;
    }
  if (call.values().size() == count)
    return true;
  error(call.callee) << "expected " << count << (count == 1 ? " argument" : " arguments")
                     << " of '" << call.callee << "', but got " << call.values().size();
  return false;
}

/// The states that a walk begins with, and those that it ends with.
bool Sema::checkState(CallExpr &call, int64_t channels) {
  if (!call.init)
    return true;
  Type expected = Type::rows(Space::Stream, channels), type = checkOne(call.init);
  if (type.kind != Type::Invalid && !type.matches(expected))
    error(call.init) << "expected 'init' of '" << call.callee << "' to be " << expected.text()
                     << ", but got " << type.text();
  return type.matches(expected);
}

void Sema::checkCall(CallExpr &call) {
  call.part = nullptr;
  call.function = functionNamed(call.callee);
  call.byDecl = nullptr;
  call.reverse = false;
  call.init = nullptr;
  for (const CallExpr::Argument &argument : call.arguments)
    if (argument.where && call.callee != "mean") {
      error(argument.where) << "expected 'where' in mean(...) only, but '" << call.callee
                            << "' has one";
      call.types.push_back(Type());
      return;
    }
  if (call.function && !call.by.empty()) {
    error(call.by) << "expected a route in brackets after a part, but '" << call.callee
                   << "' is a function";
    call.types.push_back(Type());
    return;
  }
  if (call.function) {
    Type type = checkFunctionCall(call, *call.function);
    call.types.push_back(type);
    if (call.function == Function::scan && call.wantsFinal)
      call.types.push_back(type.kind == Type::Invalid
                               ? type
                               : Type::rows(Space::Stream, call.values()[2].value->types[0].shape[0] *
                                                               call.values()[2].value->types[0].shape[1]));
    return;
  }
  Decl *decl = lookup(call.callee);
  if (auto *part = llvm::dyn_cast_or_null<PartDecl>(decl)) {
    part->used = true;
    call.part = part;
    checkPartCall(call, *part);
    return;
  }
  call.types.push_back(Type());
  if (llvm::isa_and_nonnull<FunctionDecl>(decl)) {
    decl->used = true;
    error(call.callee) << "'" << call.callee
                       << "' is a layer: its weights need a name, as in 'part block = "
                       << call.callee << "'";
  } else if (decl) {
    decl->used = true;
    error(call.callee) << "expected a part or a function, but got '" << call.callee << "'";
  } else {
    auto known = namesIf([](const Decl *d) { return llvm::isa<PartDecl>(d); });
#define FUNCTION(name) known.push_back(#name);
#include "frontend/Functions.def"
    error(call.callee) << "unknown part or function '" << call.callee << "'"
                       << suggest(call.callee, known);
  }
}

void Sema::checkPartCall(CallExpr &call, PartDecl &part) {
  bool isConv = part.partKind == PartKind::Conv1d;
  call.types.push_back(Type());
  if (part.out.empty() && !part.layer) { // a part with errors
    for (CallExpr::Argument &argument : call.arguments)
      checkExpr(argument.value);
    return;
  }
  size_t count = part.layer ? part.layer->arguments.size() : 1;
  if (isConv ? !takeWalkOptions(call, count) : !expectArguments(call, count))
    return;
  llvm::SmallVector<Type> types;
  for (const CallExpr::Argument &argument : call.values())
    types.push_back(checkOne(argument.value));
  if (llvm::any_of(types, [](const Type &type) { return type.kind == Type::Invalid; }))
    return;
  Expr *argument = call.arguments.front().value;
  const Type &type = types.front();
  if (!call.by.empty() && part.partKind != PartKind::Linear) {
    error(call.by) << "expected a route in brackets after a linear part only, but '" << part.name
                   << "' is '" << part.maker << "'";
    return;
  }
  if (part.partKind == PartKind::Layer)
    return checkLayerCall(call, part, types);
  if (part.partKind == PartKind::Embedding) {
    if (type.kind != Type::Labels)
      error(argument) << "expected ids, as index[" << part.in << "], but got " << type.text();
    else if (type.limit > part.in)
      error(argument) << "expected ids below " << part.in << ", the rows of '" << part.name
                      << "', but got " << type.text();
    else if (type.ahead)
      error(argument)
          << "expected ids of every token, but next(...) is absent on a document's last token";
    else
      call.types.front() = Type::rows(type.space, part.out.front());
    return;
  }
  if (type.kind != Type::Rows || type.channels() != part.in) {
    error(argument) << "expected rows of " << part.in << " channels for '" << part.name
                    << "', but got " << type.text();
    return;
  }
  if (!checkPartRoute(call, part, type))
    return;
  if ((isConv || part.modality) && type.space != Space::Token) {
    error(argument) << "'" << part.name << "' "
                    << (isConv ? "follows the sequence" : "is routed by the modality of a token")
                    << ": expected rows of tokens, but got " << type.text();
    return;
  }
  if (isConv && !expectEveryToken(call, type))
    return;
  int64_t state = (part.width - 1) * part.in;
  if (isConv && !checkState(call, state))
    return;
  if (isConv && state == 0 && (call.init || call.wantsFinal)) {
    error(call.callee) << "'" << part.name << "' has a width of 1, and so no states";
    return;
  }
  call.types.clear();
  for (int64_t channels : part.out)
    call.types.push_back(type.resized(channels));
  if (isConv && call.wantsFinal)
    call.types.push_back(Type::rows(Space::Stream, state));
}

void Sema::checkLayerCall(CallExpr &call, PartDecl &part, llvm::ArrayRef<Type> types) {
  for (auto [argument, type, formal] : llvm::zip(call.arguments, types, part.layer->arguments))
    if (formal->type.kind == Type::Invalid)
      return;
    else if (!type.matches(formal->type)) {
      error(argument.value) << "expected " << formal->type.text() << " for '" << formal->name
                            << "' of layer '" << part.layer->name << "', but got " << type.text();
      return;
    }
  call.types.assign(part.layer->results.begin(), part.layer->results.end());
  for (Type &result : call.types) {
    result.targets.clear();
    for (const Type &type : types)
      result.addTargets(type);
  }
}
