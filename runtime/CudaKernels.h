// The kernels of a program on a GPU.
#pragma once

#include "runtime/CudaDriver.h"
#include "runtime/Gpus.h"
#include "runtime/Table.h"

namespace momrt {

/// Whether a GPU program's kernels have code for a GPU.
bool runsOn(const Table &table, const Gpu &gpu);

class CudaKernels {
public:
  /// Loads all of them into the current context. A cubin is taken if it is for
  /// this GPU, else ptx, which the driver compiles; throws MOMRT_DEVICE with
  /// what does not fit or what the driver says.
  CudaKernels(const Driver &driver, const Table &table, const Gpu &gpu, CUdevice device);
  ~CudaKernels();
  CudaKernels(const CudaKernels &) = delete;

  CUfunction operator[](size_t kernel) const { return functions[kernel]; }

private:
  const momrt_range &choose(const momrt_kernel &kernel) const;
  CUmodule load(const char *name, const momrt_range &image);
  CUfunction find(const momrt_kernel &kernel, CUmodule module) const;
  void checkParameters() const;
  void unload();

  const Driver &driver;
  const Table &table;
  const Gpu &gpu;
  int mostShared = 0; ///< bytes that a block may have
  std::vector<CUmodule> modules;
  std::vector<CUfunction> functions; // [kernels]
};

} // namespace momrt
