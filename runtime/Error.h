// Errors of the runtime: thrown inside, turned into a code and a text at the
// C ABI (Abi.cpp) and at the functions of Train.h that tools call.
#pragma once

#include "momrt/momrt.h"
#include <fmt/format.h>
#include <stdexcept>
#include <string>

namespace momrt {

/// What went wrong: a code for programs, a text for people.
class Error : public std::runtime_error {
public:
  Error(momrt_result code, const std::string &text) : std::runtime_error(text), code(code) {}
  const momrt_result code;
};

[[noreturn]] void raise(momrt_result code, const std::string &text);

/// Throws an Error whose text is made as fmt::format makes it.
template <typename... Args>
[[noreturn]] void fail(momrt_result code, fmt::format_string<Args...> text, Args &&...args) {
  raise(code, fmt::format(text, std::forward<Args>(args)...));
}

/// The text that errno stands for.
std::string systemError();

/// The exception being handled, as a code and a text. For catch (...) only.
std::pair<momrt_result, std::string> currentError();

/// Runs a body and returns the text of what it threw, empty if it threw nothing.
template <typename Body> std::string textOfError(Body &&body) noexcept {
  try {
    body();
    return "";
  } catch (...) {
    return currentError().second;
  }
}

} // namespace momrt
