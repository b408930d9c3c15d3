// Checks for a machine without the compiler.
#pragma once

#include "compiler/tools/mom-compare/RandomKnobs.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mom::compare {

/// Of functions that nobody wrote: their cases say what rounding does to each result.
inline constexpr llvm::StringLiteral kRandomProgram = "mom.random";

struct BundleOptions {
  std::string folder;
  std::string program;                    ///< stem of the file that the functions are in
  llvm::SmallVector<std::string> storages;
  llvm::SmallVector<int64_t> tokens;      ///< sizes of plain batches
  uint64_t seed = 7;
  KnobChoice knobs;
};

/// Writes what the runner of a bundle (test/gpu) needs to check a function: for
/// each storage FOLDER/objects/PROGRAM.FUNCTION.STORAGE.o, a program for the target
/// of `how`, and FOLDER/cases/PROGRAM.FUNCTION.safetensors with batches, recipes of
/// inputs and the interpreter's results.
mlir::LogicalResult writeBundle(mlir::func::FuncOp func, const PipelineOptions &how,
                                const BundleOptions &options);

} // namespace mom::compare
