// The walk along a scan on a GPU, whose states, sums or both are wanted.
#pragma once

#include "compiler/Emit/scan/ScanPiecesGpu.h"

namespace mom {

class ScanForwardGpu {
public:
  ScanForwardGpu(KernelBuilder &k, const ScanOperands &op, const ScanShape &shape)
      : k(k), op(op), shape(shape) {}

  mlir::Value y;                         ///< body value; null: only states are wanted
  llvm::SmallVector<unsigned> pointwise; ///< outputs that are computed from y
  llvm::SmallVector<View> checkpoints, finals;
  std::function<void()> takeViews; ///< sets these two, in each function that is begun
  int64_t chunk = 0; ///< tokens from a checkpoint to the next
  /// Views of the states after a piece and of the sum of its delta, if they are asked for.
  View ends, sums;

  /// Emits the phase that has begun: blocks that walk segments or pieces.
  void emit(const ScanPieces &pieces, const PieceStates &states);
  /// Walks a piece from the states that `before` gives.
  void walk(const Piece &piece, llvm::function_ref<Values(const ScanTile &)> before);

private:
  Values run(const ScanTile &tile, const Piece &piece, mlir::Value i, mlir::Value count,
             const View &sums, mlir::ValueRange states);
  void clearFinals(mlir::Value part);

  KernelBuilder &k;
  const ScanOperands op;
  const ScanShape shape;
};

/// Tokens that are walked without a branch where states are saved every `chunk` of them.
int64_t groupFor(int64_t group, int64_t chunk);

} // namespace mom
