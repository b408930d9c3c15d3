#include "runtime/Cuda.h"
#include "runtime/Error.h"
#include <cstring>
#include <dlfcn.h>
#include <map>

namespace momrt {
namespace {

// What the driver's interface needs, declared here so that no toolkit is
// needed to build. Handles are opaque; numbers are fixed by its ABI.
using CUresult = int;
using CUdevice = int;
using CUdeviceptr = unsigned long long;
using CUcontext = struct CUctx_st *;
using CUmodule = struct CUmod_st *;
using CUfunction = struct CUfunc_st *;
using CUstream = struct CUstream_st *;
using CUgraph = struct CUgraph_st *;
using CUgraphExec = struct CUgraphExec_st *;
constexpr int kComputeMajor = 75, kComputeMinor = 76; // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*
constexpr int kMaxDynamicShared = 8;                  // CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_...
constexpr int kCaptureThreadLocal = 1;                // CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
constexpr unsigned kNonBlocking = 1;                  // CU_STREAM_NON_BLOCKING
constexpr CUresult kOutOfMemory = 2;                  // CUDA_ERROR_OUT_OF_MEMORY

/// The driver's entry points. Its library stays loaded.
struct Driver {
#define CUDA_SYMBOL(member, name, parameters) CUresult(*member) parameters = nullptr;
#include "runtime/CudaSymbols.def"
#undef CUDA_SYMBOL

  Driver() {
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library)
      fail(MOMRT_DEVICE, "this program is for a GPU, but no CUDA driver was found: {}", dlerror());
#define CUDA_SYMBOL(member, name, parameters)                                                      \
  member = reinterpret_cast<CUresult(*) parameters>(dlsym(library, #name));                        \
  if (!member)                                                                                     \
    fail(MOMRT_DEVICE, "the CUDA driver is too old: it has no {}", #name);
#include "runtime/CudaSymbols.def"
#undef CUDA_SYMBOL
    check(init(0), "starting the driver");
  }

  void check(CUresult result, const char *what) const {
    if (!result)
      return;
    const char *text = nullptr;
    if (errorString(result, &text) || !text)
      text = "unknown error";
    fail(result == kOutOfMemory ? MOMRT_OUT_OF_MEMORY : MOMRT_DEVICE,
         "{} failed: {} (CUDA error {})", what, text, result);
  }
};

class Cuda : public Device {
public:
  Cuda(const Program &program, int gpu);
  ~Cuda() override;

  void *allocate(int64_t bytes) override;
  void release(void *memory) override;
  void copyIn(void *to, const void *from, int64_t bytes) override;
  void copyOut(void *to, const void *from, int64_t bytes) override;
  void fill(void *memory, uint8_t byte, int64_t bytes) override;
  void launch(const Launch &launch) override;
  void execute(const WalkKey &key, const std::function<void()> &walk) override;
  void forgetRecords() override;

private:
  void loadKernels(int architecture);
  /// A context is current per thread: each call may come from another one.
  void enter() { driver.check(driver.contextSet(context), "entering the GPU's context"); }

  Driver driver;
  const Table &table;
  CUdevice device = 0;
  CUcontext context = nullptr;
  CUstream stream = nullptr;
  std::vector<CUmodule> modules;
  std::vector<CUfunction> functions; // [kernels]
  std::map<WalkKey, CUgraphExec> graphs;
  std::vector<void *> parameters; // of a launch: the address of each pointer
};

Cuda::Cuda(const Program &program, int gpu) : table(program.table) {
  driver.check(driver.deviceGet(&device, gpu), "finding the GPU");
  int major = 0, minor = 0;
  driver.check(driver.deviceAttribute(&major, kComputeMajor, device), "asking the GPU");
  driver.check(driver.deviceAttribute(&minor, kComputeMinor, device), "asking the GPU");
  driver.check(driver.contextRetain(&context, device), "opening the GPU");
  try {
    enter();
    driver.check(driver.streamCreate(&stream, kNonBlocking), "making a stream");
    loadKernels(10 * major + minor);
  } catch (...) {
    driver.contextRelease(device);
    throw;
  }
}

/// A cubin runs on its own major architecture; ptx on later ones as well.
void Cuda::loadKernels(int architecture) {
  int target = int(table.header().target);
  bool native = architecture / 10 == target / 10 && architecture >= target;
  std::map<uint64_t, CUmodule> loaded; // kernels may share one blob
  for (const momrt_kernel &kernel : table.kernels()) {
    const char *name = table.string(kernel.name);
    const momrt_range &image = native && kernel.cubin.count ? kernel.cubin : kernel.ptx;
    if (!image.count)
      fail(MOMRT_DEVICE, "kernel '{}' is for sm_{}, but the GPU is sm_{}", name, target,
           architecture);
    CUmodule &module = loaded[image.offset];
    if (!module) {
      View<char> bytes = table.bytes(image);
      std::string text(bytes.begin(), bytes.end()); // ends in the zero that ptx needs
      driver.check(driver.moduleLoad(&module, text.c_str()), "loading a kernel");
      modules.push_back(module);
    }
    // The symbol is the name's first word; what follows is for people.
    std::string symbol(name, std::strcspn(name, " "));
    CUfunction function;
    driver.check(driver.moduleFunction(&function, module, symbol.c_str()), "finding a kernel");
    if (kernel.shared_bytes > 48 * 1024)
      driver.check(driver.functionSet(function, kMaxDynamicShared, int(kernel.shared_bytes)),
                   "asking for a kernel's shared memory");
    functions.push_back(function);
  }
}

Cuda::~Cuda() {
  // Nothing can be done about an error on the way out.
  driver.contextSet(context);
  driver.streamSynchronise(stream);
  for (auto &[key, graph] : graphs)
    driver.graphExecDestroy(graph);
  for (CUmodule module : modules)
    driver.moduleUnload(module);
  driver.streamDestroy(stream);
  driver.contextRelease(device);
}

CUdeviceptr pointer(const void *memory) { return reinterpret_cast<CUdeviceptr>(memory); }

void *Cuda::allocate(int64_t bytes) {
  enter();
  CUdeviceptr memory = 0;
  driver.check(driver.memAlloc(&memory, size_t(bytes > 0 ? bytes : 1)),
               fmt::format("allocating {} bytes on the GPU", bytes).c_str());
  fill(reinterpret_cast<void *>(memory), 0, bytes);
  return reinterpret_cast<void *>(memory);
}

void Cuda::release(void *memory) {
  driver.contextSet(context);
  driver.streamSynchronise(stream); // kernels may still use it
  driver.memFree(pointer(memory));
}

void Cuda::copyIn(void *to, const void *from, int64_t bytes) {
  enter();
  // Pageable memory is staged before the call returns: `from` is free again.
  if (bytes)
    driver.check(driver.copyIn(pointer(to), from, size_t(bytes), stream), "copying to the GPU");
}

void Cuda::copyOut(void *to, const void *from, int64_t bytes) {
  enter();
  if (bytes)
    driver.check(driver.copyOut(to, pointer(from), size_t(bytes), stream), "copying from the GPU");
  driver.check(driver.streamSynchronise(stream), "running on the GPU");
}

void Cuda::fill(void *memory, uint8_t byte, int64_t bytes) {
  enter();
  if (bytes)
    driver.check(driver.fill(pointer(memory), byte, size_t(bytes), stream), "filling GPU memory");
}

void Cuda::launch(const Launch &launch) {
  if (launch.blocks == 0)
    return;
  const momrt_kernel &kernel = table.kernels()[launch.kernel];
  parameters.clear();
  for (size_t at = 0; at < launch.count; ++at)
    parameters.push_back(const_cast<void **>(launch.pointers + at));
  driver.check(driver.launchKernel(functions[launch.kernel], unsigned(launch.blocks), 1, 1,
                                   unsigned(kernel.threads), 1, 1, unsigned(kernel.shared_bytes),
                                   stream, parameters.data(), nullptr),
               table.string(kernel.name));
}

void Cuda::execute(const WalkKey &key, const std::function<void()> &walk) {
  enter();
  CUgraphExec &executable = graphs[key];
  if (!executable) {
    CUgraph graph = nullptr;
    driver.check(driver.captureBegin(stream, kCaptureThreadLocal), "recording an entry");
    try {
      walk();
    } catch (...) {
      driver.captureEnd(stream, &graph);
      if (graph)
        driver.graphDestroy(graph);
      throw;
    }
    driver.check(driver.captureEnd(stream, &graph), "recording an entry");
    CUresult result = driver.graphInstantiate(&executable, graph, 0);
    driver.graphDestroy(graph);
    driver.check(result, "instantiating an entry's graph");
  }
  driver.check(driver.graphLaunch(executable, stream), "running an entry's graph");
}

void Cuda::forgetRecords() {
  if (graphs.empty())
    return;
  enter();
  driver.check(driver.streamSynchronise(stream), "running on the GPU");
  for (auto &[key, graph] : graphs)
    driver.graphExecDestroy(graph);
  graphs.clear();
}

} // namespace

std::unique_ptr<Device> makeCuda(const Program &program, int gpu) {
  return std::make_unique<Cuda>(program, gpu);
}

} // namespace momrt
