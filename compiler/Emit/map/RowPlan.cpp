// The loops that compute one row.
#include "compiler/Emit/map/RowPlan.h"

#include "compiler/Emit/Gpu.h"
#include "compiler/Emit/Sequence.h"
#include "compiler/Emit/map/MapBody.h"
#include "compiler/Schedule/RowDefaults.h"
#include "momrt/table.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <limits>

using namespace mlir;
using namespace mom;

/// f32 sums of more elements than this are added up in f64 every so often.
static constexpr int64_t kLongSum = 4096;

int64_t RowPlan::width(Value v) {
  return flat ? cast<RankedTensorType>(v.getType()).getNumElements() : channelsOf(v);
}

bool RowPlan::isScalar(Value v) { return width(v) == 1; }

int64_t RowPlan::level(Value v) {
  if (isInput(v))
    return 0;
  if (auto it = levels.find(v); it != levels.end())
    return it->second;
  Operation *op = v.getDefiningOp();
  int64_t result = 0;
  for (Value input : inputsOf(op))
    result = std::max(result, level(input));
  if (isa<ReduceOp, ConcatOp, SplitOp>(op))
    ++result;
  return levels[v] = result;
}

/// The rest of a view that begins `elements` into it.
static void advance(View &view, KernelBuilder &k, int64_t elements) {
  view.base = k.address(view.base, view.element, k.index(elements));
  view.alignment =
      std::gcd<int64_t>(view.alignment, elements * view.element.getIntOrFloatBitWidth() / 8);
}

View RowPlan::scratchRow(int64_t channels) {
  View view = k.scratchView(1, channels);
  view.stride = 0;
  view.alignment = 64;
  scratchLeft -= channels * 4;
  return view;
}

/// From now on the plan stores `v` to a scratch row in the loop of its level.
void RowPlan::keepRow(Value v) {
  if (!isScalar(v) && !kept.count(v))
    kept[v] = scratchRow(width(v));
}

/// Finds the loops that `v` needs.
LogicalResult RowPlan::visit(Value v) {
  if (!isa<RankedTensorType>(v.getType()) || isInput(v) || !visited.insert(v).second)
    return success();
  Operation *op = v.getDefiningOp();
  if (auto reduce = dyn_cast<ReduceOp>(op)) {
    if (!flat && isStatic(v.getType()))
      return k.error() << "a map over rows cannot reduce a static tensor";
    reductions.push_back(reduce);
    return visit(reduce.getX());
  }
  if (auto concat = dyn_cast<ConcatOp>(op)) {
    View whole = scratchRow(width(v));
    assembled[v] = whole;
    for (Value part : concat.getParts()) {
      if (failed(visit(part)))
        return failure();
      View to = whole;
      to.channels = width(part);
      stores.push_back({part, to});
      advance(whole, k, width(part));
    }
    return success();
  }
  if (auto split = dyn_cast<SplitOp>(op)) {
    if (!split.getX().getDefiningOp<ConcatOp>())
      keepRow(split.getX());
    return visit(split.getX());
  }
  bool pointwise = op->hasTrait<OpTrait::Elementwise>() ||
                   isa<arith::ConstantOp, BroadcastOp, PresentOp, EqualsOp, OneHotOp, EmbeddingOp,
                       CrossEntropyGradOp, ModalityOp>(op) ||
                   readsOtherRows(op);
  // Rows that are gathered by an index must exist before the kernel runs.
  bool otherRows = readsOtherRows(op);
  if (!pointwise || (otherRows && !llvm::all_of(inputsOf(op), isInput)) ||
      (isa<EmbeddingOp>(op) && !isInput(cast<EmbeddingOp>(op).getTable()))) {
    auto diag = k.error() << "a map kernel cannot compute " << op->getName();
    diag.attachNote(op->getLoc()) << "here";
    return diag;
  }
  if (flat && isa<BroadcastOp>(op) && !isScalar(op->getOperand(0)) &&
      width(op->getOperand(0)) != width(v))
    return k.error() << "a map kernel with reductions cannot repeat a static vector";
  for (Value input : inputsOf(op))
    if (failed(visit(input)))
      return failure();
  return success();
}

LogicalResult RowPlan::addRowSum(unsigned index, ReduceRowsOp op) {
  int64_t channels = channelsOf(op.getX());
  if (op.getRoute() || channels == 1)
    return k.error() << "a map kernel sums rows of several channels, whatever their group";
  TeamSum sum{op.getX(), index, 0, {}, {}};
  sum.parts =
      k.workspace(RankedTensorType::get({k.knob("parts"), channels}, k.b.getF32Type()));
  sum.teams = k.onGpu() ? k.sharedView(k.teams(), channels, k.b.getF32Type())
                        : k.scratchView(1, channels);
  scratchLeft -= channels * 4;
  sum.mine = sum.teams;
  if (k.onGpu())
    sum.mine.base = k.address(sum.teams, At{k.teamNumber(), Value(), 1, Value()});
  sum.mine.stride = 0;
  rowSums.push_back(sum);
  return visit(op.getX());
}

LogicalResult RowPlan::addOutput(unsigned index) {
  Value v = k.yielded(index);
  if (auto sum = withoutStorage(v).getDefiningOp<ReduceRowsOp>(); sum && !flat)
    return addRowSum(index, sum);
  View to = k.output(index);
  if (auto truncate = v.getDefiningOp<arith::TruncFOp>())
    if (truncate.getIn().getDefiningOp<ConcatOp>())
      v = truncate.getIn(); // its parts are rounded by their stores
  auto concat = v.getDefiningOp<ConcatOp>();
  if (!concat || !v.hasOneUse()) {
    stores.push_back({v, to});
    return visit(v);
  }
  for (Value part : concat.getParts()) {
    if (failed(visit(part)))
      return failure();
    View range = to;
    range.channels = width(part);
    stores.push_back({part, range});
    advance(to, k, width(part));
  }
  return success();
}

/// Marks what the loop of `atLevel` computes for `v`. What an earlier loop computes too
/// is kept there, where scratch rows are left, except for copies of scalars and for
/// conditions, as scratch rows are of f32.
void RowPlan::markEvaluated(Value v, int64_t atLevel) {
  if (isInput(v) || isScalar(v))
    return;
  Operation *op = v.getDefiningOp();
  if (isa<ConcatOp, SplitOp, arith::ConstantOp, BroadcastOp>(op) ||
      (kept.count(v) && level(v) < atLevel))
    return;
  auto [it, first] = evaluated.try_emplace(v, atLevel);
  if (!first) {
    if (it->second == atLevel)
      return;
    if (width(v) * 4 <= scratchLeft && isa<FloatType>(getElementTypeOrSelf(v)))
      return keepRow(v);
  }
  for (Value input : inputsOf(op))
    markEvaluated(input, atLevel);
}

SmallVector<Value> RowPlan::roots() const {
  SmallVector<Value> result;
  for (const Store &store : stores)
    result.push_back(store.value);
  for (ReduceOp reduce : reductions)
    result.push_back(reduce.getX());
  for (const TeamSum &sum : rowSums)
    result.push_back(sum.x);
  return result;
}

void RowPlan::finalize() {
  SmallVector<std::pair<int64_t, Value>> byLevel;
  for (Value root : roots())
    byLevel.push_back({level(root), root});
  for (auto &[value, view] : kept)
    byLevel.push_back({level(value), value});
  int64_t last = 0;
  for (auto [atLevel, value] : byLevel)
    last = std::max(last, atLevel);
  for (int64_t next = 0; next <= last && !inRegisters; ++next)
    for (auto [atLevel, value] : byLevel)
      if (atLevel == next)
        markEvaluated(value, atLevel);
  // A kept value is stored by the first loop that computes it.
  for (auto &[value, view] : kept)
    if (auto it = evaluated.find(value); it != evaluated.end())
      levels[value] = it->second;
}

/// Computes, before a loop, the scalars that its values read.
void RowPlan::needScalars(Value v, PointwiseEmitter &row) {
  if (k.inMemory(v))
    return;
  if (isScalar(v)) {
    row.scalar(v);
    return;
  }
  for (Value input : inputsOf(v.getDefiningOp()))
    if (isScalar(input))
      row.scalar(input);
    else
      needScalars(input, row);
}

double mom::neutralOf(Reduction kind) {
  return kind == Reduction::max ? -std::numeric_limits<double>::infinity() : 0.0;
}

Value mom::combine(KernelBuilder &k, Reduction kind, Value x, Value y) {
  if (kind == Reduction::max)
    return arith::MaximumFOp::create(k.b, k.loc, x, y);
  return arith::AddFOp::create(k.b, k.loc, x, y);
}

RowPlan::Work RowPlan::workOf(int64_t atLevel, int64_t size) {
  auto here = [&](Value v) { return width(v) == size && level(v) == atLevel; };
  Work work;
  for (const Store &store : stores)
    if (here(store.value))
      work.written.push_back(store);
  for (auto &[value, view] : kept)
    if (here(value))
      work.written.push_back({value, view});
  for (ReduceOp reduce : reductions)
    if (here(reduce.getX()))
      work.summed.push_back(reduce);
  for (const TeamSum &sum : rowSums)
    if (here(sum.x))
      work.added.push_back({sum.x, sum.mine});
  return work;
}

void RowPlan::needScalars(const Work &work, PointwiseEmitter &row) {
  for (const Store &store : work.written)
    needScalars(store.value, row);
  for (ReduceOp reduce : work.summed)
    needScalars(reduce.getX(), row);
  for (const Store &add : work.added)
    needScalars(add.value, row);
}

void RowPlan::emitLoop(int64_t atLevel, int64_t size, Value rowIndex, PointwiseEmitter &row) {
  Work work = workOf(atLevel, size);
  if (work.empty())
    return;
  // No structured binding: lambdas of C++17 cannot capture one.
  ArrayRef<Store> written = work.written, added = work.added;
  SmallVector<ReduceOp> &summed = work.summed;
  needScalars(work, row);
  if (size == 1) {
    for (const Store &store : written)
      k.store(row.scalar(store.value), store.to, At{rowIndex, Value(), 1, Value()});
    for (ReduceOp reduce : summed)
      row.bindScalar(reduce.getY(), row.scalar(reduce.getX()));
    return;
  }

  int64_t lanes = k.knob("lanes");
  OpBuilder &b = k.b;
  auto body = [&](At at, ValueRange sums) {
    at.row = rowIndex;
    PointwiseEmitter e(k, at);
    e.shareScalars(row);
    SmallVector<Value> next;
    for (auto [reduce, sum] : llvm::zip_equal(summed, sums)) {
      Value x = e.value(reduce.getX());
      if (at.mask)
        x = arith::SelectOp::create(b, k.loc, at.mask, x,
                                    k.splat(k.f32(neutralOf(reduce.getKind())), lanes));
      next.push_back(combine(k, reduce.getKind(), sum, x));
    }
    for (const Store &store : written)
      k.store(e.value(store.value), store.to, at);
    for (const Store &add : added)
      k.store(combine(k, Reduction::sum, k.load(add.to, at), e.value(add.value)), add.to, at);
    return next;
  };
  SmallVector<Value> empty;
  for (ReduceOp reduce : summed)
    empty.push_back(k.splat(k.f32(neutralOf(reduce.getKind())), lanes));
  SmallVector<Value> sums;
  if (summed.empty() || size <= 2 * kLongSum) {
    sums = k.columns(size, lanes, empty, body);
    for (auto [reduce, sum] : llvm::zip_equal(summed, sums))
      sum = k.combineLanes(reduce.getKind(), sum);
  } else {
    // Partial sums of f32 lanes enter a total in f64, in the order they lie.
    SmallVector<Value> totals;
    for (ReduceOp reduce : summed)
      totals.push_back(
          arith::ConstantOp::create(b, k.loc, b.getF64FloatAttr(neutralOf(reduce.getKind()))));
    totals = k.loop(k.index(0), k.index(size), kLongSum, totals, [&](Value lo, ValueRange carried) {
      Value hi = k.min(k.add(lo, kLongSum), k.index(size));
      SmallVector<Value> partial = k.columns(lo, hi, lanes, empty, body), next;
      for (auto [reduce, sum, total] : llvm::zip_equal(summed, partial, carried)) {
        Value scalar = k.combineLanes(reduce.getKind(), sum);
        Value wide = arith::ExtFOp::create(b, k.loc, b.getF64Type(), scalar);
        next.push_back(combine(k, reduce.getKind(), total, wide));
      }
      return next;
    });
    for (Value total : totals)
      sums.push_back(arith::TruncFOp::create(b, k.loc, b.getF32Type(), total));
  }
  for (auto [reduce, sum] : llvm::zip_equal(summed, sums))
    row.bindScalar(reduce.getY(), sum);
}

void RowPlan::emitInvariants() {
  PointwiseEmitter e(k, At{Value(), Value(), 1, Value()});
  for (Value v : invariantsOf(roots()))
    e.scalar(v);
  shared = std::make_unique<PointwiseEmitter>(std::move(e));
}

PointwiseEmitter RowPlan::scalarsOf(Value rowIndex) {
  PointwiseEmitter row(k, At{rowIndex, Value(), 1, Value()});
  if (shared)
    row.shareScalars(*shared);
  return row;
}

void RowPlan::emitChecks(Value rowIndex, PointwiseEmitter &row, Value mine) {
  for (const LabelCheck &check : checks) {
    if (isStatic(check.label.getType()) || level(check.label) > 0)
      continue;
    OpBuilder &b = k.b;
    Value label = arith::ExtSIOp::create(b, k.loc, b.getI64Type(), row.scalar(check.label));
    auto outside = check.mayBeAbsent ? arith::CmpIPredicate::sge : arith::CmpIPredicate::uge;
    Value bad = arith::CmpIOp::create(b, k.loc, outside, label, k.index(check.limit));
    if (mine)
      bad = arith::AndIOp::create(b, k.loc, bad, mine);
    RowsAttr rows = rowsOf(check.label);
    Value source = rows && rows.getRoute() ? k.orderSource(rows) : Value();
    k.ifThen(bad, [&] { // callers know rows by position
      Value row = source ? k.positionAt(source, rowIndex) : rowIndex;
      k.report(MOMRT_ERROR_INDEX, row, label);
    });
  }
}

SmallVector<int64_t> RowPlan::widths() {
  SmallVector<int64_t> result;
  auto note = [&](Value v) {
    if (!llvm::is_contained(result, width(v)))
      result.push_back(width(v));
  };
  for (Value root : roots())
    note(root);
  for (auto &[value, view] : kept)
    note(value);
  return result;
}

int64_t RowPlan::lastLevel() {
  int64_t last = 0;
  for (Value root : roots())
    last = std::max(last, level(root));
  return last;
}

bool RowPlan::bindScratch(int64_t atLevel) {
  bool any = false;
  auto bind = [&](auto &rows, int64_t from) {
    for (auto &[value, view] : rows)
      if (level(value) == from) {
        k.bind(value, view);
        any = true;
      }
  };
  bind(kept, atLevel);
  bind(assembled, atLevel + 1);
  return any;
}

SmallVector<SumParts> RowPlan::sumParts(int64_t parts) const {
  SmallVector<SumParts> result;
  for (const TeamSum &sum : rowSums)
    result.push_back({{sum.output}, {sum.parts}, 1, parts, sum.mine.channels});
  return result;
}

void RowPlan::clearRowSums() {
  for (const TeamSum &sum : rowSums)
    k.columns(sum.mine.channels, k.knob("lanes"), {}, [&](At at, ValueRange) {
      k.store(k.zeros(at.lanes), sum.mine, at);
      return SmallVector<Value>();
    });
  k.teamBarrier();
}

void RowPlan::storeRowSums(Value part) {
  if (k.onGpu())
    Gpu(k).barrier();
  for (const TeamSum &sum : rowSums)
    k.loop(k.onGpu() ? k.thread() : k.index(0), k.index(sum.mine.channels),
           k.onGpu() ? k.threads() : 1, [&](Value column) {
             Value total;
             for (int64_t team = 0; team < k.teams(); ++team) {
               Value term = k.load(sum.teams, At{k.index(team), column, 1, Value()});
               total = total ? combine(k, Reduction::sum, total, term) : term;
             }
             k.store(total, k.workspaceView(sum.parts), At{part, column, 1, Value()});
           });
}

void RowPlan::emitRow(Value rowIndex) {
  PointwiseEmitter row = scalarsOf(rowIndex);
  emitChecks(rowIndex, row);
  SmallVector<int64_t> sizes = widths();
  for (int64_t atLevel = 0, last = lastLevel(); atLevel <= last; ++atLevel) {
    for (int64_t size : sizes)
      emitLoop(atLevel, size, rowIndex, row);
    bindScratch(atLevel);
  }
}

FailureOr<RowsAttr> mom::rowsOfMap(KernelOp kernel, KernelBuilder &k) {
  RowsAttr rows = rowsOf(rowsOfBody(kernel));
  for (unsigned i : rowResults(kernel)) {
    RowsAttr mine = rowsOf(kernel.getResult(i));
    if (mine.getSpace() != rows.getSpace() || mine.getChunk() != rows.getChunk())
      return k.error() << "expected results of one row space, but got "
                       << stringifyRowSpace(rows.getSpace()) << " and "
                       << stringifyRowSpace(mine.getSpace()) << " rows";
  }
  if (rows.getSpace() == RowSpace::chunk)
    return k.error() << "a map kernel has no grid over " << stringifyRowSpace(rows.getSpace())
                     << " rows";
  return rows;
}

void mom::emitPartsOfRows(KernelBuilder &k, RowPlan &plan, Value count,
                          function_ref<void(Value, Value)> emitRows) {
  int64_t parts = k.knob("parts");
  Value each = k.ceilDiv(count, parts), lo = k.mul(k.block(), each);
  plan.clearRowSums();
  emitRows(lo, k.min(k.add(lo, each), count));
  plan.storeRowSums(k.block());
  k.finish(k.fixedGrid(parts));
  emitSumTotals(k, plan.sumParts(parts));
}
