// How large the batches are that a program is compiled for.
#pragma once

#include "mlir/IR/BuiltinOps.h"

#include <optional>

namespace mom {

struct TrainedBatch {
  int64_t streams, length;
};
/// The batch of the module's train block; nothing where it has none.
std::optional<TrainedBatch> trainedBatch(mlir::ModuleOp module);
/// Tokens of a batch of the module's train block; nothing where it has none.
std::optional<int64_t> trainedRows(mlir::ModuleOp module);

} // namespace mom
