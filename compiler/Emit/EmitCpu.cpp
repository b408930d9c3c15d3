// mom-emit-cpu: one emitter an anchor.
#include "compiler/Emit/Symbols.h"
#include "compiler/Emit/conv/ConvCpu.h"
#include "compiler/Emit/map/MapCpu.h"
#include "compiler/Emit/product/ProductCpu.h"
#include "compiler/Emit/reduce/ReduceCpu.h"
#include "compiler/Emit/scan/ScanCpu.h"
#include "compiler/Schedule/Knobs.h"

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
  }
  llvm_unreachable("unknown anchor");
}

namespace {
class EmitCpuPass : public mom::impl::EmitCpuPassBase<EmitCpuPass> {
public:
  using Base::Base;

  void runOnOperation() override {
    for (func::FuncOp func : llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>()))
      for (KernelOp kernel : liveKernels(func))
        if (failed(emitKernel(func, kernel)))
          return signalPassFailure();
  }

private:
  LogicalResult emitKernel(func::FuncOp func, KernelOp kernel) {
    if (failed(verifySchedule(kernel, "cpu")))
      return failure();
    KernelBuilder k(kernel, symbolOf(func, kernel));
    if (!llvm::isPowerOf2_64(k.knob("lanes")))
      return k.error() << "expected a power of two as knob 'lanes', but got " << k.knob("lanes");
    if (failed(emit(kernel, k))) {
      k.abandon();
      return failure();
    }
    k.replaceKernel();
    return success();
  }
};
} // namespace
