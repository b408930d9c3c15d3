// The fake driver's library, libcuda.so.1.
#include "FakeCuda.h"
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

#define EXPORT extern "C" __attribute__((visibility("default")))
using Handle = void *;
using Pointer = unsigned long long;

/// Of an architecture that the environment may name, as "7.5".
static FakeCuda state = [] {
  FakeCuda machine;
  if (const char *architecture = std::getenv("FAKE_CUDA_ARCHITECTURE"))
    std::sscanf(architecture, "%d.%d", &machine.major, &machine.minor);
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

template <typename T> static T &as(Handle handle) { return *static_cast<T *>(handle); }
static int queue(Handle stream, Work work) {
  if (as<Stream>(stream).captured)
    return 900; // the host has no part in what is captured
  as<Stream>(stream).work.push_back(std::move(work));
  return sticky;
}
/// Work of the device alone.
static int queueOrCapture(Handle stream, Work work) {
  Graph *graph = as<Stream>(stream).captured;
  if (!graph)
    return queue(stream, std::move(work));
  graph->nodes.push_back(std::move(work));
  return sticky;
}

EXPORT int cuInit(unsigned) { return state.gpus ? 0 : 100; }
EXPORT int cuDriverGetVersion(int *version) { return *version = 13000, 0; }
EXPORT int cuGetErrorString(int error, const char **text) {
  static const std::map<int, const char *> texts = {
      {2, "out of memory"},
      {100, "no CUDA-capable device is detected"},
      {218, "a PTX JIT compilation failed"},
      {500, "named symbol not found"},
      {700, "an illegal memory access was encountered"}};
  auto found = texts.find(error);
  return found == texts.end() ? 1 : (*text = found->second, 0);
}
EXPORT int cuDeviceGetCount(int *count) { return *count = state.gpus, 0; }
EXPORT int cuDeviceGet(int *device, int number) { return *device = number, 0; }
EXPORT int cuDeviceGetName(char *name, int bytes, int) {
  return std::strncpy(name, "Fake GPU", bytes), 0;
}
EXPORT int cuDeviceTotalMem_v2(size_t *bytes, int) { return *bytes = state.memory, 0; }
EXPORT int cuDeviceGetAttribute(int *value, int attribute, int) {
  *value = attribute == 75 ? state.major : attribute == 76 ? state.minor : 232448;
  return 0;
}
EXPORT int cuDevicePrimaryCtxRetain(Handle *context, int) { return *context = &state, 0; }
EXPORT int cuDevicePrimaryCtxRelease_v2(int) { return 0; }
EXPORT int cuCtxGetCurrent(Handle *context) { return *context = state.context, 0; }
EXPORT int cuCtxSetCurrent(Handle context) { return state.context = context, sticky; }
EXPORT int cuCtxGetDevice(int *device) { return *device = state.context == &state ? 0 : 1, 0; }
EXPORT int cuPointerGetAttribute(void *value, int attribute, Pointer pointer) {
  for (auto [begin, bytes] : state.allocated)
    if (pointer >= begin && pointer < begin + bytes)
      return *static_cast<int *>(value) = attribute == 2 ? 2 : 0, 0; // device memory; of GPU 0
  return 1;
}

EXPORT int cuModuleLoadDataEx(Handle *module, const void *image, unsigned count, int *options,
                              void **values) {
  std::string text = static_cast<const char *>(image);
  state.tookCubin = text.find("cubin") != std::string::npos;
  if (!state.badImage.empty() && text.find(state.badImage) != std::string::npos) {
    for (unsigned at = 0; at < count; ++at)
      if (options[at] == 5)
        std::strcpy(static_cast<char *>(values[at]), "ptxas fatal: no such instruction");
    return 218;
  }
  *module = new int;
  return 0;
}
EXPORT int cuModuleUnload(Handle module) { return delete static_cast<int *>(module), 0; }
EXPORT int cuModuleGetFunction(Handle *function, Handle, const char *name) {
  static std::map<std::string, Function> all;
  if (!state.kernels.count(name))
    return 500;
  *function = &(all[name] = {name});
  return 0;
}
EXPORT int cuFuncGetAttribute(int *value, int, Handle) { return *value = 1024, 0; }
EXPORT int cuFuncSetAttribute(Handle, int, int) { return 0; }

EXPORT int cuMemGetInfo_v2(size_t *free, size_t *total) {
  *free = state.memory - state.used;
  *total = state.memory;
  return sticky;
}
EXPORT int cuMemAlloc_v2(Pointer *memory, size_t bytes) {
  size_t whole = (bytes + 255) / 256 * 256 + 256;
  if (state.used + whole > state.memory)
    return 2;
  auto *block = static_cast<char *>(std::aligned_alloc(256, whole));
  std::memset(block, 0xab, whole);
  std::memcpy(block, &whole, sizeof whole);
  state.used += whole;
  *memory = reinterpret_cast<Pointer>(block + 256);
  state.allocated[*memory] = bytes;
  return sticky;
}
EXPORT int cuMemFree_v2(Pointer memory) {
  char *block = reinterpret_cast<char *>(memory) - 256;
  state.allocated.erase(memory);
  size_t whole;
  std::memcpy(&whole, block, sizeof whole);
  std::memset(block, 0xcd, whole);
  state.used -= whole;
  return std::free(block), 0;
}
EXPORT int cuMemHostAlloc(void **memory, size_t bytes, unsigned) {
  *memory = std::malloc(bytes);
  std::memset(*memory, 0xab, bytes);
  return sticky;
}
EXPORT int cuMemFreeHost(void *memory) { return std::free(memory), 0; }

static int copy(void *to, const void *from, size_t bytes, Handle stream) {
  return queue(stream, [=] { std::memcpy(to, from, bytes); });
}
EXPORT int cuMemcpyHtoDAsync_v2(Pointer to, const void *from, size_t bytes, Handle stream) {
  return copy(reinterpret_cast<void *>(to), from, bytes, stream);
}
EXPORT int cuMemcpyDtoHAsync_v2(void *to, Pointer from, size_t bytes, Handle stream) {
  return copy(to, reinterpret_cast<void *>(from), bytes, stream);
}
EXPORT int cuMemcpyDtoDAsync_v2(Pointer to, Pointer from, size_t bytes, Handle stream) {
  return queueOrCapture(stream, [=] {
    std::memcpy(reinterpret_cast<void *>(to), reinterpret_cast<void *>(from), bytes);
  });
}
EXPORT int cuMemsetD8Async(Pointer memory, unsigned char byte, size_t bytes, Handle stream) {
  return queueOrCapture(
      stream, [=] { std::memset(reinterpret_cast<void *>(memory), byte, bytes); });
}

EXPORT int cuStreamCreate(Handle *stream, unsigned) { return *stream = new Stream, sticky; }
EXPORT int cuStreamDestroy_v2(Handle stream) { return delete static_cast<Stream *>(stream), 0; }
EXPORT int cuStreamSynchronize(Handle stream) {
  ++state.waits;
  while (as<Stream>(stream).step())
    ;
  return sticky;
}
EXPORT int cuStreamWaitEvent(Handle stream, Handle event, unsigned) {
  auto point = as<Event>(event).point;
  return queue(stream, [point] { point->run(); });
}
EXPORT int cuEventCreate(Handle *event, unsigned) { return *event = new Event, sticky; }
EXPORT int cuEventDestroy_v2(Handle event) { return delete static_cast<Event *>(event), 0; }
EXPORT int cuEventRecord(Handle event, Handle stream) {
  auto point = std::make_shared<Point>();
  point->stream = &as<Stream>(stream);
  as<Event>(event).point = point;
  return queue(stream, [point] {
    point->time = std::chrono::steady_clock::now();
    point->reached = true;
  });
}
EXPORT int cuEventQuery(Handle event) { return as<Event>(event).point->reached ? sticky : 600; }
EXPORT int cuEventSynchronize(Handle event) {
  ++state.waits;
  as<Event>(event).point->run();
  return sticky;
}
EXPORT int cuEventElapsedTime(float *milliseconds, Handle start, Handle end) {
  std::chrono::duration<float, std::milli> passed =
      as<Event>(end).point->time - as<Event>(start).point->time;
  *milliseconds = passed.count();
  return sticky;
}

EXPORT int cuLaunchKernel(Handle function, unsigned blocks, unsigned, unsigned, unsigned, unsigned,
                          unsigned, unsigned, Handle stream, void **parameters, void **) {
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
EXPORT int cuLaunchHostFunc(Handle stream, void (*function)(void *), void *data) {
  return queue(stream, [=] { function(data); });
}

EXPORT int cuStreamBeginCapture_v2(Handle stream, int) {
  as<Stream>(stream).captured = new Graph;
  return sticky;
}
EXPORT int cuStreamEndCapture(Handle stream, Handle *graph) {
  *graph = as<Stream>(stream).captured;
  as<Stream>(stream).captured = nullptr;
  return sticky;
}
EXPORT int cuGraphInstantiateWithFlags(Handle *executable, Handle graph, unsigned long long) {
  ++state.instantiated;
  *executable = new std::shared_ptr<Graph>(new Graph(as<Graph>(graph)));
  return sticky;
}
EXPORT int cuGraphExecUpdate_v2(Handle executable, Handle graph, void *) {
  ++state.updated;
  as<std::shared_ptr<Graph>>(executable).reset(new Graph(as<Graph>(graph)));
  return sticky;
}
EXPORT int cuGraphLaunch(Handle executable, Handle stream) {
  auto graph = as<std::shared_ptr<Graph>>(executable);
  return queue(stream, [graph] {
    for (const Work &node : graph->nodes)
      node();
  });
}
EXPORT int cuGraphDestroy(Handle graph) { return delete static_cast<Graph *>(graph), 0; }
EXPORT int cuGraphExecDestroy(Handle executable) {
  ++state.destroyed;
  return delete static_cast<std::shared_ptr<Graph> *>(executable), 0;
}
