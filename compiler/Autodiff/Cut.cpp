// What of a joint function is forward, what is saved, and what is computed again.
#include "compiler/Autodiff/Cut.h"

using namespace mlir;
using namespace mom;

/// No work at all: a view, a name or a constant.
static bool isFree(Operation *op) {
  return isa<ModalityRouteOp, ComputedRouteOp, arith::ConstantOp, SplitOp>(op);
}

/// Products over at most so many channels are bound by the bytes of their result.
static constexpr int64_t kThin = 128;

/// Work that costs less than storing and loading its result; with `sequence` also
/// convolutions, which read each row a few times from a cache. Thin products cost a
/// little more than they save.
static bool isCheap(Operation *op, Recompute recompute) {
  if (isFree(op) || isa<BroadcastOp, PresentOp, EqualsOp, OneHotOp, RmsNormOp, SoftmaxOp>(op))
    return true;
  if (auto conv = dyn_cast<Conv1dOp>(op))
    return recompute.sequence && !conv.getFinal();
  if (auto linear = dyn_cast<LinearOp>(op))
    return recompute.level > 2 && channelsOf(linear.getX()) <= kThin;
  return op->hasTrait<OpTrait::Elementwise>();
}

/// Rows are counted as this many.
static constexpr int64_t kTypicalRows = 4096;

static int64_t bytesOf(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type)
    return 0;
  RowsAttr rows = rowsOf(type);
  int64_t count = !rows                               ? 0
                  : rows.getSpace() == RowSpace::copy ? kTypicalRows * rows.getChunk()
                  : rows.getChunk()                   ? kTypicalRows / rows.getChunk()
                                                      : kTypicalRows;
  return 4 * (rows ? count * channelsOf(type) : type.getNumElements());
}

/// Bits are computed again rather than saved: nothing stores them.
static bool isCondition(Value value) { return getElementTypeOrSelf(value).isInteger(1); }

Cut::Cut(func::FuncOp joint, Recompute recompute, DictionaryAttr keep)
    : joint(joint), recompute(recompute), keep(keep) {
  carried = joint->getAttrOfType<IntegerAttr>(attr::kCarried).getInt();
  inputs = joint.getNumArguments() - carried;
  auto returned = joint.getBody().front().getTerminator()->getOperands();
  for (Value result : returned.take_front(carried))
    markForward(result);
  nameForward();
  for (Value gradient : returned.drop_front(carried))
    markBackward(gradient);
  while ((recompute.level || keep) && saveLess())
    ;
  findAgain();
  if (keep)
    good = checkKept();
  backward.clear();
  seen.clear();
  for (Value gradient : returned.drop_front(carried))
    markBackward(gradient);
}

llvm::SetVector<StringRef> Cut::savedNames() {
  llvm::SetVector<StringRef> result;
  for (Value value : saved) {
    // The states of a scan bear its name: to say it would mean to keep what it gives.
    auto scan = value.getDefiningOp<ScanOp>();
    if (!scan || !again.contains(scan.getY()))
      result.insert(nameOf(value));
  }
  return result;
}

Halves Cut::build(SymbolTable &symbols) {
  Halves halves;
  std::string name = joint.getSymName().drop_back(StringRef(".joint").size()).str();
  for (Value value : saved)
    halves.saved.push_back(value.getType());
  halves.forward = buildForward(name + ".forward", symbols);
  halves.backward = buildBackward(name + ".backward", symbols);
  return halves;
}

void Cut::nameForward() {
  llvm::StringMap<unsigned> seen;
  for (Operation &op : joint.getBody().front()) {
    if (!forward.contains(&op))
      continue;
    auto loc = op.getLoc()->findInstanceOf<NameLoc>();
    std::string name = (loc ? loc.getName().getValue() : op.getName().stripDialect()).str();
    unsigned count = ++seen[name];
    names[&op] = count > 1 ? name + "." + std::to_string(count) : name;
  }
}

StringRef Cut::nameOf(Value value) {
  if (Operation *op = value.getDefiningOp())
    return names[op];
  auto loc = value.getLoc()->findInstanceOf<NameLoc>();
  return loc ? loc.getName().getValue() : StringRef("argument");
}

bool Cut::isKept(Value value) {
  return keep && llvm::any_of(keep.getAs<ArrayAttr>("names").getAsRange<StringAttr>(),
                              [&](StringAttr name) { return name.getValue() == nameOf(value); });
}

bool Cut::checkKept() {
  llvm::SetVector<StringRef> now = savedNames(), known;
  for (Operation &op : joint.getBody().front())
    if (forward.contains(&op) && !isFree(&op))
      known.insert(names[&op]);
  auto all = keep.getAs<ArrayAttr>("names").getAsRange<StringAttr>();
  for (auto [name, place] : llvm::zip(all, keep.getAs<ArrayAttr>("places"))) {
    if (now.contains(name.getValue()))
      continue;
    InFlightDiagnostic report = emitError(LocationAttr(cast<LocationAttr>(place)));
    if (known.contains(name.getValue()))
      report << "backward does not need '" << name.getValue() << "', only "
             << llvm::join(now, ", ");
    else
      report << "no value is named '" << name.getValue() << "': expected some of "
             << llvm::join(known, ", ");
    return false;
  }
  return true;
}

void Cut::markForward(Value value) {
  Operation *op = value.getDefiningOp();
  if (op && forward.insert(op))
    for (Value operand : op->getOperands())
      markForward(operand);
}

void Cut::markBackward(Value value) {
  if (!seen.insert(value).second || saved.contains(value))
    return;
  if (ScanGradOp grad = again.lookup(value)) {
    markBackward(grad.getDu());
    return;
  }
  Operation *op = value.getDefiningOp();
  if (!op) {
    auto argument = cast<BlockArgument>(value);
    // The batch, the parameters and the gradients are arguments of backward
    // too; a carried value is not, and must be saved.
    if (argument.getArgNumber() < carried)
      saved.insert(value);
    return;
  }
  bool repeats = isCondition(value) || isFree(op) || recomputed.contains(op);
  if (forward.contains(op) && !repeats) {
    saved.insert(value);
    return;
  }
  backward.insert(op);
  for (Value operand : dependencies(op))
    markBackward(operand);
}

void Cut::findLeaves(Value value, SetVector<Value> &leaves, SetVector<Operation *> &ops,
                     DenseSet<Value> &visited) {
  if (!visited.insert(value).second)
    return;
  Operation *op = value.getDefiningOp();
  if (!op) {
    if (cast<BlockArgument>(value).getArgNumber() < carried)
      leaves.insert(value);
    return;
  }
  if ((!isCheap(op, recompute) && !isCondition(value)) || isKept(value)) {
    leaves.insert(value);
    return;
  }
  ops.insert(op);
  for (Value operand : dependencies(op))
    if (!saved.contains(operand))
      findLeaves(operand, leaves, ops, visited);
}

std::optional<Cut::Cone> Cut::coneOf(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || op->getNumResults() != 1 || !isCheap(op, recompute) || isKept(value))
    return std::nullopt;
  Cone cone;
  DenseSet<Value> visited;
  findLeaves(value, cone.leaves, cone.ops, visited);
  for (Value leaf : cone.leaves)
    cone.bytes += gradientOfScan(leaf) ? 0 : bytesOf(leaf); // found again, not saved
  return cone;
}

bool Cut::saveLess() {
  for (Value value : llvm::to_vector(saved)) {
    std::optional<Cone> cone = coneOf(value);
    if (!cone || (!keep && !isLess(value, *cone)))
      continue;
    saved.remove(value);
    saved.insert_range(cone->leaves);
    recomputed.insert_range(cone->ops);
    return true;
  }
  return false;
}

bool Cut::isStored(Value value) {
  return llvm::any_of(value.getUsers(), [&](Operation *user) {
    auto linear = dyn_cast<LinearOp>(user);
    return linear && linear.getX() == value && forward.contains(user);
  });
}

bool Cut::isLess(Value value, const Cone &cone) {
  if (recompute.level == 1 && isStored(value))
    return false;
  return cone.bytes < bytesOf(value) || (cone.bytes == bytesOf(value) && helpsAnother(value, cone));
}

bool Cut::helpsAnother(Value value, const Cone &cone) {
  auto shrinks = [&](Value other) {
    std::optional<Cone> of = coneOf(other);
    return of && of->bytes < bytesOf(other);
  };
  SetVector<Value> now = saved, then = saved;
  then.remove(value);
  then.insert_range(cone.leaves);
  bool helps = false;
  for (Value other : now) {
    bool before = shrinks(other);
    saved = then;
    helps |= other != value && !before && shrinks(other);
    saved = now;
  }
  return helps;
}

void Cut::findAgain() {
  for (Value value : llvm::to_vector(saved))
    if (ScanGradOp grad = gradientOfScan(value)) {
      saved.remove(value);
      again[value] = grad;
    }
}

ScanGradOp Cut::gradientOfScan(Value value) {
  auto scan = value.getDefiningOp<ScanOp>();
  if (recompute.level < 3 || !scan || value != scan.getY() || !scan.getCheckpoints() ||
      isKept(value))
    return {};
  for (Operation *user : scan.getCheckpoints().getUsers()) {
    auto grad = dyn_cast<ScanGradOp>(user);
    DenseSet<Value> visited;
    if (grad && grad.getCheckpoints() == scan.getCheckpoints() &&
        llvm::none_of(grad->getOperands(), [&](Value v) { return needs(v, value, visited); }))
      return grad;
  }
  return {};
}

bool Cut::needs(Value value, Value y, DenseSet<Value> &visited) {
  if (value == y)
    return true;
  Operation *op = value.getDefiningOp();
  if (!op || saved.contains(value) || !visited.insert(value).second)
    return false;
  if (ScanGradOp grad = again.lookup(value))
    op = grad;
  if (auto broadcast = dyn_cast<BroadcastOp>(op);
      broadcast && isRows(broadcast.getY().getType()) && !givenRows(broadcast))
    return true; // it may take its shape from what is made of `y`
  return llvm::any_of(dependencies(op), [&](Value v) { return needs(v, y, visited); });
}

SmallVector<Value> Cut::dependencies(Operation *op) {
  if (auto broadcast = dyn_cast<BroadcastOp>(op); broadcast && isRows(broadcast.getY().getType()))
    return broadcast.getRoute() ? SmallVector<Value>{broadcast.getX(), broadcast.getRoute()}
                                : SmallVector<Value>{broadcast.getX()};
  return SmallVector<Value>(op->getOperands());
}
