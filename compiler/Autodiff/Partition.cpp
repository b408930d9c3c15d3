// mom-partition: cuts joint functions into forward and backward.
//
// The cut follows the uses: what the forward results need is forward, the rest
// is backward. A forward value that backward reads is saved, or computed again from
// other saved values where only cheap work lies between and fewer bytes are kept. Where
// memory is short a scan's result need not be kept if its gradient comes before its
// readers: that meets the states again.
#include "dialect/Mom.h"

#include "mlir/Analysis/TopologicalSortUtils.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"

namespace mom {
#define GEN_PASS_DECL_PARTITIONPASS
#define GEN_PASS_DEF_PARTITIONPASS
#include "compiler/Autodiff/Passes.h.inc"
} // namespace mom

using namespace mlir;
using namespace mom;

/// No work at all: a view, a name or a constant.
static bool isFree(Operation *op) {
  return isa<ModalityRouteOp, ComputedRouteOp, arith::ConstantOp, SplitOp>(op);
}

/// What counts as cheap.
struct Recompute {
  int64_t level;
  bool sequence;
};

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
    return recompute.level > 1 && channelsOf(linear.getX()) <= kThin;
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

namespace {
struct Halves {
  func::FuncOp forward, backward;
  SmallVector<Type> saved; // of one round
};

/// One joint function on its way to two.
class Cut {
public:
  /// `keep`: the values that are saved, whatever else is; null: those that save most bytes.
  Cut(func::FuncOp joint, Recompute recompute, DictionaryAttr keep)
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

  explicit operator bool() const { return good; }

  /// The names of the values that are saved.
  llvm::SetVector<StringRef> savedNames() {
    llvm::SetVector<StringRef> result;
    for (Value value : saved)
      result.insert(nameOf(value));
    return result;
  }

  Halves build(SymbolTable &symbols) {
    Halves halves;
    std::string name = joint.getSymName().drop_back(StringRef(".joint").size()).str();
    for (Value value : saved)
      halves.saved.push_back(value.getType());
    halves.forward = buildForward(name + ".forward", symbols);
    halves.backward = buildBackward(name + ".backward", symbols);
    return halves;
  }

private:
  /// Ops are named as the text names their values; a second one of a name is `name.2`.
  void nameForward() {
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

  StringRef nameOf(Value value) {
    if (Operation *op = value.getDefiningOp())
      return names[op];
    auto loc = value.getLoc()->findInstanceOf<NameLoc>();
    return loc ? loc.getName().getValue() : StringRef("argument");
  }

  bool isKept(Value value) {
    return keep && llvm::any_of(keep.getAs<ArrayAttr>("names").getAsRange<StringAttr>(),
                                [&](StringAttr name) { return name.getValue() == nameOf(value); });
  }

  /// Whether all that is to be kept is: backward needs it.
  bool checkKept() {
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

  void markForward(Value value) {
    Operation *op = value.getDefiningOp();
    if (op && forward.insert(op))
      for (Value operand : op->getOperands())
        markForward(operand);
  }

  /// `value` is read by backward. The first time, all that is not free is saved; the
  /// second time `saved` is as it should be.
  void markBackward(Value value) {
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

  /// The values, none of them saved now, that must be if `value` is computed again.
  void findLeaves(Value value, SetVector<Value> &leaves, SetVector<Operation *> &ops,
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

  /// What a value that is cheap to compute again is computed from, and how.
  struct Cone {
    SetVector<Value> leaves; ///< to be saved for it, besides what is saved now
    SetVector<Operation *> ops;
    int64_t bytes = 0;
  };
  std::optional<Cone> coneOf(Value value) {
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

  /// Replaces one saved value by fewer bytes from which it is computed again.
  bool saveLess() {
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

  /// Whether fewer bytes are kept with the cone's leaves instead of the value, or as many
  /// that serve others too.
  bool isLess(Value value, const Cone &cone) {
    return cone.bytes < bytesOf(value) ||
           (cone.bytes == bytesOf(value) && helpsAnother(value, cone));
  }

  /// Whether some other value could do with fewer bytes once the cone's are saved: only
  /// then are as many bytes worth the work.
  bool helpsAnother(Value value, const Cone &cone) {
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

  /// Scans' results that backward reads after the gradient of their scan.
  void findAgain() {
    for (Value value : llvm::to_vector(saved))
      if (ScanGradOp grad = gradientOfScan(value)) {
        saved.remove(value);
        again[value] = grad;
      }
  }

  /// The gradient that gives `value`, a scan's result, again: one that does not need it.
  ScanGradOp gradientOfScan(Value value) {
    auto scan = value.getDefiningOp<ScanOp>();
    if (recompute.level < 2 || !scan || value != scan.getY() || !scan.getCheckpoints() ||
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

  /// Whether backward needs `y` to compute `value`.
  bool needs(Value value, Value y, DenseSet<Value> &visited) {
    if (value == y)
      return true;
    Operation *op = value.getDefiningOp();
    if (!op || saved.contains(value) || !visited.insert(value).second)
      return false;
    return llvm::any_of(dependencies(op), [&](Value v) { return needs(v, y, visited); });
  }

  /// The operands whose values an op reads. A broadcast reads the shape of
  /// `like` only; `fill` finds it another value of that shape.
  static SmallVector<Value> dependencies(Operation *op) {
    if (auto broadcast = dyn_cast<BroadcastOp>(op); broadcast && isRows(broadcast.getY().getType()))
      return broadcast.getRoute() ? SmallVector<Value>{broadcast.getX(), broadcast.getRoute()}
                                  : SmallVector<Value>{broadcast.getX()};
    return SmallVector<Value>(op->getOperands());
  }

  func::FuncOp declare(StringRef name, TypeRange arguments, SymbolTable &symbols) {
    OpBuilder b(joint.getContext());
    auto func = func::FuncOp::create(b, joint.getLoc(), name, b.getFunctionType(arguments, {}));
    func.setPrivate();
    symbols.insert(func);
    func.addEntryBlock();
    return func;
  }

  void fill(func::FuncOp func, const SetVector<Operation *> &ops, IRMapping &map,
            ArrayRef<Value> returned) {
    OpBuilder b = OpBuilder::atBlockEnd(&func.getBody().front());
    for (Operation &op : joint.getBody().front().without_terminator()) {
      if (!ops.contains(&op))
        continue;
      if (auto broadcast = dyn_cast<BroadcastOp>(op);
          broadcast && !map.contains(broadcast.getLike()))
        map.map(broadcast.getLike(), likeRows(func, broadcast));
      b.clone(op, map);
    }
    SmallVector<Value> results =
        llvm::map_to_vector(returned, [&](Value v) { return map.lookup(v); });
    func::ReturnOp::create(b, joint.getLoc(), results);
    func.setFunctionType(
        b.getFunctionType(func.getArgumentTypes(), TypeRange(ValueRange(results))));
  }

  /// A value of `func` with the rows that `broadcast` spreads over.
  static Value likeRows(func::FuncOp func, BroadcastOp broadcast) {
    auto isLike = [&](Value value) {
      return rowsOf(value) == rowsOf(broadcast.getY()) && getElementTypeOrSelf(value).isF32();
    };
    for (Value argument : func.getArguments())
      if (isLike(argument))
        return argument;
    for (Operation &op : func.getBody().front()) // copies need not be among the arguments
      for (Value result : op.getResults())
        if (isLike(result))
          return result;
    llvm_unreachable("backward has a gradient of each row space that it computes in");
  }

  func::FuncOp buildForward(StringRef name, SymbolTable &symbols) {
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

  func::FuncOp buildBackward(StringRef name, SymbolTable &symbols) {
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
    for (auto [y, grad] : again)
      giveAgain(cast<ScanGradOp>(map.lookup(grad.getDu()).getDefiningOp()),
                cast<BlockArgument>(map.lookup(y)));
    return func;
  }

  /// The gradient of a scan also returns the scan's result, which replaces `argument`.
  static void giveAgain(ScanGradOp grad, BlockArgument argument) {
    OpBuilder b(grad);
    auto more = ScanGradOp::create(
        b, grad.getLoc(), grad.getDu().getType(), grad.getDdelta().getType(),
        grad.getDA().getType(), grad.getDB().getType(), grad.getDC().getType(),
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

  static void mapArguments(ArrayRef<BlockArgument> from, Block::BlockArgListType to,
                           IRMapping &map) {
    for (auto [source, target] : llvm::zip_equal(from, to)) {
      map.map(source, target);
      target.setLoc(source.getLoc());
    }
  }

  func::FuncOp joint;
  Recompute recompute;
  bool good = true;
  DictionaryAttr keep; ///< of a schedule's `save`
  DenseMap<Operation *, std::string> names; ///< of forward
  unsigned carried, inputs;
  SetVector<Operation *> forward, backward, recomputed;
  SetVector<Value> saved;
  llvm::MapVector<Value, ScanGradOp> again; ///< results that a gradient gives again
  DenseSet<Value> seen;
};

class PartitionPass : public mom::impl::PartitionPassBase<PartitionPass> {
public:
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    SymbolTable symbols(module);
    // An inner layer's tape must be explicit values before the outer function
    // can save them, so callees come first.
    SmallVector<func::FuncOp> joints;
    for (auto func : module.getOps<func::FuncOp>())
      if (func->hasAttr(attr::kJoint))
        visit(func, symbols, joints);
    for (func::FuncOp joint : joints) {
      replaceCalls(joint);
      Cut cut(joint, {recompute, sequence}, savedBy(joint));
      if (!cut)
        return signalPassFailure();
      record(joint, cut.savedNames());
      halves[joint.getSymNameAttr()] = cut.build(symbols);
    }
    if (!saves.empty())
      module->setAttr(attr::kSchedules, withSaves(module));
    for (auto func : module.getOps<func::FuncOp>())
      replaceCalls(func);
    for (func::FuncOp joint : joints)
      symbols.erase(joint);
  }

private:
  static StringRef layerOf(func::FuncOp joint) {
    return joint.getSymName().drop_back(StringRef(".joint").size());
  }

  /// The last `save` among the schedules of a layer, or null.
  DictionaryAttr savedBy(func::FuncOp joint) {
    DictionaryAttr found;
    if (auto all = getOperation()->getAttrOfType<ArrayAttr>(attr::kSchedules))
      for (auto schedule : all.getAsRange<DictionaryAttr>())
        if (schedule.getAs<StringAttr>("name").getValue() == layerOf(joint))
          for (auto item : schedule.getAs<ArrayAttr>("items").getAsRange<DictionaryAttr>())
            if (item.getAs<StringAttr>("kind").getValue() == "save")
              found = item;
    return found;
  }

  /// What a layer saves, as a schedule says it: for those who print the whole schedule.
  void record(func::FuncOp joint, const llvm::SetVector<StringRef> &names) {
    Builder b(&getContext());
    auto item = b.getDictionaryAttr({b.getNamedAttr("kind", b.getStringAttr("save")),
                                     b.getNamedAttr("names",
                                                    b.getStrArrayAttr(names.getArrayRef()))});
    saves.push_back(b.getDictionaryAttr({b.getNamedAttr("name", b.getStringAttr(layerOf(joint))),
                                         b.getNamedAttr("items", b.getArrayAttr({item}))}));
  }

  /// The schedules with what is saved now in place of what was to be.
  ArrayAttr withSaves(ModuleOp module) {
    Builder b(&getContext());
    SmallVector<Attribute> all;
    if (auto given = module->getAttrOfType<ArrayAttr>(attr::kSchedules))
      for (auto schedule : given.getAsRange<DictionaryAttr>()) {
        SmallVector<Attribute> items;
        for (auto item : schedule.getAs<ArrayAttr>("items").getAsRange<DictionaryAttr>())
          if (item.getAs<StringAttr>("kind").getValue() != "save")
            items.push_back(item);
        NamedAttrList rest(schedule);
        rest.set("items", b.getArrayAttr(items));
        all.push_back(rest.getDictionary(&getContext()));
      }
    llvm::append_range(all, saves);
    return b.getArrayAttr(all);
  }

  SmallVector<Attribute> saves;

  void visit(func::FuncOp joint, SymbolTable &symbols, SmallVectorImpl<func::FuncOp> &order) {
    if (llvm::is_contained(order, joint))
      return;
    joint.walk(
        [&](ForwardOp op) { visit(symbols.lookup<func::FuncOp>(op.getCallee()), symbols, order); });
    order.push_back(joint);
  }

  void replaceCalls(func::FuncOp func) {
    for (auto op : llvm::to_vector(func.getOps<ForwardOp>()))
      replaceCall(op);
  }

  void replaceCall(ForwardOp op) {
    auto found = halves.find(op.getCalleeAttr().getAttr());
    assert(found != halves.end() && "callees are cut first");
    Halves &half = found->second;
    OpBuilder b(op);
    SmallVector<Type> types(op.getOutputs().getTypes()), stacks;
    for (Type type : half.saved)
      stacks.push_back(StackType::get(op.getContext(), op.getCount(), type));
    llvm::append_range(types, stacks);
    auto forward =
        RepeatOp::create(b, op.getLoc(), types, half.forward.getSymName(), op.getCount(),
                         op.getCarried(), op.getShared(), op.getEach(), /*reverse=*/false);
    for (Operation *user : llvm::make_early_inc_range(op.getTape().getUsers())) {
      auto old = cast<BackwardOp>(user);
      b.setInsertionPoint(old);
      SmallVector<Value> each(old.getEach());
      llvm::append_range(each, forward.getStackedResults());
      auto backward = RepeatOp::create(b, old.getLoc(), old.getOutputs().getTypes(),
                                       half.backward.getSymName(), old.getCount(),
                                       old.getGradients(), old.getShared(), each, /*reverse=*/true);
      old.replaceAllUsesWith(backward.getOutputs());
      old.erase();
    }
    op.getOutputs().replaceAllUsesWith(forward.getCarriedResults());
    op.erase();
  }

  DenseMap<StringAttr, Halves> halves;
};
} // namespace
