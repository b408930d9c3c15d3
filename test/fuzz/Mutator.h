// Model texts from others: by tokens, statements and expressions, so that most of them reach
// past the parser.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <random>
#include <string>
#include <vector>

namespace mom::fuzz {

class Mutator {
public:
  /// `seeds`: models to begin with and to take pieces from.
  explicit Mutator(llvm::ArrayRef<std::string> seeds);

  /// One to four changes to `text`.
  std::string mutate(llvm::StringRef text, std::mt19937_64 &random) const;

private:
  void changeWithin(std::vector<std::string> &pieces, std::mt19937_64 &random) const;

  std::vector<std::string> tokens;     ///< of the seeds, and all that the language has
  std::vector<std::string> statements; ///< lines of the seeds
};

} // namespace mom::fuzz
