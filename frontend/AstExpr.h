// Nodes of the tree of a model text, and expressions: see Ast.h.
#pragma once

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Casting.h"
#include "llvm/Support/SMLoc.h"

#include <optional>
#include <string>

namespace mom::frontend::ast {

using llvm::ArrayRef;
using llvm::SmallVector;
using llvm::StringRef;

class CallExpr;
class ConstantDecl;
class FunctionDecl;
class ModalityDecl;
class PartDecl;

//===----------------------------------------------------------------------===//
// What an expression is
//===----------------------------------------------------------------------===//

/// The value of a constant expression.
struct Constant {
  enum Kind { Integer, Float, Boolean } kind = Integer;
  int64_t integer = 0; ///< also 0 or 1 of a boolean
  double number = 0;   ///< of a float

  static Constant of(int64_t value) { return {Integer, value, 0}; }
  static Constant of(double value) { return {Float, 0, value}; }
  static Constant of(bool value) { return {Boolean, value, 0}; }
  double asDouble() const { return kind == Float ? number : static_cast<double>(integer); }
  std::string text() const;
};
StringRef describe(Constant::Kind kind); ///< "an integer", ...

/// Copies are what a computed route makes of tokens.
enum class Space { Token, Stream, Document, Copy };
StringRef nameOf(Space space);

/// The type of an expression, a parameter or a result.
struct Type {
  enum Kind {
    Invalid,  ///< a message was given: nothing more is said about it
    Constant, ///< a number or truth value known now
    Rows,     ///< token[C]: one f32 row of C channels for each row of `space`
    Labels,   ///< index[limit]: one i32 for each row of `space`
    Static,   ///< f32[...]: weights
    Record,   ///< all fields of a row space of the batch
    Groups,   ///< the modality of each token that labels belong to
    Route,    ///< to which experts each token is sent
    Mask      ///< whether a condition holds, for each row of `space`
  };
  Kind kind = Invalid;
  Space space = Space::Token;
  SmallVector<int64_t, 2> shape; ///< Rows: {C}; Static: all of it
  int64_t limit = 0;             ///< Labels: they are below it
  int64_t ahead = 0;             ///< Labels, Groups: how many tokens ahead, by next(...)
  const CallExpr *route = nullptr; ///< Route, Rows of copies: the call that computes it
  /// The next(...) calls that decide for which rows the value exists.
  SmallVector<const CallExpr *, 1> targets;

  static Type rows(Space space, int64_t channels);
  /// Rows of `channels` channels in the space of these.
  Type resized(int64_t channels) const;
  /// A value of both exists in the rows where every target does.
  void addTargets(const Type &other);
  /// Whether both have the same rows.
  bool sharesRows(const Type &other) const { return space == other.space && route == other.route; }
  static Type weights(ArrayRef<int64_t> shape);
  int64_t channels() const { return shape.back(); }
  bool isTensor() const { return kind == Rows || kind == Static; }
  /// Equal in what can be written: the targets may differ.
  bool matches(const Type &other) const;
  std::string text() const;
};

/// Initial values of a parameter; see `mom.init` in the dialect.
struct Init {
  enum Kind { Constant, Uniform, Normal, LogIota, Dt } kind = Constant;
  double a = 0, b = 0;
};

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

class Node {
public:
  enum Kind {
    // Expressions.
    Number,
    Boolean,
    Name,
    Member,
    Call,
    Negate,
    Not,
    Binary,
    Range,
    // Declarations of a name.
    ConstantKind,
    Modality,
    Field,
    Value,
    Part,
    Weight,
    Function,
    // Other statements.
    Bind,
    Return,
    Measure,
    // Other declarations.
    Batch,
    Train,
    Export,
    Schedule
  };

  virtual ~Node() = default;
  Kind kind() const { return nodeKind; }

  llvm::SMRange range;

protected:
  explicit Node(Kind kind) : nodeKind(kind) {}

private:
  const Kind nodeKind;
};

/// Node classes of one kind: constructor and classof.
template <typename Base, Node::Kind K> class NodeOf : public Base {
public:
  NodeOf() : Base(K) {}
  static bool classof(const Node *node) { return node->kind() == K; }
};

//===----------------------------------------------------------------------===//
// Expressions
//===----------------------------------------------------------------------===//

class Expr : public Node {
public:
  static bool classof(const Node *node) { return node->kind() <= Range; }

  // Checked: one type, or several where a call has several results.
  SmallVector<Type, 1> types;
  std::optional<ast::Constant> constant;

protected:
  using Node::Node;
};

class NumberExpr : public NodeOf<Expr, Node::Number> {
public:
  StringRef spelling;
};

class BooleanExpr : public NodeOf<Expr, Node::Boolean> {
public:
  bool value = false;
};

/// A declaration that binds a name.
class Decl : public Node {
public:
  static bool classof(const Node *node) {
    return node->kind() >= ConstantKind && node->kind() <= Function;
  }
  StringRef name;

  // Checked.
  bool used = false;

protected:
  using Node::Node;
};

class NameExpr : public NodeOf<Expr, Node::Name> {
public:
  StringRef name;

  // Checked.
  Decl *decl = nullptr;
};

/// `t.id`
class MemberExpr : public NodeOf<Expr, Node::Member> {
public:
  Expr *base = nullptr;
  StringRef member;

  // Checked.
  Decl *field = nullptr;
};

enum class Function {
#define FUNCTION(name) name,
#include "frontend/Functions.def"
};

class CallExpr : public NodeOf<Expr, Node::Call> {
public:
  struct Argument {
    StringRef label; ///< empty for a positional one
    Expr *value = nullptr;
    Expr *where = nullptr; ///< of mean(value where condition)
  };
  StringRef callee;
  StringRef by; ///< `up[e](x)`: the route; empty without a bracket
  SmallVector<Argument, 2> arguments;

  // Checked: the part, or else the function.
  PartDecl *part = nullptr;
  Decl *byDecl = nullptr;      ///< what `by` names
  StringRef routeName;         ///< of top1(...), top2(...): as it is bound
  int64_t experts = 0, copies = 0; ///< likewise: to choose from, and chosen for a token
  std::optional<ast::Function> function;
  bool reverse = false;
  bool wantsFinal = false;     ///< two names are bound: the last states are the second value
  Expr *init = nullptr;        ///< states to begin with
  /// Positional arguments without `reverse`.
  ArrayRef<Argument> values() const {
    return ArrayRef<Argument>(arguments).drop_back((init != nullptr) + reverse);
  }
};

class NegateExpr : public NodeOf<Expr, Node::Negate> {
public:
  Expr *operand = nullptr;
};

/// `not a`
class NotExpr : public NodeOf<Expr, Node::Not> {
public:
  Expr *operand = nullptr;
};

class BinaryExpr : public NodeOf<Expr, Node::Binary> {
public:
  StringRef op; ///< + - * /, a comparison, `and` or `or`
  Expr *lhs = nullptr, *rhs = nullptr;

  bool isArithmetic() const { return op.size() == 1 && op != "<" && op != ">"; }
  bool isLogic() const { return op == "and" || op == "or"; }

  // Checked.
  int64_t member = -1; ///< of `modality(..) == image`: the modality's number
};

/// `1..N`, both ends included.
class RangeExpr : public NodeOf<Expr, Node::Range> {
public:
  Expr *first = nullptr, *last = nullptr;
};

} // namespace mom::frontend::ast
