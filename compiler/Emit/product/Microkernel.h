// The innermost product: a few rows by a few vectors of sums in registers.
#pragma once

#include "compiler/Emit/Emitter.h"

namespace mom {

/// Sizes of a product kernel, from its knobs.
struct ProductTile {
  int64_t lanes;         ///< f32 of a vector
  int64_t registerRows;  ///< MR: rows of sums in registers
  int64_t vectors;       ///< vectors of a row of sums
  int64_t rows;          ///< rows of a block, a multiple of MR
  int64_t columns;       ///< columns of a block, a multiple of the panel
  int64_t inner;         ///< KC: inner elements of a panel

  int64_t panel() const { return lanes * vectors; } ///< NR
};

/// Rows left over after the runs of MR are taken this many at a time.
inline constexpr int64_t kTailRows = 4;

/// Operands in scratch memory, packed: element (row, k) of A lies at
/// row * aRow + k * aInner from `a`, row k of the panel of B at k * NR from `b`, the sums
/// of a row at row * cRow from `c`.
struct PackedPanel {
  mlir::Value a, b, c; ///< !llvm.ptr
  int64_t aRow, aInner, cRow;
  mlir::Value inner;   ///< how many k
  bool accumulate;     ///< add to what `c` holds
};

/// C[0..rows, 0..NR] (+)= A[0..rows, :] * B.
void emitMicrokernel(KernelBuilder &k, const ProductTile &tile, int64_t rows, const PackedPanel &p);

/// Transposes `lanes` vectors of `lanes` elements in registers.
llvm::SmallVector<mlir::Value> transpose(KernelBuilder &k, llvm::ArrayRef<mlir::Value> rows);

/// The knobs as sizes, no larger than a product of `rows` by `columns` needs;
/// `rows` 0 where they are not known.
ProductTile productTile(KernelBuilder &k, int64_t rows, int64_t columns);

} // namespace mom
