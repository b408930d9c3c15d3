// The gradient of a scan on a GPU.
//
// A block has some channels of a segment, or of a piece of one (ScanPiecesGpu.h), and
// walks its runs from the last to the first. From a run's checkpoint it walks forward
// once, leaving the states before each group of tokens; then the groups go by backwards:
// forward once more through the group, keeping the state before each token and each decay
// in registers, and back (on tensor cores the first walk leaves all states, in fewer
// bits: ScanGradTensorGpu.h):
//
//     g        = C[t] dy[t] + G            G: what later tokens carry back
//     p        = exp(delta[t] A) h[t - 1]
//     sumB[t] += g B[t]                    du = delta sumB
//     sumA[t] += A g p                     ddelta = sumA + u sumB
//     dA      += delta[t] g p
//     y[t]     = C[t] h[t]                 where it is asked for
//     G        = exp(delta[t] A) g
//
// Where checkpoints are further apart than a run is long, the block first walks from
// the checkpoint, leaving the states before each run.
//
// dB and dC sum over channels: a block leaves the sums of its own, and a second phase
// adds up the blocks in order. dA sums over pieces and the gradients of initial states
// over segments, likewise.
#pragma once

#include "compiler/Emit/scan/ScanGradTensorGpu.h"
#include "compiler/Emit/scan/ScanPiecesGpu.h"

namespace mom {

class ScanGradGpu {
public:
  ScanGradGpu(ScanGradOp op, KernelBuilder &k);

  mlir::LogicalResult check();
  /// Checkpoints of our own, where the scan has none or they do not serve.
  void saveStates();
  void walkBack();
  void sumParts();
  void sumInitial();

private:
  struct Tiles {
    View sumA, sumB;   ///< [shares * tokens, channels]
    View y;            ///< likewise, if asked for
    View parts;        ///< [channel warps * tokens, kinds * slots] of dB and dC
    View groups, runs; ///< each thread's states before a group, before a run
    /// On tensor cores, instead of sumA, sumB, parts and groups.
    std::optional<ScanGradTensor> tensor;
  };
  bool usesOwnStates() const { return ownChunk != 0; }
  View checkpointView() const;
  mlir::Value checkpointRow(const SegmentWalk &walk, mlir::Value s, mlir::Value i) const;
  View privateTile(int64_t count) const;
  void keep(const ScanTile &tile, const View &tileOfStates, mlir::Value i,
            mlir::ValueRange states) const;
  Values kept(const ScanTile &tile, const View &tileOfStates, mlir::Value i) const;

  /// `before` gives what the walk back begins with.
  void walkPiece(const Piece &piece, llvm::function_ref<Values(const ScanTile &)> before);
  void leaveRuns(const ScanTile &tile, const Tiles &tiles, const SegmentWalk &walk, mlir::Value s,
                 mlir::Value i) const;
  void advanceGroups(const ScanTile &tile, const Tiles &tiles, mlir::Value groups, Values &states,
                     bool keepThem) const;
  Values walkRun(const ScanTile &tile, const Tiles &tiles, mlir::Value count, Values states,
                 mlir::ValueRange gradients) const;
  Values group(const ScanTile &tile, const Tiles &tiles, mlir::Value start, const Values &states,
               mlir::ValueRange carried) const;
  /// Of what is carried from run to run: G, dA and, where exact, dA's error.
  size_t carriedKinds() const { return shape.exact ? 3 : 2; }
  void storeChannelSums(const ScanTile &tile, const Tiles &tiles, mlir::Value token,
                        const ScatteredSums &sums) const;
  mlir::Value loadChannelSum(const ScanTile &tile, const Tiles &tiles, mlir::Value kind,
                             mlir::Value token, mlir::Value state, int64_t lanes) const;
  void finishParts(const ScanTile &tile, const Tiles &tiles, const SegmentWalk &walk, mlir::Value i,
                   mlir::Value count) const;
  void sumPieces(const View &parts, mlir::Value block, int64_t elements, mlir::Value whole,
                 llvm::ArrayRef<unsigned> outputs);
  void sumBlocks(mlir::Value first, int64_t tile);

  ScanGradOp op;
  KernelBuilder &k;
  const ScanOperands operands;
  const mlir::Value checkpoints;
  int64_t chunk = 0;    ///< tokens from a checkpoint to the next
  int64_t ownChunk = 0; ///< likewise, of our own
  int64_t tokens;       ///< of a run
  int64_t turn;         ///< groups that are walked along without a branch, on tensor cores
  ScanShape shape;
  std::optional<ScanPieces> pieces;
  std::optional<PieceStates> G; ///< what later pieces carry back
  llvm::SmallVector<unsigned> pointwise, dA, dinit;
  llvm::SmallVector<RowSum> rowSums;
  llvm::SmallVector<unsigned> partsOfRows; ///< their workspaces [pieces, channels]
  struct Kind { ///< dB or dC
    llvm::SmallVector<unsigned> outputs;
    bool isC;
  };
  llvm::SmallVector<Kind, 2> kinds;
  unsigned ownStates = 0, partsOfKinds = 0, partsOfA = 0, partsOfInit = 0; ///< workspaces
};

} // namespace mom
