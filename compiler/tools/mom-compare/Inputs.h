// Random inputs for a function, by its argument types and attributes.
#pragma once

#include "compiler/tools/mom-compare/Numbers.h"
#include "dialect/reference/Interpreter.h"

#include "llvm/Support/Error.h"


namespace mom::compare {

/// The shape of a random batch. What is left at 0 is chosen.
struct BatchOptions {
  int64_t tokens = 40, streams = 2, segments = 5, documents = 0;
  llvm::SmallVector<unsigned> empty;   ///< modalities without a token
  llvm::SmallVector<int64_t> lengths;  ///< of segments, instead of random ones
  llvm::SmallVector<int32_t> modality; ///< of tokens, instead of random spans
};

/// A batch for `groups` modalities: segments of uneven lengths, of which one
/// has a single token, and modalities in spans. The first segment of a stream
/// starts from the stream's state, the last one ends in it.
llvm::Expected<std::shared_ptr<const reference::Batch>>
randomBatch(const BatchOptions &options, int64_t groups, std::mt19937_64 &random);

/// The modalities that a function's route, or its module, speaks of.
int64_t countGroups(mlir::func::FuncOp func);

/// How many times the usual relative tolerance its results may need: what the
/// attribute `mom.tolerance` says, else 1.
double toleranceFactor(mlir::func::FuncOp func);

/// A value for each argument of `func`. Attributes of the argument choose:
/// - `mom.values`, dense elements: these very values;
/// - `mom.init`: a parameter's initial values, constants a little disturbed;
/// - `mom.positive`, `mom.negative`: numbers of that sign;
/// - else floats are normal, divided by sqrt(in) for weights [.., out, in], and
///   i32 rows are below `mom.limit`, or labels for the op that reads them, of
///   which some are absent.
mlir::FailureOr<llvm::SmallVector<reference::Value>>
randomArguments(mlir::func::FuncOp func, std::shared_ptr<const reference::Batch> batch,
                std::mt19937_64 &random);

/// One of them.
mlir::FailureOr<reference::Value> randomArgument(mlir::func::FuncOp func, unsigned index,
                                                 std::shared_ptr<const reference::Batch> batch,
                                                 std::mt19937_64 &random);

/// How the numbers of an argument of that type are drawn.
Recipe recipeFor(mlir::func::FuncOp func, unsigned index, mlir::RankedTensorType type);

/// Normal numbers in the shape of `value`, for gradients of results.
reference::Value randomLike(const reference::Value &value, std::mt19937_64 &random);

} // namespace mom::compare
