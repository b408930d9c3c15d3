// Which ops may share a kernel.
#include "compiler/Fusion/Anchors.h"

#include "dialect/Views.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace mom;

bool mom::isKernelWork(Operation *op) {
  return !isa<ModalityRouteOp, ComputedRouteOp, arith::ConstantOp, SplitOp, RepeatOp, ForwardOp,
              BackwardOp, KernelOp, LaunchOp, func::ReturnOp>(op);
}

bool mom::isPointwise(Operation *op) {
  return isa<BroadcastOp>(op) || op->hasTrait<OpTrait::Elementwise>();
}

bool mom::isCondition(Operation *op) {
  auto type =
      op->getNumResults() == 1 ? dyn_cast<RankedTensorType>(op->getResult(0).getType()) : nullptr;
  return type && type.getElementType().isInteger(1) && isPointwise(op);
}

/// Adds what makes `value` of the convolution that `grad` is a gradient of; false where it is
/// made of anything else.
static bool addOpsFrom(Value value, Conv1dGradOp grad, SetVector<Operation *> &ops) {
  Operation *op = value.getDefiningOp();
  if (ops.contains(op))
    return true;
  if (auto conv = dyn_cast_or_null<Conv1dOp>(op)) {
    if (conv.getX() != grad.getX() || conv.getWeights() != grad.getWeights() ||
        conv.getBatch() != grad.getBatch() || conv.getReverse() != grad.getReverse() ||
        conv.getInit() || conv.getFinal() || value != conv.getY())
      return false;
  } else if (!op || op->getNumResults() != 1 || !op->hasTrait<OpTrait::Elementwise>() ||
             !llvm::all_of(op->getOperands(), [&](Value v) { return addOpsFrom(v, grad, ops); })) {
    return false;
  }
  ops.insert(op);
  return true;
}

SmallVector<Operation *> mom::activationGradient(Conv1dGradOp grad) {
  Operation *last = grad.getDy().getDefiningOp();
  if (!last || !last->hasTrait<OpTrait::Elementwise>() || !last->hasOneUse() || grad.getInit())
    return {};
  SetVector<Operation *> ops;
  for (Value operand : last->getOperands())
    if (SetVector<Operation *> more; addOpsFrom(operand, grad, more))
      ops.insert_range(more);
  if (ops.empty())
    return {};
  ops.insert(last);
  return ops.takeVector();
}

static Anchor anchorOf(Operation *op) {
  if (isa<LinearOp, LinearWgradOp>(op))
    return Anchor::product;
  if (isa<ScanOp, ScanGradOp>(op))
    return Anchor::scan;
  if (isa<Conv1dOp, Conv1dGradOp>(op))
    return Anchor::conv;
  if (isa<ReduceRowsOp, EmbeddingGradOp>(op))
    return Anchor::reduce_rows;
  if (isa<DrawOp>(op))
    return Anchor::draw;
  if (isa<PlanOp>(op))
    return Anchor::plan;
  return Anchor::map;
}

namespace {
struct Members {
  ArrayRef<Operation *> ops;
  bool contains(Operation *op) const { return op && llvm::is_contained(ops, op); }
  bool makes(Value value) const { return value && contains(sourceOf(value).getDefiningOp()); }
};
} // namespace

/// Sums over rows join the kernel that makes them. Vectors of one channel are summed by
/// kernels of their own, in f64 lanes along the rows, and so are sums by group.
static bool joinsRows(ReduceRowsOp op, const Members &members) {
  return !op.getRoute() && channelsOf(op.getX()) > 1 && members.makes(op.getX()) &&
         llvm::none_of(op->getUsers(), [&](Operation *user) { return members.contains(user); });
}

static bool isMapOfRows(const Members &members) {
  RowsAttr rows;
  bool sums = false, rowsLeave = false;
  for (Operation *op : members.ops) {
    if (auto sum = dyn_cast<ReduceRowsOp>(op)) {
      if (!joinsRows(sum, members))
        return false;
      sums = true;
      continue;
    }
    for (Value result : op->getResults()) {
      RowsAttr got = rowsOf(result);
      if (!got || (rows && got != rows))
        return false;
      rows = got;
      rowsLeave |= llvm::any_of(result.getUsers(),
                                [&](Operation *user) { return !members.contains(user); });
    }
    if (readsOtherRows(op) &&
        llvm::any_of(op->getOperands(), [&](Value v) { return members.makes(v); }))
      return false;
  }
  return rowsLeave || !sums;
}

/// Static ops are flattened into one loop, so all have one shape; a reduction
/// ends it. An operand [1] may be spread over it if it comes from outside.
static bool isMapOfStatic(const Members &members) {
  ArrayRef<int64_t> shape;
  for (Operation *op : members.ops) {
    auto reduce = dyn_cast<ReduceOp>(op);
    Value value = reduce ? reduce.getX() : op->getResult(0);
    if (op->getNumResults() != 1 || !isStatic(value.getType()))
      return false;
    auto type = cast<RankedTensorType>(value.getType());
    if (!shape.empty() && type.getShape() != shape)
      return false;
    shape = type.getShape();
    for (Value operand : op->getOperands())
      if (members.contains(operand.getDefiningOp()) &&
          (isa<ReduceOp>(operand.getDefiningOp()) ||
           cast<RankedTensorType>(operand.getType()).getShape() != shape))
        return false;
  }
  return true;
}

/// Pointwise work on rows like `like`: the same rows and channels throughout.
static bool isPointwiseLike(Operation *op, Value like) {
  if (!isPointwise(op) || op->getNumResults() != 1)
    return false;
  Value result = op->getResult(0);
  if (rowsOf(result) != rowsOf(like) || channelsOf(result) != channelsOf(like))
    return false;
  return isa<BroadcastOp>(op) || llvm::all_of(op->getOperands(), [&](Value v) {
           return rowsOf(v) == rowsOf(like) && channelsOf(v) == channelsOf(like);
         });
}

static bool othersArePointwiseLike(const Members &members, Operation *anchor, Value like) {
  return llvm::all_of(members.ops,
                      [&](Operation *op) { return op == anchor || isPointwiseLike(op, like); });
}

static bool isReduceRows(const Members &members) {
  Value like;
  Value route;
  for (Operation *op : members.ops) {
    if (isa<EmbeddingGradOp>(op))
      return members.ops.size() == 1;
    if (auto reduce = dyn_cast<ReduceRowsOp>(op)) {
      if (like && (channelsOf(like) != channelsOf(reduce.getX()) ||
                   rowsOf(like) != rowsOf(reduce.getX()) || route != reduce.getRoute()))
        return false;
      like = reduce.getX();
      route = reduce.getRoute();
    }
  }
  for (Operation *op : members.ops) {
    if (isa<ReduceRowsOp>(op))
      continue;
    if (!isPointwiseLike(op, like))
      return false;
    for (Operation *user : op->getUsers()) // rows stay inside
      if (!members.contains(user))
        return false;
  }
  return true;
}

/// Whether `op`, a convolution or its gradient, can have the other members beside it.
static bool isConv(const Members &members, Operation *op) {
  auto grad = dyn_cast<Conv1dGradOp>(op);
  SmallVector<Operation *> before;
  if (grad)
    before = activationGradient(grad);
  if (!llvm::all_of(before, [&](Operation *other) { return members.contains(other); }))
    before.clear();
  auto isBefore = [&](Operation *other) { return llvm::is_contained(before, other); };
  auto isMade = [&](Value v) { return members.makes(v) && !isBefore(v.getDefiningOp()); };
  auto stays = [&](Operation *other) {
    return llvm::all_of(other->getUsers(),
                        [&](Operation *user) { return user == op || isBefore(user); });
  };
  return llvm::all_of(members.ops,
                      [&](Operation *other) {
                        return other == op || (isBefore(other) && stays(other)) ||
                               isPointwiseLike(other, op->getResult(0));
                      }) &&
         llvm::none_of(op->getOperands(), isMade) && llvm::none_of(before, [&](Operation *other) {
           return llvm::any_of(other->getOperands(), isMade);
         });
}

std::optional<Anchor> mom::kernelAnchor(ArrayRef<Operation *> ops) {
  Members members{ops};
  SmallVector<Operation *> anchors;
  for (Operation *op : ops)
    if (anchorOf(op) != Anchor::map)
      anchors.push_back(op);
  auto when = [](bool legal, Anchor anchor) {
    return legal ? std::optional(anchor) : std::nullopt;
  };
  if (anchors.empty())
    return when(isMapOfStatic(members) || isMapOfRows(members), Anchor::map);
  auto isSum = [](Operation *op) { return anchorOf(op) == Anchor::reduce_rows; };
  if (llvm::all_of(anchors, isSum)) {
    if (isReduceRows(members))
      return Anchor::reduce_rows;
    return when(isMapOfRows(members), Anchor::map);
  }
  Operation *op = *llvm::find_if_not(anchors, isSum);
  // One sum may join what walks a scan back. On a GPU it takes shared memory: with two, of
  // 16 states, one block instead of two had a multiprocessor's.
  bool withSum = isa<ScanGradOp>(op) && anchors.size() == 2 && llvm::any_of(anchors, isSum);
  if (isa<Conv1dOp, Conv1dGradOp>(op) && anchors.size() <= 2)
    return when(llvm::all_of(anchors, llvm::IsaPred<Conv1dOp, Conv1dGradOp>) &&
                    isConv(members, anchors.back()),
                Anchor::conv);
  if (anchors.size() > 1 && !withSum)
    return std::nullopt;
  auto nothingFeeds = [&](ValueRange values) {
    return llvm::none_of(values, [&](Value v) { return members.makes(v); });
  };
  if (isa<DrawOp, PlanOp, LinearWgradOp>(op)) // stand alone
    return when(ops.size() == 1, anchorOf(op));
  if (auto linear = dyn_cast<LinearOp>(op))
    return when(othersArePointwiseLike(members, op, linear.getY()) &&
                    nothingFeeds(op->getOperands()),
                Anchor::product);
  if (auto scan = dyn_cast<ScanOp>(op))
    return when(othersArePointwiseLike(members, op, scan.getY()) &&
                    nothingFeeds({scan.getA(), scan.getB(), scan.getC()}),
                Anchor::scan);
  // dB and dC sum over channels, so they are known when the kernel is over only.
  auto grad = cast<ScanGradOp>(op);
  auto isRead = [&](Value v) {
    return llvm::any_of(v.getUsers(), [&](Operation *user) { return members.contains(user); });
  };
  auto isLegal = [&](Operation *other) {
    if (auto sum = dyn_cast<ReduceRowsOp>(other))
      return joinsRows(sum, members);
    return other == op || isPointwiseLike(other, grad.getDu());
  };
  return when(llvm::all_of(ops, isLegal) && !isRead(grad.getDB()) &&
                  !isRead(grad.getDC()) && nothingFeeds({grad.getA(), grad.getB(), grad.getC()}),
              Anchor::scan);
}
