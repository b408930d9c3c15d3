// How large the batches are that a program is compiled for.
#pragma once

#include "mlir/IR/BuiltinOps.h"

#include <optional>

namespace mom {

/// Tokens of a batch of the module's train block; nothing where it has none.
std::optional<int64_t> trainedRows(mlir::ModuleOp module);
/// Streams of such a batch.
std::optional<int64_t> trainedStreams(mlir::ModuleOp module);

} // namespace mom
