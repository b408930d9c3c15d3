// What kernels that follow the sequence (scan, conv) share: a vector of channels,
// the walk along a segment, and what surrounds the anchor.
//
// A block of such a kernel owns `lanes` channels side by side. Rows [tokens,
// channels] give it one vector each; a matrix [channels, inner] (A, the taps of
// a convolution, a scan's state in a stream row) it must *turn*, so that each
// inner index gives one vector over the channels. The turned matrix is a tile
// of scratch: [inner, lanes].
#pragma once

#include "compiler/Emit/Emitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

namespace mom {

class ChannelBlock {
public:
  /// Channels [index * lanes, ...) of `channels`.
  ChannelBlock(KernelBuilder &k, int64_t channels, int64_t lanes, mlir::Value index);
  static int64_t count(int64_t channels, int64_t lanes) { return (channels + lanes - 1) / lanes; }

  KernelBuilder &k;
  const int64_t channels, lanes;
  const mlir::Value first; ///< channel of lane 0
  const mlir::Value mask;  ///< lanes that are channels; null: all

  /// These channels of a row.
  At at(mlir::Value row) const { return At{row, first, lanes, mask}; }
  /// These channels of run `inner` of a state [streams, inner * channels].
  At at(mlir::Value row, mlir::Value inner) const;
  /// 0 in the lanes that are no channels: what a lane computes from nothing may
  /// be anything, and must not reach a sum over lanes.
  mlir::Value masked(mlir::Value value) const;

  /// Scratch for `inner` vectors.
  View tile(int64_t inner) const;
  View tileOfDoubles(int64_t inner) const;
  mlir::Value load(const View &tile, mlir::Value inner) const;
  void store(mlir::Value value, const View &tile, mlir::Value inner) const;
  void fill(const View &tile, int64_t inner) const; ///< with 0

  /// tile[n][lane] = matrix[row][(first + lane) * inner + n], and back.
  void turnIn(const View &matrix, mlir::Value row, int64_t inner, const View &tile) const;
  void turnOut(const View &tile, int64_t inner, const View &matrix, mlir::Value row) const;
  /// matrix[row][first * inner ... of these channels] = 0
  void clear(const View &matrix, mlir::Value row, int64_t inner) const;

  /// Sums over the lanes of each of `vectors`, to row[column ...] of `view`.
  void storeSums(llvm::ArrayRef<mlir::Value> vectors, const View &view, mlir::Value row,
                 mlir::Value column) const;
};

/// A segment's tokens in the order of a walk: token i of the walk has position
/// start + i, or from the end in a reversed walk.
struct SegmentWalk {
  KernelBuilder &k;
  mlir::Value batch;
  Segment segment;
  bool reverse;

  mlir::Value position(mlir::Value i) const;
  /// Its row in tensors of this order.
  mlir::Value row(mlir::Value i, RowsAttr rows) const { return k.rowAt(batch, rows, position(i)); }
};

/// i1: whether a row of a segment's record is one (and not -1).
mlir::Value isPresent(KernelBuilder &k, mlir::Value row);

/// Tensors of `like`'s rows and channels in memory that `values` are computed from.
llvm::SmallVector<mlir::Value> tensorsRead(KernelBuilder &k, mlir::ValueRange values,
                                           mlir::Value like);

/// Refuses operands that are no inputs of the kernel, nor ranges of one.
mlir::LogicalResult checkInputs(KernelBuilder &k, mlir::Operation *anchor,
                                mlir::ValueRange operands);
/// Refuses a result unless it is pointwise work on rows and channels like those that `anchor`
/// gives, in whatever order it is stored.
mlir::LogicalResult checkResult(KernelBuilder &k, unsigned index, mlir::Value anchor);
/// What a kernel yields, without the rounding of its storage.
mlir::Value withoutStorage(mlir::Value yielded);
/// The tensor that a body value widens, or the value.
mlir::Value withoutWidening(mlir::Value value);
/// The op of a kernel that does nothing else, but widens and rounds, for its one result.
template <typename OpT> OpT onlyOp(KernelOp kernel) {
  mlir::Block &body = kernel.getBody().front();
  OpT only;
  for (mlir::Operation &op : body.without_terminator()) {
    if (mlir::isa<mlir::arith::ExtFOp, mlir::arith::TruncFOp>(op))
      continue;
    if (only || !mlir::isa<OpT>(op))
      return {};
    only = mlir::cast<OpT>(op);
  }
  bool isIt = only && kernel.getNumResults() == 1 &&
              withoutStorage(body.getTerminator()->getOperand(0)) == only->getResult(0);
  return isIt ? only : OpT();
}
/// Indices of the outputs that yield `bodyValue` itself.
llvm::SmallVector<unsigned> outputsOf(KernelBuilder &k, mlir::Value bodyValue);

/// A sum over rows (without a route) that a kernel makes beside its anchor's work.
struct RowSum {
  mlir::Value x;   ///< of which rows it is
  unsigned output;
  View tile = {};  ///< where a block adds it up
};
llvm::SmallVector<RowSum> rowSumsOf(KernelBuilder &k);

} // namespace mom
