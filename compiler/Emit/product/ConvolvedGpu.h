// Lines of a product's A that a convolution makes, and pointwise work after it, as they are
// multiplied: a step's inputs are copied to shared memory, and made there into a stage.
//
// A tile's lines are rows of one group in the order of their tokens, so the W - 1 tokens before
// a line's are the lines before it, but at a *break*: the tile's first line, and each whose
// token's predecessor lies elsewhere or is none. So what is copied of a step are the tile's
// lines and, for each break, those of the W - 1 tokens before it, zeros where a segment has
// none. Breaks that are too many for the room there is are read from memory where they are used.
#pragma once

#include "compiler/Emit/product/TileGpu.h"

namespace mom {

class ConvolvedRows {
public:
  ConvolvedRows(KernelBuilder &k, const TileShape &shape, const TileOperand &operand,
                mlir::Type element);

  /// Bytes of a step's inputs; 0 where nothing makes the lines.
  static int64_t bytes(const TileOperand &operand);
  /// Looks up the tile's breaks; all threads, which meet.
  void prepare();
  /// Copies this thread's part of the inputs of a step; the copies belong to the next commit.
  void load(mlir::Value step, mlir::Value inputs) const;
  /// Makes this thread's part of a step's lines, a panel (TensorCore.h), of its inputs, and
  /// stores it in memory.
  void make(mlir::Value step, mlir::Value inputs, mlir::Value lines) const;

private:
  using Values = llvm::SmallVector<mlir::Value>;
  struct Breaks {
    mlir::Value number, line, all;
  };
  Values rowsBefore(mlir::Value row) const;
  Breaks count(mlir::Value isBreak) const;
  void storeWord(mlir::Value value, const View &to, mlir::Value at) const;
  mlir::Value loadWord(const View &from, mlir::Value at) const;
  mlir::Value place(mlir::Value shared, mlir::Value line) const;
  mlir::Value channelOf(mlir::Value step) const;
  mlir::Value loadInput(mlir::Value row, mlir::Value channel) const;
  mlir::Value copiedInput(mlir::Value at, mlir::Value inputs) const;
  Values inputsBefore(mlir::Value at, mlir::Value entry, mlir::Value inputs,
                      mlir::Value channel) const;
  void storeLine(mlir::Value at, mlir::Value channel, mlir::Value y, mlir::Value lines) const;
  View words(int64_t count) const;

  KernelBuilder &k;
  const TileOperand &operand;
  mlir::Type element;
  mutable Conv1dOp conv; ///< whose accessors are not const
  RowsAttr rows;
  int64_t before; ///< tokens before a line's that it is made of
  int64_t linesOfPass;
  mlir::Value line, chunk; ///< of this thread, in the first pass of copies
  View source;             ///< rows (i32) of what is copied, line by line; -1: zeros
  View breaks;             ///< of each line 256 times its break, and its distance from that
  View ballots;            ///< of each warp, which of its lines are breaks
  mlir::Value copied;      ///< lines that are
};

} // namespace mom
