// mom-emit-gpu: one emitter an anchor.
#include "compiler/Emit/Symbols.h"
#include "compiler/Emit/map/MapGpu.h"
#include "compiler/Schedule/Knobs.h"

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

namespace {
class EmitGpuPass : public mom::impl::EmitGpuPassBase<EmitGpuPass> {
public:
  using Base::Base;

  void runOnOperation() override {
    for (func::FuncOp func : llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>()))
      for (KernelOp kernel : liveKernels(func))
        if (failed(emitKernel(func, kernel)))
          return signalPassFailure();
  }

private:
  static LogicalResult emitKernel(func::FuncOp func, KernelOp kernel) {
    if (kernel.getAnchor() != Anchor::map)
      return kernel.emitOpError() << "no GPU emitter for a " << stringifyAnchor(kernel.getAnchor()) << " kernel";
    if (failed(verifySchedule(kernel, "gpu")))
      return failure();
    KernelBuilder k(kernel, symbolOf(func, kernel, "$"), Family::Gpu);
    if (failed(emitMapGpu(kernel, k))) {
      k.abandon();
      return failure();
    }
    k.replaceKernel();
    return success();
  }
};
} // namespace
