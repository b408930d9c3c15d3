// What the emitting passes of all families share: which kernels are emitted,
// under which names, and what becomes of them.
#pragma once

#include "compiler/Emit/Emitter.h"

#include "mlir/IR/BuiltinOps.h"

namespace mom {

/// Emits every kernel of `module` whose results are read, and erases the others.
/// `emit` is the family's emitter of a kernel, called once its schedule is known to
/// be complete; after a failure nothing of the kernel's code is left.
mlir::LogicalResult
emitKernels(mlir::ModuleOp module, Family family,
            llvm::function_ref<mlir::LogicalResult(KernelOp, KernelBuilder &)> emit);

} // namespace mom
