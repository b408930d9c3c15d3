// The fake driver's library, libcuda.so.1.
#include "FakeCuda.h"
#include "runtime/CudaDriver.h"
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#define EXPORT extern "C" __attribute__((visibility("default")))
using namespace momrt;

// Their types are those by which the runtime calls them, or this does not compile.
#define CUDA_SYMBOL(member, name, parameters) EXPORT CUresult name parameters;
#include "runtime/CudaSymbols.def"
#undef CUDA_SYMBOL

/// Of an architecture and bytes of memory that the environment may name, as "7.5" and "1000000".
static FakeCuda state = [] {
  FakeCuda machine;
  if (const char *architecture = std::getenv("FAKE_CUDA_ARCHITECTURE"))
    std::sscanf(architecture, "%d.%d", &machine.major, &machine.minor);
  if (const char *memory = std::getenv("FAKE_CUDA_MEMORY"))
    machine.memory = std::strtoull(memory, nullptr, 10);
  return machine;
}();
static int sticky = 0; // a fault stays
EXPORT FakeCuda *fakeCuda() { return &state; }

namespace {
using Work = std::function<void()>;

struct Node {
  std::string kernel;
  int64_t blocks;
  std::vector<void *> buffers;

  void run() const {
    if (kernel == state.faultyKernel)
      sticky = 700;
    if (!sticky)
      state.kernels.at(kernel).run(buffers.data(), blocks);
  }
};

struct Graph {
  std::vector<Work> nodes;
};

struct Stream {
  std::deque<Work> work;
  Graph *captured = nullptr;

  bool step() {
    if (work.empty())
      return false;
    Work first = std::move(work.front());
    work.pop_front();
    first();
    return true;
  }
};

/// A point in a stream, reached when its work gets there.
struct Point {
  Stream *stream;
  bool reached = false;
  std::chrono::steady_clock::time_point time;

  void run() {
    while (!reached && stream->step())
      ;
  }
};

struct Event {
  std::shared_ptr<Point> point;
};
struct Function {
  std::string name;
};
} // namespace

/// What a handle stands for, and the handle of something.
template <typename T> static T &as(void *handle) { return *static_cast<T *>(handle); }
template <typename Handle> static CUresult give(Handle *handle, void *object) {
  *handle = static_cast<Handle>(object);
  return sticky;
}
static int queue(CUstream stream, Work work) {
  if (as<Stream>(stream).captured)
    return 900; // the host has no part in what is captured
  as<Stream>(stream).work.push_back(std::move(work));
  return sticky;
}
/// Work of the device alone.
static int queueOrCapture(CUstream stream, Work work) {
  Graph *graph = as<Stream>(stream).captured;
  if (!graph)
    return queue(stream, std::move(work));
  graph->nodes.push_back(std::move(work));
  return sticky;
}

EXPORT CUresult cuInit(unsigned) { return state.gpus ? 0 : 100; }
EXPORT CUresult cuDriverGetVersion(int *version) { return *version = 13000, 0; }
EXPORT CUresult cuGetErrorString(CUresult error, const char **text) {
  static const std::map<int, const char *> texts = {
      {2, "out of memory"},
      {100, "no CUDA-capable device is detected"},
      {218, "a PTX JIT compilation failed"},
      {500, "named symbol not found"},
      {700, "an illegal memory access was encountered"}};
  auto found = texts.find(error);
  return found == texts.end() ? 1 : (*text = found->second, 0);
}
EXPORT CUresult cuDeviceGetCount(int *count) { return *count = state.gpus, 0; }
EXPORT CUresult cuDeviceGet(CUdevice *device, int number) { return *device = number, 0; }
EXPORT CUresult cuDeviceGetName(char *name, int bytes, CUdevice) {
  return std::strncpy(name, "Fake GPU", bytes), 0;
}
EXPORT CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice) { return *bytes = state.memory, 0; }
EXPORT CUresult cuDeviceGetAttribute(int *value, int attribute, CUdevice) {
  *value = attribute == 75 ? state.major : attribute == 76 ? state.minor : 232448;
  return 0;
}
EXPORT CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice) {
  return give(context, &state), 0;
}
EXPORT CUresult cuDevicePrimaryCtxRelease_v2(CUdevice) { return 0; }
EXPORT CUresult cuCtxGetCurrent(CUcontext *context) { return give(context, state.context), 0; }
EXPORT CUresult cuCtxSetCurrent(CUcontext context) { return state.context = context, sticky; }
EXPORT CUresult cuCtxGetDevice(CUdevice *device) {
  return *device = state.context == &state ? 0 : 1, 0;
}
EXPORT CUresult cuPointerGetAttribute(void *value, int attribute, CUdeviceptr pointer) {
  for (auto [begin, bytes] : state.allocated)
    if (pointer >= begin && pointer < begin + bytes)
      return *static_cast<int *>(value) = attribute == 2 ? 2 : 0, 0; // device memory; of GPU 0
  return 1;
}

EXPORT CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned count,
                                   int *options, void **values) {
  std::string text = static_cast<const char *>(image);
  state.tookCubin = text.find("cubin") != std::string::npos;
  if (!state.badImage.empty() && text.find(state.badImage) != std::string::npos) {
    for (unsigned at = 0; at < count; ++at)
      if (options[at] == 5)
        std::strcpy(static_cast<char *>(values[at]), "ptxas fatal: no such instruction");
    return 218;
  }
  give(module, new int);
  return 0;
}
EXPORT CUresult cuModuleUnload(CUmodule module) { return delete &as<int>(module), 0; }
EXPORT CUresult cuModuleGetFunction(CUfunction *function, CUmodule, const char *name) {
  static std::map<std::string, Function> all;
  if (!state.kernels.count(name))
    return 500;
  give(function, &(all[name] = {name}));
  return 0;
}
EXPORT CUresult cuFuncGetAttribute(int *value, int, CUfunction) { return *value = 1024, 0; }
EXPORT CUresult cuFuncSetAttribute(CUfunction, int, int) { return 0; }

EXPORT CUresult cuMemGetInfo_v2(size_t *free, size_t *total) {
  *free = state.memory - state.used;
  *total = state.memory;
  return sticky;
}
EXPORT CUresult cuMemAlloc_v2(CUdeviceptr *memory, size_t bytes) {
  size_t whole = (bytes + 255) / 256 * 256 + 256;
  if (state.used + whole > state.memory)
    return 2;
  auto *block = static_cast<char *>(std::aligned_alloc(256, whole));
  std::memset(block, 0xab, whole);
  std::memcpy(block, &whole, sizeof whole);
  state.used += whole;
  *memory = reinterpret_cast<CUdeviceptr>(block + 256);
  state.allocated[*memory] = bytes;
  return sticky;
}
EXPORT CUresult cuMemFree_v2(CUdeviceptr memory) {
  char *block = reinterpret_cast<char *>(memory) - 256;
  state.allocated.erase(memory);
  size_t whole;
  std::memcpy(&whole, block, sizeof whole);
  std::memset(block, 0xcd, whole);
  state.used -= whole;
  return std::free(block), 0;
}
EXPORT CUresult cuMemHostAlloc(void **memory, size_t bytes, unsigned) {
  *memory = std::malloc(bytes);
  std::memset(*memory, 0xab, bytes);
  return sticky;
}
EXPORT CUresult cuMemFreeHost(void *memory) { return std::free(memory), 0; }

static int copy(void *to, const void *from, size_t bytes, CUstream stream) {
  return queue(stream, [=] { std::memcpy(to, from, bytes); });
}
EXPORT CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes,
                                     CUstream stream) {
  return copy(reinterpret_cast<void *>(to), from, bytes, stream);
}
EXPORT CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes, CUstream stream) {
  return copy(to, reinterpret_cast<void *>(from), bytes, stream);
}
EXPORT CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes,
                                     CUstream stream) {
  return queueOrCapture(stream, [=] {
    std::memcpy(reinterpret_cast<void *>(to), reinterpret_cast<void *>(from), bytes);
  });
}
EXPORT CUresult cuMemsetD8Async(CUdeviceptr memory, unsigned char byte, size_t bytes,
                                CUstream stream) {
  return queueOrCapture(
      stream, [=] { std::memset(reinterpret_cast<void *>(memory), byte, bytes); });
}

EXPORT CUresult cuStreamCreate(CUstream *stream, unsigned) { return give(stream, new Stream); }
EXPORT CUresult cuStreamDestroy_v2(CUstream stream) { return delete &as<Stream>(stream), 0; }
EXPORT CUresult cuStreamSynchronize(CUstream stream) {
  ++state.waits;
  while (as<Stream>(stream).step())
    ;
  return sticky;
}
EXPORT CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned) {
  auto point = as<Event>(event).point;
  return queue(stream, [point] { point->run(); });
}
EXPORT CUresult cuEventCreate(CUevent *event, unsigned) { return give(event, new Event); }
EXPORT CUresult cuEventDestroy_v2(CUevent event) { return delete &as<Event>(event), 0; }
EXPORT CUresult cuEventRecord(CUevent event, CUstream stream) {
  auto point = std::make_shared<Point>();
  point->stream = &as<Stream>(stream);
  as<Event>(event).point = point;
  return queue(stream, [point] {
    point->time = std::chrono::steady_clock::now();
    point->reached = true;
  });
}
EXPORT CUresult cuEventQuery(CUevent event) {
  return as<Event>(event).point->reached ? sticky : 600;
}
EXPORT CUresult cuEventSynchronize(CUevent event) {
  ++state.waits;
  as<Event>(event).point->run();
  return sticky;
}
EXPORT CUresult cuEventElapsedTime(float *milliseconds, CUevent start, CUevent end) {
  std::chrono::duration<float, std::milli> passed =
      as<Event>(end).point->time - as<Event>(start).point->time;
  *milliseconds = passed.count();
  return sticky;
}

EXPORT CUresult cuLaunchKernel(CUfunction function, unsigned blocks, unsigned, unsigned, unsigned,
                               unsigned, unsigned, unsigned, CUstream stream, void **parameters,
                               void **) {
  Node node{as<Function>(function).name, blocks, {}};
  for (size_t at = 0; at < state.kernels.at(node.kernel).buffers; ++at)
    node.buffers.push_back(*static_cast<void **>(parameters[at]));
  if (Graph *graph = as<Stream>(stream).captured) {
    graph->nodes.push_back([node] { node.run(); });
    return sticky;
  }
  ++state.launchedAlone;
  return queue(stream, [node] { node.run(); });
}
EXPORT CUresult cuLaunchHostFunc(CUstream stream, CUhostFn function, void *data) {
  return queue(stream, [=] { function(data); });
}

EXPORT CUresult cuStreamBeginCapture_v2(CUstream stream, int) {
  as<Stream>(stream).captured = new Graph;
  return sticky;
}
EXPORT CUresult cuStreamEndCapture(CUstream stream, CUgraph *graph) {
  return give(graph, std::exchange(as<Stream>(stream).captured, nullptr));
}
EXPORT CUresult cuGraphInstantiateWithFlags(CUgraphExec *executable, CUgraph graph,
                                            unsigned long long) {
  ++state.instantiated;
  return give(executable, new std::shared_ptr<Graph>(new Graph(as<Graph>(graph))));
}
EXPORT CUresult cuGraphExecUpdate_v2(CUgraphExec executable, CUgraph graph, CUgraphUpdateInfo *) {
  ++state.updated;
  as<std::shared_ptr<Graph>>(executable).reset(new Graph(as<Graph>(graph)));
  return sticky;
}
EXPORT CUresult cuGraphLaunch(CUgraphExec executable, CUstream stream) {
  auto graph = as<std::shared_ptr<Graph>>(executable);
  return queue(stream, [graph] {
    for (const Work &node : graph->nodes)
      node();
  });
}
EXPORT CUresult cuGraphDestroy(CUgraph graph) { return delete &as<Graph>(graph), 0; }
EXPORT CUresult cuGraphExecDestroy(CUgraphExec executable) {
  ++state.destroyed;
  return delete &as<std::shared_ptr<Graph>>(executable), 0;
}
