// Expressions and constants.
#include "frontend/Sema.h"
#include "frontend/Suggest.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace mom::frontend;
using namespace mom::frontend::ast;

/// Sizes stay below this, so that no product of a few of them overflows.
static constexpr int64_t kMaxSize = int64_t(1) << 28;

//===----------------------------------------------------------------------===//
// Types and constants
//===----------------------------------------------------------------------===//

std::optional<Type> Sema::resolveType(const TypeSyntax &syntax) {
  auto space = llvm::StringSwitch<std::optional<Space>>(syntax.name)
                   .Case("token", Space::Token)
                   .Case("stream", Space::Stream)
                   .Case("document", Space::Document)
                   .Default(std::nullopt);
  bool isIndex = syntax.name == "index", isWeights = syntax.name == "f32";
  if (!space && !isIndex && !isWeights) {
    error(syntax.name) << "unknown type '" << syntax.name << "'"
                       << suggest(syntax.name, {"token", "stream", "document", "index", "f32"});
    return std::nullopt;
  }
  llvm::SmallVector<int64_t> sizes;
  for (Expr *size : syntax.sizes) {
    auto value = integer(size, "a size");
    if (!value)
      return std::nullopt;
    sizes.push_back(*value);
  }
  Type type;
  if (space && !syntax.bracketed) {
    type.kind = Type::Record;
    type.space = *space;
    return type;
  }
  if (sizes.empty() || (!isWeights && sizes.size() != 1) || sizes.size() > 4) {
    error(syntax.name) << "expected " << (isWeights ? "1 to 4 sizes" : "1 size") << " of '"
                       << syntax.name << "', but got " << sizes.size();
    return std::nullopt;
  }
  if (space)
    return Type::rows(*space, sizes[0]);
  if (isWeights)
    return Type::weights(sizes);
  type.kind = Type::Labels;
  type.limit = sizes[0];
  return type;
}

std::optional<Constant> Sema::constant(Expr *expr, StringRef what) {
  Type type = checkOne(expr);
  if (type.kind == Type::Constant)
    return expr->constant;
  if (type.kind != Type::Invalid)
    error(expr) << "expected " << what << " known when compiling, but got " << type.text();
  return std::nullopt;
}

std::optional<double> Sema::number(Expr *expr, StringRef what) {
  auto value = constant(expr, what);
  if (!value)
    return std::nullopt;
  if (value->kind != Constant::Boolean)
    return value->asDouble();
  error(expr) << "expected " << what << " to be a number, but got " << value->text();
  return std::nullopt;
}

std::optional<int64_t> Sema::integer(Expr *expr, StringRef what, int64_t least) {
  auto value = constant(expr, what);
  if (!value)
    return std::nullopt;
  if (value->kind != Constant::Integer)
    error(expr) << "expected " << what << " to be an integer, but got " << value->text();
  else if (value->integer < least || value->integer >= kMaxSize)
    error(expr) << "expected " << what << " of at least " << least << " and below " << kMaxSize
                << ", but got " << value->integer;
  else
    return value->integer;
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Expressions
//===----------------------------------------------------------------------===//

void Sema::checkExpr(Expr *expr) {
  expr->types.clear();
  expr->constant.reset();
  if (auto *call = llvm::dyn_cast<CallExpr>(expr))
    return checkCall(*call);
  Type constantType;
  constantType.kind = Type::Constant;
  Type type = llvm::TypeSwitch<Expr *, Type>(expr)
                  .Case([&](NumberExpr *number) {
                    int64_t whole;
                    double real;
                    if (!number->spelling.getAsInteger(10, whole))
                      number->constant = Constant::of(whole);
                    else if (number->spelling.find_first_of(".eE") == StringRef::npos)
                      return invalid(error(number)
                                     << "'" << number->spelling << "' does not fit in 64 bits");
                    else if (number->spelling.getAsDouble(real) || !std::isfinite(real))
                      return invalid(error(number) << "'" << number->spelling << "' is too large");
                    else
                      number->constant = Constant::of(real);
                    return constantType;
                  })
                  .Case([&](BooleanExpr *boolean) {
                    boolean->constant = Constant::of(boolean->value);
                    return constantType;
                  })
                  .Case([&](NameExpr *name) { return checkName(*name); })
                  .Case([&](MemberExpr *member) { return checkMember(*member); })
                  .Case([&](NegateExpr *negate) { return checkNegate(*negate); })
                  .Case([&](NotExpr *negation) { return checkNot(*negation); })
                  .Case([&](BinaryExpr *binary) { return checkBinary(*binary); })
                  .Case([&](RangeExpr *range) {
                    return invalid(error(range)
                                   << "expected a value, but got a range, which is for iota(...)");
                  });
  expr->types.push_back(type);
}

Type Sema::checkOne(Expr *expr) {
  checkExpr(expr);
  if (expr->types.size() == 1)
    return expr->types.front();
  if (expr->types.empty())
    return Type();
  return invalid(error(expr) << "expected one value, but '" << llvm::cast<CallExpr>(expr)->callee
                             << "' has " << expr->types.size() << " results");
}

Type Sema::checkName(NameExpr &expr) {
  expr.decl = lookup(expr.name);
  if (!expr.decl) {
    auto known = namesIf([](const Decl *d) { return !llvm::isa<PartDecl, FunctionDecl>(d); });
    return invalid(error(expr.name)
                   << "unknown name '" << expr.name << "'" << suggest(expr.name, known));
  }
  expr.decl->used = true;
  if (auto *constant = llvm::dyn_cast<ConstantDecl>(expr.decl)) {
    Type type;
    expr.constant = constant->constant;
    if (expr.constant)
      type.kind = Type::Constant;
    return type;
  }
  if (auto *value = llvm::dyn_cast<ValueDecl>(expr.decl))
    return value->type;
  if (auto *weight = llvm::dyn_cast<WeightDecl>(expr.decl))
    return weight->type;
  if (llvm::isa<PartDecl>(expr.decl))
    return invalid(error(expr.name) << "expected a value, but '" << expr.name
                                    << "' is a part: call it as " << expr.name << "(...)");
  return invalid(
      error(expr.name) << "expected a value, but '" << expr.name << "' is a "
                       << (llvm::isa<ModalityDecl>(expr.decl) ? "modality declaration" : "layer"));
}

Type Sema::checkMember(MemberExpr &expr) {
  Type base = checkOne(expr.base);
  if (base.kind == Type::Invalid)
    return base;
  if (base.kind != Type::Record)
    return invalid(error(expr.member) << "expected fields of the batch, but got " << base.text());
  llvm::SmallVector<StringRef> names;
  if (batch)
    for (const BatchDecl::Group &group : batch->groups)
      for (FieldDecl *field : group.fields) {
        if (group.space != nameOf(base.space))
          continue;
        if (field->name == expr.member) {
          expr.field = field;
          return field->type;
        }
        names.push_back(field->name);
      }
  return invalid(error(expr.member) << "unknown field '" << expr.member << "' of a "
                                    << nameOf(base.space) << " of the batch"
                                    << suggest(expr.member, names));
}

Type Sema::checkNegate(NegateExpr &expr) {
  Type type = checkOne(expr.operand);
  if (type.kind == Type::Invalid || type.isTensor())
    return type;
  auto value = expr.operand->constant;
  if (type.kind != Type::Constant || value->kind == Constant::Boolean)
    return invalid(error(&expr) << "expected a number, rows or weights, but got "
                                << (value ? value->text() : type.text()));
  if (value->kind == Constant::Integer && value->integer == std::numeric_limits<int64_t>::min())
    return invalid(error(&expr) << "-(" << value->integer << ") does not fit in 64 bits");
  expr.constant = value->kind == Constant::Integer ? Constant::of(-value->integer)
                                                   : Constant::of(-value->number);
  return type;
}

void Type::addTargets(const Type &other) {
  for (const CallExpr *target : other.targets)
    if (!llvm::is_contained(targets, target))
      targets.push_back(target);
}

/// Rows of one channel and vectors spread over the channels of the other.
static bool canSpread(int64_t a, int64_t b) { return a == b || a == 1 || b == 1; }

Type Sema::checkNot(NotExpr &expr) {
  Type type = checkOne(expr.operand);
  if (type.kind == Type::Invalid || type.kind == Type::Mask)
    return type;
  auto value = expr.operand->constant;
  if (!value || value->kind != Constant::Boolean)
    return invalid(error(expr.operand)
                   << "expected a condition after 'not', but got "
                   << (value ? value->text() : type.text()));
  expr.constant = Constant::of(!value->integer);
  return type;
}

/// Of constants, or of rows.
Type Sema::checkLogic(BinaryExpr &expr) {
  Type a = checkOne(expr.lhs), b = checkOne(expr.rhs);
  if (a.kind == Type::Invalid || b.kind == Type::Invalid)
    return Type();
  for (auto [type, side] : {std::pair(&a, expr.lhs), std::pair(&b, expr.rhs)})
    if (type->kind != Type::Mask &&
        !(side->constant && side->constant->kind == Constant::Boolean))
      return invalid(error(side) << "expected a condition beside '" << expr.op << "', but got "
                                 << (side->constant ? side->constant->text() : type->text()));
  if (a.kind != b.kind)
    return invalid(error(&expr) << "expected two conditions on rows or two constants, but got "
                                << a.text() << " and " << b.text());
  if (a.kind == Type::Mask && a.space != b.space)
    return invalid(error(&expr) << "expected two conditions on the same rows, but got one on a "
                                << nameOf(a.space) << "'s and one on a " << nameOf(b.space)
                                << "'s");
  if (a.kind == Type::Mask) {
    a.addTargets(b);
    return a;
  }
  bool x = expr.lhs->constant->integer, y = expr.rhs->constant->integer;
  expr.constant = Constant::of(expr.op == "and" ? x && y : x || y);
  return a;
}

static bool compare(StringRef op, double x, double y) {
  return op == "==" ? x == y : op == "!=" ? x != y : op == "<" ? x < y : op == "<=" ? x <= y
         : op == ">" ? x > y : x >= y;
}

/// Of constants; of modalities with a name, of labels with a constant.
Type Sema::checkComparison(BinaryExpr &expr) {
  bool equality = expr.op == "==" || expr.op == "!=";
  Type a = checkOne(expr.lhs);
  if (a.kind == Type::Groups) {
    auto *name = llvm::dyn_cast<NameExpr>(expr.rhs);
    llvm::ArrayRef<StringRef> members = batch->modality->members;
    auto found = name ? llvm::find(members, name->name) : members.end();
    if (!equality)
      return invalid(error(&expr) << "expected '==' or '!=' after a modality, but got '" << expr.op
                                  << "'");
    if (!name)
      return invalid(error(expr.rhs) << "expected the name of a modality of '"
                                     << batch->modality->name << "'");
    if (found == members.end())
      return invalid(error(name->name) << "unknown modality '" << name->name << "' of '"
                                       << batch->modality->name << "'"
                                       << suggest(name->name, members));
    expr.member = found - members.begin();
    Type mask;
    mask.kind = Type::Mask;
    mask.targets = a.targets;
    return mask;
  }
  Type b = checkOne(expr.rhs);
  if (a.kind == Type::Invalid || b.kind == Type::Invalid)
    return Type();
  auto x = expr.lhs->constant, y = expr.rhs->constant;
  if (a.kind == Type::Labels && y && y->kind == Constant::Integer) {
    if (!equality)
      return invalid(error(&expr) << "expected '==' or '!=' after ids, but got '" << expr.op
                                  << "'");
    if (y->integer < 0 || y->integer >= a.limit)
      return invalid(error(expr.rhs) << "expected an id of at least 0 and below " << a.limit
                                     << ", but got " << y->text());
    expr.member = y->integer;
    Type mask;
    mask.kind = Type::Mask;
    mask.space = a.space;
    mask.targets = a.targets;
    return mask;
  }
  if (!x || !y)
    return invalid(error(&expr) << "cannot compare " << (x ? x->text() : a.text()) << " with "
                                << (y ? y->text() : b.text()));
  bool booleans = x->kind == Constant::Boolean;
  if (booleans != (y->kind == Constant::Boolean) || (booleans && !equality))
    return invalid(error(&expr) << "cannot compare " << x->text() << " with " << y->text()
                                << " by '" << expr.op << "'");
  expr.constant = Constant::of(x->kind == Constant::Integer && y->kind == Constant::Integer
                                   ? compare(expr.op, double(x->integer > y->integer),
                                             double(x->integer < y->integer))
                                   : compare(expr.op, x->asDouble(), y->asDouble()));
  return a;
}

Type Sema::checkBinary(BinaryExpr &expr) {
  if (expr.isLogic())
    return checkLogic(expr);
  if (!expr.isArithmetic())
    return checkComparison(expr);
  Type a = checkOne(expr.lhs), b = checkOne(expr.rhs);
  if (a.kind == Type::Invalid || b.kind == Type::Invalid)
    return Type();
  for (auto [type, side] : {std::pair(&a, expr.lhs), std::pair(&b, expr.rhs)})
    if (!type->isTensor() && type->kind != Type::Constant)
      return invalid(error(side) << "cannot compute with " << type->text());
    else if (side->constant && side->constant->kind == Constant::Boolean)
      return invalid(error(side) << "expected a number, but got " << side->constant->text());

  if (a.kind == Type::Constant && b.kind == Type::Constant)
    return foldBinary(expr, *expr.lhs->constant, *expr.rhs->constant);
  if (b.kind == Type::Constant && expr.op == "/" && expr.rhs->constant->asDouble() == 0)
    return invalid(error(&expr) << "division by zero");
  return combine(&expr, a, b);
}

Type Sema::combine(const Expr *expr, const Type &a, const Type &b) {
  if (a.kind == Type::Constant || b.kind == Type::Constant)
    return a.kind == Type::Constant ? b : a;

  auto mismatch = [&] {
    return invalid(error(expr) << "expected operands of the same size, but got " << a.text()
                               << " and " << b.text());
  };
  if (a.kind == Type::Rows && b.kind == Type::Rows) {
    auto either = [&](Space space) { return a.space == space || b.space == space; };
    if (!a.sharesRows(b))
      return invalid(error(expr) << "expected rows of one space, but got " << a.text() << " and "
                                 << b.text()
                                 << (either(Space::Document)
                                         ? "; spread(...) gives tokens the row of their document"
                                     : either(Space::Copy) && either(Space::Token)
                                         ? "; dispatch(...) makes copies of tokens, and "
                                           "combine(...) tokens of copies"
                                         : ""));
    if (!canSpread(a.channels(), b.channels()))
      return mismatch();
    Type result = a.resized(std::max(a.channels(), b.channels()));
    result.addTargets(a);
    result.addTargets(b);
    return result;
  }
  if (a.kind == Type::Rows || b.kind == Type::Rows) {
    const Type &rows = a.kind == Type::Rows ? a : b, &weights = a.kind == Type::Rows ? b : a;
    if (weights.shape.size() != 1 || !canSpread(rows.channels(), weights.channels()))
      return mismatch();
    Type result = rows.resized(std::max(rows.channels(), weights.channels()));
    result.addTargets(rows);
    return result;
  }
  if (a.shape == b.shape)
    return a;
  // A vector goes over the last axis of larger weights.
  const Type &large = a.shape.size() > b.shape.size() || a.channels() > b.channels() ? a : b;
  const Type &small = &large == &a ? b : a;
  if (small.shape.size() != 1 || (small.channels() != 1 && small.channels() != large.channels()))
    return mismatch();
  return large;
}

Type Sema::foldBinary(BinaryExpr &expr, const Constant &a, const Constant &b) {
  Type type;
  type.kind = Type::Constant;
  char op = expr.op.front();
  if (op == '/' && b.asDouble() == 0)
    return invalid(error(&expr) << "division by zero");
  if (a.kind == Constant::Float || b.kind == Constant::Float) {
    double x = a.asDouble(), y = b.asDouble();
    double value = op == '+' ? x + y : op == '-' ? x - y : op == '*' ? x * y : x / y;
    if (!std::isfinite(value))
      return invalid(error(&expr) << a.text() << " " << expr.op << " " << b.text()
                                  << " is not finite");
    expr.constant = Constant::of(value);
    return type;
  }
  int64_t value = 0;
  bool overflow = op == '+'   ? llvm::AddOverflow(a.integer, b.integer, value)
                  : op == '-' ? llvm::SubOverflow(a.integer, b.integer, value)
                  : op == '*' ? llvm::MulOverflow(a.integer, b.integer, value)
                              : a.integer == std::numeric_limits<int64_t>::min() && b.integer == -1;
  if (overflow)
    return invalid(error(&expr) << a.text() << " " << expr.op << " " << b.text()
                                << " does not fit in 64 bits");
  if (op == '/') {
    if (a.integer % b.integer)
      return invalid(error(&expr) << a.integer << " is not divisible by " << b.integer
                                  << "; ceil(a / b) rounds up");
    value = a.integer / b.integer;
  }
  expr.constant = Constant::of(value);
  return type;
}
