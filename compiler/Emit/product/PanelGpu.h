// Inputs of the pointwise work after a product, brought to shared memory ahead of it: a
// ring of *panels*, each the rows of a tile by 64 columns of one input of bf16 or f16. One
// thread has them copied (TMA), panel after panel of all inputs; the warpgroups that finish
// tiles wait for a panel, read it, and give its place back. Loads into registers could not
// be so far ahead: the sums of a tile leave too few.
#pragma once

#include "compiler/Emit/Tma.h"
#include "compiler/Emit/product/TileGpu.h"

namespace mom {

class PanelRing {
public:
  static constexpr int64_t kColumns = 64;

  /// `inputs` lie as the product's result does, in rows of which `rowCount` (i64) exist.
  /// Their maps are those from `firstMap` on.
  PanelRing(KernelBuilder &k, const TileShape &shape, llvm::ArrayRef<View> inputs,
            int64_t firstMap);

  /// Bytes of a panel of a tile.
  static int64_t bytes(int64_t tileRows) { return tileRows * 128; }

  /// By all warps; and by one thread before the block's barrier.
  void makeMaps(TensorMaps &maps, mlir::Value rowCount);
  void initialise();

  /// By the thread that copies, tile after tile of the block; all i64. First `acquire`.
  void acquire(TensorMaps &maps);
  void copyTile(TensorMaps &maps, mlir::Value tile, mlir::Value row, mlir::Value column);

  /// By the threads of a warpgroup, for each panel of the block's tile number `tile`:
  /// `wait`, any reads, `release`.
  void wait(mlir::Value tile, int64_t panel);
  /// `lanes` (4 or 8) columns of a row of the tile, as they are stored, of each input.
  llvm::SmallVector<mlir::Value> read(mlir::Value tile, int64_t panel, mlir::Value row,
                                      mlir::Value column, int64_t lanes);
  void release(mlir::Value tile, int64_t panel);

private:
  struct Place {
    mlir::Value slot, parity; ///< i64; i32
  };
  Place placeOf(mlir::Value tile, int64_t panel, int64_t input);

  KernelBuilder &k;
  Gpu gpu;
  const TileShape &shape;
  llvm::SmallVector<View> inputs;
  int64_t firstMap, slots, panels; ///< panels of a tile
  mlir::Value memory;
  SharedBarriers full, empty;
};

} // namespace mom
