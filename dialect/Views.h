// Rows that are read or written in parts.
#pragma once

#include "dialect/Mom.h"

namespace mom {

/// Outside kernels a mom.concat moves nothing: it is a view of rows whose parts were
/// written where they belong, as mom.split is one of rows that are read in parts.
struct Joined {
  ConcatOp whole;     ///< null where the value has memory of its own
  int64_t column = 0; ///< of `whole`, where the value begins
};
Joined joinedIn(mlir::Value value);

/// What `value` is a part of by mom.split, however deep, or itself.
mlir::Value sourceOf(mlir::Value value);

} // namespace mom
