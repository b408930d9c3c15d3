// The pointwise part of a kernel's body, evaluated at one place.
#include "compiler/Emit/Pointwise.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mom;

static bool isNarrow(Type type) {
  Type element = getElementTypeOrSelf(type);
  return element.isBF16() || element.isF16();
}

/// f32 where storage is narrower: what a register holds.
static Type computeType(Type type) {
  Type element = getElementTypeOrSelf(type);
  return isNarrow(element) ? Float32Type::get(type.getContext()) : element;
}

void PointwiseEmitter::shareScalars(const PointwiseEmitter &other) {
  for (auto [value, emitted] : other.scalars)
    scalars.try_emplace(value, emitted);
}

Value PointwiseEmitter::value(Value v) {
  if (Value emitted = known.lookup(v))
    return emitted;
  if (Value emitted = scalars.lookup(v))
    return known[v] = k.splat(emitted, at.lanes);
  Value emitted = compute(v);
  return known[v] = emitted;
}

Value PointwiseEmitter::scalar(Value v) {
  if (Value emitted = scalars.lookup(v))
    return emitted;
  if (at.lanes == 1)
    if (Value emitted = known.lookup(v))
      return scalars[v] = emitted;
  PointwiseEmitter one(k, At{isStatic(v.getType()) ? Value() : at.row, Value(), 1, Value()});
  one.scalars = scalars;
  Value emitted = one.value(v);
  for (auto [other, otherEmitted] : one.scalars)
    scalars.try_emplace(other, otherEmitted);
  // What it needed on the way is worth keeping where it is one a row, too.
  for (auto [other, otherEmitted] : one.known)
    if (channelsOf(other) == 1)
      scalars.try_emplace(other, otherEmitted);
  return emitted;
}

Value PointwiseEmitter::atRow(Value v, Value row) {
  PointwiseEmitter there(k, At{row, at.column, at.lanes, at.mask});
  return there.value(v);
}

Value PointwiseEmitter::labels(Value label) {
  OpBuilder &b = k.b;
  Value target = k.splat(scalar(label), at.lanes);
  Value first = at.column ? at.column : k.index(0);
  Value column = arith::TruncIOp::create(b, k.loc, b.getI32Type(), first);
  column = k.splat(column, at.lanes);
  if (at.lanes > 1) {
    auto order = llvm::to_vector(llvm::seq<int32_t>(0, at.lanes));
    Value lane = arith::ConstantOp::create(b, k.loc, b.getI32VectorAttr(order));
    column = arith::AddIOp::create(b, k.loc, column, lane);
  }
  return arith::CmpIOp::create(b, k.loc, arith::CmpIPredicate::eq, column, target);
}

Value PointwiseEmitter::broadcast(BroadcastOp op) {
  Value x = op.getX();
  if (isRows(x.getType()) || (!op.getRoute() && channelsOf(x) == 1))
    return k.splat(scalar(x), at.lanes);
  Value row = op.getRoute() ? k.groupOf(op.getRoute(), at.row) : Value();
  if (channelsOf(x) == 1) {
    PointwiseEmitter one(k, At{row, Value(), 1, Value()});
    return k.splat(one.value(x), at.lanes);
  }
  PointwiseEmitter there(k, At{row, at.column, at.lanes, at.mask});
  return there.value(x);
}

Value PointwiseEmitter::overTokens(Value x, const Segment &segment) {
  Value tokens = arith::SIToFPOp::create(k.b, k.loc, k.b.getF32Type(), segment.length);
  return arith::DivFOp::create(k.b, k.loc, x, k.splat(tokens, at.lanes));
}

Value PointwiseEmitter::compute(Value v) {
  OpBuilder &b = k.b;
  Location loc = k.loc;
  if (View view = k.view(v))
    return k.load(view, at);
  Operation *op = v.getDefiningOp();
  assert(op && "checkPointwise lets no other value through");
  auto i32 = [&](int32_t c) -> Value {
    return k.splat(arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(c)), at.lanes);
  };
  auto asFloat = [&](Value bits) -> Value {
    return arith::UIToFPOp::create(b, loc, k.lanesOf(b.getF32Type(), at.lanes), bits);
  };
  auto notNegative = [&](Value label) -> Value {
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge, label, i32(0));
  };
  return TypeSwitch<Operation *, Value>(op)
      .Case([&](arith::ConstantOp constant) -> Value {
        auto dense = cast<DenseElementsAttr>(constant.getValue());
        auto attribute = cast<TypedAttr>(dense.getSplatValue<Attribute>());
        return k.splat(arith::ConstantOp::create(b, loc, attribute), at.lanes);
      })
      .Case([&](arith::ExtFOp extend) -> Value { // registers hold f32
        return value(extend.getIn());
      })
      .Case([&](arith::TruncFOp truncate) -> Value {
        Value x = value(truncate.getIn());
        // A value that is only stored is rounded by its store.
        if (llvm::all_of(truncate->getUsers(), [](Operation *user) { return isa<YieldOp>(user); }))
          return x;
        Type narrow = k.lanesOf(getElementTypeOrSelf(truncate.getType()), at.lanes);
        Value rounded = arith::TruncFOp::create(b, loc, narrow, x);
        return arith::ExtFOp::create(b, loc, x.getType(), rounded);
      })
      .Case([&](BroadcastOp broadcastOp) { return broadcast(broadcastOp); })
      .Case([&](PresentOp present) { return asFloat(notNegative(value(present.getX()))); })
      .Case([&](EqualsOp equals) {
        Value bits = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, value(equals.getX()),
                                           i32(static_cast<int32_t>(equals.getValue())));
        return asFloat(bits);
      })
      .Case([&](OneHotOp oneHot) { return asFloat(labels(oneHot.getX())); })
      .Case([&](EmbeddingOp embedding) -> Value {
        Value id = arith::ExtSIOp::create(b, loc, b.getI64Type(), scalar(embedding.getIds()));
        int64_t size = cast<RankedTensorType>(embedding.getTable().getType()).getDimSize(0);
        Value valid = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, id, k.index(size));
        View row = k.view(embedding.getTable());
        row.row = k.select(valid, id, k.index(0));
        row.valid = valid;
        return k.load(row, at);
      })
      .Case([&](CrossEntropyGradOp grad) -> Value {
        // dnll * (exp(logits - lse) - [v = target]), 0 where the target is absent
        Value target = scalar(grad.getTarget());
        Value zero = arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(0));
        Value absent = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, target, zero);
        Value dnll = k.splat(k.select(absent, k.f32(0), scalar(grad.getDnll())), at.lanes);
        Value shifted = arith::SubFOp::create(b, loc, value(grad.getLogits()),
                                              k.splat(scalar(grad.getLse()), at.lanes));
        Value softmax = math::ExpOp::create(b, loc, shifted);
        Value hot = asFloat(labels(grad.getTarget()));
        return arith::MulFOp::create(b, loc, dnll, arith::SubFOp::create(b, loc, softmax, hot));
      })
      .Case([&](NextOp next) -> Value {
        RowsAttr rows = rowsOf(next.getX());
        Value batch = next.getBatch();
        Value position = rows.getRoute() ? k.positionAt(batch, at.row) : at.row;
        Segment segment = k.segment(batch, k.segmentOf(batch, position));
        Value last = k.sub(k.add(segment.start, segment.length), k.index(1));
        Value inside = k.less(position, last);
        Value following = k.select(inside, k.add(position, 1), position);
        Value x = atRow(next.getX(), k.rowAt(batch, rows, following));
        return k.select(inside, x, i32(-1));
      })
      .Case([&](SpreadOp spread) -> Value {
        Value batch = spread.getBatch();
        bool sorted = static_cast<bool>(rowsOf(spread.getY()).getRoute());
        Value position = sorted ? k.positionAt(batch, at.row) : at.row;
        Value document = k.segmentOf(batch, position);
        Value x = atRow(spread.getX(), document);
        return spread.getMean() ? overTokens(x, k.segment(batch, document)) : x;
      })
      .Case([&](CollectOp collect) -> Value {
        Segment segment = k.segment(collect.getBatch(), at.row);
        Value end = k.add(segment.start, segment.length);
        RowsAttr rows = rowsOf(collect.getX());
        Value sum = k.loop(segment.start, end, 1, k.zeros(at.lanes), [&](Value p, ValueRange sums) {
                       Value row = k.rowAt(collect.getBatch(), rows, p);
                       Value x = atRow(collect.getX(), row);
                       Value next = arith::AddFOp::create(k.b, loc, sums[0], x);
                       return SmallVector<Value>{next};
                     }).front();
        return collect.getMean() ? overTokens(sum, segment) : sum;
      })
      .Case([&](ModalityOp modality) -> Value {
        Value batch = modality.getBatch();
        bool sorted = static_cast<bool>(rowsOf(modality.getY()).getRoute());
        Value position = sorted ? k.positionAt(batch, at.row) : at.row;
        return k.splat(k.modalityAt(batch, position), at.lanes);
      })
      .Case([&](ReorderOp reorder) -> Value {
        Value route = reorder.getRoute();
        bool sorted = static_cast<bool>(rowsOf(reorder.getY()).getRoute());
        return atRow(reorder.getX(), sorted ? k.positionAt(route, at.row) : k.rowAt(route, at.row));
      })
      .Case([&](DispatchOp dispatch) -> Value {
        int64_t copies = dispatch.getParts().size();
        Value copy = k.positionAt(dispatch.getRoute(), at.row);
        Value token = k.div(copy, copies), number = k.rem(copy, copies);
        Value x = atRow(dispatch.getParts().front(), token);
        if (llvm::all_equal(dispatch.getParts()))
          return x;
        for (auto [j, part] : llvm::drop_begin(llvm::enumerate(dispatch.getParts())))
          x = k.select(k.equal(number, k.index(j)), atRow(part, token), x);
        return x;
      })
      .Case([&](RetrieveOp retrieve) -> Value {
        int64_t copies = retrieve.getParts().size(), number = cast<OpResult>(v).getResultNumber();
        Value copy = k.add(k.mul(at.row, copies), number);
        return atRow(retrieve.getX(), k.rowAt(retrieve.getRoute(), copy));
      })
      .Default([&](Operation *pointwise) -> Value {
        IRMapping mapping;
        for (Value operand : pointwise->getOperands())
          mapping.map(operand, value(operand));
        Operation *clone = b.clone(*pointwise, mapping);
        clone->setLoc(loc);
        clone->getResult(0).setType(k.lanesOf(computeType(v.getType()), at.lanes));
        return clone->getResult(0);
      });
}

namespace {
struct Checker {
  KernelBuilder &k;
  DenseSet<Value> seen;

  LogicalResult check(Value v) {
    if (!isa<RankedTensorType>(v.getType()) || !seen.insert(v).second || k.inMemory(v))
      return success();
    Operation *op = v.getDefiningOp();
    if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
      if (isa<SplatElementsAttr>(constant.getValue()))
        return success();
      return refuse(op, "a constant that is not one value");
    }
    bool gather = isa<EmbeddingOp>(op) && !k.inMemory(cast<EmbeddingOp>(op).getTable());
    if (gather || !(op->hasTrait<OpTrait::Elementwise>() ||
                    isa<BroadcastOp, PresentOp, EqualsOp, OneHotOp, EmbeddingOp,
                        CrossEntropyGradOp, ModalityOp>(op) ||
                    readsOtherRows(op)))
      return refuse(op, op->getName().getStringRef());
    // Only the shape of `like` matters.
    if (auto broadcast = dyn_cast<BroadcastOp>(op))
      return check(broadcast.getX());
    for (Value operand : op->getOperands())
      if (failed(check(operand)))
        return failure();
    return success();
  }

  LogicalResult refuse(Operation *op, StringRef what) {
    InFlightDiagnostic diag = k.error() << "a " << stringifyAnchor(k.kernel.getAnchor())
                                        << " kernel cannot compute " << what << " here";
    diag.attachNote(op->getLoc()) << "it is used by what the kernel yields";
    return diag;
  }
};
} // namespace

LogicalResult mom::checkPointwise(KernelBuilder &k, Value value, ArrayRef<Value> leaves) {
  Checker checker{k, {}};
  checker.seen.insert_range(leaves);
  return checker.check(value);
}
