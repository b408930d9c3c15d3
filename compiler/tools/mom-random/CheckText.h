// One random model text: what the frontend says of it, and its gradient by compiled code
// against the interpreter.
#pragma once

#include "compiler/tools/mom-random/CheckCase.h"

namespace mom::random {

/// Runs it: a text must be free of errors, print and format as texts of the same program,
/// and compile; losses, metrics and all gradients of a random batch are compared. What is
/// wrong goes to `os`.
Verdict checkText(const std::string &text, const RandomOptions &options, uint64_t seed,
                  uint64_t knobs, llvm::raw_ostream &os);

/// Whether the frontend has nothing against it.
bool isLegal(const std::string &text);

/// The text with as many lines less as `isBad` allows.
std::string reduceText(std::string text,
                       llvm::function_ref<bool(const std::string &)> isBad);

} // namespace mom::random
