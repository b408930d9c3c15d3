#include "runtime/Cuda.h"
#include "runtime/CudaKernels.h"
#include "runtime/CudaQueue.h"
#include "runtime/CudaTiming.h"
#include "runtime/Error.h"
#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <optional>

namespace momrt {
namespace {

constexpr int64_t kChunk = INT64_C(4) << 20; // bytes of a block for copies
constexpr size_t kMostGraphs = 64;

/// The recorded walk of an entry in a shape class.
struct Recorded {
  CUgraphExec graph = nullptr;
  bool stale = false; ///< buffers have moved since
  uint64_t used = 0;  ///< when, in launches of graphs
};

class Cuda : public Device {
public:
  Cuda(const Program &program, int gpu, bool graphs, const std::optional<Guest> &guest);
  ~Cuda() override;

  std::string name() const override { return gpu.name; }
  DeviceMemory memory() override;
  void *allocate(int64_t bytes) override;
  void release(void *memory) override;
  void copyIn(void *to, const void *from, int64_t bytes) override;
  void copyOut(void *to, const void *from, int64_t bytes) override;
  void fill(void *memory, uint8_t byte, int64_t bytes) override;
  void copyWithin(void *to, const void *from, int64_t bytes) override;
  uint32_t number() const override { return 1 + uint32_t(ordinal); }
  void checkMemory(const void *memory, const std::string &what) override;
  void followStream(void *stream) override { queue.follow(static_cast<CUstream>(stream)); }
  char *stage(int64_t bytes) override;
  void send(void *to, int64_t bytes) override;
  void *allocateHost(int64_t bytes) override;
  void releaseHost(void *memory) override;
  void copyOutLater(void *to, const void *from, int64_t bytes) override;
  Mark mark() override;
  bool reached(Mark mark) override;
  void await(Mark mark) override;
  void launch(const Launch &launch) override;
  void execute(const WalkKey &key, const std::function<void()> &walk) override;
  void forgetRecords() override;
  RecordCosts recordCosts() const override { return costs; }
  double time(const WalkKey &key, const std::function<void()> &walk) override;
  void profile(const std::function<void()> &walk, std::vector<double> &milliseconds) override;

private:
  CUgraph capture(const std::function<void()> &walk);
  void record(Recorded &recorded, const std::function<void()> &walk);
  void forgetOldest();

  const int ordinal;
  const Gpu gpu;
  const Table &table;
  const bool graphs;
  CudaQueue queue;
  const Driver &driver;
  CudaKernels kernels;
  CUstream copies = nullptr; ///< of batches
  CudaStaging batches{queue, 4}, pieces{queue, 8};
  std::map<WalkKey, Recorded> recordings;
  uint64_t launches = 0; // of graphs
  RecordCosts costs;
  std::optional<CudaTiming> timing; ///< of launches, during a profile
  std::vector<void *> parameters;   ///< of a launch: the address of each pointer
};

Cuda::Cuda(const Program &program, int number, bool graphs, const std::optional<Guest> &guest)
    : ordinal(number), gpu(findGpu(number)), table(program.table), graphs(graphs),
      queue(Driver::get(), table, number, guest), driver(queue.driver),
      kernels(driver, table, gpu, queue.device) {
  driver.check(driver.streamCreate(&copies, cuda::kNonBlocking), "making a stream");
}

Cuda::~Cuda() {
  queue.drainQuietly();
  for (auto &[key, recorded] : recordings)
    driver.graphExecDestroy(recorded.graph);
  driver.streamSynchronise(copies);
  driver.streamDestroy(copies);
}

//===----------------------------------------------------------------------===//
// Memory and copies
//===----------------------------------------------------------------------===//

DeviceMemory Cuda::memory() {
  queue.enter();
  size_t free = 0, total = 0;
  driver.check(driver.memInfo(&free, &total), "asking for the GPU's memory");
  return {int64_t(free), int64_t(total)};
}

void *Cuda::allocate(int64_t bytes) {
  queue.enter();
  CUdeviceptr memory = 0;
  driver.check(driver.memAlloc(&memory, size_t(std::max<int64_t>(bytes, 1))),
               fmt::format("allocating {} bytes on the GPU", bytes).c_str());
  void *result = reinterpret_cast<void *>(memory);
  fill(result, 0, bytes);
  return result;
}

void Cuda::release(void *memory) {
  queue.drainQuietly(); // kernels may still use it
  driver.memFree(pointer(memory));
}

void Cuda::copyIn(void *to, const void *from, int64_t bytes) {
  queue.enter();
  for (int64_t at = 0; at < bytes; at += kChunk) {
    int64_t size = std::min(kChunk, bytes - at);
    CudaStaging::Block &block = pieces.current(size);
    std::memcpy(block.host, static_cast<const char *>(from) + at, size_t(size));
    queue.check(
        driver.copyIn(pointer(to) + CUdeviceptr(at), block.host, size_t(size), queue.stream),
        "copying to the GPU");
    pieces.pass();
  }
}

void Cuda::copyOut(void *to, const void *from, int64_t bytes) {
  queue.enter();
  if (bytes)
    queue.check(driver.copyOut(to, pointer(from), size_t(bytes), queue.stream),
                "copying from the GPU");
  queue.drain();
}

void Cuda::fill(void *memory, uint8_t byte, int64_t bytes) {
  queue.enter();
  if (bytes)
    queue.check(driver.fill(pointer(memory), byte, size_t(bytes), queue.stream),
                "filling GPU memory");
}

void Cuda::copyWithin(void *to, const void *from, int64_t bytes) {
  queue.enter();
  if (bytes)
    queue.check(driver.copyWithin(pointer(to), pointer(from), size_t(bytes), queue.stream),
                "copying on the GPU");
}

void Cuda::checkMemory(const void *memory, const std::string &what) {
  queue.enter();
  constexpr uintptr_t kVector = 16; // bytes that kernels load at a time
  int type = 0, place = 0;
  if (driver.pointerAttribute(&type, cuda::kMemoryType, pointer(memory)) ||
      type != cuda::kOnDevice ||
      driver.pointerAttribute(&place, cuda::kMemoryDevice, pointer(memory)) || place != ordinal)
    fail(MOMRT_BAD_ARGUMENT, "expected {} in the memory of GPU {}, but {} is not there", what,
         ordinal, memory);
  if (reinterpret_cast<uintptr_t>(memory) % kVector)
    fail(MOMRT_BAD_ARGUMENT, "expected {} at a multiple of {} bytes, but it lies at {}", what,
         kVector, memory);
}

char *Cuda::stage(int64_t bytes) {
  queue.enter();
  return batches.current(std::max<int64_t>(bytes, 1)).host;
}

void Cuda::send(void *to, int64_t bytes) {
  queue.enter();
  CudaStaging::Block &block = batches.current(bytes);
  batches.addDevice(block);
  queue.check(driver.copyIn(block.device, block.host, size_t(bytes), copies),
              "copying a batch to the GPU");
  queue.check(driver.eventRecord(block.arrived, copies), "copying a batch to the GPU");
  queue.check(driver.streamWait(queue.stream, block.arrived, 0), "copying a batch to the GPU");
  queue.check(driver.copyWithin(pointer(to), block.device, size_t(bytes), queue.stream),
              "moving a batch into place");
  batches.pass();
}

void *Cuda::allocateHost(int64_t bytes) {
  queue.enter();
  void *memory = nullptr;
  driver.check(driver.hostAlloc(&memory, size_t(std::max<int64_t>(bytes, 1)), cuda::kPortable),
               fmt::format("locking {} bytes of host memory", bytes).c_str());
  return memory;
}

void Cuda::releaseHost(void *memory) {
  queue.drainQuietly(); // copies to it may be under way
  driver.hostFree(memory);
}

void Cuda::copyOutLater(void *to, const void *from, int64_t bytes) {
  queue.enter();
  if (bytes)
    queue.check(driver.copyOut(to, pointer(from), size_t(bytes), queue.stream),
                "copying from the GPU");
}

Mark Cuda::mark() {
  queue.enter();
  return queue.mark();
}

bool Cuda::reached(Mark mark) {
  queue.enter();
  return queue.reached(mark);
}

void Cuda::await(Mark mark) {
  queue.enter();
  queue.await(mark);
}

//===----------------------------------------------------------------------===//
// Launches and graphs
//===----------------------------------------------------------------------===//

void Cuda::launch(const Launch &launch) {
  if (launch.blocks == 0)
    return;
  const momrt_kernel &kernel = table.kernels()[launch.kernel];
  parameters.clear();
  for (size_t at = 0; at < launch.count; ++at)
    parameters.push_back(const_cast<void **>(launch.pointers + at));
  CUresult result = driver.launchKernel(
      kernels[launch.kernel], unsigned(launch.blocks), 1, 1, unsigned(kernel.threads), 1, 1,
      unsigned(kernel.shared_bytes), queue.stream, parameters.data(), nullptr);
  if (!result && !graphs && !timing && !queue.isGuest())
    result = driver.streamSynchronise(queue.stream);
  if (result)
    fail(MOMRT_DEVICE, "kernel '{}' ({}), {} blocks of {} threads, failed: {}",
         table.string(kernel.name), table.string(table.ops()[launch.op].source), launch.blocks,
         kernel.threads, driver.textOf(result));
  if (timing)
    timing->after(launch.op);
}

void Cuda::execute(const WalkKey &key, const std::function<void()> &walk) {
  queue.enter();
  queue.note(key.entry);
  if (!graphs || queue.isGuest()) {
    walk();
    return;
  }
  Recorded &recorded = recordings[key];
  if (!recorded.graph || recorded.stale)
    record(recorded, walk);
  recorded.used = ++launches;
  driver.check(
      driver.graphLaunch(recorded.graph, queue.stream),
      fmt::format("starting entry '{}'", table.string(table.entries()[key.entry].name)).c_str());
  if (recordings.size() > kMostGraphs)
    forgetOldest();
}

CUgraph Cuda::capture(const std::function<void()> &walk) {
  CUgraph graph = nullptr;
  driver.check(driver.captureBegin(queue.stream, cuda::kCaptureThreadLocal), "recording an entry");
  try {
    walk();
  } catch (...) {
    driver.captureEnd(queue.stream, &graph);
    if (graph)
      driver.graphDestroy(graph);
    throw;
  }
  driver.check(driver.captureEnd(queue.stream, &graph), "recording an entry");
  return graph;
}

/// A stale graph has the same launches with other pointers, which it can be given.
void Cuda::record(Recorded &recorded, const std::function<void()> &walk) {
  auto start = std::chrono::steady_clock::now();
  CUgraph graph = capture(walk);
  CUgraphUpdateInfo info = {};
  if (recorded.graph && driver.graphUpdate(recorded.graph, graph, &info)) {
    driver.graphExecDestroy(recorded.graph);
    recorded.graph = nullptr;
  }
  CUresult result = 0;
  if (!recorded.graph)
    result = driver.graphInstantiate(&recorded.graph, graph, 0);
  driver.graphDestroy(graph);
  driver.check(result, "instantiating an entry's graph");
  recorded.stale = false;
  ++costs.walks;
  costs.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Graphs take memory on the GPU. One under way is freed when it is done.
void Cuda::forgetOldest() {
  auto oldest = std::min_element(recordings.begin(), recordings.end(),
                                 [](auto &a, auto &b) { return a.second.used < b.second.used; });
  driver.check(driver.graphExecDestroy(oldest->second.graph), "dropping an entry's graph");
  recordings.erase(oldest);
}

void Cuda::forgetRecords() {
  for (auto &[key, recorded] : recordings)
    recorded.stale = true;
}

//===----------------------------------------------------------------------===//
// Times
//===----------------------------------------------------------------------===//

double Cuda::time(const WalkKey &key, const std::function<void()> &walk) {
  queue.enter();
  // A kernel's first launch and a new graph may wait for the GPU, which must
  // not be held then.
  auto found = recordings.find(key);
  if (found == recordings.end() || found->second.stale)
    execute(key, walk);
  return timeOf(queue, [&] { execute(key, walk); });
}

void Cuda::profile(const std::function<void()> &walk, std::vector<double> &milliseconds) {
  queue.enter();
  walk(); // likewise
  timing.emplace(queue, milliseconds);
  try {
    timing->start();
    walk();
    timing->finish();
  } catch (...) {
    timing.reset();
    throw;
  }
  timing.reset();
}

} // namespace

std::unique_ptr<Device> makeCuda(const Program &program, int gpu, bool graphs,
                                 const std::optional<Guest> &guest) {
  return std::make_unique<Cuda>(program, gpu, graphs, guest);
}

} // namespace momrt
