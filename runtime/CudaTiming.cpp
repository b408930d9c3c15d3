#include "runtime/CudaTiming.h"
#include <chrono>

namespace momrt {

// A stream holds about a thousand commands and then makes the host wait. Each
// timed launch is two.
static constexpr size_t kHeldLaunches = 128;
static constexpr auto kLongestHold = std::chrono::milliseconds(100);

CudaHold::CudaHold(CudaQueue &queue) : queue(queue) {
  auto wait = [](void *context) {
    auto &hold = *static_cast<CudaHold *>(context);
    std::unique_lock lock(hold.mutex);
    hold.changed.wait_for(lock, kLongestHold, [&] { return !hold.held; });
  };
  queue.driver.check(queue.driver.launchHost(queue.stream, wait, this), "holding the GPU");
}

CudaHold::~CudaHold() {
  {
    std::lock_guard lock(mutex);
    held = false;
  }
  changed.notify_all();
  queue.drainQuietly(); // the call must have left this object, or never come
}

namespace {
struct TimedEvent {
  explicit TimedEvent(const Driver &driver) : driver(driver) {
    driver.check(driver.eventCreate(&event, cuda::kTimed), "making an event");
  }
  ~TimedEvent() { driver.eventDestroy(event); }
  TimedEvent(const TimedEvent &) = delete;

  const Driver &driver;
  CUevent event = nullptr;
};
} // namespace

static double between(const Driver &driver, CUevent start, CUevent end) {
  float milliseconds = 0;
  driver.check(driver.eventElapsed(&milliseconds, start, end), "timing");
  return milliseconds;
}

double timeOf(CudaQueue &queue, const std::function<void()> &work) {
  TimedEvent start(queue.driver), end(queue.driver);
  {
    CudaHold hold(queue);
    queue.driver.check(queue.driver.eventRecord(start.event, queue.stream), "timing");
    work();
    queue.driver.check(queue.driver.eventRecord(end.event, queue.stream), "timing");
  }
  queue.drain(); // for its errors
  return between(queue.driver, start.event, end.event);
}

CudaTiming::CudaTiming(CudaQueue &queue, std::vector<double> &milliseconds)
    : queue(queue), milliseconds(milliseconds) {}

CudaTiming::~CudaTiming() {
  hold.reset();
  for (CUevent event : events)
    if (event)
      queue.driver.eventDestroy(event);
}

void CudaTiming::start() {
  events.resize(kHeldLaunches + 1);
  for (CUevent &event : events)
    if (!event)
      queue.driver.check(queue.driver.eventCreate(&event, cuda::kTimed), "making an event");
  queue.drain();
  hold = std::make_unique<CudaHold>(queue);
  queue.driver.check(queue.driver.eventRecord(events[0], queue.stream), "timing");
}

void CudaTiming::after(size_t op) {
  ops.push_back(op);
  queue.driver.check(queue.driver.eventRecord(events[ops.size()], queue.stream), "timing");
  if (ops.size() < kHeldLaunches)
    return;
  finish();
  start();
}

void CudaTiming::finish() {
  hold.reset();
  queue.drain(); // for its errors
  for (size_t at = 0; at < ops.size(); ++at)
    milliseconds[ops[at]] += between(queue.driver, events[at], events[at + 1]);
  ops.clear();
}

} // namespace momrt
