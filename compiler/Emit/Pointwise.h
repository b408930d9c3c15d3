// Evaluates the pointwise part of a kernel's body at one place.
//
// The body is a graph of whole tensors. `value(v)` gives the lanes of `v` at
// `at`, emitting what it depends on once: loads of what lies in memory, clones
// of pointwise ops on vectors or scalars, broadcasts, gathers. An emitter binds
// what its anchor computed (a product's sum, a scan's y) and asks for what the
// kernel yields.
#pragma once

#include "compiler/Emit/Emitter.h"

namespace mom {

class PointwiseEmitter {
public:
  PointwiseEmitter(KernelBuilder &k, At at) : k(k), at(at) {}

  /// Says what a body value is at this place.
  void bind(mlir::Value bodyValue, mlir::Value emitted) { known[bodyValue] = emitted; }
  /// The same for rows of one channel, whatever the lanes: a scalar.
  void bindScalar(mlir::Value bodyValue, mlir::Value emitted) { scalars[bodyValue] = emitted; }
  /// Scalars that another emitter of the same row computed are known here too.
  void shareScalars(const PointwiseEmitter &other);

  /// Lanes of a body value here. The body must pass `checkPointwise`.
  mlir::Value value(mlir::Value bodyValue);
  /// The one channel of this row of a body value [rows, 1] or [1].
  mlir::Value scalar(mlir::Value bodyValue);

private:
  mlir::Value compute(mlir::Value bodyValue);
  mlir::Value broadcast(BroadcastOp op);
  mlir::Value labels(mlir::Value label); ///< i1 lanes: column = label
  mlir::Value atRow(mlir::Value bodyValue, mlir::Value row);
  mlir::Value overTokens(mlir::Value x, const Segment &segment); ///< x / its length

  KernelBuilder &k;
  At at;
  llvm::DenseMap<mlir::Value, mlir::Value> known, scalars;
};

/// Whether `value` can be evaluated at one place: it, and all it depends on up
/// to `leaves`, is pointwise, lies in memory, or is a broadcast, mom.present,
/// mom.equals, mom.one_hot, mom.embedding, mom.next, mom.modality, mom.reorder, mom.spread,
/// mom.collect or mom.cross_entropy_grad of such. Reports the op that is not.
mlir::LogicalResult checkPointwise(KernelBuilder &k, mlir::Value value,
                                   llvm::ArrayRef<mlir::Value> leaves = {});

} // namespace mom
