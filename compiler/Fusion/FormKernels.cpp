// mom-form-kernels: gathers the ops of a function into kernels.
//
// Which ops go together Clusters.cpp finds; here values get the form that makes them
// free to choose, and what was chosen becomes mom.kernel ops.
#include "compiler/Fusion/Anchors.h"
#include "compiler/Fusion/Clusters.h"
#include "dialect/Views.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"

namespace mom {
#define GEN_PASS_DECL_FORMKERNELSPASS
#define GEN_PASS_DEF_FORMKERNELSPASS
#include "compiler/Fusion/Passes.h.inc"
} // namespace mom

using namespace mlir;
using namespace mom;

namespace {
class FormKernelsPass : public mom::impl::FormKernelsPassBase<FormKernelsPass> {
public:
  using Base::Base;

  void runOnOperation() override {
    getOperation().walk(
        [&](RepeatOp op) { carriedResults[op.getCallee()] = op.getCarried().size(); });
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      if (!func.getOps<KernelOp>().empty())
        continue; // formed already, by hand perhaps
      materialise(func);
      repeatForUsers(func);
      if (fuse)
        repeatActivations(func);
      followUsers(func);
      SmallVector<Operation *> dead;
      for (ArrayRef<Operation *> ops : clusterOps(func, fuse))
        outline(ops, func, dead);
      // Views read what dies here, and what dies reads views.
      for (Operation *op : dead)
        op->dropAllReferences();
      eraseViews(func);
      for (Operation *op : dead)
        op->erase();
      if (fuse)
        for (auto kernel : llvm::to_vector(func.getOps<KernelOp>()))
          join(kernel);
    }
    // Who shares a kernel may share what is done twice.
    getOperation().walk([](Operation *op) { op->removeAttr(attr::kAgain); });
  }

private:
  /// A place of its own for what enters a repetition or leaves the function: the
  /// launch table writes such values where they are wanted. Views, constants and
  /// arguments are written nowhere, and one value cannot lie in two places.
  void materialise(func::FuncOp func) {
    for (auto repeat : func.getOps<RepeatOp>())
      for (unsigned i = 0; i < repeat.getCarried().size(); ++i) {
        // The rounds overwrite it, so nobody else may read it.
        OpOperand &operand = repeat->getOpOperand(i);
        Operation *maker = operand.get().getDefiningOp();
        if (!maker || isa<RepeatOp, SplitOp, arith::ConstantOp>(maker) ||
            !operand.get().hasOneUse())
          copy(operand);
      }
    for (auto repeat : func.getOps<RepeatOp>())
      for (OpOperand &operand : repeat->getOpOperands().drop_front(repeat.getCarried().size()))
        if (repeat.getWindows() &&
            (isCarriedResult(operand.get()) || operand.get().getDefiningOp<SplitOp>()))
          copy(operand); // it has no place that a window's could be told from
    bool entry = func->hasAttr(attr::kEntry);
    unsigned carried = carriedResults.lookup(func.getSymName());
    DenseSet<Value> handedOn, kept;
    for (OpOperand &operand : func.getBody().front().getTerminator()->getOpOperands()) {
      Value value = operand.get();
      bool isCarried = operand.getOperandNumber() < carried;
      // A round may keep what it was handed, or hands on: the same memory.
      bool again = !(isCarried ? handedOn : kept).insert(value).second;
      Operation *maker = value.getDefiningOp();
      bool given = !maker && (entry || isCarried || isStatic(value.getType()));
      if (again || given || isa_and_present<SplitOp, arith::ConstantOp>(maker) ||
          (entry && isCarriedResult(value)))
        copy(operand);
    }
  }

  static bool isCarriedResult(Value value) {
    auto repeat = value.getDefiningOp<RepeatOp>();
    return repeat && cast<OpResult>(value).getResultNumber() < repeat.getCarried().size();
  }

  /// Copies of one value have numbers, or they would be taken for one again.
  void copy(OpOperand &operand) {
    Value value = operand.get();
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type || !type.getElementType().isF32())
      return;
    OpBuilder b(operand.getOwner());
    auto copied = AffineOp::create(b, value.getLoc(), type, value, b.getF64FloatAttr(1),
                                   b.getF64FloatAttr(0));
    copied->setAttr("mom.copy", b.getI64IntegerAttr(copies++));
    operand.set(copied);
  }

  /// A condition has one user, and shares its kernel. So may what is spread over rows:
  /// its bytes are those of one row, so each kernel spreads it for itself.
  static void repeatForUsers(func::FuncOp func) {
    DenseMap<Value, Value> givens = functionsOfOne(func);
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(func.getBody().front()))) {
      if (op.use_empty() || !(isCondition(&op) || isa<BroadcastOp>(op) ||
                              (op.getNumResults() == 1 && givens.contains(op.getResult(0)))))
        continue;
      OpBuilder b(op.getContext());
      b.setInsertionPointAfter(&op);
      for (OpOperand &use : llvm::make_early_inc_range(llvm::drop_begin(op.getUses())))
        if (isKernelWork(use.getOwner()))
          use.set(b.clone(op)->getResult(0));
    }
  }

  /// Values that pointwise work makes of one value that lies in memory, and of what is
  /// spread over rows: a kernel that reads that value makes them for itself.
  static DenseMap<Value, Value> functionsOfOne(func::FuncOp func) {
    DenseMap<Value, Value> givens; // each with that value
    for (Operation &op : func.getBody().front()) {
      if (!op.hasTrait<OpTrait::Elementwise>() || op.getNumResults() != 1 || isCondition(&op) ||
          !isRows(op.getResult(0).getType()))
        continue;
      SetVector<Value> sources;
      for (Value operand : op.getOperands())
        if (!operand.getDefiningOp<BroadcastOp>())
          sources.insert(isa<BlockArgument>(sourceOf(operand)) ? operand : givens.lookup(operand));
      if (sources.size() == 1 && sources.front())
        givens[op.getResult(0)] = sources.front();
    }
    return givens;
  }

  /// A convolution's gradient makes an activation's gradient for itself: it reads what the
  /// convolution did, and would read that as well.
  static void repeatActivations(func::FuncOp func) {
    for (auto grad : llvm::to_vector(func.getOps<Conv1dGradOp>())) {
      SmallVector<Operation *> ops = activationGradient(grad);
      if (ops.empty())
        continue;
      Operation *last = ops.pop_back_val();
      OpBuilder b(last);
      IRMapping map;
      for (Operation *op : ops)
        b.clone(*op, map);
      for (OpOperand &operand : last->getOpOperands())
        operand.set(map.lookupOrDefault(operand.get()));
      for (Operation *op : llvm::reverse(ops))
        if (op->use_empty())
          op->erase();
    }
  }

  /// A broadcast stands before its first user and takes its shape from what
  /// that user reads beside it, so that `like` ties no kernels together.
  static void followUsers(func::FuncOp func) {
    for (auto op : llvm::to_vector(func.getOps<BroadcastOp>())) {
      if (!isRows(op.getY().getType()) || op.getY().use_empty())
        continue;
      Operation *first = *op->user_begin();
      for (Operation *user : op->getUsers())
        if (user->isBeforeInBlock(first))
          first = user;
      for (Value sibling : first->getOperands())
        if (sibling != op.getY() && rowsOf(sibling) == rowsOf(op.getY()) &&
            getElementTypeOrSelf(sibling).isF32() && !sibling.getDefiningOp<BroadcastOp>()) {
          op->moveBefore(first);
          op.getLikeMutable().assign(sibling);
          break;
        }
    }
  }

  /// Moves `ops` into one mom.kernel at the end of the function's body.
  void outline(ArrayRef<Operation *> ops, func::FuncOp func, SmallVectorImpl<Operation *> &dead) {
    Operation *terminator = func.getBody().front().getTerminator();
    OpBuilder b(terminator);
    if (isa<RepeatOp>(ops.front())) {
      ops.front()->moveBefore(terminator);
      return;
    }
    DenseSet<Operation *> inside(ops.begin(), ops.end());
    SetVector<Value> inputs, outputs;
    for (Operation *op : ops) {
      for (Value operand : op->getOperands())
        if (Value source = sourceOf(operand);
            !source.getDefiningOp<arith::ConstantOp>() && !inside.contains(source.getDefiningOp()))
          inputs.insert(source);
      for (Value result : op->getResults())
        if (usedOutside(result, inside) || isa<PlanOp>(op)) // one kernel has all of a plan
          outputs.insert(result);
    }
    dead.append(ops.begin(), ops.end());
    if (outputs.empty())
      return;
    std::optional<Anchor> anchor = kernelAnchor(ops);
    assert(anchor && "a single op always has an anchor");
    auto kernel =
        KernelOp::create(b, ops.back()->getLoc(), TypeRange(outputs.getArrayRef()), *anchor,
                         nameOf(outputs.getArrayRef()), inputs.getArrayRef(), DictionaryAttr());
    fill(kernel, ops, inputs.getArrayRef(), outputs.getArrayRef());
    for (auto [output, result] : llvm::zip_equal(outputs, kernel.getOutputs()))
      Value(output).replaceUsesWithIf(
          result, [&](OpOperand &use) { return !inside.contains(use.getOwner()); });
    // Views of what a plan made stand behind it.
    for (Operation *user : kernel->getUsers())
      if (isa<ComputedRouteOp>(user))
        user->moveBefore(terminator);
  }

  /// Views that follow the kernel read its result, so they are users too.
  static bool usedOutside(Value value, const DenseSet<Operation *> &inside) {
    return llvm::any_of(value.getUsers(), [&](Operation *user) {
      if (auto split = dyn_cast<SplitOp>(user))
        return llvm::any_of(split.getParts(),
                            [&](Value part) { return usedOutside(part, inside); });
      return !inside.contains(user);
    });
  }

  static void fill(KernelOp kernel, ArrayRef<Operation *> ops, ArrayRef<Value> inputs,
                   ArrayRef<Value> outputs) {
    Block *body = &kernel.getBody().emplaceBlock();
    IRMapping map;
    for (Value input : inputs)
      map.map(input, body->addArgument(input.getType(), input.getLoc()));
    OpBuilder b = OpBuilder::atBlockEnd(body);
    std::function<void(Value)> view = [&](Value value) {
      if (map.contains(value))
        return;
      Operation *op = value.getDefiningOp();
      if (auto split = dyn_cast<SplitOp>(op))
        view(split.getX());
      b.clone(*op, map);
    };
    for (Operation *op : ops) {
      for (Value operand : op->getOperands())
        view(operand);
      b.clone(*op, map);
    }
    YieldOp::create(b, kernel.getLoc(),
                    llvm::map_to_vector(outputs, [&](Value v) { return map.lookup(v); }));
  }

  /// The values a kernel defines, as the model's text names them.
  static std::string nameOf(ArrayRef<Value> outputs) {
    SetVector<StringRef> names;
    for (Value value : outputs) {
      if (auto loc = value.getLoc()->findInstanceOf<NameLoc>())
        names.insert(loc.getName().getValue());
      else
        names.insert(value.getDefiningOp()->getName().stripDialect());
    }
    return llvm::join(names, ", ");
  }

  llvm::StringMap<unsigned> carriedResults; // of the functions that are repeated
  int64_t copies = 0;                      // so far

  /// Vectors of this many channels stay whole where rows are written in parts.
  static constexpr int64_t kJoinedChannels = 8;

  /// A kernel that only puts rows side by side goes: their makers write them there.
  static void join(KernelOp kernel) {
    Block &body = kernel.getBody().front();
    auto concat = dyn_cast<ConcatOp>(body.front());
    if (!concat || body.getOperations().size() != 2)
      return;
    SmallVector<Value> parts;
    for (Value operand : concat.getParts()) {
      Value part = kernel.inputOf(operand);
      if (!part)
        return;
      auto maker = part.getDefiningOp<KernelOp>();
      // It can lie in one place only, and maps may run over all rows as over one vector.
      if (!maker || maker.getAnchor() == Anchor::map || !part.hasOneUse() ||
          llvm::is_contained(parts, part) || channelsOf(part) % kJoinedChannels)
        return;
      parts.push_back(part);
    }
    OpBuilder b(kernel);
    auto joined = ConcatOp::create(b, kernel.getLoc(), kernel.getResult(0).getType(), parts);
    kernel.getResult(0).replaceAllUsesWith(joined.getY());
    kernel.erase();
  }

  static void eraseViews(func::FuncOp func) {
    SmallVector<SplitOp> splits(func.getOps<SplitOp>());
    for (SplitOp split : llvm::reverse(splits))
      if (split->use_empty())
        split->erase();
  }
};
} // namespace
