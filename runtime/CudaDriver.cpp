#include "runtime/CudaDriver.h"
#include "runtime/Error.h"
#include "runtime/Gpus.h"
#include <atomic>
#include <dlfcn.h>

namespace momrt {

Driver::Driver() {
  void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library)
    fail(MOMRT_DEVICE, "no CUDA driver was found: {}", dlerror());
#define CUDA_SYMBOL(member, name, parameters)                                                      \
  member = reinterpret_cast<CUresult(*) parameters>(dlsym(library, #name));                        \
  if (!member)                                                                                     \
    fail(MOMRT_DEVICE, "the CUDA driver is too old: it has no {}", #name);
#include "runtime/CudaSymbols.def"
#undef CUDA_SYMBOL
  CUresult started = init(0);
  if (started != cuda::kNoDevice) // then there are none to count
    check(started, "starting the CUDA driver");
}

static std::atomic<const Driver *> loadedDriver{nullptr};

const Driver &Driver::get() {
  static const Driver driver; // tried again after a failure
  loadedDriver = &driver;
  return driver;
}

const Driver *Driver::loaded() { return loadedDriver; }

ContextKeeper::ContextKeeper() : driver(Driver::loaded()) {
  if (driver && driver->contextGet(&context))
    driver = nullptr;
}

ContextKeeper::~ContextKeeper() {
  if (driver)
    driver->contextSet(context);
}

std::string Driver::textOf(CUresult result) const {
  const char *text = nullptr;
  if (errorString(result, &text) || !text)
    text = "unknown error";
  return fmt::format("{} (CUDA error {})", text, result);
}

void Driver::check(CUresult result, const char *what) const {
  if (result)
    fail(result == cuda::kOutOfMemory ? MOMRT_OUT_OF_MEMORY : MOMRT_DEVICE, "{} failed: {}", what,
         textOf(result));
}

std::vector<Gpu> findGpus() {
  const Driver &driver = Driver::get();
  int count = 0;
  CUresult counted = driver.deviceCount(&count);
  if (counted == cuda::kNoDevice || (!counted && !count))
    fail(MOMRT_DEVICE, "the CUDA driver sees no GPU");
  driver.check(counted, "counting the GPUs");
  std::vector<Gpu> found;
  for (int number = 0; number < count; ++number) {
    CUdevice device = 0;
    char name[256] = "";
    int major = 0, minor = 0;
    size_t memory = 0;
    driver.check(driver.deviceGet(&device, number), "finding a GPU");
    driver.check(driver.deviceName(name, sizeof name, device), "asking a GPU's name");
    driver.check(driver.deviceAttribute(&major, cuda::kComputeMajor, device), "asking a GPU");
    driver.check(driver.deviceAttribute(&minor, cuda::kComputeMinor, device), "asking a GPU");
    driver.check(driver.deviceMemory(&memory, device), "asking a GPU's memory");
    found.push_back({name, 10 * major + minor, int64_t(memory)});
  }
  return found;
}

Gpu findGpu(int number) {
  std::vector<Gpu> found = findGpus();
  if (number < 0 || size_t(number) >= found.size())
    fail(MOMRT_DEVICE, "there is no GPU {}: the CUDA driver sees {}, counted from 0", number,
         found.size());
  return found[size_t(number)];
}

std::string listGpus(std::vector<Gpu> &found) noexcept {
  return textOfError([&] { found = findGpus(); });
}

} // namespace momrt
