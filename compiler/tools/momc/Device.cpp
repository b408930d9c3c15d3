// Where a program runs, and so for which processor it is compiled.
#include "compiler/tools/momc/Verbs.h"

using namespace mlir;
using namespace mom;
using namespace mom::tool;
namespace cl = llvm::cl;

namespace mom::tool {
cl::OptionCategory deviceOptions("Device");
} // namespace mom::tool
static cl::opt<std::string> device("device",
                                   cl::desc("cpu, cuda, cuda:N, or auto: a GPU if there is one "
                                            "(default: cuda if --target is a GPU, else cpu)"),
                                   cl::value_desc("name"), cl::cat(deviceOptions));
static cl::opt<bool> noGraph("no-graph",
                             cl::desc("run a GPU's kernels one by one, not as CUDA graphs; a fault "
                                      "then names its kernel"),
                             cl::cat(deviceOptions));

constexpr int kLeastArchitecture = 80;
static int gpuNumber = 0;
static std::optional<momrt::Gpu> gpuOfRun;

/// The target that makes the most of a GPU.
static std::string targetFor(const momrt::Gpu &gpu) {
  return "sm_" + std::to_string(gpu.architecture) + (gpu.architecture == 90 ? "a" : "");
}

static std::string describe(const momrt::Gpu &gpu) {
  return gpu.name + " (sm_" + std::to_string(gpu.architecture) + ")";
}

/// Empty if momc's kernels run on this GPU, else why not.
static std::string complaintAbout(const momrt::Gpu &gpu) {
  if (gpu.architecture >= kLeastArchitecture)
    return "";
  return "expected a GPU of architecture sm_" + std::to_string(kLeastArchitecture) +
         " or later, but got " + describe(gpu);
}

static void use(const momrt::Gpu &gpu, int number) {
  gpuNumber = number;
  gpuOfRun = gpu;
  if (!target.getNumOccurrences())
    target = targetFor(gpu);
}

/// `cuda` or `cuda:N`.
static int chooseGpu(StringRef name) {
  int number = 0;
  if (name.consume_front("cuda:") ? name.getAsInteger(10, number) || number < 0 : name != "cuda")
    return fail("expected --device cpu, cuda, cuda:N or auto, but got " + device);
  std::vector<momrt::Gpu> gpus;
  if (std::string error = momrt::listGpus(gpus); !error.empty())
    return fail(error);
  if (static_cast<size_t>(number) >= gpus.size())
    return fail("there is no cuda:" + llvm::Twine(number) + ": the CUDA driver sees " +
                llvm::Twine(gpus.size()) + ", counted from 0");
  if (std::string complaint = complaintAbout(gpus[number]); !complaint.empty())
    return fail(complaint);
  use(gpus[number], number);
  return 0;
}

/// The first GPU that will do, else the CPU.
static int chooseAny() {
  std::vector<momrt::Gpu> gpus;
  std::string why = momrt::listGpus(gpus);
  for (auto [number, gpu] : llvm::enumerate(gpus)) {
    std::string complaint = complaintAbout(gpu);
    if (complaint.empty()) {
      use(gpu, static_cast<int>(number));
      llvm::errs() << "momc: running on " << describe(gpu) << "\n";
      return 0;
    }
    why = complaint;
  }
  llvm::errs() << "momc: running on the CPU: " << why << "\n";
  return 0;
}

int mom::tool::chooseDevice() {
  bool forGpu = target != "cpu";
  if (emulate || (device.empty() && !forGpu))
    return 0;
  if (device == "cpu")
    return forGpu ? fail("--target " + target + " does not run on --device cpu") : 0;
  if (target.getNumOccurrences() && !forGpu)
    return device == "auto" ? 0 : fail("--target cpu does not run on --device " + device);
  if (device == "auto" && !forGpu)
    return chooseAny();
  return chooseGpu(device.empty() || device == "auto" ? "cuda" : StringRef(device));
}

void mom::tool::setDevice(momrt::SessionOptions &options) {
  options.gpu = gpuNumber;
  options.graphs = !noGraph;
}

const std::optional<momrt::Gpu> &mom::tool::chosenGpu() { return gpuOfRun; }
