// Which values backward finds saved, by the memory there is.
//
// How much memory a step takes is known when its kernels are: lifetimes, workspaces and
// storage types are decided by then. So plans are compiled as far as that, from the one that
// computes least again on, until one fits. On an H200 the second and the third of the
// 24-layer model take 2 and 7 % longer than the one before, so the order is also that of time.
#include "compiler/api/Compiler.h"

#include "compiler/Target/LaunchTable.h"
#include "dialect/Mom.h"
#include "runtime/StepMemory.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mom;

ArrayRef<Compiler::Plan> Compiler::plans() {
  static constexpr Plan all[] = {{1, 0}, {2, 0}, {3, 0}, {3, 128}, {3, 256}};
  return all;
}

static std::string sizeText(int64_t bytes) {
  if (bytes < int64_t(1) << 30)
    return llvm::formatv("{0:F1} MiB", double(bytes) / (1 << 20)).str();
  return llvm::formatv("{0:F2} GiB", double(bytes) / (1 << 30)).str();
}

FailureOr<int64_t> Compiler::tryPlan(Plan plan, function_ref<void(ModuleOp)> scheduled) {
  auto train = (*ir)->getAttrOfType<DictionaryAttr>(attr::kTrain);
  int64_t streams = train.getAs<IntegerAttr>("streams").getInt();
  int64_t length = train.getAs<IntegerAttr>("length").getInt();
  OwningOpRef<ModuleOp> before = ir->clone();
  Stage stageBefore = stage;
  PipelineOptions optionsBefore = options.pipeline;
  options.pipeline.recompute = plan.recompute;
  options.pipeline.checkpoint = plan.checkpoint;
  options.pipeline.memory = 0;
  LogicalResult done = runTo(Stage::Scheduled);
  if (succeeded(done) && scheduled)
    scheduled(*ir);
  if (succeeded(done))
    done = runTo(Stage::Lowered);
  FailureOr<LaunchTable> built = failure();
  if (succeeded(done))
    built = buildLaunchTable(*ir, digest());
  ir = std::move(before);
  stage = stageBefore;
  options.pipeline = optionsBefore;
  if (failed(built))
    return failure();
  int64_t bytes = 0;
  auto *table = reinterpret_cast<const momrt_table *>(built->bytes.data());
  if (std::string text = momrt::stepBytes(table, streams, length, kDocument, bytes); !text.empty())
    return error() << text;
  return bytes;
}

LogicalResult Compiler::fitMemory() {
  int64_t memory = std::exchange(options.pipeline.memory, 0);
  bool asked = options.memoryOf.empty(), isDecided = stage >= Stage::Grad;
  if (isDecided || !(*ir)->hasAttr(attr::kTrain)) {
    if (!asked)
      return success();
    if (isDecided)
      return error() << "--memory chooses what backward saves, and the input is of stage "
                     << nameOf(stage) << ", where that is decided";
    return error() << "--memory is of a training step, and the model has no train block";
  }
  int64_t least = 0;
  for (const Plan &plan : plans()) {
    FailureOr<int64_t> bytes = tryPlan(plan);
    if (failed(bytes))
      return failure();
    if (*bytes <= memory) {
      options.pipeline.recompute = plan.recompute;
      options.pipeline.checkpoint = plan.checkpoint;
      if (!asked && &plan == plans().begin()) // as without a limit
        return success();
      InFlightDiagnostic remark = emitRemark(start());
      remark << "a training step takes " << sizeText(*bytes)
             << " with --recompute=" << plan.recompute;
      if (plan.checkpoint)
        remark << " --scan-checkpoint=" << plan.checkpoint;
      if (!asked)
        remark << ", which fits " << options.memoryOf;
      return success();
    }
    least = *bytes;
  }
  return error() << "a training step takes " << sizeText(least) << " at least, but "
                 << (asked ? "--memory is " : options.memoryOf + " has room for ")
                 << sizeText(memory)
                 << ": smaller batches, or bf16 weights, gradients and moments would need less";
}
