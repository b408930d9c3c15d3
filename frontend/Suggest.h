// "; did you mean 'in_proj'?"
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <string>

namespace mom::frontend {

/// A hint with the candidate nearest to `name` by edit distance, or nothing
/// where none is near. At equal distance the first one counts.
inline std::string suggest(llvm::StringRef name, llvm::ArrayRef<llvm::StringRef> candidates) {
  llvm::StringRef best;
  unsigned bound = name.size() < 3 ? 2 : 2 + name.size() / 4; // distances below it are near
  for (llvm::StringRef candidate : candidates) {
    // A one-letter name is near any other one: only its other case is meant.
    if (name.size() == 1 && !candidate.equals_insensitive(name))
      continue;
    unsigned distance = name.edit_distance(candidate, /*AllowReplacements=*/true, bound);
    if (distance < bound && (distance < candidate.size() || candidate.equals_insensitive(name))) {
      best = candidate;
      bound = distance;
    }
  }
  return best.empty() ? std::string() : ("; did you mean '" + best + "'?").str();
}

} // namespace mom::frontend
