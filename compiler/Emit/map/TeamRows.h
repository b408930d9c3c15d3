// GPU form of a RowPlan: a team of threads computes a row.
//
// A thread owns every team-size-th vector of the row, the same ones at every level.
// Where the row fits into the team's registers no loop is left: each vector is read
// once, its values stay where they are, and levels meet in the team's reductions
// only. Longer rows are walked once a level, several vectors at a time. Scratch rows
// lie in shared memory.
#pragma once

#include "compiler/Emit/map/RowPlan.h"

namespace mom {

class TeamRows : public RowPlan {
public:
  /// `widest`: channels of the widest row. The teams are formed.
  TeamRows(KernelBuilder &k, bool flat, int64_t widest);

  /// After finalize: whether shared memory holds the scratch rows, or reports that not.
  mlir::LogicalResult checkScratch();
  /// One row, by all threads of the team. `alive` (i1; null: yes) says whether the row
  /// exists: nothing is stored for one that does not.
  void emitRow(mlir::Value row, mlir::Value alive);
  /// Brings the inputs of a row nearer that the team computes later.
  void prefetchRow(mlir::Value row);
  /// Before the team's next row.
  void emitRowEnd();

private:
  /// A vector of a row that the thread owns.
  struct Place {
    At at;
    mlir::Value inside; ///< i1: lies within the row; null: yes
  };
  /// A thread's part of a reduction.
  struct Partial {
    ReduceOp reduce;
    mlir::Value value;
  };

  Place placeAt(mlir::Value base, int64_t step, int64_t size, mlir::Value row);
  void emitWork(int64_t size, const Work &work, PointwiseEmitter &row);
  void emitOneChannel(const Work &work, PointwiseEmitter &row);
  llvm::SmallVector<mlir::Value> emitVectors(const Work &work, llvm::ArrayRef<Place> places,
                                             llvm::MutableArrayRef<PointwiseEmitter> emitters,
                                             mlir::ValueRange sums, bool areRead = false);
  void storeVector(const Work &work, const Place &place, llvm::ArrayRef<mlir::Value> values);
  bool readInputs(int64_t size, llvm::MutableArrayRef<PointwiseEmitter> emitters);
  void emitCombine(PointwiseEmitter &row);
  void guarded(mlir::Value condition, llvm::function_ref<void()> body);
  mlir::Value both(mlir::Value x, mlir::Value y);

  mlir::Value rowIndex, alive, leader; ///< leader: this thread stores scalars; null: all do
  llvm::SmallVector<Partial> partials; ///< of the level
  /// The vectors of one width, in registers.
  struct Held {
    std::vector<PointwiseEmitter> emitters;
    bool areRead = false; ///< whether the loads of all inputs are under way
  };
  llvm::DenseMap<int64_t, Held> held;
};

} // namespace mom
