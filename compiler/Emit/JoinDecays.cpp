// mom-join-decays: a scan makes its decays of their parameter, and the parameter's gradient
// of theirs.
//
// Between a parameter and A lie a few operations on a matrix that is small: as kernels of
// their own they take a launch each, which takes longer than they do. Fusion keeps them
// apart, for on a CPU scans read A as it lies.
#include "dialect/Mom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"

namespace mom {
#define GEN_PASS_DECL_JOINDECAYSPASS
#define GEN_PASS_DEF_JOINDECAYSPASS
#include "compiler/Emit/Passes.h.inc"
} // namespace mom

using namespace mlir;
using namespace mom;

/// Whether a kernel does nothing but pointwise work on matrices of parameters.
static bool isPointwiseOfParameters(KernelOp kernel) {
  if (!kernel || kernel.getAnchor() != Anchor::map)
    return false;
  ArrayRef<int64_t> shape;
  for (Operation &op : kernel.getBody().front().without_terminator()) {
    bool isOne = op.hasTrait<OpTrait::Elementwise>() && op.getNumResults() == 1;
    auto type = isOne ? dyn_cast<RankedTensorType>(op.getResult(0).getType()) : RankedTensorType();
    if (!type || !isStatic(type) || !isa<FloatType>(type.getElementType()) ||
        (!shape.empty() && type.getShape() != shape))
      return false;
    shape = type.getShape();
  }
  return !shape.empty();
}

/// Result `index` of `kernel`, which only `reader` reads, becomes that of `reader`.
static void finishResult(KernelOp kernel, unsigned index, KernelOp reader) {
  Value result = kernel.getResult(index);
  Operation *yield = kernel.getBody().front().getTerminator();
  IRMapping map;
  SmallVector<Value> others;
  for (Value input : reader.getInputs())
    if (input != result)
      others.push_back(input);
  SmallVector<Value> arguments = kernel.addInputs(others);
  for (auto [input, argument] :
       llvm::zip_equal(reader.getInputs(), reader.getBody().getArguments()))
    map.map(argument, input == result ? yield->getOperand(index)
                                      : arguments[llvm::find(others, input) - others.begin()]);
  OpBuilder b(yield);
  for (Operation &op : reader.getBody().front().without_terminator())
    b.clone(op, map);
  Value last = reader.getBody().front().getTerminator()->getOperand(0);
  yield->setOperand(index, map.lookup(last));
  reader.getResult(0).replaceAllUsesWith(result);
  reader.erase();
  result.setType(map.lookup(last).getType());
}

/// What makes `input`, if that is pointwise work on parameters.
static KernelOp makerOf(Value input) {
  auto maker = input.getDefiningOp<KernelOp>();
  return isPointwiseOfParameters(maker) ? maker : KernelOp();
}

namespace {
class JoinDecaysPass : public mom::impl::JoinDecaysPassBase<JoinDecaysPass> {
public:
  using Base::Base;

  void runOnOperation() override {
    SmallVector<KernelOp> scans;
    getOperation().walk([&](KernelOp kernel) {
      if (kernel.getAnchor() == Anchor::scan)
        scans.push_back(kernel);
    });
    for (KernelOp kernel : scans)
      for (Operation &op : llvm::make_early_inc_range(kernel.getBody().front())) {
        if (auto scan = dyn_cast<ScanOp>(op))
          joinBefore(kernel, scan.getA());
        if (auto grad = dyn_cast<ScanGradOp>(op)) {
          joinAfter(kernel, grad.getDA());
          joinBefore(kernel, grad.getA());
        }
      }
  }

private:
  static void joinBefore(KernelOp kernel, Value decays) {
    Value input = kernel.inputOf(decays);
    KernelOp maker = input ? makerOf(input) : KernelOp();
    if (!maker)
      return;
    kernel.makeInputs(maker);
    if (maker.use_empty())
      maker.erase();
  }

  static void joinAfter(KernelOp kernel, Value gradient) {
    auto yielded = kernel.getBody().front().getTerminator()->getOperands();
    unsigned index = llvm::find(yielded, gradient) - yielded.begin();
    if (index == yielded.size() || llvm::count(yielded, gradient) != 1 ||
        !kernel.getResult(index).hasOneUse())
      return;
    auto reader = dyn_cast<KernelOp>(*kernel.getResult(index).user_begin());
    if (!reader || !isPointwiseOfParameters(reader) || reader.getNumResults() != 1)
      return;
    llvm::SmallSetVector<Operation *, 2> makers;
    for (Value input : reader.getInputs())
      if (KernelOp maker = makerOf(input))
        makers.insert(maker);
    for (Operation *maker : makers)
      reader.makeInputs(cast<KernelOp>(maker));
    // What it reads beside must be there before the scan: parameters are.
    bool isLate = llvm::any_of(reader.getInputs(), [&](Value input) {
      Operation *maker = input.getDefiningOp();
      return maker && maker != kernel && !maker->isBeforeInBlock(kernel);
    });
    if (!isLate)
      finishResult(kernel, index, reader);
  }
};
} // namespace
