#include "runtime/Variants.h"
#include "momrt/momrt.h"
#include "runtime/CudaKernels.h"
#include "runtime/Error.h"

namespace momrt {
namespace {

/// More are taken for a chain without an end.
constexpr size_t kMostVariants = 64;

struct Variant {
  const momrt_program *program;
  Table table;
};

/// All programs of a chain: of one model, or it is damaged.
std::vector<Variant> variantsOf(const momrt_program *first) {
  std::vector<Variant> variants;
  for (const momrt_program *at = first; at; at = at->other) {
    variants.push_back({at, Table(at->table)}); // of this version: it has a next one
    if (variants.back().table.digest() != variants.front().table.digest() ||
        variants.size() > kMostVariants)
      fail(MOMRT_BAD_TABLE, "damaged program: its targets have programs of several models");
  }
  return variants;
}

std::string nameOf(uint32_t target) {
  return target ? fmt::format("sm_{}", target) : "the CPU";
}

std::string targetsOf(const std::vector<Variant> &variants) {
  std::vector<std::string> names;
  for (const Variant &variant : variants)
    names.push_back(nameOf(variant.table.header().target));
  return fmt::format("{}", fmt::join(names, " and "));
}

/// The GPUs there are, none without a driver.
std::vector<Gpu> gpusHere() {
  std::vector<Gpu> gpus;
  (void)listGpus(gpus);
  return gpus;
}

bool isHere(const Table &table, const std::vector<Gpu> &gpus) {
  if (!table.header().target)
    return true;
  for (const Gpu &gpu : gpus)
    if (runsOn(table, gpu))
      return true;
  return false;
}

} // namespace

const momrt_program *programFor(const momrt_program *first, uint32_t device) {
  if (!first)
    fail(MOMRT_BAD_ARGUMENT, "expected a program but got a null pointer");
  std::vector<Variant> variants = variantsOf(first);
  Gpu gpu;
  if (device != MOMRT_HOST)
    gpu = findGpu(int(device - MOMRT_GPU(0)));
  const Variant *best = nullptr;
  for (const Variant &variant : variants) {
    uint32_t target = variant.table.header().target;
    bool fits = device == MOMRT_HOST ? target == 0 : target && runsOn(variant.table, gpu);
    if (fits && (!best || best->table.header().target < target))
      best = &variant;
  }
  if (best)
    return best->program;
  fail(MOMRT_DEVICE,
       "model '{}' is compiled for {}, but not for {}: compile it for that target too",
       variants.front().table.model(), targetsOf(variants),
       device == MOMRT_HOST ? "the CPU"
                            : fmt::format("{}, which is sm_{}", gpu.name, gpu.architecture));
}

const momrt_program *programHere(const momrt_program *first) {
  if (!first)
    fail(MOMRT_BAD_ARGUMENT, "expected a program but got a null pointer");
  std::vector<Variant> variants = variantsOf(first);
  if (variants.size() == 1)
    return first;
  std::vector<Gpu> gpus = gpusHere();
  for (const Variant &variant : variants)
    if (isHere(variant.table, gpus))
      return variant.program;
  fail(MOMRT_DEVICE, "model '{}' is compiled for {}, but this machine has no such GPU",
       variants.front().table.model(), targetsOf(variants));
}

} // namespace momrt
