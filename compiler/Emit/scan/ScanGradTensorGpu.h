// A run of the scan's gradient on tensor cores: see ScanGradGpu.h and ScanTensorGpu.h.
//
// The walk along leaves all states in shared memory as bf16, so that the way back need
// not walk to them again. It goes by eight tokens: with g[t] = C[t] dy[t] + G,
//
//     products of states    p = (exp(delta A) g) h[t - 1] is one of bf16, for two states
//                           an instruction, and so are A p and delta p
//     sums                  of two tokens are one product: over states those of g and B,
//                           and of A p and 1; over channels those of g and delta u, and
//                           of h and dy. The right operand is 0 in the columns of other
//                           tokens, so all eight add up in the same registers. dA adds the
//                           delta p of four tokens, two added up before, times the identity.
//
// What is staged is staged as products want it: u, dy, B and C as bf16, channels in the
// order of a product's rows, and delta as f32 and as pairs of bf16.
#pragma once

#include "compiler/Emit/scan/KeptStatesGpu.h"

namespace mom {

class ScanGradTensor {
public:
  /// Walks along `turn` groups without a branch. Sums over states times C are left in `y`,
  /// if given.
  ScanGradTensor(const ScanTile &tile, int64_t turn, const View &y, std::optional<int64_t> kindOfB,
                 std::optional<int64_t> kindOfC)
      : kept(tile, kindOfB.has_value() + kindOfC.has_value()), tile(tile), k(tile.k), turn(turn),
        y(y), kindOfB(kindOfB), kindOfC(kindOfC) {}

  const KeptStates kept;

  /// From the states before the staged run through so many groups.
  void walkAlong(mlir::Value groups, mlir::ValueRange states) const;
  /// G and dA before those groups from those after them.
  Values walkBack(mlir::Value groups, mlir::ValueRange carried) const;

private:
  struct Along;
  struct Back;
  const ScanTile &tile;
  KernelBuilder &k;
  const int64_t turn;
  const View y;
  const std::optional<int64_t> kindOfB, kindOfC;
};

} // namespace mom
