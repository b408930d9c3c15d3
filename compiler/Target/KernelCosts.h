// What a kernel must move and compute, from its ops: the yardstick that `momc
// bench` and `momc profile` hold its time against.
//
// Amounts are those of the work, not of an implementation: each buffer is read or
// written once, products count 2 FLOPs a multiply-add, pointwise arithmetic
// counts nothing, and each state of a scan takes one exponential a token.
#pragma once

#include "dialect/Mom.h"
#include "momrt/table.h"

#include "mlir/IR/BuiltinOps.h"

#include <array>

namespace mom {

/// A number that depends on the counts of a batch: the sum over c of per[c] * counts[c].
struct Amount {
  std::array<double, MOMRT_COUNTS> per{};

  double at(llvm::ArrayRef<int64_t> counts) const;
};

struct KernelCosts {
  std::string name; ///< the values that the kernel defines, and its anchor
  Amount bytes, flops, exps;
};

KernelCosts costsOf(KernelOp kernel);

/// Notes the costs of each kernel of a module of stage `scheduled`, so that the
/// launches that it becomes carry them.
void annotateCosts(mlir::ModuleOp scheduled);

/// An op of the launch table. Launches that one kernel became share its number.
struct LaunchCosts {
  int64_t kernel = -1; ///< -1: unknown, or no launch
  KernelCosts costs;
};

/// For each op of the launch table of an emitted module, in the table's order.
llvm::SmallVector<LaunchCosts> launchCosts(mlir::ModuleOp emitted);

/// The same as text, and back; none from what is no such text.
std::string printCosts(llvm::ArrayRef<LaunchCosts> costs);
std::optional<llvm::SmallVector<LaunchCosts>> parseCosts(llvm::StringRef text);

} // namespace mom
