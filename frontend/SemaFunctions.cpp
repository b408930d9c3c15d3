// Calls of functions.
#include "frontend/Sema.h"
#include "llvm/ADT/STLExtras.h"

#include <cmath>

using namespace mom::frontend;
using namespace mom::frontend::ast;

/// How many arguments a function takes; 0: at least two.
static size_t argumentsOf(Function function) {
  switch (function) {
  case Function::scan:
    return 5;
  case Function::clamp:
    return 3;
  case Function::cross_entropy:
  case Function::mse:
  case Function::min:
  case Function::max:
  case Function::dispatch:
  case Function::combine:
    return 2;
  case Function::concat:
    return 0;
  default:
    return 1;
  }
}

Type Sema::checkFunctionCall(CallExpr &call, Function function) {
  size_t count = argumentsOf(function);
  if (count == 0 && call.arguments.size() < 2)
    return invalid(error(call.callee) << "expected at least 2 arguments of '" << call.callee
                                      << "', but got " << call.arguments.size());
  if (function == Function::scan ? !takeWalkOptions(call, count)
                                 : !expectArguments(call, count ? count : call.arguments.size()))
    return Type();
  if (function == Function::mean)
    return invalid(error(call.callee) << "expected mean(...) as the whole of a loss or metric");
  llvm::SmallVector<Type> types;
  for (const CallExpr::Argument &argument : call.values()) {
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
  case Function::min:
  case Function::max:
    return checkExtreme(call, types);
  case Function::clamp:
    return checkClamp(call, types);
  case Function::mse:
    return checkMse(call, types);
  case Function::concat:
    return checkConcat(call, types);
  case Function::spread:
    return checkSpace(call, types.front(), Space::Document, Space::Token);
  case Function::pool:
    return checkSpace(call, types.front(), Space::Token, Space::Document);
  case Function::sum: {
    Type type = types.front();
    if (type.kind != Type::Rows)
      return invalid(error(call.arguments[0].value)
                     << "expected rows to sum the channels of, but got " << type.text());
    type.shape = {1};
    return type;
  }
  case Function::softmax:
    if (types.front().kind != Type::Rows)
      return invalid(error(call.arguments[0].value)
                     << "expected rows for a softmax over their channels, but got "
                     << types.front().text());
    return types.front();
  case Function::top1:
  case Function::top2:
    return checkTop(call, types.front());
  case Function::dispatch:
    return checkDispatch(call, types);
  case Function::combine:
    return checkCombine(call, types);
  case Function::balance:
    return checkBalance(call, types.front());
  case Function::modality:
  case Function::next:
    return checkIds(call, function, types.front());
  case Function::ceil:
    return call.constant ? types.front() : checkCeil(call, types.front());
  default:
    return checkElementwise(call, function, types.front());
  }
}

/// modality(ids) and next(ids).
Type Sema::checkIds(CallExpr &call, Function function, Type type) {
  if (type.kind != Type::Labels || type.space != Space::Token)
    return invalid(error(call.arguments[0].value)
                   << "expected ids of tokens, as index[...], but got " << type.text());
  if (function == Function::next) {
    ++type.ahead;
    type.targets = {&call}; // -1, which is absent, stays -1
    return type;
  }
  if (!batch->modality)
    return invalid(error(call.callee) << "the batch's tokens have no modality");
  type.kind = Type::Groups;
  return type;
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
  case Function::gelu:
    return 0.5 * x * (1 + std::erf(x * M_SQRT1_2));
  case Function::relu:
    return std::fmax(x, 0);
  case Function::erf:
    return std::erf(x);
  case Function::sin:
    return std::sin(x);
  case Function::cos:
    return std::cos(x);
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
  if (!checkState(call, a.shape[0] * a.shape[1]))
    return Type();
  for (const Type &type : types)
    if (!expectEveryToken(call, type))
      return Type();
  return Type::rows(Space::Token, u.channels());
}

/// Of what makes rows of other rows. False after a message.
bool Sema::expectEveryToken(const CallExpr &call, const Type &type) {
  if (type.targets.empty())
    return true;
  error(call.arguments[0].value)
      << "expected a value of every token, but next(...) is absent on a document's last token";
  return false;
}

Type Sema::checkCrossEntropy(CallExpr &call, llvm::ArrayRef<Type> types) {
  const Type &logits = types[0], &target = types[1];
  if (target.kind != Type::Labels)
    return invalid(error(call.arguments[1].value)
                   << "expected ids, as index[...], but got " << target.text());
  if (logits.kind != Type::Rows || !logits.sharesRows(target) || logits.channels() < target.limit)
    return invalid(error(call.arguments[0].value)
                   << "expected logits " << Type::rows(target.space, target.limit).text()
                   << ", one a target, but got " << logits.text());
  Type nll = Type::rows(target.space, 1);
  nll.targets = target.targets;
  return nll;
}

/// min(a, b), max(a, b)
Type Sema::checkExtreme(CallExpr &call, llvm::ArrayRef<Type> types) {
  for (auto [argument, type] : llvm::zip(call.arguments, types))
    if (!type.isTensor() && type.kind != Type::Constant)
      return invalid(error(argument.value) << "cannot compute with " << type.text());
    else if (argument.value->constant && argument.value->constant->kind == Constant::Boolean)
      return invalid(error(argument.value)
                     << "expected a number, but got " << argument.value->constant->text());
  auto a = call.arguments[0].value->constant, b = call.arguments[1].value->constant;
  if (!a || !b)
    return combine(&call, types[0], types[1]);
  bool first = (call.callee == "min") == (a->asDouble() <= b->asDouble());
  call.constant = first ? a : b;
  return types.front();
}

Type Sema::checkClamp(CallExpr &call, llvm::ArrayRef<Type> types) {
  auto low = number(call.arguments[1].value, "a bound"),
       high = number(call.arguments[2].value, "a bound");
  if (!low || !high)
    return Type();
  if (*low > *high)
    return invalid(error(call.callee)
                   << "expected clamp(x, low, high) with low <= high, but got "
                   << Constant::of(*low).text() << " and " << Constant::of(*high).text());
  Expr *value = call.arguments[0].value;
  if (types[0].isTensor())
    return types[0];
  auto x = number(value, "a value");
  if (!x)
    return Type();
  call.constant = Constant::of(std::fmin(std::fmax(*x, *low), *high));
  return types[0];
}

Type Sema::checkMse(CallExpr &call, llvm::ArrayRef<Type> types) {
  for (auto [argument, type] : llvm::zip(call.arguments, types))
    if (type.kind != Type::Rows)
      return invalid(error(argument.value) << "expected rows, but got " << type.text());
  Type difference = combine(&call, types[0], types[1]);
  if (difference.kind != Type::Invalid)
    difference.shape = {1};
  return difference;
}

Type Sema::checkConcat(CallExpr &call, llvm::ArrayRef<Type> types) {
  Type result = types.front();
  result.shape = {0};
  for (auto [argument, type] : llvm::zip(call.arguments, types)) {
    if (type.kind != Type::Rows || !type.sharesRows(types.front()))
      return invalid(error(argument.value)
                     << "expected rows of one space to put side by side, but got " << type.text());
    result.shape[0] += type.channels();
    result.addTargets(type);
  }
  return result;
}

/// spread(...) and pool(...)
Type Sema::checkSpace(CallExpr &call, const Type &argument, Space from, Space to) {
  if (argument.kind != Type::Rows || argument.space != from)
    return invalid(error(call.arguments[0].value)
                   << "expected rows of " << (from == Space::Token ? "tokens" : "documents")
                   << " for '" << call.callee << "', but got " << argument.text());
  if (!expectEveryToken(call, argument))
    return Type();
  return Type::rows(to, argument.channels());
}
