// Entries of a model by names, as files have them: the interpreter's arguments and results.
#pragma once

#include "dialect/reference/Interpreter.h"
#include "runtime/RunFile.h"

namespace mom::compare {

/// The function of an entry after stage `grad`; null if there is none.
mlir::func::FuncOp entryNamed(mlir::ModuleOp module, llvm::StringRef name);

/// The modalities of a model, at least 1.
int64_t groupsOf(mlir::ModuleOp module);

/// What `func`, an entry, is called with: the batch, parameters (stacks of their rounds) and
/// inputs by name. An input that `request` has not is an error.
mlir::FailureOr<llvm::SmallVector<reference::Value>>
argumentsOf(mlir::func::FuncOp func, const momrt::Request &request,
            llvm::ArrayRef<momrt::NamedTensor> parameters);

/// Its results, by the names that `momrt::runEntry` gives them.
std::vector<momrt::NamedTensor> namedResults(mlir::func::FuncOp func,
                                             llvm::ArrayRef<reference::Value> values);

} // namespace mom::compare
