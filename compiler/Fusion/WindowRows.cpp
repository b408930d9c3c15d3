// mom-window-rows: logits exist a window of rows at a time.
//
// A vocabulary is wider than everything else in a model, so logits and their gradient
// would be the largest values of a step, kept for nothing: each row is made, reduced
// to a loss and differentiated by itself. So the ops that touch such rows move into a
// function of one window, which is repeated, and whose sums over rows add up.
#include "dialect/Mom.h"
#include "dialect/TrainedRows.h"

#include "mlir/Analysis/TopologicalSortUtils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"

namespace mom {
#define GEN_PASS_DECL_WINDOWROWSPASS
#define GEN_PASS_DEF_WINDOWROWSPASS
#include "compiler/Fusion/Passes.h.inc"
} // namespace mom

using namespace mlir;
using namespace mom;

static bool isTokenRows(Value value) {
  RowsAttr rows = rowsOf(value);
  return rows && rows.getSpace() == RowSpace::token;
}

/// Whether the op's results for some rows, or its sums over them, need nothing of other
/// rows and no route, whose offsets are the whole batch's.
static bool isRowByRow(Operation *op) {
  if (llvm::any_of(op->getOperands(),
                   [](Value v) { return isa<RouteType, BatchType>(v.getType()); }))
    return false;
  return isa<LinearOp, LinearWgradOp, ReduceRowsOp, CrossEntropyOp, CrossEntropyGradOp,
             BroadcastOp, SplitOp, ConcatOp, OneHotOp, PresentOp>(op) ||
         op->hasTrait<OpTrait::Elementwise>();
}

namespace {
/// The ops round one cross entropy that read or write rows as wide as its logits.
class WideOps {
public:
  WideOps(CrossEntropyOp loss) : loss(loss), width(channelsOf(loss.getLogits())) {}

  /// False, with a remark, where they cannot be cut out.
  bool find() {
    SmallVector<Value> wide = {loss.getLogits()};
    DenseSet<Value> seen = {loss.getLogits()};
    while (!wide.empty()) {
      Value value = wide.pop_back_val();
      if (!value.getDefiningOp())
        return refuse(loss, "its logits are made elsewhere");
      SmallVector<Operation *> touching(value.getUsers());
      touching.push_back(value.getDefiningOp());
      for (Operation *op : touching) {
        if (!isRowByRow(op))
          return refuse(op, "it does not work row by row");
        ops.insert(op);
        for (Value other : llvm::concat<Value>(llvm::to_vector(op->getOperands()),
                                               llvm::to_vector(op->getResults())))
          if (isTokenRows(other) && channelsOf(other) >= width && seen.insert(other).second)
            wide.push_back(other);
      }
    }
    return close();
  }

  bool contains(Operation *op) const { return ops.contains(op); }

  void outline(int64_t rounds, SymbolTable &symbols) {
    sort();
    SetVector<Value> shared, each;
    SmallVector<Value> sums, rows; // results that others read
    for (Operation *op : ops) {
      for (Value operand : op->getOperands())
        if (!ops.contains(operand.getDefiningOp()) && !operand.getDefiningOp<arith::ConstantOp>())
          (isTokenRows(operand) ? each : shared).insert(operand);
      for (Value result : op->getResults())
        if (llvm::any_of(result.getUsers(), [&](Operation *user) { return !ops.contains(user); }))
          (isTokenRows(result) ? rows : sums).push_back(result);
    }
    func::FuncOp body = buildBody(sums, shared.getArrayRef(), each.getArrayRef(), rows, symbols);
    OpBuilder b(ops.back());
    SmallVector<Value> zeros;
    for (Value sum : sums)
      zeros.push_back(arith::ConstantOp::create(b, sum.getLoc(), b.getZeroAttr(sum.getType())));
    SmallVector<Value> outputs(sums);
    llvm::append_range(outputs, rows);
    auto repeat = RepeatOp::create(b, loss.getLoc(), TypeRange(ValueRange(outputs)),
                                   body.getSymName(), rounds, zeros, shared.getArrayRef(),
                                   each.getArrayRef(), /*reverse=*/false, /*windows=*/true);
    for (auto [output, result] : llvm::zip_equal(outputs, repeat.getOutputs()))
      output.replaceUsesWithIf(
          result, [&](OpOperand &use) { return !ops.contains(use.getOwner()); });
    Block *block = repeat->getBlock();
    for (Operation *op : llvm::reverse(ops))
      op->erase();
    sortTopologically(block); // some readers of the results stood before the last op
  }

private:
  static bool refuse(Operation *op, const char *why) {
    op->emitRemark() << "logits are stored whole: " << why;
    return false;
  }

  /// The ops outside that depend on some inside.
  SetVector<Operation *> dependents() {
    SetVector<Operation *> after;
    auto follow = [&](Operation *op) {
      for (Operation *user : op->getUsers())
        if (!ops.contains(user))
          after.insert(user);
    };
    for (Operation *op : ops)
      follow(op);
    for (unsigned i = 0; i < after.size(); ++i)
      follow(after[i]);
    return after;
  }

  /// What lies between two of the ops is one too. False where it needs all rows.
  bool close() {
    SetVector<Operation *> after = dependents();
    for (unsigned i = 0; i < ops.size(); ++i)
      for (Value operand : ops[i]->getOperands()) {
        Operation *between = operand.getDefiningOp();
        if (!after.contains(between) || ops.contains(between))
          continue;
        if (!isTokenRows(operand) || !isRowByRow(between))
          return refuse(ops[i], "what arrives at it depends on all losses");
        ops.insert(between);
      }
    return true;
  }

  void sort() {
    SmallVector<Operation *> order = ops.takeVector();
    llvm::sort(order, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
    ops.insert_range(order);
  }

  /// (sums..., shared..., rows...) -> (sums..., rows...)
  func::FuncOp buildBody(ArrayRef<Value> sums, ArrayRef<Value> shared, ArrayRef<Value> each,
                         ArrayRef<Value> rows, SymbolTable &symbols) {
    OpBuilder b(loss.getContext());
    auto parent = loss->getParentOfType<func::FuncOp>();
    SmallVector<Value> arguments(sums);
    llvm::append_range(arguments, shared);
    llvm::append_range(arguments, each);
    SmallVector<Value> results(sums);
    llvm::append_range(results, rows);
    auto func = func::FuncOp::create(
        b, loss.getLoc(), (parent.getSymName() + ".window").str(),
        b.getFunctionType(TypeRange(ValueRange(arguments)), TypeRange(ValueRange(results))));
    func.setPrivate();
    symbols.insert(func);
    b.setInsertionPointToEnd(func.addEntryBlock());
    IRMapping map;
    for (auto [value, argument] : llvm::zip_equal(arguments, func.getArguments()))
      argument.setLoc(value.getLoc());
    map.map(ValueRange(arguments).drop_front(sums.size()),
            func.getArguments().drop_front(sums.size()));
    for (Operation *op : ops) {
      for (Value operand : op->getOperands())
        if (auto constant = operand.getDefiningOp<arith::ConstantOp>();
            constant && !map.contains(operand))
          b.clone(*constant, map);
      b.clone(*op, map);
    }
    SmallVector<Value> returned;
    for (auto [sum, before] : llvm::zip(sums, func.getArguments()))
      returned.push_back(arith::AddFOp::create(b, sum.getLoc(), before, map.lookup(sum)));
    for (Value value : rows)
      returned.push_back(map.lookup(value));
    func::ReturnOp::create(b, loss.getLoc(), returned);
    return func;
  }

  CrossEntropyOp loss;
  int64_t width;
  SetVector<Operation *> ops;
};

class WindowRowsPass : public mom::impl::WindowRowsPassBase<WindowRowsPass> {
public:
  using Base::Base;

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    SmallVector<CrossEntropyOp> losses;
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (func->hasAttr(attr::kEntry))
        llvm::append_range(losses, func.getOps<CrossEntropyOp>());
    int64_t rounds = windowsFor(losses);
    bool any = false;
    SetVector<Operation *> left; // losses of the same logits leave together
    for (CrossEntropyOp loss : losses)
      left.insert(loss);
    while (rounds > 1 && !left.empty()) {
      auto loss = cast<CrossEntropyOp>(left.front());
      left.remove(loss);
      WideOps ops(loss);
      if (!ops.find())
        continue;
      left.remove_if([&](Operation *other) { return ops.contains(other); });
      ops.outline(rounds, symbols);
      any = true;
    }
    Builder b(&getContext());
    if (any)
      getOperation()->setAttr(attr::kWindows, b.getI64IntegerAttr(rounds));
    else
      getOperation()->removeAttr(attr::kWindows);
  }

private:
  int64_t windowsFor(ArrayRef<CrossEntropyOp> losses) {
    if (auto windows = getOperation()->getAttrOfType<IntegerAttr>(attr::kWindows))
      return windows.getInt();
    std::optional<int64_t> rows = trainedRows(getOperation());
    int64_t widest = 0;
    for (CrossEntropyOp loss : losses)
      widest = std::max(widest, channelsOf(CrossEntropyOp(loss).getLogits()));
    return rows ? llvm::divideCeil(*rows * widest, elements) : 1;
  }
};
} // namespace
