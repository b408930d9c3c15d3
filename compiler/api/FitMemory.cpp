// Which values backward finds saved, by the memory there is.
//
// How much memory a step takes is known when its kernels are: lifetimes, workspaces and
// storage types are decided by then. So plans are compiled as far as that, from the one that
// computes least again on, until one fits. On an H200 each further one of the 24-layer model
// takes 2 to 3 % longer, so the order is also that of time.
#include "compiler/api/Compiler.h"

#include "compiler/Target/LaunchTable.h"
#include "dialect/Mom.h"
#include "runtime/StepMemory.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mom;

/// Tokens of a document, in batches that are not known yet.
static constexpr int64_t kDocument = 1024;

namespace {
struct Plan {
  int64_t recompute, checkpoint; ///< as in PipelineOptions
};
} // namespace

static std::string sizeText(int64_t bytes) {
  if (bytes < int64_t(1) << 30)
    return llvm::formatv("{0:F1} MiB", double(bytes) / (1 << 20)).str();
  return llvm::formatv("{0:F2} GiB", double(bytes) / (1 << 30)).str();
}

FailureOr<int64_t> Compiler::bytesOfStep() {
  auto train = (*ir)->getAttrOfType<DictionaryAttr>(attr::kTrain);
  int64_t streams = train.getAs<IntegerAttr>("streams").getInt();
  int64_t length = train.getAs<IntegerAttr>("length").getInt();
  OwningOpRef<ModuleOp> before = ir->clone();
  Stage stageBefore = stage;
  LogicalResult done = runTo(Stage::Lowered);
  FailureOr<LaunchTable> built = failure();
  if (succeeded(done))
    built = buildLaunchTable(*ir, digest());
  ir = std::move(before);
  stage = stageBefore;
  if (failed(built))
    return failure();
  momrt::Table table(reinterpret_cast<const momrt_table *>(built->bytes.data()));
  return momrt::stepBytes(table, streams, length, kDocument);
}

LogicalResult Compiler::fitMemory() {
  int64_t memory = std::exchange(options.pipeline.memory, 0);
  if (stage >= Stage::Grad)
    return error() << "--memory chooses what backward saves, and the input is of stage "
                   << nameOf(stage) << ", where that is decided";
  if (!(*ir)->hasAttr(attr::kTrain))
    return error() << "--memory is of a training step, and the model has no train block";
  int64_t least = 0;
  for (Plan plan : {Plan{1, 0}, Plan{2, 0}, Plan{2, 128}, Plan{2, 256}}) {
    options.pipeline.recompute = plan.recompute;
    options.pipeline.checkpoint = plan.checkpoint;
    FailureOr<int64_t> bytes = bytesOfStep();
    if (failed(bytes))
      return failure();
    if (*bytes <= memory) {
      InFlightDiagnostic remark = emitRemark(start());
      remark << "a training step takes " << sizeText(*bytes)
             << " with --recompute=" << plan.recompute;
      if (plan.checkpoint)
        remark << " --scan-checkpoint=" << plan.checkpoint;
      return success();
    }
    least = *bytes;
  }
  return error() << "a training step takes " << sizeText(least) << " at least, but --memory is "
                 << sizeText(memory)
                 << ": smaller batches, or bf16 weights, gradients and moments would need less";
}
