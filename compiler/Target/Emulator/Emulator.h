// GPU kernels on a CPU, for tests.
//
// The functions that were emitted for a GPU become CPU kernels of a launch table:
// a block is run by one worker, each of its threads by a *fiber* with a stack of its
// own. Fibers run until they meet others at a barrier or exchange registers, so
// what a missing barrier breaks is broken the same way each time, and running the
// fibers in the opposite order shows it. Instructions are functions of C++
// (Instructions.cpp, Tiles.cpp); shared memory is filled with NaN before each block.
//
// It says whether a kernel is right, not whether it is fast.
#pragma once

#include "mlir/Support/LLVM.h"
#include "llvm/IR/Module.h"

namespace mom {

struct EmulatedKernel {
  std::string name;
  int64_t threads = 0, shared = 0; ///< of a block; bytes
  int64_t cluster = 1;             ///< blocks
};

/// Turns the kernels among the functions of `module`, in PTX's calling convention,
/// into CPU kernels (momrt_cpu_kernel) of the same names.
void emulateKernels(llvm::Module &module, llvm::ArrayRef<EmulatedKernel> kernels);

/// What emulated code calls: a name and the function's address.
struct EmulatorSymbol {
  const char *name;
  void *address;
};
llvm::SmallVector<EmulatorSymbol> emulatorSymbols();

/// Whether a block's fibers run from the last to the first. A kernel gives the same
/// bits either way.
void setEmulatorReverse(bool reverse);

} // namespace mom
