// What the loops of the reference interpreter see: the values of one function
// body, and one `evaluate` for each op. Internal to dialect/reference.
#pragma once

#include "dialect/reference/Interpreter.h"

#include "llvm/ADT/DenseMap.h"

#include <deque>

namespace mom::reference {

/// How a body runs.
struct Running {
  unsigned depth; ///< of nested calls
  Rounding rounding;

  Running deeper() const { return {depth + 1, rounding}; }
};

/// The values of one body while it runs. Arguments are borrowed from the
/// caller; results of ops are owned.
class Frame {
public:
  explicit Frame(Running how) : how(how) {}

  void borrow(mlir::Value name, const Value &value) { values[name] = &value; }
  void set(mlir::Value name, Value value) {
    owned.push_back(std::move(value));
    values[name] = &owned.back();
    owners[name] = &owned.back();
  }
  /// An absent optional result takes nothing.
  void setIfAsked(mlir::Value name, Tensor tensor) {
    if (name)
      set(name, std::move(tensor));
  }

  /// A tensor that an op of this body made; null for other values.
  Tensor *ownTensor(mlir::Value name) {
    auto found = owners.find(name);
    return found == owners.end() ? nullptr : found->second->tensor();
  }

  bool has(mlir::Value name) const { return values.contains(name); }
  const Value &get(mlir::Value name) const {
    static const Value nothing;
    const Value *value = values.lookup(name);
    return value ? *value : nothing;
  }
  const Tensor &tensor(mlir::Value name) const { return *get(name).tensor(); }
  const Batch &batch(mlir::Value name) const { return *get(name).batch(); }
  /// Null where an optional operand is absent.
  const Tensor *ifPresent(mlir::Value name) const { return name ? get(name).tensor() : nullptr; }
  const Batch *routeIfPresent(mlir::Value name) const { return name ? get(name).batch() : nullptr; }

  /// A product, before it is added to others.
  double term(double product) const {
    return how.rounding.term ? how.rounding.term(product) : product;
  }

  const Running how;

private:
  llvm::DenseMap<mlir::Value, const Value *> values;
  llvm::DenseMap<mlir::Value, Value *> owners;
  std::deque<Value> owned;
};

/// The row at which a token's position lies in a tensor of this order.
inline int64_t rowAt(const Batch &batch, RowsAttr rows, int64_t position) {
  return rows.getRoute() ? batch.row[position] : position;
}

/// The group of each row of a tensor [rows, ..] of this order; all 0 without a
/// route.
std::vector<int64_t> groupOfRows(const Batch *route, RowsAttr rows, int64_t count);

// Rows.cpp
void evaluate(ModalityOp op, Frame &frame);
void evaluate(ReorderOp op, Frame &frame);
void evaluate(NextOp op, Frame &frame);
void evaluate(PresentOp op, Frame &frame);
void evaluate(EqualsOp op, Frame &frame);
void evaluate(SpreadOp op, Frame &frame);
void evaluate(CollectOp op, Frame &frame);
void evaluate(OneHotOp op, Frame &frame);
void evaluate(BroadcastOp op, Frame &frame);
void evaluate(ReduceOp op, Frame &frame);
void evaluate(ReduceRowsOp op, Frame &frame);
void evaluate(RmsNormOp op, Frame &frame);
void evaluate(RmsNormGradOp op, Frame &frame);
void evaluate(SplitOp op, Frame &frame);
void evaluate(ConcatOp op, Frame &frame);
void evaluate(EmbeddingOp op, Frame &frame);
void evaluate(EmbeddingGradOp op, Frame &frame);
// Routes.cpp
void evaluate(SoftmaxOp op, Frame &frame);
void evaluate(PlanOp op, Frame &frame);
void evaluate(ComputedRouteOp op, Frame &frame);
void evaluate(DispatchOp op, Frame &frame);
void evaluate(RetrieveOp op, Frame &frame);
// Products.cpp
void evaluate(LinearOp op, Frame &frame);
void evaluate(LinearWgradOp op, Frame &frame);
// Sequence.cpp
void evaluate(Conv1dOp op, Frame &frame);
void evaluate(Conv1dGradOp op, Frame &frame);
void evaluate(ScanOp op, Frame &frame);
void evaluate(ScanGradOp op, Frame &frame);
// Losses.cpp
void evaluate(CrossEntropyOp op, Frame &frame);
void evaluate(CrossEntropyGradOp op, Frame &frame);
void evaluate(DrawOp op, Frame &frame);

/// An op of arith or math, or a pointwise one of mom (Pointwise.cpp). Emits an
/// error for any other.
mlir::LogicalResult evaluatePointwise(mlir::Operation *op, Frame &frame);

} // namespace mom::reference
