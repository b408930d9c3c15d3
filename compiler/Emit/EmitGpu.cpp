// mom-emit-gpu: one emitter an anchor.
#include "compiler/Emit/EmitKernels.h"
#include "compiler/Emit/conv/ConvGpu.h"
#include "compiler/Emit/draw/Draw.h"
#include "compiler/Emit/map/MapGpu.h"
#include "compiler/Emit/plan/PlanGpu.h"
#include "compiler/Emit/product/ProductGpu.h"
#include "compiler/Emit/reduce/ReduceGpu.h"
#include "compiler/Emit/scan/ScanGpu.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/Pass.h"

namespace mom {
#define GEN_PASS_DECL_EMITGPUPASS
#define GEN_PASS_DEF_EMITGPUPASS
#include "compiler/Emit/Passes.h.inc"
} // namespace mom

using namespace mlir;
using namespace mom;

static LogicalResult emit(KernelOp kernel, KernelBuilder &k) {
  if (k.threads() % 32)
    return k.error() << "expected a multiple of 32 as knob 'threads', but got " << k.threads();
  switch (kernel.getAnchor()) {
  case Anchor::map:
    return emitMapGpu(kernel, k);
  case Anchor::product:
    return emitProductGpu(kernel, k);
  case Anchor::scan:
    return emitScanGpu(kernel, k);
  case Anchor::conv:
    return emitConvGpu(kernel, k);
  case Anchor::reduce_rows:
    return emitReduceGpu(kernel, k);
  case Anchor::draw:
    return emitDraw(kernel, k);
  case Anchor::plan:
    return emitPlanGpu(kernel, k);
  }
  llvm_unreachable("unknown anchor");
}

namespace {
class EmitGpuPass : public mom::impl::EmitGpuPassBase<EmitGpuPass> {
public:
  using Base::Base;

  void runOnOperation() override {
    auto emitFor = [&](KernelOp kernel, KernelBuilder &k) {
      k.architecture = architecture;
      return emit(kernel, k);
    };
    if (failed(emitKernels(getOperation(), Family::Gpu, emitFor)))
      return signalPassFailure();
    emitPlan(getOperation());
  }
};
} // namespace
