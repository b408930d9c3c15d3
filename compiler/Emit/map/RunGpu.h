// Elements that are all treated alike, on a GPU: neighbouring threads take
// neighbouring vectors of 16 bytes, and a thread has several of them under way.
#pragma once

#include "compiler/Emit/Pointwise.h"

namespace mom {

struct Run {
  llvm::SmallVector<unsigned> outputs; ///< results of the kernel, all of one shape
  int64_t lanes = 1;                   ///< divides every bound of the run
  int64_t channels = 0;                ///< of a row, where places need row and channel; 0: flat
  const PointwiseEmitter *shared = nullptr; ///< scalars that all elements share
};

/// The flat elements [first, end) of the outputs, by one block; `most` bounds their
/// number. Where `exact`, the run has that many.
void emitRun(KernelBuilder &k, const Run &run, mlir::Value first, mlir::Value end, int64_t most,
             bool exact);

/// The lanes of vectors of a run whose bounds are multiples of `elements`.
int64_t lanesOfRun(KernelBuilder &k, int64_t elements);

/// A tensor that is walked as one run is aligned as a whole, whatever its rows are.
View flatView(const View &view, int64_t elements);

} // namespace mom
