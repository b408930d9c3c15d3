// The tree of a Mixture-of-Mamba model text. A closed hierarchy without MLIR
// types. The parser fills the syntax; Sema writes what it found into the
// fields below "checked", which the generator reads.
#pragma once

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Casting.h"
#include "llvm/Support/SMLoc.h"
#include "llvm/Support/SourceMgr.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

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

//===----------------------------------------------------------------------===//
// Declarations of names
//===----------------------------------------------------------------------===//

/// `token[D]`, `f32[E, N]`, `index[V]`, or `token` alone.
struct TypeSyntax {
  StringRef name;
  SmallVector<Expr *, 2> sizes;
  bool bracketed = false;
};

/// `setting D = 128` or `const E = 2*D`.
class ConstantDecl : public NodeOf<Decl, Node::ConstantKind> {
public:
  bool isSetting = false;
  Expr *value = nullptr;

  // Checked: the value in force, which --set may have changed.
  std::optional<ast::Constant> constant;
};

class ModalityDecl : public NodeOf<Decl, Node::Modality> {
public:
  SmallVector<StringRef, 4> members;
};

/// `id: index[V]` or `image: latent: f32[64]` of a batch.
class FieldDecl : public NodeOf<Decl, Node::Field> {
public:
  StringRef only; ///< the modality whose tokens have the field; empty: all
  TypeSyntax syntax;

  // Checked.
  Type type;
  int64_t onlyIndex = -1;
  StringRef draw; ///< "normal" or "uniform" where the reader draws the values
};

/// A name bound by a statement, or an argument of a layer or model.
class ValueDecl : public NodeOf<Decl, Node::Value> {
public:
  TypeSyntax syntax; ///< of an argument

  // Checked.
  Type type;
};

enum class PartKind { RmsNorm, Linear, Conv1d, Embedding, Layer };

/// `in_proj = linear[M if split](D -> E, E, bias: zeros)`, `layers = mamba * depth`
class PartDecl : public NodeOf<Decl, Node::Part> {
public:
  struct Option {
    StringRef label;
    Expr *value = nullptr;
  };
  StringRef maker; ///< `linear`, ... or the name of a layer
  bool bracketed = false;
  Expr *route = nullptr, *condition = nullptr; ///< the bracket: `[route if condition]`
  bool hasArguments = false;
  SmallVector<Expr *, 2> inputs, outputs; ///< `inputs -> outputs`
  bool hasArrow = false;
  SmallVector<Option, 2> options;
  Expr *times = nullptr;

  // Checked.
  PartKind partKind = PartKind::Linear;
  ModalityDecl *modality = nullptr; ///< the route, where there is one weight a modality
  int64_t experts = 0;              ///< weights of a part whose calls name a computed route
  bool callsName = false;           ///< whether they do: `experts` is 0 where an `if` says so
  int64_t in = 0;                   ///< channels in; rows of an embedding
  SmallVector<int64_t, 2> out;
  int64_t width = 0; ///< of a convolution
  double eps = 0;
  Init init;
  std::optional<Init> bias;
  FunctionDecl *layer = nullptr;
  int64_t count = 1;
};

/// `weight A_log: f32[E, N] = log(iota(1..N))`
class WeightDecl : public NodeOf<Decl, Node::Weight> {
public:
  TypeSyntax syntax;
  Expr *value = nullptr;

  // Checked.
  Type type;
  Init init;
};

/// A layer or a model.
class FunctionDecl : public NodeOf<Decl, Node::Function> {
public:
  bool isModel = false;
  SmallVector<ValueDecl *, 2> arguments;
  SmallVector<TypeSyntax, 1> resultSyntax;
  std::vector<Node *> body; ///< PartDecl, WeightDecl, BindStmt, ReturnStmt, MeasureStmt

  // Checked.
  SmallVector<Type, 1> results;
  bool exported = false;

  /// Members of the body of one class, in order.
  template <typename T> SmallVector<T *> all() const {
    SmallVector<T *> found;
    for (Node *node : body)
      if (auto *member = llvm::dyn_cast<T>(node))
        found.push_back(member);
    return found;
  }
};

//===----------------------------------------------------------------------===//
// Statements
//===----------------------------------------------------------------------===//

/// `a, z = in_proj(x)`, `route e = top1(router(x))`
class BindStmt : public NodeOf<Node, Node::Bind> {
public:
  bool isRoute = false;
  SmallVector<ValueDecl *, 2> names;
  Expr *value = nullptr;
};

class ReturnStmt : public NodeOf<Node, Node::Return> {
public:
  SmallVector<Expr *, 1> values;
};

/// `loss lm = mean(nll)`, `metric bits = mean(nll) by modality(target)`
class MeasureStmt : public NodeOf<Node, Node::Measure> {
public:
  bool isLoss = false;
  StringRef name;
  Expr *value = nullptr, *by = nullptr;

  // Checked.
  Expr *mean = nullptr;   ///< what is averaged
  Expr *where = nullptr;  ///< over which rows; null: all
  Expr *labels = nullptr; ///< whose modality is meant
};

//===----------------------------------------------------------------------===//
// Other declarations
//===----------------------------------------------------------------------===//

/// `batch { token by M { id: index[V] }; document { label: index[10] } }`
class BatchDecl : public NodeOf<Node, Node::Batch> {
public:
  struct Group {
    StringRef space, route; ///< route may be empty
    SmallVector<FieldDecl *, 2> fields;
  };
  SmallVector<Group, 1> groups;

  /// All of them, in order.
  SmallVector<FieldDecl *> fields() const {
    SmallVector<FieldDecl *> all;
    for (const Group &group : groups)
      all.append(group.fields.begin(), group.fields.end());
    return all;
  }

  // Checked.
  ModalityDecl *modality = nullptr;
};

/// One phase of the learning rate: `warmup(100)`, `cosine(3e-4 -> 3e-5, 1000)`.
struct RatePhase {
  StringRef name; ///< empty for a plain rate
  Expr *first = nullptr, *last = nullptr, *steps = nullptr;
  llvm::SMRange range;

  // Checked.
  double from = 0, to = 0;
  int64_t stepCount = 0; ///< 0: the rest of the run
};

class TrainDecl : public NodeOf<Node, Node::Train> {
public:
  StringRef model;
  Expr *minimize = nullptr; ///< a loss, or a sum of losses with factors
  Expr *streams = nullptr, *length = nullptr, *accumulate = nullptr, *clip = nullptr;
  std::string precision; ///< single spaces between words; empty if absent
  StringRef optimizer;
  std::vector<RatePhase> rate;
  SmallVector<Expr *, 2> betas;
  Expr *eps = nullptr, *decay = nullptr;
  SmallVector<StringRef, 4> except;

  // Checked.
  int64_t streamCount = 0, tokenCount = 0, batches = 1; ///< batches: of a step
  SmallVector<std::pair<StringRef, double>, 1> losses;  ///< with their factors
  /// Whether what is minimized is one of the model's losses as it is.
  bool isOneLoss() const { return losses.size() == 1 && losses[0].second == 1; }
  double clipNorm = 0, beta1 = 0, beta2 = 0, epsValue = 0, decayRate = 0;
};

class ExportDecl : public NodeOf<Node, Node::Export> {
public:
  SmallVector<StringRef, 2> names;
};

/// `schedule mamba on sm_90a when rows >= 8192 { kernel h: lanes 2 }`
class ScheduleDecl : public NodeOf<Node, Node::Schedule> {
public:
  struct Knob {
    StringRef name;
    StringRef place; ///< in the text: the name, or the `tile` that it is part of
    Expr *value = nullptr;

    // Checked.
    int64_t number = 0;
  };
  /// `kernel h: lanes 2, tokens 16`, `kernel a: tile 128 by 256`, `grad in_proj.weight: split_k 4`,
  /// `save u, z`
  struct Item {
    StringRef kind; ///< kernel, grad or save
    SmallVector<StringRef, 2> names;
    SmallVector<Knob, 2> knobs;
  };
  StringRef name;        ///< of a layer or model, or of one function of it: `mamba.backward`
  StringRef target;      ///< of the devices meant; empty: all
  StringRef comparison;  ///< of `when rows >= 8192`: `>=` or `<`; empty: always
  Expr *rows = nullptr;
  std::vector<Item> items;

  // Checked.
  int64_t rowCount = 0;
};

/// A file. Owns its nodes; names in them are slices of `sources`.
class Module {
public:
  explicit Module(llvm::SourceMgr &sources) : sources(sources) {}

  template <typename T> T *create() {
    auto node = std::make_unique<T>();
    T *raw = node.get();
    nodes.push_back(std::move(node));
    return raw;
  }
  template <typename T> SmallVector<T *> all() const {
    SmallVector<T *> found;
    for (Node *node : declarations)
      if (auto *member = llvm::dyn_cast<T>(node))
        found.push_back(member);
    return found;
  }
  /// The first declaration of a class, or null.
  template <typename T> T *first() const {
    for (Node *node : declarations)
      if (auto *member = llvm::dyn_cast<T>(node))
        return member;
    return nullptr;
  }
  FunctionDecl *model() const;

  llvm::SourceMgr &sources;
  std::vector<Node *> declarations;

private:
  std::vector<std::unique_ptr<Node>> nodes;
};

} // namespace mom::frontend::ast
