// A product whose blocks stay and take tile after tile, and whose warps have roles: one
// thread has both operands copied to shared memory (TMA), step after step of all its
// tiles; two warpgroups multiply (wgmma) what has arrived and finish their sums from
// registers. They meet at barriers of a ring of stages only, so that copies run ahead of
// multiplication and over the ends of tiles.
//
// The two warpgroups share a tile, each with half of its rows, or take tiles in turn
// (knob 'pingpong'): then one multiplies while the other finishes.
//
// Blocks of a cluster (knob 'cluster') have tiles of the same rows at a time. Each copies a
// part of A's lines to the shared memory of all, and its own of B.
#pragma once

#include "compiler/Emit/Tma.h"
#include "compiler/Emit/product/PanelGpu.h"
#include "compiler/Emit/product/TileGpu.h"

namespace mom {

/// An operand in memory: lines of channels, multiples of 16 bytes, that tensor maps
/// describe. What a copy takes beyond the end is zeros.
struct TmaOperand {
  View view;
  bool innerLast = false; ///< k runs along the channels
  int64_t channels = 0;   ///< of a line
  int64_t outer = 0;      ///< of a tile: its rows (of A) or columns (of B)
  int64_t groups = 0;     ///< weights: so many times `lines`; else 0
  int64_t lines = 0;      ///< of a group of weights
  int64_t run = 0;        ///< B's lines are permuted for runs of columns (FragmentTile)
  /// The line that map `index` ends before, at least 1; of what are no weights.
  llvm::function_ref<mlir::Value(mlir::Value)> end;
};

/// A tile of the walk; all i64.
struct TmaTile {
  GroupRows rows;                    ///< of the tile, or that are summed over
  mlir::Value firstRow, firstColumn; ///< of the tile, in C
  mlir::Value item;                  ///< of a weight gradient: the matrix that it is part of
  mlir::Value map;                   ///< of each operand
  mlir::Value steps;                 ///< of `inner` k, at least 1
  mlir::Value aLine, bLine;          ///< first ones; of weights in their group
};

/// A thread's sums: of a tile, 64 rows after 64 rows as wgmma gives them, and of each 64 of
/// A's rows, if asked for, those of WgmmaStep's columns of ones, which are alike.
struct FragmentSums {
  llvm::SmallVector<mlir::Value> ofTile, ofRows;
};

/// A warpgroup's part of a tile, to be finished: 64 rows after 64 rows, as wgmma gives sums.
struct FragmentTile {
  mlir::Value number;            ///< of the tile, among the block's
  mlir::Value firstRow;          ///< of the warpgroup, in the tile
  PanelRing *panels;             ///< of inputs, or null
  llvm::function_ref<FragmentSums()> multiply; ///< makes the sums; once
};

class TmaProduct {
public:
  using Locate = llvm::function_ref<TmaTile(mlir::Value)>;
  using Finish = llvm::function_ref<void(const TmaTile &, const FragmentTile &)>;

  /// `maps` tensor maps for each operand; `inputs` of the work after it come in panels.
  /// `sumsRows`: of A's rows are summed along k, too.
  TmaProduct(KernelBuilder &k, const TileShape &shape, const TmaOperand &a, const TmaOperand &b,
             int64_t maps, llvm::ArrayRef<View> inputs = {}, bool sumsRows = false)
      : k(k), gpu(k), shape(shape), a(a), b(b), maps(maps), inputs(inputs), sumsRows(sumsRows) {}

  /// Tiles [0, tiles) of all blocks; `locate` is asked for those only.
  void emit(mlir::Value tiles, Locate locate, Finish finish);

private:
  int64_t bytesOf(const TmaOperand &operand) const;
  int64_t sharers(const TmaOperand &operand) const { return &operand == &a ? shape.cluster : 1; }
  int64_t linesOf(const TmaOperand &operand) const;
  llvm::SmallVector<MapDimension> dimensionsOf(const TmaOperand &operand, mlir::Value map);
  int64_t partBytes() const;
  void makeMaps(TensorMaps &tensorMaps);
  void fillOnes();
  void produce(mlir::Value tiles, Locate locate);
  void producePanels(mlir::Value tiles, Locate locate);
  mlir::Value tileNumber(mlir::Value number);
  void consume(mlir::Value tiles, Locate locate, Finish finish);
  void copyStep(const TmaOperand &operand, mlir::Value map, const TmaTile &tile, mlir::Value line,
                mlir::Value channel, mlir::Value inner, mlir::Value shared, mlir::Value barrier);
  FragmentSums multiply(mlir::Value consumer, mlir::Value taken, mlir::Value turn,
                        mlir::Value steps);
  mlir::SmallVector<mlir::Value> next(mlir::Value stage, mlir::Value parity);
  mlir::Value consumers();
  void release(mlir::Value stage);
  void meet();

  KernelBuilder &k;
  Gpu gpu;
  const TileShape &shape;
  const TmaOperand &a, &b;
  int64_t maps;
  llvm::ArrayRef<View> inputs;
  bool sumsRows;
  std::optional<PanelRing> panels;
  mlir::Value stages; ///< in shared memory
  mlir::Value ones;   ///< likewise, or null
  std::optional<SharedBarriers> full, empty; ///< of each stage
  std::optional<SharedBarriers> turns;       ///< of each warpgroup, where they take turns
  std::optional<TensorMaps> tensorMaps;
};

/// Whether TMA can copy a view: rows that begin at multiples of 16 bytes, of the type
/// that is multiplied.
bool canCopyTiles(const View &view, mlir::Type element);

/// The end of a kernel by TMA, which may join others.
mlir::LogicalResult finishTma(KernelBuilder &k, const TileShape &shape);

/// Refuses clusters that do not share out the blocks, or the tiles side by side.
mlir::LogicalResult checkCluster(KernelBuilder &k, const TileShape &shape, int64_t columnTiles);

/// `finishTile` from registers, in places of 4 or 8 columns. Those that exist are a multiple
/// of 8. What panels hold is fetched after what `finish` fetches. `permuted`: the columns are
/// those that B's lines were permuted for; else threads exchange sums, or results take the
/// places of inputs in panels (FragmentsGpu.cpp).
void finishFragments(KernelBuilder &k, const TileShape &shape, const FragmentTile &tile,
                     const TileFinish &finish, bool permuted);

} // namespace mom
