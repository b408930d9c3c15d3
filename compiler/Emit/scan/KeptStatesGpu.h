// What the warps keep of a run in shared memory, each apart from the others. Slots of
// matrices of 8 x 8 bf16, channels by states:
//
//     slot 0        the states before the run
//     slot t + 1    those after token t: of each tile j of states, channels 2 g, then
//                   channels 2 g + 1
//
// Once eight tokens have gone by on the way back, their slots have their sums in f32:
// over states [tokens, 2 * channels], then over channels [tokens, kinds * states].
#pragma once

#include "compiler/Emit/scan/ScanTensorGpu.h"

namespace mom {

class KeptStates {
public:
  /// Reserves shared memory; `kinds`: of sums over channels.
  KeptStates(const ScanTile &tile, int64_t kinds);

  /// Of one slot, [2 * parts].
  void storeApart(mlir::Value slot, mlir::ValueRange pairs) const;
  /// After tokens t and t + 1, [2 * parts] each.
  void store(mlir::Value t, mlir::ValueRange first, mlir::ValueRange second) const;
  /// [4] of tile j: what `store` was given of it, for slots `slot` and `slot` + 1; turned,
  /// those of both slots in turn, rows being states.
  Values load(mlir::Value slot, int64_t j, bool transposed) const;

  // Of the eight tokens of `tensor`.
  /// Sums over a warp's states `which` (0 or 1), [2, own] of this lane's tokens.
  void storeStateSums(const ScanTensor &tensor, int64_t which, mlir::ValueRange sums) const;
  /// Sums over a warp's channels, [2, parts] of this lane's tokens and states.
  void storeChannelSums(const ScanTensor &tensor, int64_t kind, mlir::ValueRange sums) const;
  /// At a token of the run and channels of the block, over all states.
  mlir::Value loadStateSum(int64_t which, At at) const;
  /// At a token of the run and states, over all channels of the block.
  mlir::Value loadChannelSum(mlir::Value kind, mlir::Value token, mlir::Value state,
                             int64_t lanes) const;

private:
  // Places are of f32.
  mlir::Value slot(mlir::Value number) const; ///< of this warp
  mlir::Value sums(mlir::Value warp, mlir::Value token) const;
  View at(mlir::Value place, int64_t lanes) const;
  void storeSums(const ScanTensor &tensor, int64_t offset, int64_t stride,
                 mlir::ValueRange values) const;
  mlir::Value loadSum(mlir::Value first, int64_t step, int64_t count, mlir::Value token,
                      mlir::Value place, int64_t lanes) const;

  const ScanTile &tile;
  KernelBuilder &k;
  const int64_t parts, ofSlot, ofKind, ofChannels, ofWarp; ///< strides
  mlir::Value base;
};

} // namespace mom
