// The walk of a scan on tensor cores, eight tokens at a time.
//
// A warp has 8 * own channels and 4 * held states of each. Products of tensor cores are
// tiles of 16 rows by 8 columns whose sums lie in registers so that lane 4 g + q has rows
// g and g + 8, columns 2 q and 2 q + 1. All that is done with them keeps to that:
//
//     rows        with two channels a lane (`own`), the channels: 2 g at row g and 2 g + 1
//                 at row g + 8, so that a *step* of the walk is one token. With one, a
//                 step is two tokens: channel g is at row g at the first of them, at row
//                 g + 8 at the second. So twice as many warps share the work.
//     columns     the states, in `parts` = held / 2 tiles: state parts * c + j of the
//                 warp's is column c of tile j, so a lane has `held` neighbouring states;
//                 or the tokens of a group, of which a lane has 2 q and 2 q + 1
//
// With that no value changes lanes in the recurrence:
//
//     x[t] (x) M[t]       a product over two parts, of 8 bits each, of the eight tokens'
//                         x, with 0 for M of the others. M has no more bits. In narrow
//                         tiles (a gradient's) x is one part. With one channel a lane, the
//                         lane's own multiplications: they are as few.
//     sums over states    a product of the states, as they lie, and M[n, tokens]; column
//                         t of it is what is wanted. States are cut to 11 bits, or, in
//                         the gradient, rounded to bf16.
//     sums over channels  the states, rounded to bf16, are turned (movmatrix, ldmatrix) and
//                         multiplied by x[channels, tokens].
//
// Values of a step, [2 * held], are those of the rows g, then those of the rows g + 8.
#pragma once

#include "compiler/Emit/TensorCore.h"
#include "compiler/Emit/scan/ScanTileGpu.h"

#include <functional>

namespace mom {

class ScanTensor {
public:
  /// The eight tokens from `start` of the staged run on.
  ScanTensor(const ScanTile &tile, mlir::Value start);

  const ScanTile &tile;
  KernelBuilder &k;
  const int64_t own, held, parts;
  const int64_t stepTokens, steps; ///< of a step; of the eight tokens
  mutable TensorCore core;
  const mlir::Value quad, group; ///< q and g
  const mlir::Value start;

  /// [2, own] of a tile [tokens, channels]: this lane's tokens and channels.
  Values ownTokens(const View &tile) const;
  /// Writes such values, which are sums over the warp's part of the states.
  void storeOwnTokens(mlir::ValueRange values, const View &tile) const;

  /// x[tokens, channels] (x) M[tokens, states], of two channels a lane.
  struct Outer {
    Values x;    ///< left operands: [2, own] pairs of parts; or [own] of this lane's tokens
    Values rows; ///< [2, parts] right operands: of this lane's tokens, state g of each tile
  };
  Outer outer(const View &narrow, const View &matrix) const; ///< of narrow tiles
  Outer outerOfInputs() const; ///< delta u (x) B; nothing of one channel a lane
  /// sums [2 * held] + x[t] (x) M[t] of a step; 0 where `sums` is empty.
  Values outerProduct(const Outer &outer, int64_t step, mlir::ValueRange sums = {}) const;

  /// M[t = g, n]: [held].
  Values stateOperand(const View &matrix) const;
  // Of narrow tiles, as pairs of bf16: M[t = g, n], [parts]; x and y [t = g, channels], [2].
  Values narrowStateOperand(const View &matrix) const;
  std::pair<Values, Values> narrowChannelOperands(const View &x, const View &y) const;

  /// Values [held] or [2 * held] as pairs of bf16, which lie in the columns 2 q and
  /// 2 q + 1: [parts] or [2 * parts].
  Values rounded(mlir::ValueRange states) const;

  /// Which of a lane's values [2 * held] sum i of a product's tile j is.
  int64_t place(int64_t i, int64_t j) const { return i / 2 * held + i % 2 * parts + j; }

  /// i1: whether the step's tokens are this lane's.
  mlir::Value isMine(int64_t step) const;
  /// Replaces `kept` by `value` in the lanes whose the step's tokens are.
  void take(mlir::Value &kept, mlir::Value value, int64_t step) const;

private:
  Outer outerOfParts(mlir::ValueRange x, const View &matrix) const;
  /// Where this lane's line of a tile's 8 x 8 matrix is: even channels', odd ones', in turn.
  mlir::Value lineOfChannels(const View &narrow) const;
  /// This lane's part of a matrix for products with x: its tokens, state g of each tile.
  View ofTokensAndStates(const View &matrix) const;
};

/// Work that is put off by some turns of a loop that is being emitted, so that what it
/// waits for is ready by then.
class Later {
public:
  void put(int64_t turns, std::function<void()> work) {
    queue.push_back({now + turns, std::move(work)});
  }
  /// Emits what is due.
  void turn();
  void finish(); ///< emits the rest
  static constexpr int64_t kProduct = 2; ///< turns that a product takes

private:
  struct Item {
    int64_t turn;
    std::function<void()> work;
  };
  llvm::SmallVector<Item> queue;
  int64_t now = 0;
};

/// Sums over a warp's states, cut to 11 bits, times M, of eight tokens' steps in any order.
class StateSums {
public:
  StateSums(const ScanTensor &tensor, const View &matrix)
      : StateSums(tensor, tensor.stateOperand(matrix)) {}
  /// With the operand of such sums, made before.
  StateSums(const ScanTensor &tensor, Values operand)
      : sums(2 * tensor.own), operand(std::move(operand)), tensor(tensor) {}
  void add(mlir::ValueRange states, int64_t step, Later &later); ///< [2 * held]
  Values sums;          ///< [2, own] of this lane's tokens and channels
  const Values operand; ///< [held]

private:
  void take(mlir::ValueRange product, int64_t step);
  const ScanTensor &tensor;
};

/// delta of a step's rows: [2].
Values deltaOfStep(const ScanTensor &tensor, int64_t step);
/// How states decay in a step of that delta: [2 * held].
Values decaysOfStep(const ScanTensor &tensor, int64_t step, mlir::ValueRange delta);
inline Values decaysOfStep(const ScanTensor &tensor, int64_t step) {
  return decaysOfStep(tensor, step, deltaOfStep(tensor, step));
}
/// delta u (x) B of a step: [2 * held].
Values inputsOfStep(const ScanTensor &tensor, const ScanTensor::Outer &outer, int64_t step);
/// States after the tokens of a step [2 * held] from those before it [own * held].
Values statesAfter(const ScanTensor &tensor, mlir::ValueRange states, mlir::ValueRange decays,
                   mlir::ValueRange inputs);

/// States after a group of the tile's shape.
Values advanceOnTensorCores(const ScanTile &tile, mlir::ValueRange states, mlir::Value start);

/// The walk along. A state waits for one multiplication a token, all else for loads, the
/// special function unit and tensor cores. So what does not need the states is made
/// *ahead*, some steps before its turn, beyond the end of a loop's body too: the assembler
/// moves little over so many instructions, and nothing from one turn of a loop to another.
class WalkAlong {
public:
  /// Leaves the sums of states times C in `sums`, if given.
  WalkAlong(const ScanTile &tile, const View &sums) : tile(tile), sums(sums) {}

  /// Whether what is ahead is worth the registers from one turn of a loop to the next.
  bool isCarried() const { return tile.shape.held <= 2; }
  /// What is ahead of the tokens from `start` on.
  Values begin(mlir::Value start) const;
  /// States after `tokens` from `start` on; `ahead` becomes that of the tokens from `next` on.
  Values walk(mlir::ValueRange states, Values &ahead, mlir::Value start, mlir::Value next,
              int64_t tokens) const;

private:
  struct Eight;
  /// Values of a lane that may be ahead: decays of some steps.
  static constexpr int64_t kDecaysAhead = 16;
  int64_t stepsAhead() const { // at most eight tokens, of which 2 / own are a step
    return std::clamp<int64_t>(kDecaysAhead / (2 * tile.shape.held), 1, 4 * tile.shape.own);
  }

  const ScanTile &tile;
  const View sums;
};

} // namespace mom
