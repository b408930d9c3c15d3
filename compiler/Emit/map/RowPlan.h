// The loops that compute one row.
//
// After decomposeRowOps a row-local body is pointwise work and reductions over
// channels. A value's *level* is the number of reductions on the longest way to
// it; all work of one level and one width shares a loop over channels. Values of
// one channel are scalars, computed between the loops. What one loop computed and a
// later one needs again lies in a scratch row; so do the operands of mom.concat
// and mom.split that are computed.
//
// The same plan serves static tensors: their one "row" is the whole tensor. Sums over
// rows (mom.reduce_rows) are added to, row by row, in scratch rows of their own.
#pragma once

#include "compiler/Emit/Pointwise.h"
#include "compiler/Emit/map/DecomposeRowOps.h"
#include "compiler/Emit/reduce/SumParts.h"

#include "llvm/ADT/MapVector.h"

#include <limits>
#include <memory>

namespace mom {

/// The neutral element of a reduction.
double neutralOf(Reduction kind);
mlir::Value combine(KernelBuilder &k, Reduction kind, mlir::Value x, mlir::Value y);

/// The rows of a map kernel's results, or an error where it has no grid over them.
mlir::FailureOr<RowsAttr> rowsOfMap(KernelOp kernel, KernelBuilder &k);

class RowPlan {
public:
  /// `flat`: the values are static tensors seen as one row.
  RowPlan(KernelBuilder &k, bool flat) : k(k), flat(flat) {}

  /// Plans a result: its stores, and the loops they need.
  mlir::LogicalResult addOutput(unsigned index);
  void addChecks(llvm::ArrayRef<LabelCheck> labels) { checks.append(labels.begin(), labels.end()); }
  /// After the last output: decides what lies in scratch rows.
  void finalize();

  /// Sums over the rows of a block: before its first row, and after its last one, when
  /// they become row `part` of their workspaces.
  void clearRowSums();
  void storeRowSums(mlir::Value part);
  /// What they add up to, of that many parts.
  llvm::SmallVector<SumParts> sumParts(int64_t parts) const;

  /// Before the loop over rows: scalars that are the same for all rows.
  void emitInvariants();
  /// The loops of one row; null for static tensors.
  void emitRow(mlir::Value row);

protected:
  /// `value` goes to `to` (an output or a scratch row) in the loop of its level.
  struct Store {
    mlir::Value value;
    View to;
  };
  /// A sum over rows, of which each team of a block has a part.
  struct TeamSum {
    mlir::Value x;
    unsigned output;
    unsigned parts; ///< workspace [parts, channels]
    View teams;     ///< [teams, channels]
    View mine;      ///< the team's row of it
  };
  /// What the loop of one level and width does.
  struct Work {
    llvm::SmallVector<Store> written;
    llvm::SmallVector<ReduceOp> summed;
    llvm::SmallVector<Store> added; ///< to what lies there
    bool empty() const { return written.empty() && summed.empty() && added.empty(); }
  };

  /// Values that the loops compute, each in that of its level.
  llvm::SmallVector<mlir::Value> roots() const;
  int64_t width(mlir::Value v);
  int64_t level(mlir::Value v);
  bool isScalar(mlir::Value v);
  llvm::SmallVector<int64_t> widths();
  int64_t lastLevel();
  Work workOf(int64_t atLevel, int64_t size);
  /// The scalars of a row; those that all rows share are known.
  PointwiseEmitter scalarsOf(mlir::Value rowIndex);
  /// Reports labels outside their limits where `mine` (null: always) says so.
  void emitChecks(mlir::Value rowIndex, PointwiseEmitter &row, mlir::Value mine = {});
  /// Computes, before a loop, the scalars that its values read.
  void needScalars(const Work &work, PointwiseEmitter &row);
  /// After the loops of a level: later ones read what these left in scratch rows.
  /// Returns whether there are any.
  bool bindScratch(int64_t atLevel);
  bool usesScratch() const { return !kept.empty() || !assembled.empty(); }

  KernelBuilder &k;
  bool flat;
  bool inRegisters = false; ///< a loop's values need not be kept in scratch rows
  int64_t scratchLeft = std::numeric_limits<int64_t>::max(); ///< bytes
  llvm::SmallVector<Store> stores;
  llvm::SmallVector<ReduceOp> reductions;
  llvm::SmallVector<TeamSum> rowSums;

private:
  mlir::LogicalResult visit(mlir::Value v);
  mlir::LogicalResult addRowSum(unsigned index, ReduceRowsOp op);
  View scratchRow(int64_t channels);
  void keepRow(mlir::Value v);
  void markEvaluated(mlir::Value v, int64_t atLevel);
  void needScalars(mlir::Value v, PointwiseEmitter &row);
  void emitLoop(int64_t atLevel, int64_t width, mlir::Value rowIndex, PointwiseEmitter &row);

  llvm::SmallVector<LabelCheck> checks;
  llvm::MapVector<mlir::Value, View> kept;      ///< in scratch after the loop of its level
  llvm::MapVector<mlir::Value, View> assembled; ///< mom.concat in scratch: filled by stores
  llvm::DenseMap<mlir::Value, int64_t> levels, evaluated;
  llvm::DenseSet<mlir::Value> visited;
  std::unique_ptr<PointwiseEmitter> shared; ///< holds the invariants
};

/// The phases of a kernel with sums over its `count` rows: its blocks take knob `parts`
/// parts of them, which `emitRows` emits (rows [lo, hi) of this block).
void emitPartsOfRows(KernelBuilder &k, RowPlan &plan, mlir::Value count,
                     llvm::function_ref<void(mlir::Value, mlir::Value)> emitRows);

} // namespace mom
