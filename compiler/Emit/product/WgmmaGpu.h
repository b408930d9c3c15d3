// A step of a product by wgmma: 64 k of both operands, or several times 64, in shared memory.
#pragma once

#include "compiler/Emit/TensorCore.h"

namespace mom {

/// An operand's first stage.
struct WgmmaOperand {
  mlir::Value shared; ///< 1024-aligned
  bool innerLast;     ///< k runs along the lines' elements; else along the lines
  int64_t outer;      ///< rows (of A) or columns (of B) of the tile
};

class WgmmaStep {
public:
  /// For a warpgroup that has `blocks` times 64 rows from `firstRow` (i64, a multiple of
  /// 64) on, and all columns. With `ones`, kColumns lines of 64 times 1 in shared memory, the
  /// last 4 * `blocks` sums are those of A along k, in each of so many columns.
  WgmmaStep(KernelBuilder &k, mlir::Type element, const WgmmaOperand &a, const WgmmaOperand &b,
            mlir::Value firstRow, int64_t blocks, mlir::Value ones = {});
  static constexpr int64_t kColumns = 8; ///< the fewest that are multiplied
  static constexpr int64_t kOnesBytes = kColumns * TensorCore::kLineBytes;

  /// Adds the products of the stages `offsets` bytes (i64) further on to the sums, and
  /// commits. Where `adds` (i1) is given and false, they replace the sums.
  void multiply(llvm::MutableArrayRef<mlir::Value> sums, llvm::ArrayRef<mlir::Value> offsets,
                mlir::Value adds = {});
  /// Waits for all; from here on the sums are what they shall be.
  void finish(llvm::MutableArrayRef<mlir::Value> sums);

private:
  /// Of a block, its part of `sums`, and that of the sums along k.
  llvm::MutableArrayRef<mlir::Value> partOf(llvm::MutableArrayRef<mlir::Value> sums,
                                            int64_t block) const;
  llvm::MutableArrayRef<mlir::Value> alongPartOf(llvm::MutableArrayRef<mlir::Value> sums,
                                                 int64_t block) const;

  TensorCore core;
  WgmmaOperand a, b;
  int64_t blocks, blockBytes;
  mlir::Value left, right; ///< descriptors of the first stage
  mlir::Value ones;        ///< a descriptor, or null
};

} // namespace mom
