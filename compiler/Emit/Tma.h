// Hopper's copies of tiles behind the threads' back (TMA), and the barriers that tell
// when their bytes are there (mbarrier). sm_90a only.
//
// A *tensor map* tells the copying unit where a tensor lies, which part of it one copy
// takes, and how that part is laid out in shared memory: here always in the panels of
// TensorCore.h. What lies outside the tensor's sizes arrives as zeros. Blocks make their
// own maps, in the kernel: addresses and sizes are known there, and a size may be the end
// of a group of rows, which no host knows.
#pragma once

#include "compiler/Emit/Gpu.h"

namespace mom {

/// Barriers in shared memory, one after the other. Each counts the arrivals of its
/// present phase, and bytes that copies bring; phases are numbered from 0 and known by
/// their parity.
class SharedBarriers {
public:
  SharedBarriers(KernelBuilder &k, int64_t count);

  /// By one thread, before a block barrier: `arrivals` end a phase of barrier `index`.
  void initialise(int64_t index, int64_t arrivals);
  /// After the last `initialise`.
  void publish();

  mlir::Value address(mlir::Value index) const; ///< i64
  void arrive(mlir::Value index);
  /// At the barrier `index` of block `rank` (i64) of the cluster.
  void arrive(mlir::Value index, mlir::Value rank);
  /// Arrives; the phase does not end before so many bytes have come.
  void arriveExpecting(mlir::Value index, int64_t bytes);
  /// Until the phase of this parity (i32) is over; the one before the first is.
  void wait(mlir::Value index, mlir::Value parity);

private:
  KernelBuilder &k;
  Gpu gpu;
  mlir::Value base;
};

/// A dimension of a tensor map, the fastest first.
struct MapDimension {
  mlir::Value size;   ///< i64, at least 1
  int64_t stride = 1; ///< elements from one to the next
  int64_t box = 1;    ///< how many a copy takes, at most 256
};

/// The tensor maps of a block, in a workspace of the kernel.
class TensorMaps {
public:
  /// `count` maps for each of `blocks` blocks.
  TensorMaps(KernelBuilder &k, int64_t count, int64_t blocks);

  /// By the threads of one warp: map `index` (i64), of 2, 3 or 5 dimensions. Bases and
  /// strides are multiples of 16 bytes. Seen by others after a block barrier and `acquire`.
  void make(mlir::Value index, mlir::Value base, mlir::Type element,
            llvm::ArrayRef<MapDimension> dimensions);
  /// By the thread that will copy.
  void acquire(mlir::Value index);
  /// By one thread: copies the box at the coordinates (i64, may lie outside) to shared
  /// memory; its bytes come to the barrier at `barrier`. With a `cluster` of more than one
  /// block, to these places of each.
  void copy(mlir::Value shared, mlir::Value index, llvm::ArrayRef<mlir::Value> coordinates,
            mlir::Value barrier, int64_t cluster = 1);

private:
  mlir::Value address(mlir::Value index);

  KernelBuilder &k;
  Gpu gpu;
  mlir::Value maps;   ///< this block's
  mlir::Value drafts; ///< 128 bytes of shared memory a warp
};

/// Registers that a thread of this warpgroup may have from here on; by all its warps.
void setRegisters(KernelBuilder &k, int64_t count, bool more);

} // namespace mom
