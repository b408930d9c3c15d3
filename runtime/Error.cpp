#include "runtime/Error.h"
#include <cerrno>
#include <new>
#include <system_error>

namespace momrt {

void raise(momrt_result code, const std::string &text) { throw Error(code, text); }

std::string systemError() { return std::generic_category().message(errno); }

std::pair<momrt_result, std::string> currentError() {
  try {
    throw;
  } catch (const Error &error) {
    return {error.code, error.what()};
  } catch (const std::bad_alloc &) {
    return {MOMRT_OUT_OF_MEMORY, "out of memory"};
  } catch (const std::exception &error) {
    return {MOMRT_INTERNAL, error.what()};
  } catch (...) {
    return {MOMRT_INTERNAL, "unknown error"};
  }
}

} // namespace momrt
