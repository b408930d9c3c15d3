// What only a GPU has: threads of a block that meet, exchange registers and share
// memory. Every function here is one instruction or a short sequence of them.
//
// Instructions that MLIR and LLVM have are intrinsics; others are inline assembly
// whose text begins with a comment that names it. By these names the emulator
// (compiler/Target/Emulator) finds what stands for them on a CPU.
#pragma once

#include "compiler/Emit/Emitter.h"

namespace mom {

class Gpu {
public:
  explicit Gpu(KernelBuilder &k) : k(k) {}

  static constexpr int64_t kWarp = 32;

  // Where a thread is; i64.
  mlir::Value thread() { return k.thread(); }
  mlir::Value lane() { return k.rem(k.thread(), kWarp); }
  mlir::Value warp() { return k.div(k.thread(), kWarp); }

  /// All threads of the block meet; what they wrote to memory before is seen after.
  void barrier();
  /// `threads` threads, a multiple of 32, meet at barrier `id` (1 .. 15).
  void barrier(int64_t id, int64_t threads);
  /// The threads of a warp meet.
  void warpBarrier();
  /// All threads of the cluster meet, as those of a block do.
  void clusterBarrier();

  /// The value (32 bits) of the lane whose number differs in the bits of `mask`.
  mlir::Value shuffleXor(mlir::Value value, int64_t mask);
  /// The value (32 bits) of lane `from` (i64).
  mlir::Value shuffle(mlir::Value value, mlir::Value from);
  /// The value of the lane `distance` below; the first lanes keep their own.
  mlir::Value shuffleUp(mlir::Value value, int64_t distance);
  /// Bit i (of i32): the condition in lane i.
  mlir::Value ballot(mlir::Value condition);

  /// Sum or maximum over aligned groups of `lanes` lanes, in a fixed tree; all get it.
  mlir::Value combineLanes(Reduction kind, mlir::Value value, int64_t lanes = kWarp);
  /// The same over the block; all get it. Has two barriers.
  mlir::Value combineBlock(Reduction kind, mlir::Value value);

  /// Copies 4, 8 or 16 bytes from global to shared memory behind the thread's back; where
  /// `present` (i1) is given and false, 16 zero bytes. Both addresses are aligned.
  void copyAsync(mlir::Value shared, mlir::Value global, mlir::Value present = {},
                 int64_t bytes = 16);
  /// The copies since the last commit are a group.
  void commitCopies();
  /// Waits until at most `pending` of this thread's last groups are under way.
  void waitCopies(int64_t pending);

  mlir::Value intrinsic(llvm::StringRef name, mlir::Type result, mlir::ValueRange operands);
  /// Inline assembly; `name` is what the emulator knows it by.
  mlir::Value assembly(llvm::StringRef name, mlir::Type result, mlir::ValueRange operands,
                       llvm::StringRef text, llvm::StringRef constraints, bool sideEffects = true);
  mlir::Value i32(int64_t value);
  mlir::Value toI32(mlir::Value i64);
  mlir::Value toI64(mlir::Value i32); ///< unsigned

private:
  mlir::Value shuffleAs(llvm::StringRef how, mlir::Value value, mlir::Value argument,
                        int64_t clamp);
  mlir::Value combine(Reduction kind, mlir::Value x, mlir::Value y);

  KernelBuilder &k;
};

/// Registers of the current phase must suffice for so many blocks of a multiprocessor.
/// Left alone, as by 0, ptxas may take so many that too few warps hide each other's waits.
void fitBlocks(KernelBuilder &k, int64_t blocks);

/// So many neighbouring blocks of the current phase are a cluster: they run at a time and
/// reach each other's shared memory. The grid is a multiple. sm_90 or later.
void formClusters(KernelBuilder &k, int64_t blocks);

/// Refuses the last phase where it needs more shared memory than a block can have; `knobs`
/// names what says how much.
mlir::LogicalResult checkShared(KernelBuilder &k, llvm::StringRef knobs);

} // namespace mom
