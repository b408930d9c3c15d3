// From emitted functions to the launch table.
#pragma once

#include "dialect/Mom.h"

#include "llvm/ADT/StringMap.h"

#include <string>
#include <vector>

namespace mom {

/// A table's bytes and the kernels it names, in the order of its kernel array.
struct LaunchTable {
  std::vector<char> bytes; ///< a momrt_table and its arrays; see momrt/table.h
  llvm::SmallVector<std::string> kernels;
};

/// The code of one GPU kernel; either may be absent.
struct KernelImage {
  std::string ptx, cubin;
};
/// Of all kernels, by symbol.
struct GpuImages {
  unsigned architecture = 0; ///< 90 is sm_90
  llvm::StringMap<KernelImage> kernels;
};

/// Lays out the program of an emitted module: entries, launches with pointer
/// recipes, the arena, parameters and the training settings. `digest` names the
/// program in checkpoints. A program for a GPU has its kernels' code in the table, one for
/// a CPU the `extensions` that its code may use. Errors are located at the function or op.
mlir::FailureOr<LaunchTable> buildLaunchTable(mlir::ModuleOp module, llvm::StringRef digest,
                                              const GpuImages *images = nullptr,
                                              uint64_t extensions = 0);

} // namespace mom
