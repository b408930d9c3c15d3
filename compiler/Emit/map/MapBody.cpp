// Questions about the body of a map kernel.
#include "compiler/Emit/map/MapBody.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace mom;

SmallVector<unsigned> mom::rowResults(KernelOp kernel) {
  SmallVector<unsigned> results;
  for (auto [i, type] : llvm::enumerate(kernel.getResultTypes()))
    if (isRows(type))
      results.push_back(i);
  return results;
}

static bool isElementwise(Value v, int64_t channels, DenseSet<Value> &seen) {
  if (!seen.insert(v).second)
    return true;
  if (isa<BlockArgument>(v))
    return isRows(v.getType()) ? channelsOf(v) == channels : true;
  Operation *op = v.getDefiningOp();
  if (auto broadcast = dyn_cast<BroadcastOp>(op)) {
    Value x = broadcast.getX();
    return isStatic(x.getType()) && !broadcast.getRoute() && channelsOf(x) == 1 && channels > 0;
  }
  if (!op->hasTrait<OpTrait::Elementwise>() && !isa<arith::ConstantOp, PresentOp, EqualsOp>(op))
    return false;
  return llvm::all_of(op->getOperands(),
                      [&](Value operand) { return isElementwise(operand, channels, seen); });
}

static YieldOp yieldOf(KernelOp kernel) {
  return cast<YieldOp>(kernel.getBody().front().getTerminator());
}

bool mom::isElementwise(KernelOp kernel, int64_t channels) {
  DenseSet<Value> seen;
  return llvm::all_of(yieldOf(kernel).getOperands(), [&](Value v) {
    return channelsOf(v) == channels && ::isElementwise(v, channels, seen);
  });
}

static bool repeatsVector(Value v, DenseSet<Value> &seen) {
  Operation *op = v.getDefiningOp();
  if (!op || !seen.insert(v).second)
    return false;
  if (auto broadcast = dyn_cast<BroadcastOp>(op))
    return cast<RankedTensorType>(broadcast.getX().getType()).getNumElements() > 1 &&
           broadcast.getX().getType() != broadcast.getType();
  return llvm::any_of(op->getOperands(),
                      [&](Value operand) { return repeatsVector(operand, seen); });
}

bool mom::repeatsVector(Value value) {
  DenseSet<Value> seen;
  return ::repeatsVector(value, seen);
}

SmallVector<Value> mom::inputsOf(Operation *op) {
  if (auto broadcast = dyn_cast<BroadcastOp>(op)) // `like` gives its shape only
    return {broadcast.getX()};
  if (auto embedding = dyn_cast<EmbeddingOp>(op))
    return {embedding.getIds()};
  SmallVector<Value> inputs;
  for (Value operand : op->getOperands())
    if (isa<RankedTensorType>(operand.getType()))
      inputs.push_back(operand);
  return inputs;
}

bool mom::isInput(Value value) {
  if (auto extend = value.getDefiningOp<arith::ExtFOp>())
    return isInput(extend.getIn());
  if (auto split = value.getDefiningOp<SplitOp>())
    return isInput(split.getX());
  return isa<BlockArgument>(value);
}

static bool needsReduction(Value v, DenseMap<Value, bool> &known) {
  Operation *op = v.getDefiningOp();
  if (!op)
    return false;
  if (auto it = known.find(v); it != known.end())
    return it->second;
  bool needs = isa<ReduceOp>(op) || llvm::any_of(inputsOf(op), [&](Value input) {
                 return needsReduction(input, known);
               });
  return known[v] = needs;
}

SmallVector<Value> mom::inputsBehind(ValueRange roots) {
  llvm::SetVector<Value> found;
  DenseSet<Value> seen;
  SmallVector<Value> work(llvm::reverse(roots));
  while (!work.empty()) {
    Value v = work.pop_back_val();
    if (!seen.insert(v).second)
      continue;
    if (isInput(v))
      found.insert(v);
    else if (!readsOtherRows(v.getDefiningOp()))
      llvm::append_range(work, llvm::reverse(inputsOf(v.getDefiningOp())));
  }
  return found.takeVector();
}

SmallVector<Value> mom::invariantsOf(ValueRange roots) {
  llvm::SetVector<Value> found;
  DenseSet<Value> seen;
  DenseMap<Value, bool> known;
  SmallVector<Value> work(llvm::reverse(roots));
  while (!work.empty()) {
    Value v = work.pop_back_val();
    if (isInput(v) || !seen.insert(v).second)
      continue;
    if (auto broadcast = v.getDefiningOp<BroadcastOp>()) {
      Value x = broadcast.getX();
      if (isStatic(x.getType()) && !broadcast.getRoute() &&
          cast<RankedTensorType>(x.getType()).getNumElements() == 1 && !needsReduction(x, known))
        found.insert(x);
    }
    llvm::append_range(work, llvm::reverse(inputsOf(v.getDefiningOp())));
  }
  return found.takeVector();
}
