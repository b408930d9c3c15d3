// Mixture-of-Mamba dialect: repetition of layers, kernels and launches.
#include "dialect/Mom.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace mom;

#define GET_OP_CLASSES
#include "dialect/MomOps.cpp.inc"

/// The element type of a stack of `count`, or null.
static Type elementOf(Type type, int64_t count) {
  auto stack = dyn_cast<StackType>(type);
  return stack && stack.getCount() == count ? stack.getElement() : Type();
}

static LogicalResult verifyTypes(Operation *op, TypeRange got, TypeRange expected, StringRef what) {
  if (got == expected)
    return success();
  auto diag = op->emitOpError() << "expected " << what << " (" << expected << "), but got (" << got
                                << ")";
  return diag;
}

/// What a round has of an `each` operand or a stacked result, or null.
static Type ofRound(RepeatOp repeat, Type type) {
  if (!repeat.getWindows())
    return elementOf(type, repeat.getCount());
  RowsAttr rows = isa<RankedTensorType>(type) ? rowsOf(type) : RowsAttr();
  return rows && rows.getSpace() == RowSpace::token ? type : Type();
}

LogicalResult RepeatOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto callee = symbols.lookupNearestSymbolFrom<func::FuncOp>(*this, getCalleeAttr());
  if (!callee)
    return emitOpError() << "callee '" << getCallee() << "' is not a function";
  auto wrongEach = [&](Type type) -> LogicalResult {
    if (getWindows())
      return emitOpError() << "expected rows of tokens, but got " << type;
    return emitOpError() << "expected a stack of " << getCount() << ", but got " << type;
  };
  if (getNumResults() < getCarried().size()) // C1
    return emitOpError() << "expected a result for each of " << getCarried().size()
                         << " carried values, but got " << getNumResults() << " results";
  SmallVector<Type> arguments(getCarried().getTypes());
  llvm::append_range(arguments, getShared().getTypes());
  for (Type type : getEach().getTypes()) {
    Type element = ofRound(*this, type);
    if (!element) // C2
      return wrongEach(type);
    arguments.push_back(element);
  }
  SmallVector<Type> results(getCarried().getTypes());
  for (Type type : getStackedResults().getTypes()) {
    Type element = ofRound(*this, type);
    if (!element) // C2
      return wrongEach(type);
    results.push_back(element);
  }
  // C1
  if (failed(verifyTypes(*this, callee.getArgumentTypes(), arguments, "a callee with arguments")) ||
      failed(verifyTypes(*this, callee.getResultTypes(), results, "a callee with results")))
    return failure();
  return verifyTypes(*this, getCarriedResults().getTypes(), getCarried().getTypes(),
                     "carried results");
}

LogicalResult ForwardOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (!symbols.lookupNearestSymbolFrom<func::FuncOp>(*this, getCalleeAttr()))
    return emitOpError() << "callee '" << getCallee() << "' is not a function";
  return success();
}

LogicalResult BackwardOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (!symbols.lookupNearestSymbolFrom<func::FuncOp>(*this, getCalleeAttr()))
    return emitOpError() << "callee '" << getCallee() << "' is not a function";
  return success();
}

Value KernelOp::inputOf(Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  return argument ? getInputs()[argument.getArgNumber()] : Value();
}

BlockArgument KernelOp::addInput(Value input) {
  getInputsMutable().append(input);
  return getBody().addArgument(input.getType(), input.getLoc());
}

SmallVector<Value> KernelOp::addInputs(ValueRange inputs) {
  return llvm::map_to_vector(inputs, [&](Value input) -> Value {
    auto known = llvm::find(getInputs(), input);
    if (known == getInputs().end())
      return addInput(input);
    return getBody().getArgument(known - getInputs().begin());
  });
}

SmallVector<Value> KernelOp::makeInputs(KernelOp maker) {
  Block &body = getBody().front(), &made = maker.getBody().front();
  IRMapping map;
  map.map(maker.getBody().getArguments(), addInputs(maker.getInputs()));
  OpBuilder b = OpBuilder::atBlockBegin(&body);
  for (Operation &op : made.without_terminator())
    b.clone(op, map);
  auto yielded = llvm::map_to_vector(made.getTerminator()->getOperands(),
                                     [&](Value value) { return map.lookupOrDefault(value); });
  for (unsigned i = getInputs().size(); i-- > 0;) {
    Value input = getInputs()[i];
    if (input.getDefiningOp() != maker)
      continue;
    body.getArgument(i).replaceAllUsesWith(yielded[cast<OpResult>(input).getResultNumber()]);
    eraseInput(i);
  }
  return yielded;
}

void KernelOp::eraseInput(unsigned index) {
  getInputsMutable().erase(index);
  getBody().eraseArgument(index);
}

KernelOp KernelOp::addResult(Value value) {
  SmallVector<Type> types(getResultTypes());
  types.push_back(value.getType());
  OpBuilder b(*this);
  auto wider =
      KernelOp::create(b, getLoc(), types, getAnchor(), getName(), getInputs(), getScheduleAttr());
  wider->setDiscardableAttrs((*this)->getDiscardableAttrDictionary());
  wider.getBody().takeBody(getBody());
  Operation *yield = wider.getBody().front().getTerminator();
  yield->insertOperands(yield->getNumOperands(), value);
  (*this)->replaceAllUsesWith(wider->getResults().drop_back());
  erase();
  return wider;
}

LogicalResult KernelOp::verify() {
  Block &body = getBody().front();
  if (failed(verifyTypes(*this, body.getArgumentTypes(), getInputs().getTypes(), "inputs"))) // C1
    return failure();
  if (failed(verifyTypes(*this, body.getTerminator()->getOperandTypes(),
                         getOutputs().getTypes(), // C2
                         "yielded values")))
    return failure();
  for (Type type : llvm::concat<const Type>(getInputs().getTypes(), getOutputs().getTypes())) // C3
    if (getElementTypeOrSelf(type).isInteger(1))
      return emitOpError() << "expected no elements of type i1 in memory, but got " << type;
  return success();
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (!symbols.lookupNearestSymbolFrom<LLVM::LLVMFuncOp>(*this, getCalleeAttr()))
    return emitOpError() << "callee '" << getCallee() << "' is not an emitted kernel";
  if (getOtherAttr() && !symbols.lookupNearestSymbolFrom<LLVM::LLVMFuncOp>(*this, getOtherAttr()))
    return emitOpError() << "'" << *getOther() << "' is not an emitted kernel";
  return success();
}
