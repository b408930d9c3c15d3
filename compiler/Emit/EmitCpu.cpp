// mom-emit-cpu: one emitter an anchor.
#include "compiler/Emit/EmitKernels.h"
#include "compiler/Emit/conv/ConvCpu.h"
#include "compiler/Emit/draw/Draw.h"
#include "compiler/Emit/map/MapCpu.h"
#include "compiler/Emit/plan/PlanCpu.h"
#include "compiler/Emit/product/ProductCpu.h"
#include "compiler/Emit/reduce/ReduceCpu.h"
#include "compiler/Emit/scan/ScanCpu.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/Pass.h"
#include "llvm/Support/MathExtras.h"

namespace mom {
#define GEN_PASS_DEF_EMITCPUPASS
#include "compiler/Emit/Passes.h.inc"
} // namespace mom

using namespace mlir;
using namespace mom;

static LogicalResult emit(KernelOp kernel, KernelBuilder &k) {
  if (kernel.getAnchor() != Anchor::plan && !llvm::isPowerOf2_64(k.knob("lanes")))
    return k.error() << "expected a power of two as knob 'lanes', but got " << k.knob("lanes");
  switch (kernel.getAnchor()) {
  case Anchor::map:
    return emitMapCpu(kernel, k);
  case Anchor::product:
    return emitProductCpu(kernel, k);
  case Anchor::scan:
    return emitScanCpu(kernel, k);
  case Anchor::conv:
    return emitConvCpu(kernel, k);
  case Anchor::reduce_rows:
    return emitReduceCpu(kernel, k);
  case Anchor::draw:
    return emitDraw(kernel, k);
  case Anchor::plan:
    return emitPlanCpu(kernel, k);
  }
  llvm_unreachable("unknown anchor");
}

namespace {
class EmitCpuPass : public mom::impl::EmitCpuPassBase<EmitCpuPass> {
public:
  using Base::Base;

  void runOnOperation() override {
    if (failed(emitKernels(getOperation(), Family::Cpu, emit)))
      signalPassFailure();
  }
};
} // namespace
