// Mixture-of-Mamba dialect: verifiers of computed routes.
#include "dialect/Mom.h"

#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace mom;

OrderBehaviour DispatchOp::getOrderBehaviour() { return OrderBehaviour::ByIndex; }
OrderBehaviour RetrieveOp::getOrderBehaviour() { return OrderBehaviour::ByIndex; }

static int64_t sizeOf(Value vector) {
  return cast<RankedTensorType>(vector.getType()).getDimSize(0);
}

/// Whether `value` has so many copies of each token, in the order of `route` if that is given.
static bool isCopies(Value value, int64_t copies, StringAttr route) {
  RowsAttr rows = rowsOf(value);
  return rows.getSpace() == RowSpace::copy && rows.getChunk() == copies &&
         (!route || rows.getRoute() == route);
}

LogicalResult PlanOp::verify() {
  int64_t groups = channelsOf(getScores()), choices = getChoices().size();
  if (groups > kMostGroups || sizeOf(getOffsets()) != groups + 1) // C1
    return emitOpError() << "expected at most " << kMostGroups << " groups and " << groups + 1
                         << " offsets, one more than channels of scores, but got "
                         << sizeOf(getOffsets());
  if (choices < 1 || choices > groups) // C2
    return emitOpError() << "expected from 1 to " << groups << " choices, but got " << choices;
  for (Value choice : getChoices())
    if (rowsOf(choice) != rowsOf(getScores()) || channelsOf(choice) != 1) // C2
      return emitOpError() << "expected choices of one channel with the rows of "
                           << getScores().getType() << ", but got " << choice.getType();
  if (rowsOf(getRow()) != rowsOf(getScores()) || channelsOf(getRow()) != choices) // C3
    return emitOpError() << "expected " << choices << " channels of row, with the rows of "
                         << getScores().getType() << ", but got " << getRow().getType();
  if (!isCopies(getCopy(), choices, {}) || channelsOf(getCopy()) != 1) // C3
    return emitOpError() << "expected one channel of " << choices
                         << " copies of each token as copy, but got " << getCopy().getType();
  return success();
}

LogicalResult ComputedRouteOp::verify() {
  RouteType route = getRoute().getType();
  if (sizeOf(getOffsets()) != route.getGroups() + 1) // C1
    return emitOpError() << "expected " << route.getGroups() + 1 << " offsets of "
                         << route.getGroups() << " groups, but got " << sizeOf(getOffsets());
  if (channelsOf(getRow()) != route.getCopies() || channelsOf(getCopy()) != 1 ||
      !isCopies(getCopy(), route.getCopies(), route.getName())) // C2
    return emitOpError() << "expected the rows of " << route.getCopies()
                         << " copies of each token by " << route.getName() << ", but got "
                         << getRow().getType() << " and " << getCopy().getType();
  return success();
}

static LogicalResult verifyParts(Operation *op, RouteType route, Value copies,
                                 ValueRange parts) {
  if (parts.empty() || int64_t(parts.size()) != route.getCopies()) // C1
    return op->emitOpError() << "expected " << route.getCopies() << " parts, one a copy, but got "
                             << parts.size();
  Type first = parts.front().getType();
  for (Value part : parts)
    if (part.getType() != first || rowsOf(part).getSpace() != RowSpace::token) // C2
      return op->emitOpError() << "expected parts of one type, with token rows, but got " << first
                               << " and " << part.getType();
  if (!isCopies(copies, route.getCopies(), route.getName()) ||
      channelsOf(copies) != channelsOf(first)) // C2
    return op->emitOpError() << "expected " << channelsOf(first) << " channels of "
                             << route.getCopies() << " copies by " << route.getName()
                             << ", but got " << copies.getType();
  return success();
}

LogicalResult DispatchOp::verify() {
  return verifyParts(*this, getRoute().getType(), getY(), getParts());
}

/// What of `factor` each token's copies have, if it is rows [copies, 1] that were
/// dispatched by `route`, over all channels.
static OperandRange dispatchedOver(Value factor, Value route) {
  auto spread = factor.getDefiningOp<BroadcastOp>();
  auto gates = spread ? spread.getX().getDefiningOp<DispatchOp>() : DispatchOp();
  if (!gates || gates.getRoute() != route)
    return OperandRange(nullptr, 0);
  return gates.getParts();
}

// retrieve(x * g) is retrieve(x) * g, where nobody else reads the product: then nobody
// stores it, and forward has no use for the gates of copies.
LogicalResult RetrieveOp::canonicalize(RetrieveOp op, PatternRewriter &rewriter) {
  auto product = op.getX().getDefiningOp<arith::MulFOp>();
  if (!product || !product->hasOneUse())
    return rewriter.notifyMatchFailure(op, "its copies are no product of its own");
  for (auto [x, factor] : {std::pair(product.getLhs(), product.getRhs()),
                           std::pair(product.getRhs(), product.getLhs())}) {
    OperandRange gates = dispatchedOver(factor, op.getRoute());
    if (gates.empty())
      continue;
    auto parts = RetrieveOp::create(rewriter, op.getLoc(), op.getParts().getTypes(), x,
                                    op.getRoute());
    SmallVector<Value> scaled;
    for (auto [part, gate] : llvm::zip_equal(parts.getParts(), gates)) {
      Value spread =
          BroadcastOp::create(rewriter, op.getLoc(), part.getType(), gate, part, Value());
      scaled.push_back(arith::MulFOp::create(rewriter, op.getLoc(), part, spread));
    }
    rewriter.replaceOp(op, scaled);
    return success();
  }
  return rewriter.notifyMatchFailure(op, "no factor was dispatched by its route");
}

LogicalResult RetrieveOp::verify() {
  return verifyParts(*this, getRoute().getType(), getX(), getParts());
}
