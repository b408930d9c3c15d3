// Tensor cores: fragments, products of a warp (sm_80) and of a warpgroup (sm_90a).
//
// Matrices lie in shared memory in *panels*: lines of 64 elements (128 bytes), whose
// eight chunks of 16 bytes are permuted, chunk c of line l being at place c ^ (l % 8).
// Eight lines of a chunk then lie in different banks, which is what ldmatrix reads; it
// is the 128-byte swizzle of wgmma as well, so all units share it.
#pragma once

#include "compiler/Emit/Gpu.h"

namespace mom {

class TensorCore {
public:
  /// `element`: bf16 or f16.
  TensorCore(KernelBuilder &k, mlir::Type element) : gpu(k), k(k), element(element) {}

  Gpu gpu;

  static constexpr int64_t kPanel = 64; ///< elements of a line
  static constexpr int64_t kLineBytes = 128;
  static constexpr int64_t kInner = 16; ///< k of one instruction

  /// `count` (2 or 4) 8 x 8 matrices (i32, pairs of elements): lane 8 i + r gives the
  /// address of line r of matrix i; `transposed` turns each.
  llvm::SmallVector<mlir::Value> loadMatrices(mlir::Value address, bool transposed,
                                              int64_t count = 4);
  /// The opposite, not turned (sm_90).
  void storeMatrices(mlir::Value address, mlir::ValueRange matrices);
  /// sums[16 x 8] += a[16 x 16] b[16 x 8]: 4 f32, 4 and 2 i32 of a lane. Lane l has
  /// rows l / 4 and 8 + l / 4 of the sums, columns 2 (l % 4) and the next. With 2 and 1
  /// i32, a[16 x 8] b[8 x 8].
  void multiply(llvm::MutableArrayRef<mlir::Value> sums, mlir::ValueRange a, mlir::ValueRange b);
  /// sums[16 x 8] += a[16 x 8] b[8 x 8] of f32 cut to 11 bits: 4 f32, 4 and 2 f32 of a
  /// lane. Lane l has rows l / 4 and 8 + l / 4 of column l % 4 of a, then of column
  /// 4 + l % 4; of b rows l % 4 and 4 + l % 4 of column l / 4.
  void multiplyTf32(llvm::MutableArrayRef<mlir::Value> sums, mlir::ValueRange a,
                    mlir::ValueRange b);
  /// Two f32 rounded to elements, as i32.
  mlir::Value pack(mlir::Value low, mlir::Value high);
  /// A matrix of 8 x 8 turned: lane l has elements 2 (l % 4) and the next of row l / 4.
  mlir::Value transpose(mlir::Value pair);

  /// What tells wgmma of a matrix: its first element in shared memory, the bytes from
  /// one panel to the next where k runs along the lines, and from eight lines to the
  /// next.
  mlir::Value descriptor(mlir::Value address, int64_t panelBytes);
  /// The same so many bytes on.
  mlir::Value advance(mlir::Value descriptor, int64_t bytes);
  mlir::Value advance(mlir::Value descriptor, mlir::Value bytes); ///< i64
  /// sums[64 x columns] += A[64 x 16] B[16 x columns], by four warps; columns / 2 f32 a
  /// thread. Goes on behind the thread's back. Warp w of four and lane l have, for each
  /// eight columns, rows 16 w + l / 4 and 8 more, columns as `multiply`. Where `adds` (i1)
  /// is given and false, what `sums` were does not matter.
  void multiplyGroup(llvm::MutableArrayRef<mlir::Value> sums, mlir::Value a, mlir::Value b,
                     int64_t columns, bool aInnerLast, bool bInnerLast, mlir::Value adds = {});
  /// Before the first multiplyGroup of a batch, and the batch's end. Where it adds to `sums`,
  /// they are what they shall be from here on.
  void beginGroup();
  void beginGroup(llvm::MutableArrayRef<mlir::Value> sums);
  void commitGroup();
  /// Waits until at most `pending` batches are under way.
  void waitGroup(int64_t pending);
  /// Waits for all; from here on `sums`, of one multiplyGroup, are what they shall be.
  void finishGroups(llvm::MutableArrayRef<mlir::Value> sums);
  /// What this thread wrote to shared memory is seen by multiplyGroup.
  void publish();

private:
  void pass(llvm::MutableArrayRef<mlir::Value> sums, llvm::StringRef name, llvm::StringRef text);

  KernelBuilder &k;
  mlir::Type element;
};

} // namespace mom
