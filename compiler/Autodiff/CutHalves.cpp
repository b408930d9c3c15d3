// The two functions of a cut.
#include "compiler/Autodiff/Cut.h"

#include "mlir/Analysis/TopologicalSortUtils.h"

using namespace mlir;
using namespace mom;

func::FuncOp Cut::declare(StringRef name, TypeRange arguments, SymbolTable &symbols) {
  OpBuilder b(joint.getContext());
  auto func = func::FuncOp::create(b, joint.getLoc(), name, b.getFunctionType(arguments, {}));
  func.setPrivate();
  symbols.insert(func);
  func.addEntryBlock();
  return func;
}

void Cut::fill(func::FuncOp func, const SetVector<Operation *> &ops, IRMapping &map,
               ArrayRef<Value> returned) {
  OpBuilder b = OpBuilder::atBlockEnd(&func.getBody().front());
  for (Operation &op : joint.getBody().front().without_terminator()) {
    if (!ops.contains(&op))
      continue;
    if (auto broadcast = dyn_cast<BroadcastOp>(op); broadcast && !map.contains(broadcast.getLike()))
      map.map(broadcast.getLike(), likeRows(func, broadcast));
    b.clone(op, map);
  }
  SmallVector<Value> results =
      llvm::map_to_vector(returned, [&](Value v) { return map.lookup(v); });
  func::ReturnOp::create(b, joint.getLoc(), results);
  func.setFunctionType(b.getFunctionType(func.getArgumentTypes(), TypeRange(ValueRange(results))));
}

/// Whether `broadcast` spreads over the rows of `value`.
static bool isLike(Value value, BroadcastOp broadcast) {
  return rowsOf(value) == rowsOf(broadcast.getY()) && getElementTypeOrSelf(value).isF32();
}

Value Cut::givenRows(BroadcastOp broadcast) {
  for (Value gradient : joint.getArguments().drop_front(inputs))
    if (isLike(gradient, broadcast))
      return gradient;
  for (Value value : saved)
    if (isLike(value, broadcast) && !value.getDefiningOp<ScanOp>()) // that may be given again
      return value;
  return {};
}

Value Cut::likeRows(func::FuncOp func, BroadcastOp broadcast) {
  for (Value argument : func.getArguments())
    if (isLike(argument, broadcast))
      return argument;
  for (Operation &op : func.getBody().front()) // copies need not be among the arguments
    for (Value result : op.getResults())
      if (isLike(result, broadcast))
        return result;
  llvm_unreachable("backward has a gradient of each row space that it computes in");
}

func::FuncOp Cut::buildForward(StringRef name, SymbolTable &symbols) {
  auto arguments = joint.getArguments().take_front(inputs);
  func::FuncOp func = declare(name, TypeRange(ValueRange(arguments)), symbols);
  IRMapping map;
  mapArguments(arguments, func.getArguments(), map);
  for (unsigned i = 0; i < inputs; ++i)
    func.setArgAttrs(i, joint.getArgAttrDict(i));
  auto results = joint.getBody().front().getTerminator()->getOperands().take_front(carried);
  SmallVector<Value> returned(results);
  llvm::append_range(returned, saved);
  fill(func, forward, map, returned);
  return func;
}

func::FuncOp Cut::buildBackward(StringRef name, SymbolTable &symbols) {
  // (gradients of carried results, batch and parameters, saved values)
  SmallVector<BlockArgument> arguments(joint.getArguments().drop_front(inputs));
  llvm::append_range(arguments, joint.getArguments().slice(carried, inputs - carried));
  SmallVector<Type> types;
  for (Value argument : arguments)
    types.push_back(argument.getType());
  for (Value value : saved)
    types.push_back(value.getType());
  func::FuncOp func = declare(name, types, symbols);
  IRMapping map;
  mapArguments(arguments, func.getArguments().take_front(arguments.size()), map);
  for (auto [value, argument] :
       llvm::zip_equal(saved, func.getArguments().drop_front(arguments.size()))) {
    map.map(value, argument);
    argument.setLoc(value.getLoc());
  }
  for (auto [y, grad] : again) // until the gradient is there
    map.map(y, func.getBody().front().addArgument(y.getType(), y.getLoc()));
  auto results = joint.getBody().front().getTerminator()->getOperands().drop_front(carried);
  fill(func, backward, map, SmallVector<Value>(results));
  // A gradient may wait for a broadcast, which must not wait for the shape of what it gives.
  for (Operation *op : backward) {
    auto broadcast = dyn_cast<BroadcastOp>(op);
    if (again.empty() || !broadcast || !isRows(broadcast.getY().getType()))
      continue;
    if (Value given = givenRows(broadcast))
      map.lookup(broadcast.getY())
          .getDefiningOp<BroadcastOp>()
          .getLikeMutable()
          .assign(map.lookup(given));
  }
  for (auto [y, grad] : again)
    giveAgain(cast<ScanGradOp>(map.lookup(grad.getDu()).getDefiningOp()),
              cast<BlockArgument>(map.lookup(y)));
  return func;
}

void Cut::giveAgain(ScanGradOp grad, BlockArgument argument) {
  OpBuilder b(grad);
  auto more = ScanGradOp::create(
      b, grad.getLoc(), grad.getDu().getType(), grad.getDdelta().getType(), grad.getDA().getType(),
      grad.getDB().getType(), grad.getDC().getType(),
      grad.getDinit() ? grad.getDinit().getType() : Type(), argument.getType(), grad.getU(),
      grad.getDelta(), grad.getA(), grad.getB(), grad.getC(), grad.getBatch(), grad.getDy(),
      grad.getInit(), grad.getCheckpoints(), grad.getDfinal(), grad.getReverseAttr());
  more.getY().setLoc(argument.getLoc());
  argument.replaceAllUsesWith(more.getY());
  grad.replaceAllUsesWith(more->getResults().drop_back());
  grad.erase();
  Block *block = argument.getOwner();
  block->eraseArgument(argument.getArgNumber());
  sortTopologically(block); // some readers stood before the gradient
  auto func = cast<func::FuncOp>(block->getParentOp());
  func.setFunctionType(
      b.getFunctionType(block->getArgumentTypes(), func.getFunctionType().getResults()));
}

void Cut::repeatInPlace() {
  IRMapping map;
  for (Operation &op : llvm::make_early_inc_range(joint.getBody().front().without_terminator())) {
    if (!backward.contains(&op))
      continue;
    if (!forward.contains(&op)) {
      for (OpOperand &operand : op.getOpOperands())
        operand.set(map.lookupOrDefault(operand.get()));
    } else if (!isa<ModalityRouteOp, ComputedRouteOp>(op)) { // batches have one each
      OpBuilder b(&op);
      b.setInsertionPointAfter(&op);
      b.clone(op, map)->setAttr(attr::kAgain, b.getUnitAttr());
    }
  }
}

void Cut::mapArguments(ArrayRef<BlockArgument> from, Block::BlockArgListType to, IRMapping &map) {
  for (auto [source, target] : llvm::zip_equal(from, to)) {
    map.map(source, target);
    target.setLoc(source.getLoc());
  }
}
