// The way of a product's operand from memory to tensor cores: steps of 64 k, several in
// shared memory at a time (*stages*), in the panels that TensorCore.h describes.
//
// Lines of a panel are lines of memory: k along the channels gives one panel of `outer`
// lines, k along the lines gives panels of 64 lines for each 64 columns. Where rows
// are aligned and hold the type that is multiplied, a stage is copied by cp.async, which
// writes zeros for what lies outside. Otherwise it is loaded, rounded and stored.
#pragma once

#include "compiler/Emit/TensorCore.h"
#include "compiler/Emit/product/ConvolvedGpu.h"

namespace mom {

class StagedOperand {
public:
  /// Stage s lies at `shared` + s * `stride` bytes.
  StagedOperand(KernelBuilder &k, const TileShape &shape, const TileOperand &operand,
                mlir::Type element, mlir::Value shared);

  /// Lines of a panel, bytes of a panel, and panels of a stage.
  int64_t lines() const { return operand.innerLast ? operand.outer : TensorCore::kPanel; }
  int64_t panelBytes() const { return lines() * TensorCore::kLineBytes; }
  int64_t panels() const { return stageBytes(operand) / panelBytes(); }

  /// Fills this thread's chunks of the stage at `offset` bytes (i64) with step `step`. The
  /// copies belong to the next commit.
  void load(mlir::Value step, mlir::Value offset) const;

  mlir::Value address(mlir::Value offset) const; ///< in shared memory
  const TileOperand &operand;

private:
  void copy(mlir::Value step, mlir::Value offset) const;
  void convert(mlir::Value step, mlir::Value offset) const;
  mlir::Value target(mlir::Value offset, int64_t panel, int64_t pass) const;

  KernelBuilder &k;
  mlir::Type element;
  mlir::Value shared;
  bool copies;
  int64_t linesOfPass, passes;
  mlir::Value line, chunk; ///< of this thread, in the first pass
  mlir::Value place;       ///< of them in a panel, bytes
};

/// Both operands of a tile, and the stages that they go round in: A, B, and the inputs of what
/// makes A's lines.
struct TileStages {
  TileStages(KernelBuilder &k, const TileShape &shape, const TileTask &task, mlir::Type element,
             mlir::Value shared);

  KernelBuilder &k;
  int64_t stages, stride; ///< bytes from a stage to the next
  StagedOperand a, b;
  mlir::Value steps; ///< how many of 64 k
  std::optional<ConvolvedRows> made;

  /// Loads steps [0, stages - 1), each its own commit.
  void start();
  /// Loads step `step`, if there is one, into the stage at `offset`, and commits.
  void load(mlir::Value step, mlir::Value offset);
  /// Where A's lines are made, those of step `step`, if there is one, whose inputs all threads
  /// have copied to the stage at `offset`; `meet` has them see each other's lines.
  void make(mlir::Value step, mlir::Value offset, llvm::function_ref<void()> meet);
  /// The stage after, or before, the one at `offset`.
  mlir::Value after(mlir::Value offset);
  mlir::Value before(mlir::Value offset);

private:
  mlir::Value inputs(mlir::Value offset); ///< of what makes A's lines
};

/// Stores a lane's sums of `rows` by `columns`, in runs of 16 rows and then 8 columns as
/// tensor cores give them; `to` is the address of its first one.
void storeFragments(KernelBuilder &k, const SumTile &sums, mlir::Value to, mlir::ValueRange values,
                    int64_t rows, int64_t columns);

} // namespace mom
