// Amounts of memory, for people.
#pragma once

#include "runtime/Device.h"
#include <string>
#include <vector>

namespace momrt {

/// Something that takes memory, and how much.
struct MemoryPart {
  std::string what;
  int64_t bytes;
};

/// "1.25 GiB", "340 KiB"
std::string sizeText(int64_t bytes);

/// "parameters 1.25 GiB, arena 5.00 GiB", without parts of 0 bytes.
std::string partsText(const std::vector<MemoryPart> &parts);

/// One line: the parts, their sum and what is free besides.
std::string memoryText(Device &device, const std::vector<MemoryPart> &parts);

/// What to say when a device has no room for `wanted`, while it holds `parts`.
std::string outOfMemoryText(Device &device, const MemoryPart &wanted,
                            const std::vector<MemoryPart> &parts, const std::string &advice);

} // namespace momrt
