// Calls of parts and functions.
#include "frontend/Sema.h"
#include "frontend/Suggest.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"

#include <cmath>

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

/// `reverse`, as the last argument of what follows the sequence.
bool Sema::takeReverse(CallExpr &call, size_t position) {
  if (call.arguments.size() != position + 1 || !call.arguments.back().label.empty())
    return false;
  auto *word = llvm::dyn_cast<NameExpr>(call.arguments.back().value);
  return word && word->name == "reverse";
}

void Sema::checkCall(CallExpr &call) {
  call.part = nullptr;
  call.function = functionNamed(call.callee);
  call.reverse = false;
  if (call.function) {
    call.types.push_back(checkFunctionCall(call, *call.function));
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
  call.reverse = isConv && takeReverse(call, 1);
  call.types.push_back(Type());
  if (part.out.empty() && !part.layer) { // a part with errors
    for (CallExpr::Argument &argument : call.arguments)
      checkExpr(argument.value);
    return;
  }
  size_t count = part.layer ? part.layer->arguments.size() : 1;
  if (!expectArguments(call, count + call.reverse))
    return;
  llvm::SmallVector<Type> types;
  for (const CallExpr::Argument &argument : llvm::ArrayRef(call.arguments).take_front(count))
    types.push_back(checkOne(argument.value));
  if (llvm::any_of(types, [](const Type &type) { return type.kind == Type::Invalid; }))
    return;
  Expr *argument = call.arguments.front().value;
  const Type &type = types.front();
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
      call.types.front() = Type::rows(Space::Token, part.out.front());
    return;
  }
  if (type.kind != Type::Rows || type.channels() != part.in) {
    error(argument) << "expected rows of " << part.in << " channels for '" << part.name
                    << "', but got " << type.text();
    return;
  }
  if ((isConv || part.modality) && type.space != Space::Token) {
    error(argument) << "'" << part.name << "' "
                    << (isConv ? "follows the sequence" : "is routed by the modality of a token")
                    << ": expected rows of tokens, but got " << type.text();
    return;
  }
  call.types.clear();
  for (int64_t channels : part.out)
    call.types.push_back(Type::rows(type.space, channels));
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
}

Type Sema::checkFunctionCall(CallExpr &call, Function function) {
  if (function == Function::scan) {
    for (CallExpr::Argument &argument : call.arguments)
      if (argument.label == "init")
        return invalid(error(argument.label) << "initial states are not supported yet");
    call.reverse = takeReverse(call, 5);
  }
  size_t count = function == Function::scan ? 5 : function == Function::cross_entropy ? 2 : 1;
  if (!expectArguments(call, count + call.reverse))
    return Type();
  if (function == Function::mean)
    return invalid(error(call.callee) << "expected mean(...) as the whole of a loss or metric");
  if (function == Function::modality)
    return invalid(error(call.callee) << "expected modality(...) after the 'by' of a metric");
  llvm::SmallVector<Type> types;
  for (const CallExpr::Argument &argument : llvm::ArrayRef(call.arguments).take_front(count)) {
    // The quotient under ceil need not be exact.
    auto *quotient = llvm::dyn_cast<BinaryExpr>(argument.value);
    if (function == Function::ceil && quotient && quotient->op == "/") {
      types.push_back(checkCeil(call, Type()));
      continue;
    }
    types.push_back(checkOne(argument.value));
  }
  if (llvm::any_of(types, [](const Type &type) { return type.kind == Type::Invalid; }))
    return Type();
  switch (function) {
  case Function::scan:
    return checkScan(call, types);
  case Function::cross_entropy:
    return checkCrossEntropy(call, types);
  case Function::next: {
    Type type = types.front();
    if (type.kind != Type::Labels)
      return invalid(error(call.arguments[0].value)
                     << "expected ids, as index[...], but got " << type.text());
    ++type.ahead;
    type.targets = {&call}; // -1, which is absent, stays -1
    return type;
  }
  case Function::ceil:
    return call.constant ? types.front() : checkCeil(call, types.front());
  default:
    return checkElementwise(call, function, types.front());
  }
}

/// ceil(a / b) of integers, or of one number.
Type Sema::checkCeil(CallExpr &call, const Type &argument) {
  Type type;
  type.kind = Type::Constant;
  Expr *value = call.arguments[0].value;
  if (argument.kind != Type::Invalid) {
    auto number = value->constant;
    if (!number || number->kind == Constant::Boolean || std::fabs(number->asDouble()) > 1e18)
      return invalid(error(value) << "expected a number to round up, but got "
                                  << (number ? number->text() : argument.text()));
    call.constant = number->kind == Constant::Integer
                        ? *number
                        : Constant::of(int64_t(std::ceil(number->number)));
    return type;
  }
  auto *quotient = llvm::cast<BinaryExpr>(value);
  auto a = constant(quotient->lhs, "a number to round up"),
       b = constant(quotient->rhs, "a divisor");
  if (!a || !b)
    return Type();
  if (a->kind != Constant::Integer || b->kind != Constant::Integer) {
    Type folded = checkOne(quotient);
    return folded.kind == Type::Invalid ? folded : checkCeil(call, folded);
  }
  if (b->integer <= 0 || a->integer < 0)
    return invalid(error(quotient) << "expected a quotient of positive integers, but got "
                                   << a->integer << " / " << b->integer);
  call.constant = Constant::of(a->integer / b->integer + (a->integer % b->integer != 0));
  return type;
}

static double evaluate(Function function, double x) {
  switch (function) {
  case Function::silu:
    return x / (1 + std::exp(-x));
  case Function::softplus:
    return std::fmax(x, 0) + std::log1p(std::exp(-std::fabs(x)));
  case Function::sigmoid:
    return 1 / (1 + std::exp(-x));
  case Function::exp:
    return std::exp(x);
  case Function::log:
    return std::log(x);
  case Function::sqrt:
    return std::sqrt(x);
  case Function::tanh:
    return std::tanh(x);
  case Function::abs:
    return std::fabs(x);
  default:
    llvm_unreachable("not an elementwise function");
  }
}

Type Sema::checkElementwise(CallExpr &call, Function function, const Type &argument) {
  if (argument.isTensor())
    return argument;
  Expr *value = call.arguments[0].value;
  if (argument.kind != Type::Constant || value->constant->kind == Constant::Boolean)
    return invalid(error(value) << "expected a number, rows or weights, but got "
                                << (value->constant ? value->constant->text() : argument.text()));
  double result = evaluate(function, value->constant->asDouble());
  if (!std::isfinite(result))
    return invalid(error(call.callee)
                   << call.callee << "(" << value->constant->text() << ") is not finite");
  call.constant = Constant::of(result);
  return argument;
}

Type Sema::checkScan(CallExpr &call, llvm::ArrayRef<Type> types) {
  auto wrong = [&](size_t index, const Type &expected) {
    static constexpr StringRef names[] = {"u", "delta", "A", "B", "C"};
    return invalid(error(call.arguments[index].value)
                   << "expected '" << names[index] << "' of a scan to be " << expected.text()
                   << ", but got " << types[index].text());
  };
  const Type &u = types[0], &a = types[2];
  if (u.kind != Type::Rows || u.space != Space::Token)
    return invalid(error(call.arguments[0].value)
                   << "a scan follows the sequence: expected rows of tokens, but got " << u.text());
  if (!types[1].matches(u))
    return wrong(1, u);
  if (a.kind != Type::Static || a.shape.size() != 2 || a.shape[0] != u.channels())
    return invalid(error(call.arguments[2].value)
                   << "expected 'A' of a scan to be f32[" << u.channels() << ", states], but got "
                   << a.text());
  Type perState = Type::rows(Space::Token, a.shape[1]);
  for (size_t index : {3, 4})
    if (!types[index].matches(perState))
      return wrong(index, perState);
  return Type::rows(Space::Token, u.channels());
}

Type Sema::checkCrossEntropy(CallExpr &call, llvm::ArrayRef<Type> types) {
  const Type &logits = types[0], &target = types[1];
  if (target.kind != Type::Labels)
    return invalid(error(call.arguments[1].value)
                   << "expected ids, as index[...], but got " << target.text());
  if (logits.kind != Type::Rows || logits.space != Space::Token || logits.channels() < target.limit)
    return invalid(error(call.arguments[0].value) << "expected logits token[" << target.limit
                                                  << "], one a target, but got " << logits.text());
  Type nll = Type::rows(Space::Token, 1);
  nll.targets = target.targets;
  return nll;
}
