// Compiled programs on disk, by the content that they were made from.
//
// A file is written under a temporary name and renamed, so that processes that share a
// folder see whole files only; it ends with a hash of its content, so that one that was
// cut short or damaged is compiled again. A cache that cannot be read or written, on a
// full disk say, costs time and nothing else. Files may be deleted at any time.
#pragma once

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include <optional>
#include <string>

namespace mom {

/// Identifies what compiles: hashes the build ids of this code and of LLVM. Empty where
/// the linker left none, and then nothing is cached.
std::string buildId();

class Cache {
public:
  /// A folder, which is made when something is stored.
  explicit Cache(llvm::StringRef folder) : folder(folder) {}

  /// The key of some material: SHA-256, as hexadecimal.
  static std::string key(llvm::StringRef material);

  /// The bytes stored under a key; none if there are none or they are damaged.
  std::optional<llvm::SmallVector<char>> find(llvm::StringRef key) const;
  /// Stores bytes; false if that was not possible.
  bool store(llvm::StringRef key, llvm::ArrayRef<char> bytes) const;

private:
  std::string path(llvm::StringRef key) const;
  std::string folder;
};

} // namespace mom
