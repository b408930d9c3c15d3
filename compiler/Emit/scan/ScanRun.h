// What the scan and its gradient share on the CPU.
//
// A block owns `lanes` channels and walks their tokens in *runs*. What pointwise
// work makes of a run's u and delta is staged in scratch once, with B and C
// beside it; then the states go by in *groups* that fit in registers, each
// walking the whole run:
//
//     for each run of tokens
//       stage u, delta, B, C
//       for each group of states n .. n + group
//         for each token t of the run          h[group] in registers
//       pointwise work on what came out
//
// So any number of states works alike, softplus and its like are computed
// once, and the loads of a whole run are in flight together.
//
// The decay is used as e = exp(delta A) - 1: h + e h keeps the digits of a decay
// close to 1 that exp(delta A) h would round off at every token.
#pragma once

#include "compiler/Emit/Sequence.h"

namespace mom {

class ScanRun {
public:
  /// Reserves scratch and turns A; call where the block begins.
  template <typename Op>
  ScanRun(KernelBuilder &k, Op op, int64_t tokens, int64_t group, mlir::Value index)
      : ScanRun(k, {op.getU(), op.getDelta(), op.getA(), op.getB(), op.getC(), op.getBatch()},
                op.getReverse(), tokens, group, index) {}

  KernelBuilder &k;
  const mlir::Value u, delta, matrixB, matrixC, batch; ///< body values
  const RowsAttr rows;
  const bool reverse;
  const int64_t states, tokens, group;
  const ChannelBlock block;
  const View A, state;                           ///< [states, lanes]
  const View stagedU, stagedDelta;               ///< [tokens, lanes]
  const View B, C;                               ///< [tokens, states] of scratch
  const llvm::SmallVector<mlir::Value> streamed; ///< body values [tokens, channels] that are read

  SegmentWalk walk(mlir::Value segment) const {
    return SegmentWalk{k, batch, k.segment(batch, segment), reverse};
  }
  /// Row of the checkpoint before token i of a walk.
  mlir::Value checkpointRow(const SegmentWalk &walk, mlir::Value segment, mlir::Value i) const {
    return k.add(k.div(k.add(walk.segment.start, i), tokens), segment);
  }
  /// tile = these channels of a stream's state, or 0 without one.
  void loadState(mlir::Value bodyState, mlir::Value row, const View &tile) const;

  /// Puts tokens [i, i + count) of the walk in scratch, `more` body values too,
  /// and asks for what the next run will read: a walk strides over rows, which
  /// no processor foresees.
  using Staged = std::pair<mlir::Value, View>;
  void stage(const SegmentWalk &walk, mlir::Value i, mlir::Value count,
             llvm::ArrayRef<Staged> more = {}, llvm::ArrayRef<View> zeroed = {},
             bool backward = false) const;
  /// Calls `body` for each group: its first state and its size.
  void overGroups(llvm::function_ref<void(mlir::Value, int64_t)> body) const;
  /// Pointwise work after the anchor at each token of the run: `bind` gives the
  /// anchor's results as body values at token t of the run. Sums over rows are added to
  /// their tiles, [1, lanes] of f64.
  using Bound = std::pair<mlir::Value, mlir::Value>;
  void finish(const SegmentWalk &walk, mlir::Value i, mlir::Value count,
              llvm::ArrayRef<unsigned> outputs, llvm::ArrayRef<RowSum> sums,
              llvm::function_ref<llvm::SmallVector<Bound>(mlir::Value)> bind) const;

  /// `size` vectors of a tile from `n` on.
  llvm::SmallVector<mlir::Value> load(const View &tile, mlir::Value n, int64_t size) const;
  void store(mlir::ValueRange values, const View &tile, mlir::Value n) const;
  /// B or C of a token and state, in all lanes.
  mlir::Value splat(const View &staged, mlir::Value t, mlir::Value n) const {
    return k.splat(k.load(staged, At{t, n, 1, {}}), block.lanes);
  }
  mlir::Value mul(mlir::Value x, mlir::Value y) const;
  mlir::Value add(mlir::Value x, mlir::Value y) const;
  /// exp(delta A) - 1
  mlir::Value decay(mlir::Value delta, mlir::Value a) const;

private:
  void prefetch(mlir::Value row) const;

  struct Operands {
    mlir::Value u, delta, A, B, C, batch;
  };
  ScanRun(KernelBuilder &k, Operands operands, bool reverse, int64_t tokens, int64_t group,
          mlir::Value index);
};

mlir::LogicalResult emitScanForwardCpu(ScanOp op, KernelBuilder &k);
mlir::LogicalResult emitScanGradCpu(ScanGradOp op, KernelBuilder &k);

} // namespace mom
