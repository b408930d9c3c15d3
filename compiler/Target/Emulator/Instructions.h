// Instructions of a GPU as functions, by the names that emulated code calls them by.
#pragma once

#include "compiler/Target/Emulator/Emulator.h"
#include "compiler/Target/Emulator/Fibers.h"

#define MOM_SYMBOL(name, function)                                                                 \
  { "momc_emulate_" name, reinterpret_cast<void *>(function) }

namespace mom::emulator {

llvm::ArrayRef<EmulatorSymbol> instructionSymbols(); ///< Instructions.cpp
llvm::ArrayRef<EmulatorSymbol> tileSymbols();        ///< Tiles.cpp

} // namespace mom::emulator
