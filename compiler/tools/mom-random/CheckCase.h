// One random program: compiled code against the interpreter, and its gradients
// against finite differences.
#pragma once

#include "compiler/tools/mom-random/RandomProgram.h"

namespace mom::random {

enum class Verdict {
  Good,
  Vague,       ///< rounding turns a result over: it is not compared
  Refused,     ///< its random schedule does not go together, and an error says so
  Bad,         ///< compiled code differs, or there is none
  BadGradient, ///< a gradient differs from finite differences
};

struct CheckOptions {
  uint64_t seed = 0;   ///< of the arguments
  uint64_t knobs = 0;  ///< of a random schedule; 0: the default one
  bool forward = false;///< the function alone, instead of its joint function
  int64_t elements = 0;///< of each argument whose gradients are compared with differences
};

/// Runs it. What is wrong, and what is called how, goes to `os`.
Verdict checkCase(mlir::ModuleOp module, const RandomCase &how, const CheckOptions &options,
                  llvm::raw_ostream &os);

/// How `mom-compare` runs the same, for a program in `path`.
std::string commandFor(const RandomCase &how, const CheckOptions &options, llvm::StringRef path);

} // namespace mom::random
