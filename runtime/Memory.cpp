#include "runtime/Memory.h"
#include "runtime/Error.h"
#include <iterator>

namespace momrt {

std::string sizeText(int64_t bytes) {
  static constexpr const char *units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  double size = double(bytes);
  size_t unit = 0;
  while (size >= 1024 && unit + 1 < std::size(units)) {
    size /= 1024;
    ++unit;
  }
  int digits = unit == 0 || size >= 100 ? 0 : size < 10 ? 2 : 1;
  return fmt::format("{:.{}f} {}", size, digits, units[unit]);
}

std::string partsText(const std::vector<MemoryPart> &parts) {
  std::string text;
  for (const MemoryPart &part : parts)
    if (part.bytes)
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", part.what, sizeText(part.bytes));
  return text;
}

std::string memoryText(Device &device, const std::vector<MemoryPart> &parts) {
  int64_t sum = 0;
  for (const MemoryPart &part : parts)
    sum += part.bytes;
  std::string text =
      fmt::format("memory of {}: {}; {} in all", device.name(), partsText(parts), sizeText(sum));
  if (DeviceMemory memory = device.memory(); memory.total)
    text += fmt::format(", {} of {} are free", sizeText(memory.free), sizeText(memory.total));
  return text;
}

std::string outOfMemoryText(Device &device, const MemoryPart &wanted,
                            const std::vector<MemoryPart> &parts, const std::string &advice) {
  std::string text = fmt::format("out of memory on {}: {} wants {}", device.name(), wanted.what,
                                 sizeText(wanted.bytes));
  if (DeviceMemory memory = device.memory(); memory.total)
    text += fmt::format(", but {} of {} are free", sizeText(memory.free), sizeText(memory.total));
  if (std::string held = partsText(parts); !held.empty())
    text += fmt::format("; held already: {}", held);
  return text + "; " + advice;
}

} // namespace momrt
