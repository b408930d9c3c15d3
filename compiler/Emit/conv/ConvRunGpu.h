// How threads of a GPU share a convolution's tokens and channels, and how one of
// them walks its run of tokens.
//
// A thread owns `lanes` channels, 16 bytes or fewer, of a run of positions. Rows of
// `ahead` tokens, a *chunk*, are copied to the thread's own part of a ring in shared
// memory, `stages` - 1 chunks before they are used: registers would not hold what
// must be under way. Nobody else reads them, so there are no barriers. The row index of a
// chunk is loaded one chunk before its rows. Chunks begin at multiples of `ahead` and hold
// a token at least, so index loads stay in the index's allocation.
#pragma once

#include "compiler/Emit/Gpu.h"
#include "compiler/Emit/Pointwise.h"

namespace mom {

/// The part of a row that a thread owns, once a phase has begun.
class ConvTile {
public:
  /// Knob `lanes`, or fewer so that they divide the channels and all views' alignments.
  /// With `oneRun` a block has channels only.
  ConvTile(KernelBuilder &k, int64_t channels, llvm::ArrayRef<View> views, bool oneRun = false);

  int64_t lanes;  ///< channels of a thread
  int64_t across; ///< threads side by side along the channels
  int64_t runs;   ///< runs of tokens of a block
  int64_t tiles;  ///< blocks side by side along the channels

  mlir::Value first;   ///< channel of lane 0
  mlir::Value active;  ///< i1: the thread has channels; null: all have. Others repeat the last
  mlir::Value part;    ///< this block's number along the tokens
  mlir::Value run;     ///< this thread's run in the block

  At at(mlir::Value row) const { return At{row, first, lanes, mlir::Value()}; }
  /// These channels of slot `slot` of a state [streams, slots * channels].
  At at(KernelBuilder &k, mlir::Value row, mlir::Value slot) const;
  void ifActive(KernelBuilder &k, llvm::function_ref<void()> body) const;

private:
  int64_t channels;
};

/// Columns W - 1, W - 2, ... of weights [channels, W]: one vector each, of `lanes` channels
/// from `first` on.
llvm::SmallVector<mlir::Value> loadTaps(KernelBuilder &k, mlir::Value first, int64_t lanes,
                                        mlir::Value weights);

/// The tensors that a run loads: `x` first, and what else `values` are computed from.
llvm::SmallVector<mlir::Value> tensorsOfRun(KernelBuilder &k, mlir::Value x,
                                            mlir::ValueRange values);
llvm::SmallVector<View> viewsOf(KernelBuilder &k, llvm::ArrayRef<mlir::Value> tensors);

/// Calls `body` for each segment, in order, whose initial (or final) state is stream
/// row `row`. All threads of a warp call it together.
llvm::SmallVector<mlir::Value>
forSegmentsOf(KernelBuilder &k, mlir::Value batch, bool final, mlir::Value row,
              mlir::ValueRange init,
              llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::Value segment,
                                                                mlir::ValueRange)>
                  body);

/// The walk along a run of positions, up or down. Positions are i32.
class ConvRun {
public:
  using Values = llvm::SmallVector<mlir::Value>;
  /// What says how much shared memory a run takes.
  static constexpr llvm::StringLiteral kSharedKnobs = "'stages', 'ahead', 'lanes' and 'threads'";
  struct Token {
    mlir::Value position; ///< i32
    mlir::Value row;      ///< i64; of any token where `valid` is false
    mlir::Value valid;    ///< i1: the position holds a token
    Values values;        ///< f32 lanes, one of each tensor
    Values after;         ///< of tensor 0 at the `reach` tokens that come next on the walk
    bool whole;           ///< known: these are of the token's segment
  };
  /// The first token of a segment is next: what is carried from there on.
  using Enter = llvm::function_ref<Values(Segment, mlir::ValueRange)>;
  using Step = llvm::function_ref<Values(const Token &, mlir::ValueRange)>;
  /// After chunk i (i64) of the run.
  using Chunk = llvm::function_ref<Values(mlir::Value, mlir::ValueRange)>;

  /// The run of positions [lo, hi) (i64, lo < the number of tokens and a multiple of
  /// `ahead`). Starts the copies of its first chunks.
  ConvRun(KernelBuilder &k, mlir::Value batch, RowsAttr rows, const ConvTile &tile,
          llvm::ArrayRef<mlir::Value> tensors, bool down, mlir::Value lo, mlir::Value hi,
          int64_t reach = 0);

  /// The row (i64) of the token `count` before the first on this walk, or after it where
  /// that is negative; of any token where there is none.
  mlir::Value rowBefore(int64_t count);
  /// Looks up the first token's segment.
  void locate();
  mlir::Value first; ///< i32: the first position
  Segment segment;   ///< of the first token, once located
  mlir::Value index; ///< i32: the first token's in its segment, as the walk counts; negative
                     ///< where no token is there yet

  /// Tells what the tensors are at a token.
  void bind(PointwiseEmitter &emitter, const Token &token) const;

  Values walk(mlir::ValueRange init, Enter enter, Step step, Chunk chunk = nullptr);

  /// The first and the last position of a segment on this walk (i32).
  mlir::Value origin(const Segment &segment);
  mlir::Value last(const Segment &segment);
  /// Whether the token `count` after the one at a position comes no later than the last (i1).
  mlir::Value reaches(mlir::Value position, int64_t count, mlir::Value last);

private:
  Values chunkRows(mlir::Value chunk);
  void copyChunk(mlir::Value chunk, mlir::ValueRange rows);
  mlir::Value placeOf(mlir::Value chunk, int64_t token, size_t tensor);
  mlir::Value valueAt(mlir::Value chunk, int64_t token, size_t tensor);
  mlir::Value chunkStart(mlir::Value chunk);
  mlir::Value position(mlir::Value start, int64_t token);
  mlir::Value rowOf(mlir::Value position); ///< i32, as all rows here
  int64_t bytesOf(const View &view) const; ///< of the thread's lanes
  mlir::Value loadPacked(const View &view, mlir::Value address);
  mlir::Value unpack(mlir::Value packed, mlir::Type element);
  Values cross(const Token &token, mlir::ValueRange now, Enter enter);
  Values steps(mlir::Value chunk, mlir::ValueRange rows, mlir::ValueRange now, Enter enter,
               Step step);
  /// The position at which the next segment begins.
  mlir::Value border(const Segment &segment);

  KernelBuilder &k;
  Gpu gpu;
  mlir::Value batch;
  RowsAttr rows;
  const ConvTile &tile;
  Values tensors;
  llvm::SmallVector<View> views;
  bool down;
  int64_t ahead, reach;
  int64_t more;                         ///< chunks that a token's reach goes beyond its own
  int64_t slots;                        ///< chunks in shared memory
  llvm::SmallVector<mlir::Value> rings; ///< of each tensor: [slots][ahead][threads][lanes]
  mlir::Value lo, end, tokens, chunks; ///< i32; `end` is that of the last chunk
  Values firstRows, nextRows;          ///< of the chunks 0 and `slots` - 1
  mlir::Value segmentIndex;            ///< i32: of the first token
};

} // namespace mom
