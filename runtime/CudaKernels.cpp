#include "runtime/CudaKernels.h"
#include "runtime/Error.h"
#include <algorithm>
#include <cstring>
#include <map>

namespace momrt {

CudaKernels::CudaKernels(const Driver &driver, const Table &table, const Gpu &gpu, CUdevice device)
    : driver(driver), table(table), gpu(gpu) {
  checkParameters();
  driver.check(driver.deviceAttribute(&mostShared, cuda::kMaxSharedOptin, device), "asking a GPU");
  std::map<uint64_t, CUmodule> loaded; // kernels may share one image
  try {
    for (const momrt_kernel &kernel : table.kernels()) {
      const momrt_range &image = choose(kernel);
      CUmodule &module = loaded[image.offset];
      if (!module)
        module = load(table.string(kernel.name), image);
      functions.push_back(find(kernel, module));
    }
  } catch (...) {
    unload();
    throw;
  }
}

CudaKernels::~CudaKernels() { unload(); }

void CudaKernels::unload() {
  for (CUmodule module : modules)
    driver.moduleUnload(module);
  modules.clear();
}

/// Parameters of a launch lie in constant memory: 4 KB, since CUDA 12.1 32,764 bytes.
void CudaKernels::checkParameters() const {
  constexpr uint64_t most = 32764 / sizeof(void *);
  for (const momrt_op &op : table.ops())
    if (op.kind == MOMRT_OP_LAUNCH && op.arg_count > most)
      fail(MOMRT_DEVICE, "kernel '{}' ({}) has {} buffers, but a GPU's kernel has at most {}",
           table.string(table.kernels()[op.kernel].name), table.string(op.source), op.arg_count,
           most);
}

/// Whether ptx is for one architecture only, as sm_90a, and not for later ones.
static bool isForOneOnly(const View<char> &ptx) {
  static constexpr char mark[] = ".target sm_";
  std::string head(ptx.begin(), ptx.begin() + std::min<size_t>(ptx.size(), 4096));
  size_t at = head.find(mark);
  if (at == std::string::npos)
    return false;
  at = head.find_first_not_of("0123456789", at + sizeof mark - 1);
  return at != std::string::npos && head[at] == 'a';
}

/// Whether a kernel's ptx keeps it from all architectures but its own.
static bool isSpecial(const Table &table, const momrt_kernel &kernel) {
  return kernel.ptx.count && isForOneOnly(table.bytes(kernel.ptx));
}

/// The image that a GPU takes; null if none of a kernel's is for it.
static const momrt_range *imageFor(const Table &table, const momrt_kernel &kernel,
                                   const Gpu &gpu) {
  int target = int(table.header().target);
  if (gpu.architecture < target || (isSpecial(table, kernel) && gpu.architecture != target))
    return nullptr;
  if (kernel.cubin.count && gpu.architecture == target)
    return &kernel.cubin;
  if (kernel.ptx.count)
    return &kernel.ptx;
  // A cubin runs on later ones of its generation.
  return gpu.architecture / 10 == target / 10 ? &kernel.cubin : nullptr;
}

bool runsOn(const Table &table, const Gpu &gpu) {
  return std::all_of(table.kernels().begin(), table.kernels().end(),
                     [&](const momrt_kernel &kernel) { return imageFor(table, kernel, gpu); });
}

const momrt_range &CudaKernels::choose(const momrt_kernel &kernel) const {
  if (const momrt_range *image = imageFor(table, kernel, gpu))
    return *image;
  int target = int(table.header().target);
  bool special = isSpecial(table, kernel);
  if (gpu.architecture < target || special)
    fail(MOMRT_DEVICE,
         "the program is for sm_{}{}, but the GPU, {}, is sm_{}: compile the model for it", target,
         special ? "a, which no other GPU runs" : "", gpu.name, gpu.architecture);
  fail(MOMRT_DEVICE,
       "kernel '{}' has code for sm_{} only, but the GPU, {}, is sm_{}: compile the model for it",
       table.string(kernel.name), target, gpu.name, gpu.architecture);
}

CUmodule CudaKernels::load(const char *name, const momrt_range &image) {
  View<char> bytes = table.bytes(image);
  // ptx needs a zero at its end, and a cubin to be aligned.
  std::string text(bytes.begin(), bytes.end());
  char log[8192] = "";
  int options[] = {cuda::kErrorLog, cuda::kErrorLogBytes};
  void *values[] = {log, reinterpret_cast<void *>(sizeof log - 1)};
  CUmodule module = nullptr;
  if (CUresult result = driver.moduleLoad(&module, text.c_str(), 2, options, values)) {
    int version = 0;
    driver.version(&version);
    fail(MOMRT_DEVICE,
         "loading kernel '{}' on {}, sm_{}, failed: {}; the driver is for CUDA {}.{}{}{}", name,
         gpu.name, gpu.architecture, driver.textOf(result), version / 1000, version % 1000 / 10,
         *log ? " and says: " : "", log);
  }
  modules.push_back(module);
  return module;
}

CUfunction CudaKernels::find(const momrt_kernel &kernel, CUmodule module) const {
  // The symbol is the name's first word; what follows is for people.
  const char *name = table.string(kernel.name);
  std::string symbol(name, std::strcspn(name, " "));
  CUfunction function = nullptr;
  driver.check(driver.moduleFunction(&function, module, symbol.c_str()),
               fmt::format("finding kernel '{}' in its code", name).c_str());
  int mostThreads = 0;
  driver.check(driver.functionGet(&mostThreads, cuda::kMaxThreads, function), "asking a kernel");
  if (kernel.threads > mostThreads)
    fail(MOMRT_DEVICE, "kernel '{}' has blocks of {} threads, but its registers allow {} on {}",
         name, kernel.threads, mostThreads, gpu.name);
  if (kernel.shared_bytes > mostShared)
    fail(MOMRT_DEVICE, "kernel '{}' wants {} bytes of shared memory a block, but {} has {}", name,
         kernel.shared_bytes, gpu.name, mostShared);
  if (kernel.shared_bytes > 48 * 1024) // more must be asked for
    driver.check(driver.functionSet(function, cuda::kMaxDynamicShared, int(kernel.shared_bytes)),
                 fmt::format("asking for the shared memory of kernel '{}'", name).c_str());
  return function;
}

} // namespace momrt
