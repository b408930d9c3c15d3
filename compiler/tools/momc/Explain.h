// momc schedule --explain: what a program costs, before it runs.
#pragma once

#include "compiler/tools/momc/Verbs.h"

namespace mom::tool {

/// Writes, of a model that is loaded: the plans for what backward saves, with their memory
/// and least time; what layers save; and each kernel's bytes, FLOPs and exponentials, how
/// long these take at the device's ceilings and which of them takes longest.
mlir::LogicalResult explain(Compiler &compiler, llvm::raw_ostream &os);

} // namespace mom::tool
