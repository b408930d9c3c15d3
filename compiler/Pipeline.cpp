// The story of a compilation. Pass order is decided here and nowhere else.
#include "compiler/Pipeline.h"

#include "compiler/Passes.h"

#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace mom;

static constexpr StageInfo kStages[] = {
    {Stage::Ast, "ast", "canonical model text"},
    {Stage::Mom, "mom", "the model in the dialect"},
    {Stage::Grad, "grad", "with joint functions, a gradient and an update"},
    {Stage::Ordered, "ordered", "every row tensor has an order"},
    {Stage::Split, "split", "joint functions cut into forward and backward"},
    {Stage::Fused, "fused", "all work is in kernels"},
    {Stage::Stored, "stored", "kernel boundaries have storage types"},
    {Stage::Scheduled, "scheduled", "kernels have their knobs"},
    {Stage::Lowered, "lowered", "kernels are functions, and launches name them"},
    {Stage::Asm, "asm", "machine code, as text"},
    {Stage::Ptx, "ptx", "the kernels for a GPU, as text"},
    {Stage::Table, "table", "the launch table, as text"},
};

ArrayRef<StageInfo> mom::stages() { return kStages; }

std::optional<Stage> mom::stageNamed(StringRef name) {
  for (const StageInfo &info : kStages)
    if (info.name == name)
      return info.stage;
  return std::nullopt;
}

StringRef mom::nameOf(Stage stage) { return kStages[static_cast<unsigned>(stage)].name; }

int64_t mom::architectureOf(StringRef target) {
  int64_t architecture = 0;
  if (!target.consume_front("sm_") || target.consumeInteger(10, architecture))
    return 0;
  return target.empty() || target == "a" ? architecture : 0;
}

/// A GPU's distances depend on the states: 0.
static int64_t checkpointOf(const PipelineOptions &options) {
  return options.checkpoint ? options.checkpoint : isGpu(options) ? 0 : 16;
}

/// Simplifications that hold at any stage.
static void addCleanup(OpPassManager &passes) {
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
}

void mom::addStage(Stage stage, OpPassManager &passes, const PipelineOptions &options) {
  switch (stage) {
  case Stage::Ast:
  case Stage::Mom:
  case Stage::Asm:
  case Stage::Ptx:
  case Stage::Table:
    return; // made by the frontend and the target, not by passes
  case Stage::Grad:
    // First, as what is saved is among what they say.
    passes.addPass(createSelectSchedulesPass({options.target}));
    passes.addPass(createInlineLayersPass());
    // Before anything that looks at rows: derivatives are written once, for
    // rows by position, and everything after treats them as any other op.
    passes.addPass(createDifferentiatePass({checkpointOf(options), options.training}));
    if (options.training)
      passes.addPass(createAddUpdatePass());
    if (options.next)
      passes.addPass(createAddNextPass());
    addCleanup(passes);
    return;
  case Stage::Ordered:
    // While forward and backward are one function, both get the same order
    // without a word between them.
    passes.addPass(createAssignOrderPass({options.order}));
    passes.addPass(createVerifyOrderPass());
    addCleanup(passes);
    return;
  case Stage::Split:
    // After ordering, so that what is saved is saved in the order it is read.
    passes.addPass(createPartitionPass({options.recompute, isGpu(options)}));
    passes.addPass(createSymbolDCEPass()); // layers that only joint functions used
    addCleanup(passes);
    passes.addPass(createVerifyOrderPass());
    return;
  case Stage::Fused:
    passes.addPass(createWindowRowsPass());
    // Last before storage: what crosses kernels is what costs.
    passes.addPass(createFormKernelsPass({options.fuse > 0}));
    passes.addPass(createCSEPass()); // of what a kernel makes twice
    passes.addPass(createVerifyOrderPass());
    return;
  case Stage::Stored:
    passes.addPass(createAssignStoragePass(
        {options.storage != "auto" ? options.storage : isGpu(options) ? "model" : "f32"}));
    if (options.fuse > 1 && architectureOf(options.target) >= 80)
      passes.addPass(createJoinConvolutionsPass());
    passes.addPass(createVerifyOrderPass());
    return;
  case Stage::Scheduled:
    // The text's knobs come first: some defaults follow them.
    passes.addPass(createApplySchedulesPass({isGpu(options) ? "gpu" : "cpu"}));
    passes.addPass(createResolveSchedulePass(
        {isGpu(options) ? "gpu" : "cpu", options.cpu, architectureOf(options.target)}));
    return;
  case Stage::Lowered:
    passes.addPass(createJoinReordersPass());
    if (isGpu(options)) {
      passes.addPass(createJoinDecaysPass());
      passes.addPass(createJoinSumsPass());
      passes.addPass(createEmitGpuPass({architectureOf(options.target)}));
      passes.addPass(createJoinLaunchesPass());
    } else {
      passes.addPass(createEmitCpuPass());
    }
    passes.addPass(createExpandPointwisePass());
    return;
  }
}
