// Functions as machine code, to be compared with the reference.
#pragma once

#include "compiler/Pipeline.h"
#include "compiler/api/Compiler.h"
#include "compiler/tools/mom-compare/RandomKnobs.h"
#include "compiler/tools/mom-compare/Report.h"
#include "runtime/Batch.h"

#include "llvm/ADT/DenseMap.h"

namespace mom::compare {

/// Compiles functions, each as the one entry of a program of its own, and runs
/// them by the runtime: with one thread and with several, which must give the
/// same bits, in memory that is filled with NaN before.
class CompiledFunctions {
public:
  explicit CompiledFunctions(PipelineOptions options, KnobChoice knobs = {})
      : options(std::move(options)), knobs(std::move(knobs)) {}

  /// The results of `func` for arguments as the interpreter takes them: rows by
  /// position, weights as plain inputs. A function is compiled once.
  mlir::FailureOr<llvm::SmallVector<reference::Value>>
  execute(mlir::func::FuncOp func, llvm::ArrayRef<reference::Value> arguments);

private:
  mlir::FailureOr<const momrt_program *> compile(mlir::func::FuncOp func);

  const PipelineOptions options;
  const KnobChoice knobs;
  llvm::DenseMap<mlir::Operation *, Program> programs;
};

/// Name of the one entry of a compiled function. Its inputs are `argument0` ...,
/// by the function's arguments, its outputs `result0` ...
inline constexpr llvm::StringLiteral kEntryName = "function";

/// Object file of a function as the one entry of a program named `symbol`.
mlir::LogicalResult compileFunction(mlir::func::FuncOp func, const PipelineOptions &options,
                                    llvm::StringRef symbol, llvm::SmallVectorImpl<char> &object,
                                    const KnobChoice &knobs = {});

/// A batch as the runtime takes it.
momrt::BatchDescription describe(const reference::Batch &batch);

/// Makes each number one that f32 holds.
void roundToFloat(llvm::MutableArrayRef<reference::Value> values);

} // namespace mom::compare
