// Inputs of the pointwise work after a product, brought to shared memory ahead of it: a
// ring of *panels*, each rows of a tile by 64 columns of one input of bf16 or f16: all rows,
// or where warpgroups take tiles in turn 64, so that a place is free again the sooner. One
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

  int64_t count() const { return inputs.size(); }
  mlir::Type element(int64_t input) const { return inputs[input].element; }
  int64_t rows() const { return shape.pingpong ? 64 : shape.rows; } ///< of a panel

  /// By all warps; and by one thread before the block's barrier.
  void makeMaps(TensorMaps &maps, mlir::Value rowCount);
  void initialise();

  /// By the thread that copies, tile after tile of the block; all i64. First `acquire`.
  void acquire(TensorMaps &maps);
  void copyTile(TensorMaps &maps, mlir::Value tile, mlir::Value row, mlir::Value column);

  /// By the threads of a warpgroup, for each panel of the block's tile number `tile`, all of
  /// 64 columns before the next: `wait`, any reads, `release`.
  void wait(mlir::Value tile, int64_t panel);
  /// `lanes` (4 or 8) columns of a row of the panel, from `column` of its 64 on, as they are
  /// stored, of each input.
  llvm::SmallVector<mlir::Value> read(mlir::Value tile, int64_t panel, mlir::Value row,
                                      mlir::Value column, int64_t lanes);
  void release(mlir::Value tile, int64_t panel);

  /// Where a panel of an input lies, and in it eight columns of a row; `chunk` of 8, i64.
  mlir::Value address(mlir::Value tile, int64_t panel, int64_t input);
  mlir::Value offset(mlir::Value row, mlir::Value chunk);

private:
  int64_t bytes() const { return rows() * 128; }
  int64_t inTile() const; ///< panels of an input

  struct Place {
    mlir::Value slot, parity; ///< i64; i32
  };
  Place placeOf(mlir::Value tile, int64_t panel, int64_t input);

  KernelBuilder &k;
  Gpu gpu;
  const TileShape &shape;
  llvm::SmallVector<View> inputs;
  int64_t firstMap, slots;
  mlir::Value memory;
  SharedBarriers full, empty;
};

} // namespace mom
