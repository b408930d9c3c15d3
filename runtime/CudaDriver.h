// The driver's library, found at run time. What its interface needs is declared
// here, so that no toolkit is needed to build: handles are opaque, and numbers
// are fixed by its ABI.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace momrt {

using CUresult = int;
using CUdevice = int;
using CUdeviceptr = unsigned long long;
using CUcontext = struct CUctx_st *;
using CUmodule = struct CUmod_st *;
using CUfunction = struct CUfunc_st *;
using CUstream = struct CUstream_st *;
using CUevent = struct CUevent_st *;
using CUgraph = struct CUgraph_st *;
using CUgraphExec = struct CUgraphExec_st *;
using CUhostFn = void (*)(void *);
/// CUgraphExecUpdateResultInfo: what it says is not looked at.
struct CUgraphUpdateInfo {
  int result;
  void *node, *fromNode;
};

namespace cuda {
constexpr CUresult kOutOfMemory = 2, kNoDevice = 100, kNotReady = 600;
// A kernel's faults, after which a context is of no more use.
constexpr CUresult kFirstFault = 700, kLastFault = 719;
// CU_DEVICE_ATTRIBUTE_...
constexpr int kComputeMajor = 75, kComputeMinor = 76, kMaxSharedOptin = 97;
// CU_FUNC_ATTRIBUTE_...
constexpr int kMaxThreads = 0, kMaxDynamicShared = 8;
// CU_POINTER_ATTRIBUTE_... and CU_MEMORYTYPE_...
constexpr int kMemoryType = 2, kMemoryDevice = 9, kOnDevice = 2;
// CU_JIT_...
constexpr int kErrorLog = 5, kErrorLogBytes = 6;
constexpr int kCaptureThreadLocal = 1; // CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
constexpr unsigned kNonBlocking = 1;   // CU_STREAM_NON_BLOCKING
constexpr unsigned kPortable = 1;      // CU_MEMHOSTALLOC_PORTABLE
constexpr unsigned kTimed = 0;         // CU_EVENT_DEFAULT
constexpr unsigned kUntimed = 3;       // CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING
} // namespace cuda

/// The driver's entry points. Its library stays loaded.
struct Driver {
#define CUDA_SYMBOL(member, name, parameters) CUresult(*member) parameters = nullptr;
#include "runtime/CudaSymbols.def"
#undef CUDA_SYMBOL

  /// Loads and starts the driver; throws MOMRT_DEVICE.
  static const Driver &get();
  /// The driver if it was loaded before, else null.
  static const Driver *loaded();

  /// "an illegal memory access was encountered (CUDA error 700)"
  std::string textOf(CUresult result) const;
  /// Throws "WHAT failed: ..." if it did.
  void check(CUresult result, const char *what) const;

private:
  Driver();
};

/// Gives the calling thread its own CUDA context back, whatever happens between.
class ContextKeeper {
public:
  ContextKeeper();
  ~ContextKeeper();
  ContextKeeper(const ContextKeeper &) = delete;

private:
  const Driver *driver;
  CUcontext context = nullptr;
};

inline CUdeviceptr pointer(const void *memory) { return reinterpret_cast<CUdeviceptr>(memory); }

} // namespace momrt
