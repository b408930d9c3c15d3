// The tree of a Mixture-of-Mamba model text. A closed hierarchy without MLIR
// types. The parser fills the syntax; Sema writes what it found into the
// fields below "checked", which the generator reads.
#pragma once

#include "frontend/AstExpr.h"

#include "llvm/Support/SourceMgr.h"

#include <memory>
#include <vector>

namespace mom::frontend::ast {

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
