// Times of work on a GPU, by events along its stream.
#pragma once

#include "runtime/CudaQueue.h"
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>

namespace momrt {

/// While it lives the GPU does nothing that is queued after it: the host can
/// queue so much that the GPU then never waits for the host. It gives way after
/// a while by itself, in case the host has to wait for the GPU.
class CudaHold {
public:
  explicit CudaHold(CudaQueue &queue);
  ~CudaHold();
  CudaHold(const CudaHold &) = delete;

private:
  CudaQueue &queue;
  std::mutex mutex;
  std::condition_variable changed;
  bool held = true;
};

/// Milliseconds between the start and the end of what a call queues.
double timeOf(CudaQueue &queue, const std::function<void()> &work);

/// The time of each launch: from the end of the one before to its own.
class CudaTiming {
public:
  /// Adds to `milliseconds`, [ops].
  CudaTiming(CudaQueue &queue, std::vector<double> &milliseconds);
  ~CudaTiming();
  CudaTiming(const CudaTiming &) = delete;

  void start();
  /// The launch of an op was queued.
  void after(size_t op);
  /// Waits for the times of all launches.
  void finish();

private:
  CudaQueue &queue;
  std::vector<double> &milliseconds;
  std::vector<CUevent> events; // before the first launch, then after each
  std::vector<size_t> ops;     // of the launches that were queued since the start
  std::unique_ptr<CudaHold> hold;
};

} // namespace momrt
