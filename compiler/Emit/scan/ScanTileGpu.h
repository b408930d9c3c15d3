// What the scan and its gradient share on a GPU.
//
// A block owns channels side by side of one segment and walks its tokens in *runs*.
// Its threads divide a run in two ways:
//
//     staging, finishing    vectors of `width` channels of a token are dealt to the threads
//                           in turn: coalesced, and pointwise work happens once an element
//     walking               `lanes` neighbouring threads have `own` channels together,
//                           each with `held` states of them in registers; or, on tensor
//                           cores (ScanTensorGpu.h), quads of `lanes` / 4 warps have them
//
// Between the two is shared memory, with B and C of the run beside it, and a barrier
// each way. What a run reads from memory is loaded into registers while the run
// before it is walked, and its rows are looked up one run earlier still.
//
// Tokens past the piece's end and channels past the last have delta = 0, dy = 0 and
// else what lies where they would be: they change no state and add nothing to any sum.
// So the walk has no conditions, and goes by in *groups* of tokens without a branch.
//
// With `exact` the decay is used as exp(delta A) - 1, as on a CPU; otherwise as
// exp2(delta A') with A' = A log2(e), one instruction, which loses the seventh digit
// of decays close to 1.
#pragma once

#include "compiler/Emit/Gpu.h"
#include "compiler/Emit/Pointwise.h"
#include "compiler/Emit/Sequence.h"
#include "compiler/Schedule/ScanDefaults.h"

#include <functional>

namespace mom {

using Values = llvm::SmallVector<mlir::Value>;

static constexpr int64_t kTensorTokens = 8; ///< of a group on tensor cores

/// Operands of a scan or its gradient, as body values.
struct ScanOperands {
  template <typename Op>
  explicit ScanOperands(Op op)
      : u(op.getU()), delta(op.getDelta()), A(op.getA()), B(op.getB()), C(op.getC()),
        batch(op.getBatch()), init(op.getInit()), reverse(op.getReverse()) {}
  mlir::Value u, delta, A, B, C, batch, init;
  bool reverse;
  /// Whether a token takes states to exp(delta A) (h + u B), not to exp(delta A) h + delta u B.
  bool decaysInput = false;
};

/// The sizes that knobs and types decide.
struct ScanShape {
  ScanShape(KernelBuilder &k, const ScanOperands &op, int64_t tokens, int64_t group);

  int64_t channels, states; ///< of the tensors
  int64_t threads, lanes, own, held;
  int64_t tokens; ///< of a run
  int64_t group;  ///< tokens of a run that are walked without a branch
  bool exact;
  int64_t polynomials; ///< of 16 exponentials of a walk forward, unless exact
  bool tensor;    ///< sums over states and channels are tensor cores' work

  int64_t slots() const { return lanes * held; } ///< states with padding
  /// Of a row of states, one access of f32.
  int64_t vectorOfStates() const { return std::gcd<int64_t>(states, 4); }
  int64_t values() const { return own * held; } ///< states of a thread
  int64_t rounded() const { return llvm::alignTo(tokens, group); }
  /// Tokens whose sums over lanes are formed together.
  int64_t sumGroup() const { return std::min(group, std::max<int64_t>(lanes / own, 1)); }
  int64_t blockChannels() const { return threads / lanes * own; }
  int64_t blocks() const { return ChannelBlock::count(channels, blockChannels()); }
  int64_t warps() const { return threads / Gpu::kWarp; }
  /// Warps that have a part of the states of the same channels each: sums over states
  /// are sums of so many.
  int64_t shares() const { return tensor ? lanes / kQuad : 1; }
  int64_t channelWarps() const { return warps() / shares(); }
  /// Of a tile [tokens, columns] of f32.
  int64_t strideOf(int64_t columns) const { return tensor ? scanStride(columns) : columns; }
  /// The same shape with groups of so many tokens, on tensor cores where they can.
  ScanShape withGroup(int64_t tokens) const;
  static constexpr int64_t kQuad = 4; ///< neighbours that have a row of a tensor core's sums
  static constexpr int64_t kWarpChannels = 16; ///< of a warp on tensor cores, two a lane
  /// Refuses knobs that do not fit each other.
  mlir::LogicalResult check(KernelBuilder &k, const ScanOperands &op) const;
};

/// Vectors of a tile [tokens, columns], dealt to a block's threads in turn.
struct Deal {
  int64_t threads, tokens, columns, width;

  int64_t perRow() const { return columns / width; }
  int64_t rounds() const { return llvm::divideCeil(tokens * perRow(), threads); }
  /// Whether each thread gets a vector in each round.
  bool even() const { return tokens * perRow() % threads == 0; }
  struct Place {
    mlir::Value token, column;
  };
  Place at(KernelBuilder &k, mlir::Value round) const;
};

/// Sums over lanes of several values at once: each lane ends with the sums of its share.
struct ScatteredSums {
  /// Over lanes that differ in the bits from `low` up to, not including, `high`.
  ScatteredSums(KernelBuilder &k, Values parts, int64_t high, int64_t low);
  Values values;     ///< of this lane
  mlir::Value first; ///< which of the parts the first of them is
};

class ScanTile {
public:
  /// Reserves shared memory and loads A; call where the block begins. `staged` are body
  /// values like u that are staged beside u and delta; `after` is what pointwise work
  /// after the anchor yields, which has the results of the anchor, `results`, as leaves.
  ScanTile(KernelBuilder &k, const ScanOperands &op, const ScanShape &shape,
           mlir::Value channelBlock, mlir::ValueRange staged, mlir::ValueRange after,
           mlir::ValueRange results, bool needsC);

  KernelBuilder &k;
  mutable Gpu gpu;
  const ScanOperands op;
  const ScanShape shape;
  const mlir::Value number; ///< of the block among those of the channels
  const mlir::Value first;  ///< channel of the block
  const mlir::Value lane;   ///< of this thread among those of its channels
  const mlir::Value mine;   ///< first channel of this thread, counted in the block
  Values A;                 ///< [own * held], unless exact times log2(e)

  // Memory of a segment's states: [streams, channels * states].
  Values loadStates(const View &matrix, mlir::Value row) const; ///< [own * held]
  void storeStates(mlir::ValueRange states, const View &matrix, mlir::Value row) const;
  /// These states, or 0 where the row is absent (-1) or there is no matrix.
  Values loadStatesIf(const View &matrix, mlir::Value row) const;

  // A run: its tokens [i, i + count) of a walk.
  /// Rows (i32) of what this thread stages, and what lies there, as raw bits. Both are
  /// empty where a run is too large for registers.
  Values rows(const SegmentWalk &walk, mlir::Value i) const;
  Values fetch(mlir::ValueRange rows) const;
  /// Brings what lies there, for later work too, to the second-level cache.
  void prefetch(mlir::ValueRange rows) const;
  /// What only work after the anchor needs and was not fetched with the rest.
  Values fetchLate(mlir::ValueRange rows) const;
  /// A run as it is staged and finished.
  struct Run {
    mlir::Value i, count;
    mlir::ValueRange rows, fetched;
  };
  using Stores = std::vector<std::function<void()>>;
  /// `waiting`, if given, takes the stores; for runs that are fetched ahead.
  void stage(const SegmentWalk &walk, const Run &run, Stores *waiting = nullptr) const;
  /// The same without what only later work needs, and without anything fetched.
  void stageStates(const SegmentWalk &walk, mlir::Value i, mlir::Value count) const;
  /// Pointwise work after the anchor: `bind` gives the anchor's results at a place of
  /// the run (token and column of the block) from u and delta there.
  /// u is null where delta u is staged in its place.
  using Bound = std::pair<mlir::Value, mlir::Value>;
  using Bind = llvm::function_ref<llvm::SmallVector<Bound>(At, mlir::Value, mlir::Value)>;
  /// `next`, if given, is staged.
  void finish(const SegmentWalk &walk, const Run &run, mlir::ValueRange fetchedLate,
              llvm::ArrayRef<unsigned> outputs, llvm::ArrayRef<RowSum> sums, Bind bind,
              const Run *next = nullptr) const;
  /// A tile [slots, channels of the block], cleared, that `finish` adds sums over rows to:
  /// each thread has places of its own. And the sums over its slots: row `part` of a
  /// workspace [parts, channels].
  View rowSumTile() const;
  void storeRowSum(const View &tile, const View &parts, mlir::Value part) const;
  /// Row of a token of the walk that may lie past its end.
  mlir::Value rowOf(const SegmentWalk &walk, mlir::Value i) const;

  // Walking.
  /// A token's part of the tiles, as this thread sees it.
  struct Token {
    Values delta, u, input; ///< [own]; input: delta u, or u; no u where products are staged
    Values B, C;            ///< [held]
  };
  /// Token `t` of the group that begins at token `start` of the run.
  Token token(mlir::Value start, int64_t t, bool withC) const;
  /// [own] of such a tile, at a token likewise.
  Values ownChannels(const View &tile, mlir::Value start, int64_t t) const;
  /// delta likewise; with it, where a tile is narrow, its pairs (of f32 type): [2 * own].
  Values ownDelta(mlir::Value start, int64_t t, bool withPairs = false) const;
  mlir::Value decay(mlir::Value delta, mlir::Value a, bool isPolynomial = false) const;
  /// exp(delta A) h, from the decay
  mlir::Value decayed(mlir::Value h, mlir::Value decay) const;
  /// h after a token.
  mlir::Value next(mlir::Value h, mlir::Value decay, mlir::Value input, mlir::Value B) const;
  /// States after a group of tokens.
  Values advance(mlir::ValueRange states, mlir::Value start) const;
  /// Whether a walk forward has a polynomial for the decay of value `n` at token `t`.
  bool isPolynomial(int64_t t, int64_t n) const {
    return (t * shape.values() + n) * shape.polynomials % 16 < shape.polynomials;
  }
  /// Sums of `parts` [tokens * own] over the lanes of a channel, to be stored to a tile.
  ScatteredSums laneSums(Values parts) const {
    return ScatteredSums(k, std::move(parts), shape.lanes, 1);
  }
  void storeLaneSums(const ScatteredSums &sums, const View &tile, mlir::Value start) const;

  /// A tile [rounded tokens, channels of the block] for what the walk leaves.
  View sumTile() const;
  /// Of such a tile, summed over the shares of states.
  mlir::Value loadSum(const View &tile, At at) const;
  View dyTile() const { return more.empty() ? View() : more.front(); }
  /// [rounded tokens, 2 * channels]: delta and u side by side, or delta and delta u where
  /// the walk needs no more of u.
  View pairs;
  /// [rounded tokens, channels] instead, on tensor cores with two channels. Where they are
  /// narrow, delta has a pair of itself as bf16 too, for each channel: see ownDelta.
  View delta, u;
  bool hasProducts() const { return products; } ///< whether they have delta u for u
  View B, C;  ///< [rounded tokens, slots]
  /// Whether u, B, C and what else is staged lie there as bf16: a gradient's on tensor cores,
  /// whose uses of them all are products of bf16. How they do: ScanLayoutGpu.cpp.
  bool isNarrow() const { return shape.tensor && shape.own == 2 && !staged.empty(); }

  /// What a token's u and delta add to states, but for B.
  mlir::Value input(mlir::Value delta, mlir::Value u) const;
  mlir::Value mul(mlir::Value x, mlir::Value y) const;
  mlir::Value add(mlir::Value x, mlir::Value y) const;
  mlir::Value sub(mlir::Value x, mlir::Value y) const;
  /// `lanes` values of shared memory as scalars, and back.
  Values loadScalars(const View &view, At at) const;
  void storeScalars(mlir::ValueRange values, const View &view, At at) const;
  /// A view of f32 in shared memory moved to a place; vectors there are aligned to
  /// `lanes` values.
  View moved(const View &tile, mlir::Value token, mlir::Value column, int64_t lanes) const;

private:
  /// A tensor of u's rows and channels that pointwise work reads.
  struct Leaf {
    mlir::Value value; ///< as it is stored
    View view;
    bool before, after;
  };
  void findLeaves(mlir::ValueRange after, mlir::ValueRange results);
  void chooseWidths(mlir::ValueRange after);
  void loadVectors(mlir::ValueRange after);
  void bindVectors(PointwiseEmitter &pointwise, const Deal::Place &place) const;
  void clearPadding() const;
  /// Lanes of x and y in turn.
  mlir::Value interleaved(mlir::Value x, mlir::Value y, int64_t lanes) const;
  /// Vectors of channels of u's tile or of what is staged beside it; of bf16 or f32 to a
  /// narrow one.
  void storeChannels(mlir::Value value, const View &tile, At at) const;
  mlir::Value loadChannels(const View &tile, At at) const;
  void storeDelta(mlir::Value delta, At at) const;
  mlir::Value loadDelta(At at) const;
  void storeInputs(mlir::Value delta, mlir::Value u, At at) const;
  std::pair<mlir::Value, mlir::Value> loadInputs(At at) const; ///< delta and u
  /// As `load` gives them, at places [channels * states] that are this thread's.
  Values statesOf(llvm::function_ref<mlir::Value(At)> load) const;
  Values scalarsOf(mlir::Value vector, int64_t lanes) const;
  mlir::Type rawType(mlir::Type element, int64_t lanes) const;
  mlir::Value loadRaw(const View &view, At at) const;
  mlir::Value unpacked(mlir::Value raw, mlir::Type element, int64_t lanes) const;
  void overRounds(const Deal &deal, llvm::function_ref<void(mlir::Value, int64_t)> body) const;
  At placeOf(const Deal::Place &place, mlir::Value row) const;
  mlir::Value isThere(const Deal::Place &place, mlir::Value count) const;
  void stageChannels(const SegmentWalk &walk, mlir::Value i, mlir::Value count,
                     mlir::ValueRange rows, mlir::ValueRange fetched, bool all,
                     Stores *waiting) const;
  void stageMatrices(const SegmentWalk &walk, mlir::Value i, mlir::ValueRange rows,
                     mlir::ValueRange fetched, bool all, Stores *waiting) const;
  using Visit = llvm::function_ref<void(const View &, At)>;
  void overChannels(mlir::ValueRange rows, llvm::ArrayRef<Leaf> some, Visit visit) const;
  void overMatrices(mlir::ValueRange rows, Visit visit) const;
  mlir::Value rawOf(mlir::Value value, mlir::Type element, mlir::ValueRange fetched,
                    int64_t round) const;
  void storeRaw(mlir::Value raw, const View &view, At at) const;
  void bindAs(PointwiseEmitter &pointwise, mlir::Value value, mlir::Value emitted) const;
  void bindLeaves(PointwiseEmitter &pointwise, llvm::ArrayRef<Leaf> some, bool Leaf::*which,
                  mlir::ValueRange fetched, int64_t round) const;

  llvm::SmallVector<Leaf> leaves, lateLeaves;
  /// A vector of channels that pointwise work reads at every token: in registers of the
  /// threads that work at its channels, or in shared memory [1, channels of the block].
  struct ChannelVector {
    mlir::Value value, held;
    View tile;
  };
  llvm::SmallVector<ChannelVector> vectors;
  Values staged;                ///< body values beside u and delta
  llvm::SmallVector<View> more; ///< [rounded tokens, channels] of each
  Deal channelDeal, matrixDeal;
  bool ahead = false;    ///< whether a run is fetched before it is staged
  bool products = false; ///< see hasProducts
  bool needsC;
};

mlir::LogicalResult emitScanForwardGpu(ScanOp op, KernelBuilder &k);
mlir::LogicalResult emitScanGradGpu(ScanGradOp op, KernelBuilder &k);

} // namespace mom
