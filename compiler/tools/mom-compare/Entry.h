// Entries of a model by names, as files have them: the interpreter's arguments and results.
#pragma once

#include "dialect/reference/Interpreter.h"
#include "runtime/RunFile.h"

#include "llvm/ADT/StringMap.h"

namespace mom::compare {

/// The function of an entry after stage `grad`; null if there is none.
mlir::func::FuncOp entryNamed(mlir::ModuleOp module, llvm::StringRef name);

/// The modalities of a model, at least 1.
int64_t groupsOf(mlir::ModuleOp module);

/// What is wrong with a request as the inputs of `func`, an entry: with its batch, or with a
/// tensor, which is absent or of another shape. Empty if nothing is. A column may come
/// without its axis.
std::string checkInputs(mlir::func::FuncOp func, const momrt::Request &request);

/// What `func`, an entry, is called with: the batch, parameters (stacks of their rounds) and
/// inputs by name, which `checkInputs` has nothing against. States that streams carry begin
/// with zeros.
llvm::SmallVector<reference::Value> argumentsOf(mlir::func::FuncOp func,
                                                const momrt::Request &request,
                                                llvm::ArrayRef<momrt::NamedTensor> parameters);

/// The shapes of its results that have no rows, by the same names. A launch table knows of
/// such a tensor how many elements it has.
llvm::StringMap<std::vector<int64_t>> resultShapes(mlir::func::FuncOp func);

/// Its results, by the names that `momrt::runEntry` gives them.
std::vector<momrt::NamedTensor> namedResults(mlir::func::FuncOp func,
                                             llvm::ArrayRef<reference::Value> values);

} // namespace mom::compare
