// What GPU products share: a block computes one tile
//
//   C[m, n] = sum over k of A[m, k] * B[n, k],   m < rows, n < columns,
//
// of a forward product (A: rows of x, B: rows of the weights), of a gradient of
// the input (A: rows of dy, B: columns of the weights), or of a gradient of the
// weights (A: columns of dy, B: columns of x). So k runs along the channels of an
// operand or along its rows; that is all that tells the three apart.
//
// There are four ways to multiply (`ProductUnit`), a file each. Three leave the
// tile's sums in shared memory as f32, where pointwise work reads them in the
// vectors it likes (`SumTile`); the fourth has blocks of another kind (TmaGpu.h).
#pragma once

#include "compiler/Emit/Emitter.h"
#include "compiler/Schedule/ProductDefaults.h"

namespace mom {

/// The knobs of a product kernel.
struct TileShape {
  ProductUnit unit;
  int64_t rows, columns, inner; ///< of a tile
  int64_t stages;               ///< steps of `inner` in shared memory
  int64_t threads;
  bool pingpong;   ///< warpgroups take tiles in turn (unit tma)
  int64_t cluster; ///< blocks that share the rows of their tiles (unit tma)
};

/// Lets ptxas give a thread no more registers than so many blocks on a multiprocessor
/// leave it (knob 'blocks'; 1: as many as it likes).
void keepBlocks(KernelBuilder &k);
/// The end of a kernel whose blocks have a tile each.
mlir::LogicalResult finishTiles(KernelBuilder &k, GridAttr grid);

/// Reads the knobs; reports what the unit cannot do.
mlir::FailureOr<TileShape> tileShape(KernelBuilder &k);

/// A or B: *lines* of channels in memory. k runs along the channels, and the lines
/// are m or n, or the other way round.
struct TileOperand {
  mlir::Value source;             ///< body value
  View view;                      ///< where it lies; false where it is computed
  bool innerLast = false;         ///< k runs along the channels
  int64_t channels = 0;           ///< of a line
  int64_t outer = 0;              ///< of the tile: its rows (of A) or columns (of B)
  int64_t lines = 0;              ///< that the block may read from the first on, where known
  mlir::Value firstLine, endLine; ///< the block's lines
  mlir::Value firstChannel;       ///< of the tile, where k runs along the lines; else null
  Conv1dOp conv;                  ///< makes the lines (ConvolvedGpu.h); else null
};

/// What is rounded to give a body value that is multiplied.
mlir::Value madeOf(mlir::Value multiplied);

/// One block's work. `inner` (i64) is at least 1.
struct TileTask {
  TileOperand a, b;
  mlir::Value inner; ///< how many k
};

/// `lanes` channels of a line as f32, from inside the operand; 0 where line or
/// channel lie outside. Lanes divide the channels.
mlir::Value loadOperand(KernelBuilder &k, const TileOperand &operand, mlir::Value line,
                        mlir::Value channel, int64_t lanes);
/// The most lanes, at most `most`, that divide the channels of an operand.
int64_t operandLanes(const TileOperand &operand, int64_t most);

/// The tile's sums in shared memory. A row is kept as two runs, of its even and its
/// odd groups of four columns, padded so that neither the units' stores nor reads
/// of eight columns a thread meet in a bank.
class SumTile {
public:
  SumTile(KernelBuilder &k, mlir::Value shared, const TileShape &shape)
      : k(k), base(shared), rows(shape.rows), columns(shape.columns) {}
  static int64_t bytes(const TileShape &shape) { return shape.rows * (shape.columns + 8) * 4; }

  mlir::Value address(mlir::Value row, mlir::Value column) const;
  /// Stores up to four lanes, inside a group of four columns, so many rows and
  /// columns (a multiple of 8) from an address on.
  void store(mlir::Value value, mlir::Value address, int64_t rows, int64_t columns) const;
  /// 1, 2, 4 or 8 lanes; `column` is a multiple of them.
  mlir::Value load(mlir::Value row, mlir::Value column, int64_t lanes) const;
  /// Zeros everywhere, by all threads.
  void clear(int64_t threads) const;

private:
  KernelBuilder &k;
  mlir::Value base;
  int64_t rows, columns;
};

/// A place in the tile that a thread finishes.
struct TilePlace {
  mlir::Value row, column;                 ///< in the tile
  mlir::Value position;                    ///< `TileFinish::positionOf` the row
  mlir::Value sums;                        ///< of `lanes` columns
  llvm::SmallVector<mlir::Value> fetched;  ///< from memory
};

/// What is done at each place of a tile, in this order; the loads of several places are
/// under way before the first is computed.
struct TileFinish {
  int64_t lanes;             ///< columns of a place
  mlir::Value rows, columns; ///< of the tile that exist (i64); the columns a multiple of `lanes`
  bool anywhere;             ///< `compute` looks at sums and what was fetched, not at the place
  /// Where a row that exists is stored in results by position; null if there are none.
  llvm::function_ref<mlir::Value(mlir::Value)> positionOf;
  llvm::function_ref<llvm::SmallVector<mlir::Value>(const TilePlace &)> fetch;
  llvm::function_ref<llvm::SmallVector<mlir::Value>(const TilePlace &)> compute;
  /// Results from a number on.
  llvm::function_ref<void(const TilePlace &, unsigned, mlir::ValueRange)> store;
};

/// Deals the tile's places to the threads.
void finishTile(KernelBuilder &k, const TileShape &shape, const SumTile &sums,
                const TileFinish &finish);

/// Rows [begin, end) of one group.
struct GroupRows {
  mlir::Value group, begin, end;
};
/// The part `index` of the rows of all groups, each cut into parts of `size` rows;
/// empty past the last. Without a route all rows of `type` are one group.
GroupRows findGroupRows(KernelBuilder &k, mlir::Value route, mlir::Type type, mlir::Value index,
                        mlir::Value size);

/// How many such parts there are.
mlir::Value countParts(KernelBuilder &k, mlir::Value route, mlir::Type type, mlir::Value size);

/// Whether the warps can share the tile out in parts of 16 by 16.
bool canDealToWarps(const TileShape &shape);

/// Bytes of 64 k of an operand in shared memory, as tensor cores read it.
int64_t stageBytes(bool innerLast, int64_t outer);
int64_t stageBytes(const TileOperand &operand);
/// Bytes of shared memory that a tile needs.
int64_t tileBytes(const TileShape &shape, const TileTask &task);
/// The loops of three units: they leave the sums in `sums`, at the same place as
/// `shared`, seen by all threads.
void emitFmaTile(KernelBuilder &k, const TileShape &shape, const TileTask &task, mlir::Value shared,
                 const SumTile &sums);
void emitMmaTile(KernelBuilder &k, const TileShape &shape, const TileTask &task, mlir::Value shared,
                 const SumTile &sums);
void emitWgmmaTile(KernelBuilder &k, const TileShape &shape, const TileTask &task,
                   mlir::Value shared, const SumTile &sums);
void emitTile(KernelBuilder &k, const TileShape &shape, const TileTask &task, mlir::Value shared,
              const SumTile &sums);

} // namespace mom
