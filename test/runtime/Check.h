// Checks for the runtime's tests: a failed one is printed, and the program
// then ends with 1.
#pragma once

#include "runtime/Error.h"
#include <cstdio>
#include <string>
#include <unistd.h>

inline int failures = 0;

template <typename A, typename B>
void checkEqual(const A &got, const B &expected, const char *text, const char *file, int line) {
  if (got == expected)
    return;
  ++failures;
  fmt::print("{}:{}: {}: expected {} but got {}\n", file, line, text, expected, got);
}

/// The body must fail with a text that has this part.
template <typename Body>
void checkFails(Body body, const std::string &part, const char *file, int line) {
  try {
    body();
  } catch (const momrt::Error &error) {
    if (std::string(error.what()).find(part) != std::string::npos)
      return;
    ++failures;
    fmt::print("{}:{}: expected an error with '{}' but got '{}'\n", file, line, part, error.what());
    return;
  }
  ++failures;
  fmt::print("{}:{}: expected an error with '{}' but got none\n", file, line, part);
}

#define CHECK(condition)                                                                           \
  ((condition) ? void()                                                                            \
               : (++failures, fmt::print("{}:{}: not so: {}\n", __FILE__, __LINE__, #condition)))
#define CHECK_EQ(got, expected) checkEqual(got, expected, #got, __FILE__, __LINE__)
#define CHECK_FAILS(part, ...) checkFails([&] { __VA_ARGS__; }, part, __FILE__, __LINE__)

/// A folder of the test's own, removed at its end.
class TemporaryFolder {
public:
  explicit TemporaryFolder(const std::string &parent = "/tmp") {
    path = parent + "/momrt-test-XXXXXX";
    if (!mkdtemp(path.data()))
      momrt::fail(MOMRT_SYSTEM, "cannot make the folder '{}': {}", path, momrt::systemError());
  }
  ~TemporaryFolder() { (void)!std::system(("rm -rf '" + path + "'").c_str()); }
  std::string operator/(const std::string &name) const { return path + "/" + name; }

  std::string path;
};

inline int finish() {
  std::printf(failures ? "%d checks failed\n" : "ok\n", failures);
  return failures != 0;
}
