// Makes a failing program smaller: greedy changes until none is left.
#include "compiler/tools/mom-reduce/Reduce.h"

#include "dialect/Mom.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace mom;

/// The n-th op of the program that has a result, or null. Counted from the end, as
/// what is late has the fewest users.
static Operation *opAt(ModuleOp module, int64_t n) {
  SmallVector<Operation *> ops;
  module.walk([&](Operation *op) {
    if (op->getNumResults())
      ops.push_back(op);
  });
  return n < int64_t(ops.size()) ? ops[ops.size() - 1 - n] : nullptr;
}

static bool isNamed(func::FuncOp func) {
  return !SymbolTable::symbolKnownUseEmpty(func, func->getParentOfType<ModuleOp>());
}

static void eraseDead(ModuleOp module) {
  SmallVector<Operation *> ops;
  module.walk([&](Operation *op) { ops.push_back(op); });
  for (Operation *op : llvm::reverse(ops))
    if (isOpTriviallyDead(op))
      op->erase();
  for (auto func : module.getOps<func::FuncOp>()) {
    if (isNamed(func))
      continue;
    BitVector unused(func.getNumArguments());
    for (BlockArgument argument : func.getArguments())
      unused[argument.getArgNumber()] =
          argument.use_empty() && !isa<BatchType>(argument.getType()); // which says how many rows
    (void)func.eraseArguments(unused);
  }
}

static bool dropResult(func::FuncOp func, unsigned index) {
  if (isNamed(func) || func.getNumResults() < 2 || index >= func.getNumResults())
    return false;
  func.getBody().front().getTerminator()->eraseOperand(index);
  return succeeded(func.eraseResult(index));
}

/// Takes the users of all results of an op to its `choice`-th operand of the same
/// type, or at last to a new argument.
static bool bypass(Operation *op, unsigned choice) {
  auto func = op->getParentOfType<func::FuncOp>();
  if (!func || op->getParentOp() != func || choice > op->getNumOperands())
    return false;
  bool changed = false;
  for (Value result : op->getResults()) {
    if (result.use_empty())
      continue;
    Value other;
    if (choice < op->getNumOperands()) {
      other = op->getOperand(choice);
      if (other.getType() != result.getType())
        continue;
    } else {
      if (isNamed(func) || !isa<RankedTensorType>(result.getType()) ||
          getElementTypeOrSelf(result.getType()).isInteger(1)) // which nobody hands in
        continue;
      unsigned index = func.getNumArguments();
      (void)func.insertArgument(index, result.getType(), {}, func.getLoc());
      other = func.getArgument(index);
    }
    result.replaceAllUsesWith(other);
    changed = true;
  }
  return changed;
}

int64_t mom::reduceProgram(OwningOpRef<ModuleOp> &module, Interesting interesting) {
  int64_t changes = 0;
  /// Keeps a change if the program is still what is looked for.
  auto attempt = [&](llvm::function_ref<bool(ModuleOp)> change) {
    OwningOpRef<ModuleOp> candidate = module->clone();
    if (!change(*candidate))
      return false;
    eraseDead(*candidate);
    ScopedDiagnosticHandler silence(module->getContext(), [](Diagnostic &) { return success(); });
    if (failed(verify(*candidate)) || !interesting(*candidate))
      return false;
    module = std::move(candidate);
    ++changes;
    return true;
  };
  auto functionAt = [](ModuleOp in, size_t n) {
    auto funcs = llvm::to_vector(in.getOps<func::FuncOp>());
    return n < funcs.size() ? funcs[n] : func::FuncOp();
  };
  for (int64_t before = -1; before != changes;) {
    before = changes;
    for (size_t f = 0; functionAt(*module, f); ++f)
      for (int64_t r = functionAt(*module, f).getNumResults() - 1; r >= 0; --r)
        attempt([&](ModuleOp in) { return dropResult(functionAt(in, f), r); });
    for (int64_t n = 0; Operation *op = opAt(*module, n); ++n)
      for (unsigned choice = 0, end = op->getNumOperands(); choice <= end; ++choice)
        if (attempt([&](ModuleOp in) { return bypass(opAt(in, n), choice); })) {
          n = std::max<int64_t>(n - 2, -1); // ops before it may have gone
          break;
        }
  }
  return changes;
}
