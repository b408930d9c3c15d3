// Values in a narrower type, across kernels, functions and repetitions.
#pragma once

#include "dialect/Mom.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/SetVector.h"

namespace mom {

/// The values that must have one type: what one kernel writes, a repetition keeps and
/// other functions read. Kernels convert at their boundary and compute in f32.
class SharedValue {
public:
  explicit SharedValue(mlir::Value seed) { visit(seed); }

  /// Which repetitions hand it from round to round: those that run forwards, those that
  /// run backwards, both (bits 0 and 1), or none.
  unsigned carriedBy() const { return carried; }

  /// Whether nothing but kernels reads and writes it. Values that enter or leave an
  /// entry of the program are asked for by `entry`.
  bool isOurs(llvm::function_ref<bool(mlir::func::FuncOp, unsigned, bool isResult)> entry) const;
  /// Each kernel that reads it: the block argument.
  llvm::ArrayRef<mlir::BlockArgument> readers() const { return inKernels; }
  /// Gives it elements of type `element`, f32 before.
  void narrow(mlir::Type element);

private:
  void visit(mlir::Value value);
  void visitResult(mlir::OpResult result);
  void visitArgument(mlir::BlockArgument argument);
  void visitUse(mlir::OpOperand &use);
  void visitCarried(RepeatOp repeat, unsigned index);
  void visitJoined(ConcatOp joined);

  struct AtEntry {
    mlir::func::FuncOp func;
    unsigned index;
    bool isResult;
  };
  llvm::SetVector<mlir::Value> values;
  llvm::SmallVector<mlir::BlockArgument> inKernels;
  llvm::SmallVector<AtEntry> atEntries;
  unsigned carried = 0;
  bool stuck = false; ///< something else reads or writes it
};

mlir::Type withElement(mlir::Type type, mlir::Type element);

/// `kernel` with one more result, which it stores as `element`: what result `index`
/// is before its own storage. The old op is erased; returns the new result.
mlir::OpResult addNarrowResult(KernelOp kernel, unsigned index, mlir::Type element);

/// Makes every function's type that of its arguments and results.
void updateFunctionTypes(mlir::ModuleOp module);

} // namespace mom
