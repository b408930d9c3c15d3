// A launch table as text: what `momc emit --stage table` shows.
#pragma once

#include "momrt/table.h"
#include <string>

namespace momrt {

/// The table's text. Kernel functions are not needed; a damaged table gives
/// one line that says what is wrong.
std::string printTable(const momrt_table &table) noexcept;

} // namespace momrt
