#include "runtime/CudaQueue.h"
#include "runtime/Error.h"

namespace momrt {

CudaQueue::CudaQueue(const Driver &driver, const Table &table, int gpu,
                     const std::optional<Guest> &given)
    : driver(driver), table(table), guest(given.has_value()) {
  driver.check(driver.deviceGet(&device, gpu), "finding the GPU");
  if (given && given->context) {
    context = static_cast<CUcontext>(given->context);
    enter();
    CUdevice its = 0;
    driver.check(driver.contextDevice(&its), "asking the caller's context for its GPU");
    if (its != device)
      fail(MOMRT_BAD_ARGUMENT, "expected a context of GPU {} but got one of GPU {}", gpu, its);
  } else {
    driver.check(driver.contextRetain(&context, device), "opening the GPU");
    retained = true;
  }
  try {
    enter();
    if (given)
      stream = static_cast<CUstream>(given->stream);
    else
      driver.check(driver.streamCreate(&stream, cuda::kNonBlocking), "making a stream");
    for (CUevent &event : events)
      driver.check(driver.eventCreate(&event, cuda::kUntimed), "making an event");
  } catch (...) {
    if (retained)
      driver.contextRelease(device); // and all that is in it
    throw;
  }
}

CudaQueue::~CudaQueue() {
  drainQuietly();
  for (CUevent event : events)
    driver.eventDestroy(event);
  if (!guest)
    driver.streamDestroy(stream);
  if (retained)
    driver.contextRelease(device);
}

void CudaQueue::follow(CUstream other) {
  if (!guest)
    fail(MOMRT_BAD_ARGUMENT, "the session has a stream of its own: only one that was created as a "
                             "guest follows the caller's");
  if (other == stream)
    return;
  stream = other;
  elsewhere = last;
}

void CudaQueue::check(CUresult result) {
  if (!result)
    return;
  std::string names;
  for (auto [entry, after] : entries)
    if (after > done)
      names += fmt::format("{}'{}'", names.empty() ? "" : ", ",
                           table.string(table.entries()[entry].name));
  fail(MOMRT_DEVICE, "work on the GPU failed{}{}: {}; run without graphs to see in which kernel",
       names.empty() ? "" : " in entry ", names, driver.textOf(result));
}

void CudaQueue::check(CUresult result, const char *what) {
  if (result >= cuda::kFirstFault && result <= cuda::kLastFault)
    check(result);
  driver.check(result, what);
}

Mark CudaQueue::mark() {
  Mark next = last + 1;
  if (next > events.size())
    await(next - events.size()); // its event is used again
  check(driver.eventRecord(events[next % events.size()], stream));
  return last = next;
}

bool CudaQueue::reached(Mark mark) {
  if (mark <= done)
    return true;
  CUresult result = driver.eventQuery(events[mark % events.size()]);
  if (result == cuda::kNotReady)
    return false;
  check(result);
  done = mark;
  return true;
}

void CudaQueue::await(Mark mark) {
  if (mark <= done)
    return;
  check(driver.eventSynchronise(events[mark % events.size()]));
  done = mark;
}

void CudaQueue::drain() {
  check(driver.streamSynchronise(stream));
  await(elsewhere);
  done = last;
  entries.clear();
}

void CudaQueue::drainQuietly() noexcept {
  driver.contextSet(context);
  driver.streamSynchronise(stream);
}

CudaStaging::~CudaStaging() {
  queue.drainQuietly();
  for (Block &block : ring) {
    if (block.arrived)
      queue.driver.eventDestroy(block.arrived);
    if (block.device)
      queue.driver.memFree(block.device);
    if (block.host)
      queue.driver.hostFree(block.host);
  }
}

CudaStaging::Block &CudaStaging::current(int64_t bytes) {
  Block &block = ring[turn];
  queue.await(block.busy);
  if (block.hostBytes >= bytes)
    return block;
  if (block.host)
    queue.driver.check(queue.driver.hostFree(block.host), "freeing page-locked memory");
  block.host = nullptr;
  block.hostBytes = 0;
  void *memory = nullptr;
  queue.driver.check(queue.driver.hostAlloc(&memory, size_t(bytes), cuda::kPortable),
                     fmt::format("locking {} bytes of host memory", bytes).c_str());
  block.host = static_cast<char *>(memory);
  block.hostBytes = bytes;
  return block;
}

void CudaStaging::addDevice(Block &block) {
  if (!block.arrived)
    queue.driver.check(queue.driver.eventCreate(&block.arrived, cuda::kUntimed), "making an event");
  if (block.deviceBytes >= block.hostBytes)
    return;
  if (block.device)
    queue.driver.check(queue.driver.memFree(block.device), "freeing GPU memory");
  block.device = 0;
  block.deviceBytes = 0;
  queue.driver.check(queue.driver.memAlloc(&block.device, size_t(block.hostBytes)),
                     fmt::format("allocating {} bytes on the GPU", block.hostBytes).c_str());
  block.deviceBytes = block.hostBytes;
}

void CudaStaging::pass() {
  ring[turn].busy = queue.mark();
  turn = (turn + 1) % ring.size();
}

} // namespace momrt
