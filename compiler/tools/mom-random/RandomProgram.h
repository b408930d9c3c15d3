// Random legal programs and batches, from a seed.
//
// A program is one function of the dialect, marked as an exported layer, so that
// differentiation gives it a joint function. Each statement reads values that are
// there and adds its results; what is nobody's operand or is picked at random is
// returned. Sizes are awkward on purpose: 0, 1, odd, not a multiple of any tile.
#pragma once

#include "compiler/Pipeline.h"
#include "compiler/tools/mom-compare/Inputs.h"

#include "mlir/IR/OwningOpRef.h"

namespace mom::random {

struct RandomCase {
  mlir::OwningOpRef<mlir::ModuleOp> module; ///< the function is `@f`
  compare::BatchOptions batch;
  PipelineOptions how;      ///< order and fusion are random; the rest is the caller's
  int64_t scanCheckpoint;   ///< tokens between two saved states
};

struct RandomOptions {
  PipelineOptions how;
  int64_t statements = 12; ///< at most
  int64_t tokens = 140;    ///< at most, in a batch
};

/// The same case for the same seed and options, everywhere.
RandomCase makeCase(mlir::MLIRContext &context, uint64_t seed, const RandomOptions &options);

/// The batch of a case, with `groups` modalities.
compare::BatchOptions makeBatch(int64_t groups, const RandomOptions &options,
                                std::mt19937_64 &random);

} // namespace mom::random
