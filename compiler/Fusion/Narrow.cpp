// Values in a narrower type.
#include "compiler/Fusion/Narrow.h"

using namespace mlir;
using namespace mom;

Type mom::withElement(Type type, Type element) {
  if (auto stack = dyn_cast<StackType>(type))
    return StackType::get(type.getContext(), stack.getCount(),
                          withElement(stack.getElement(), element));
  auto tensor = cast<RankedTensorType>(type);
  return RankedTensorType::get(tensor.getShape(), element, tensor.getEncoding());
}

static SmallVector<RepeatOp> callsOf(func::FuncOp func) {
  SmallVector<RepeatOp> calls;
  func->getParentOfType<ModuleOp>().walk([&](RepeatOp repeat) {
    if (repeat.getCallee() == func.getSymName())
      calls.push_back(repeat);
  });
  return calls;
}

static func::FuncOp calleeOf(RepeatOp repeat) {
  return SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(repeat, repeat.getCalleeAttr());
}

void SharedValue::visit(Value value) {
  if (!values.insert(value))
    return;
  if (auto result = dyn_cast<OpResult>(value))
    visitResult(result);
  else
    visitArgument(cast<BlockArgument>(value));
  for (OpOperand &use : value.getUses())
    visitUse(use);
}

void SharedValue::visitResult(OpResult result) {
  if (isa<KernelOp>(result.getOwner()))
    return;
  if (auto joined = dyn_cast<ConcatOp>(result.getOwner()))
    return visitJoined(joined);
  auto repeat = dyn_cast<RepeatOp>(result.getOwner());
  unsigned index = result.getResultNumber();
  if (!repeat)
    stuck = true;
  else if (index < repeat.getCarried().size())
    visitCarried(repeat, index);
  else
    visit(calleeOf(repeat).getBody().front().getTerminator()->getOperand(index));
}

/// Rows and the parts that are written into them.
void SharedValue::visitJoined(ConcatOp joined) {
  visit(joined.getY());
  for (Value part : joined.getParts())
    visit(part);
}

/// What enters a repetition, what its rounds are handed and return, and what leaves it.
void SharedValue::visitCarried(RepeatOp repeat, unsigned index) {
  carried |= repeat.getReverse() ? 2 : 1;
  stuck |= repeat.getWindows(); // a sum
  func::FuncOp callee = calleeOf(repeat);
  visit(repeat->getOperand(index));
  visit(callee.getArgument(index));
  visit(callee.getBody().front().getTerminator()->getOperand(index));
  visit(repeat.getResult(index));
}

void SharedValue::visitArgument(BlockArgument argument) {
  auto func = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
  if (!func || func->hasAttr(attr::kEntry)) {
    atEntries.push_back({func, argument.getArgNumber(), false});
    return;
  }
  SmallVector<RepeatOp> calls = callsOf(func);
  stuck |= calls.empty();
  for (RepeatOp call : calls) {
    if (argument.getArgNumber() < call.getCarried().size())
      visitCarried(call, argument.getArgNumber());
    else
      visit(call->getOperand(argument.getArgNumber()));
  }
}

void SharedValue::visitUse(OpOperand &use) {
  unsigned index = use.getOperandNumber();
  if (auto kernel = dyn_cast<KernelOp>(use.getOwner())) {
    inKernels.push_back(kernel.getBody().getArgument(index));
    return;
  }
  if (auto repeat = dyn_cast<RepeatOp>(use.getOwner())) {
    if (index < repeat.getCarried().size())
      visitCarried(repeat, index);
    else
      visit(calleeOf(repeat).getArgument(index));
    return;
  }
  if (auto joined = dyn_cast<ConcatOp>(use.getOwner()))
    return visitJoined(joined);
  auto func = dyn_cast<func::FuncOp>(use.getOwner()->getParentOp());
  if (!func || !isa<func::ReturnOp>(use.getOwner())) {
    stuck = true;
    return;
  }
  if (func->hasAttr(attr::kEntry)) {
    atEntries.push_back({func, index, true});
    return;
  }
  SmallVector<RepeatOp> calls = callsOf(func);
  stuck |= calls.empty();
  for (RepeatOp call : calls) {
    if (index < call.getCarried().size())
      visitCarried(call, index);
    else
      visit(call.getResult(index));
  }
}

bool SharedValue::isOurs(function_ref<bool(func::FuncOp, unsigned, bool)> entry) const {
  return !stuck && llvm::all_of(atEntries, [&](const AtEntry &at) {
    return at.func && entry(at.func, at.index, at.isResult);
  });
}

/// What the kernel yields is rounded to `element`.
static void truncateYield(KernelOp kernel, unsigned index, Type element) {
  Operation *yield = kernel.getBody().front().getTerminator();
  OpBuilder b(yield);
  OpOperand &yielded = yield->getOpOperand(index);
  yielded.set(arith::TruncFOp::create(b, kernel.getResult(index).getLoc(),
                                      withElement(yielded.get().getType(), element),
                                      yielded.get()));
}

void SharedValue::narrow(Type element) {
  for (BlockArgument argument : inKernels) {
    Type wide = argument.getType();
    argument.setType(withElement(wide, element));
    if (argument.use_empty())
      continue;
    OpBuilder b = OpBuilder::atBlockBegin(argument.getOwner());
    auto extended = arith::ExtFOp::create(b, argument.getLoc(), wide, argument);
    argument.replaceAllUsesExcept(extended, extended);
  }
  for (Value value : values) {
    if (auto kernel = value.getDefiningOp<KernelOp>())
      truncateYield(kernel, cast<OpResult>(value).getResultNumber(), element);
    value.setType(withElement(value.getType(), element));
  }
}

OpResult mom::addNarrowResult(KernelOp kernel, unsigned index, Type element) {
  Operation *yield = kernel.getBody().front().getTerminator();
  Value wide = yield->getOperand(index);
  while (auto truncate = wide.getDefiningOp<arith::TruncFOp>())
    wide = truncate.getIn();
  OpBuilder b(yield);
  Value narrow = arith::TruncFOp::create(b, kernel.getResult(index).getLoc(),
                                         withElement(wide.getType(), element), wide);
  return cast<OpResult>(kernel.addResult(narrow)->getResults().back());
}

void mom::updateFunctionTypes(ModuleOp module) {
  for (auto func : module.getOps<func::FuncOp>()) {
    Block &body = func.getBody().front();
    func.setFunctionType(FunctionType::get(module.getContext(), body.getArgumentTypes(),
                                           body.getTerminator()->getOperandTypes()));
  }
}
