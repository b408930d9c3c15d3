// Which ops of a function share a kernel.
#pragma once

#include "dialect/Mom.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mom {

/// The ops of each kernel of `func`, kernels in an order that respects their dependences;
/// one op each unless they shall `fuse`. A repetition stays alone.
llvm::SmallVector<llvm::SmallVector<mlir::Operation *>> clusterOps(mlir::func::FuncOp func,
                                                                   bool fuse);

} // namespace mom
