// A compiled program as one LLVM module: kernels, table, one exported symbol.
#pragma once

#include "compiler/Target/LaunchTable.h"

#include "llvm/IR/Module.h"

namespace mom {

/// Symbol under which the program of a model is exported.
std::string programSymbol(llvm::StringRef model);

/// Adds the table to `module`, and the array of the kernels whose code it has
/// (none for a GPU), exports them as a momrt_program named `symbol` and hides all else.
void addProgram(llvm::Module &module, const LaunchTable &table, llvm::StringRef symbol);

} // namespace mom
