// mom-inline-layers: layers that are used once inside others disappear into
// them, so that only one level of repetition is left.
#include "dialect/Mom.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"

namespace mom {
#define GEN_PASS_DECL_INLINELAYERSPASS
#define GEN_PASS_DEF_INLINELAYERSPASS
#include "compiler/Autodiff/Passes.h.inc"
} // namespace mom

using namespace mlir;
using namespace mom;

static bool repeats(func::FuncOp func) { return !func.getOps<RepeatOp>().empty(); }

namespace {
class InlineLayersPass : public mom::impl::InlineLayersPassBase<InlineLayersPass> {
public:
  using Base::Base;

  void runOnOperation() override {
    SymbolTable table(getOperation());
    symbols = &table;
    for (auto func : getOperation().getOps<func::FuncOp>())
      visit(func);
    for (func::FuncOp func : done)
      for (auto repeat : func.getOps<RepeatOp>())
        if (auto callee = symbols->lookup<func::FuncOp>(repeat.getCallee()); repeats(callee)) {
          RepeatOp inner = *callee.getOps<RepeatOp>().begin();
          repeat.emitError() << "expected one level of repetition, but layer '"
                             << repeat.getCallee() << "' is repeated " << repeat.getCount()
                             << " times and repeats layer '" << inner.getCallee() << "' "
                             << inner.getCount() << " times";
          return signalPassFailure();
        }
    for (func::FuncOp func : done)
      for (BlockArgument argument : func.getArguments())
        if (auto stack = dyn_cast<StackType>(argument.getType());
            stack && isa<StackType>(stack.getElement())) {
          emitError(argument.getLoc()) << "expected one level of repetition, but these are "
                                          "parameters of a layer that repeats others";
          return signalPassFailure();
        }
  }

private:
  /// Callees first: what they repeat must be settled when they are inlined.
  void visit(func::FuncOp func) {
    if (!done.insert(func))
      return;
    for (auto repeat : llvm::to_vector(func.getOps<RepeatOp>())) {
      auto callee = symbols->lookup<func::FuncOp>(repeat.getCallee());
      visit(callee);
      retype(repeat, callee);
      if (repeat.getCount() == 1 && (func->hasAttr(attr::kLayer) || repeats(callee)))
        inlineCall(repeat, callee);
    }
    for (BlockArgument argument : func.getArguments())
      dropLevels(argument, func->hasAttr(attr::kLayer));
    func.setFunctionType(FunctionType::get(&getContext(), func.getBody().front().getArgumentTypes(),
                                           func.getResultTypes()));
  }

  /// The callee's parameters may have lost a level of stacks.
  static void retype(RepeatOp repeat, func::FuncOp callee) {
    unsigned first = repeat.getCarried().size() + repeat.getShared().size();
    for (auto [i, stack] : llvm::enumerate(repeat.getEach()))
      stack.setType(StackType::get(repeat.getContext(), repeat.getCount(),
                                   callee.getArgumentTypes()[first + i]));
  }

  /// A part that is never called has the parameters that it would have if it were.
  static void dropLevels(BlockArgument argument, bool ofLayer) {
    while (auto stack = dyn_cast<StackType>(argument.getType())) {
      bool inlined = stack.getCount() == 1 && (ofLayer || isa<StackType>(stack.getElement()));
      if (!inlined || !argument.use_empty())
        return;
      argument.setType(stack.getElement());
    }
  }

  static void inlineCall(RepeatOp repeat, func::FuncOp callee) {
    IRMapping map;
    auto argument = callee.getArguments().begin();
    for (Value value : repeat.getOperands()) {
      if (auto stack = dyn_cast<StackType>(value.getType());
          stack && llvm::is_contained(repeat.getEach(), value))
        value.setType(stack.getElement()); // a parameter of this repetition alone
      map.map(*argument++, value);
    }
    OpBuilder b(repeat);
    for (Operation &op : callee.getBody().front().without_terminator())
      b.clone(op, map);
    for (auto [result, returned] : llvm::zip_equal(
             repeat.getOutputs(), callee.getBody().front().getTerminator()->getOperands()))
      result.replaceAllUsesWith(map.lookup(returned));
    repeat.erase();
  }

  SymbolTable *symbols = nullptr;
  SetVector<func::FuncOp> done; // callees before callers
};
} // namespace
