// From emitted functions to the launch table.
#pragma once

#include "dialect/Mom.h"

#include <string>
#include <vector>

namespace mom {

/// A table's bytes and the kernels it names, in the order of its kernel array.
struct LaunchTable {
  std::vector<char> bytes; ///< a momrt_table and its arrays; see momrt/table.h
  llvm::SmallVector<std::string> kernels;
};

/// Lays out the program of an emitted module: entries, launches with pointer
/// recipes, the arena, parameters and the training settings. `digest` names the
/// program in checkpoints. A program for a GPU has an architecture (90 is sm_90)
/// and its kernels' PTX. Errors are located at the function or op.
mlir::FailureOr<LaunchTable> buildLaunchTable(mlir::ModuleOp module, llvm::StringRef digest,
                                              unsigned architecture = 0, llvm::StringRef ptx = "");

} // namespace mom
