// What must hold of any text.
#pragma once

#include "llvm/ADT/StringRef.h"

namespace mom::fuzz {

struct Outcome {
  bool parsed = false, checked = false;
};

/// Runs a text through the frontend. Whatever it is, nothing may crash, and: an error is
/// reported exactly if something failed; what parses prints as text that parses to the same;
/// what has tokens formats to text that formats to itself and is the same program; what is
/// checked becomes IR that verifies. Says what does not hold and aborts.
Outcome check(llvm::StringRef text);

} // namespace mom::fuzz
