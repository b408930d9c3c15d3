// mom-emit-gpu: one emitter an anchor.
#include "compiler/Emit/EmitKernels.h"
#include "compiler/Emit/map/MapGpu.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/Pass.h"

namespace mom {
#define GEN_PASS_DEF_EMITGPUPASS
#include "compiler/Emit/Passes.h.inc"
} // namespace mom

using namespace mlir;
using namespace mom;

static LogicalResult emit(KernelOp kernel, KernelBuilder &k) {
  if (kernel.getAnchor() != Anchor::map)
    return k.error() << "no GPU emitter for a " << stringifyAnchor(kernel.getAnchor()) << " kernel";
  return emitMapGpu(kernel, k);
}

namespace {
class EmitGpuPass : public mom::impl::EmitGpuPassBase<EmitGpuPass> {
public:
  using Base::Base;

  void runOnOperation() override {
    if (failed(emitKernels(getOperation(), Family::Gpu, emit)))
      signalPassFailure();
  }
};
} // namespace
