// LLVM's optimiser and code generator, for any target machine.
#pragma once

#include "mlir/Support/LLVM.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/CodeGen.h"
#include "llvm/Target/TargetMachine.h"

#include <string>

namespace mom {

/// Optimises `module` for the machine (O3) and appends its code to `out`; false with
/// `error` if the machine writes no such file.
bool generateCode(llvm::Module &module, llvm::TargetMachine &machine, llvm::CodeGenFileType kind,
                  llvm::SmallVectorImpl<char> &out, std::string &error);

} // namespace mom
