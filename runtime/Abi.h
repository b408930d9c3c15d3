// What the files of the C interface share: they check what callers hand in, and let
// no exception out.
#pragma once

#include "runtime/CudaDriver.h"
#include "runtime/Error.h"
#include "runtime/Session.h"

struct momrt_model {
  std::shared_ptr<const momrt::Program> program;
};
struct momrt_session {
  momrt::Session session;
};

namespace momrt {

/// Keeps the text of the exception being handled; its code.
momrt_result keepError() noexcept;

/// Runs a body. The calling thread keeps its CUDA context.
template <typename Body> momrt_result guard(Body body) noexcept {
  try {
    ContextKeeper keeper;
    body();
    return MOMRT_OK;
  } catch (...) {
    return keepError();
  }
}

template <typename T> T &checked(T *pointer, const char *what) {
  if (!pointer)
    fail(MOMRT_BAD_ARGUMENT, "expected {} but got a null pointer", what);
  return *pointer;
}

inline const char *text(const char *pointer, const char *what) { return &checked(pointer, what); }

/// Runs a body on a session.
template <typename Body> momrt_result onSession(momrt_session *session, Body body) noexcept {
  return guard([&] { body(checked(session, "a session").session); });
}

/// The elements of a caller's dense tensor, which lies on the host or on the session's
/// device; throws unless it is well formed and of this type.
int64_t checkTensor(const momrt_tensor &tensor, const std::string &name, uint32_t type,
                    const Session &session);
/// The same of a tensor that must lie on the host.
int64_t checkHostTensor(const momrt_tensor &tensor, const std::string &name, uint32_t type);

inline std::vector<int64_t> shapeOf(const momrt_tensor &tensor) {
  return {tensor.shape, tensor.shape + tensor.rank};
}

} // namespace momrt
