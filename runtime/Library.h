// A shared library that `momc compile --shared` made.
#pragma once

#include "momrt/momrt.h"
#include <memory>
#include <string>

namespace momrt {

class Library {
public:
  /// Throws MOMRT_BAD_FILE. A path without a folder is one in the folder of now.
  explicit Library(const std::string &path);
  const momrt_program *program() const { return found; }

private:
  std::shared_ptr<void> handle;
  const momrt_program *found;
};

} // namespace momrt
