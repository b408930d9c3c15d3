// The loops that compute one row.
//
// After decomposeRowOps a row-local body is pointwise work and reductions over
// channels. A value's *level* is the number of reductions on the longest way to
// it; all work of one level and one width shares a loop over channels. Values of
// one channel are scalars, computed between the loops. What one loop computed and a
// later one needs again lies in a scratch row; so do the operands of mom.concat
// and mom.split that are computed.
//
// The same plan serves static tensors: their one "row" is the whole tensor.
#pragma once

#include "compiler/Emit/Pointwise.h"
#include "compiler/Emit/map/DecomposeRowOps.h"

#include "llvm/ADT/MapVector.h"

namespace mom {

class RowPlan {
public:
  /// `flat`: the values are static tensors seen as one row.
  RowPlan(KernelBuilder &k, bool flat) : k(k), flat(flat) {}

  /// Plans a result: its stores, and the loops they need.
  mlir::LogicalResult addOutput(unsigned index);
  void addChecks(llvm::ArrayRef<LabelCheck> labels) { checks.append(labels.begin(), labels.end()); }
  /// After the last output: decides what lies in scratch rows.
  void finalize();

  /// Before the loop over rows: scalars that are the same for all rows.
  void emitInvariants();
  /// The loops of one row; null for static tensors.
  void emitRow(mlir::Value row);

  bool hasReductions() const { return !reductions.empty(); }

private:
  /// `value` goes to `to` (an output or a scratch row) in the loop of its level.
  struct Store {
    mlir::Value value;
    View to;
  };

  int64_t width(mlir::Value v);
  int64_t level(mlir::Value v);
  mlir::LogicalResult visit(mlir::Value v);
  void keepRow(mlir::Value v);
  void markEvaluated(mlir::Value v, int64_t atLevel);
  void needInvariants(mlir::Value v);
  void needScalars(mlir::Value v, PointwiseEmitter &row);
  void emitLoop(int64_t atLevel, int64_t width, mlir::Value rowIndex, PointwiseEmitter &row);
  bool isScalar(mlir::Value v);

  KernelBuilder &k;
  bool flat;
  llvm::SmallVector<LabelCheck> checks;
  llvm::SmallVector<Store> stores;
  llvm::SmallVector<ReduceOp> reductions;
  llvm::MapVector<mlir::Value, View> kept;      ///< in scratch after the loop of its level
  llvm::MapVector<mlir::Value, View> assembled; ///< mom.concat in scratch: filled by stores
  llvm::DenseMap<mlir::Value, int64_t> levels, evaluated;
  llvm::DenseSet<mlir::Value> visited, walked;
  llvm::SmallVector<mlir::Value> invariants;
  std::unique_ptr<PointwiseEmitter> shared; ///< holds the invariants
};

} // namespace mom
