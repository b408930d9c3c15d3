// What the scan and its gradient share on the CPU.
#include "compiler/Emit/scan/ScanRun.h"

#include "compiler/Emit/Approximations.h"
#include "compiler/Emit/Pointwise.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mom;

ScanRun::ScanRun(KernelBuilder &k, Operands op, bool reverse, int64_t tokens, int64_t group,
                 Value index)
    : k(k), u(op.u), delta(op.delta), matrixB(op.B), matrixC(op.C), batch(op.batch),
      rows(rowsOf(op.u)), reverse(reverse), states(channelsOf(op.A)), tokens(tokens), group(group),
      block(k, channelsOf(op.u), k.knob("lanes"), index), A(block.tile(states)),
      state(block.tile(states)), stagedU(block.tile(tokens)), stagedDelta(block.tile(tokens)),
      B(k.scratchView(tokens, states)), C(k.scratchView(tokens, states)),
      streamed(tensorsRead(k, k.kernel.getBody().front().getTerminator()->getOperands(), op.u)) {
  block.turnIn(k.view(op.A), Value(), states, A);
}

void ScanRun::loadState(Value bodyState, Value row, const View &tile) const {
  block.fill(tile, states);
  if (bodyState)
    k.ifThen(isPresent(k, row), [&] { block.turnIn(k.view(bodyState), row, states, tile); });
}

void ScanRun::stage(const SegmentWalk &walk, Value i, Value count, ArrayRef<Staged> more,
                    ArrayRef<View> zeroed, bool backward) const {
  k.loop(k.index(0), count, 1, [&](Value t) {
    Value row = walk.row(k.add(i, t), rows);
    PointwiseEmitter pointwise(k, block.at(row));
    SmallVector<Staged> values{{u, stagedU}, {delta, stagedDelta}};
    llvm::append_range(values, more);
    for (auto &[value, tile] : values)
      block.store(block.masked(pointwise.value(value)), tile, t);
    for (const View &tile : zeroed)
      block.store(k.zeros(block.lanes), tile, t);
    k.columns(states, block.lanes, {}, [&](At from, ValueRange) {
      At to = from;
      from.row = row;
      to.row = t;
      k.store(k.load(k.view(matrixB), from), B, to);
      k.store(k.load(k.view(matrixC), from), C, to);
      return SmallVector<Value>();
    });
    Value ahead = k.add(k.add(i, t), backward ? -tokens : tokens),
          last = k.sub(walk.segment.length, k.index(1));
    prefetch(walk.row(k.max(k.min(ahead, last), k.index(0)), rows));
  });
}

void ScanRun::prefetch(Value row) const {
  for (Value value : streamed)
    k.prefetch(k.view(value), At{row, block.first, 1, {}});
  for (Value value : {matrixB, matrixC}) {
    View view = k.view(value);
    int64_t line = 512 / view.element.getIntOrFloatBitWidth(); // of 64 bytes
    for (int64_t n = 0; n < states; n += line)
      k.prefetch(view, At{row, k.index(n), 1, {}});
  }
}

void ScanRun::overGroups(function_ref<void(Value, int64_t)> body) const {
  int64_t whole = states / group * group;
  if (whole == group)
    body(k.index(0), group);
  else if (whole)
    k.loop(k.index(0), k.index(whole), group, [&](Value n) { body(n, group); });
  if (whole < states)
    body(k.index(whole), states - whole);
}

void ScanRun::finish(const SegmentWalk &walk, Value i, Value count, ArrayRef<unsigned> outputs,
                     ArrayRef<RowSum> sums,
                     function_ref<SmallVector<Bound>(Value)> bind) const {
  if (outputs.empty() && sums.empty())
    return;
  k.loop(k.index(0), count, 1, [&](Value t) {
    At at = block.at(walk.row(k.add(i, t), rows));
    PointwiseEmitter pointwise(k, at);
    pointwise.bind(u, block.load(stagedU, t));
    pointwise.bind(delta, block.load(stagedDelta, t));
    for (auto [value, emitted] : bind(t))
      pointwise.bind(value, emitted);
    for (unsigned output : outputs)
      k.store(pointwise.value(k.yielded(output)), k.output(output), at);
    for (const RowSum &sum : sums) {
      Value total = block.load(sum.tile, k.index(0));
      Value more = arith::ExtFOp::create(k.b, k.loc, total.getType(), pointwise.value(sum.x));
      block.store(add(total, more), sum.tile, k.index(0));
    }
  });
}

SmallVector<Value> ScanRun::load(const View &tile, Value n, int64_t size) const {
  SmallVector<Value> values;
  for (int64_t j = 0; j < size; ++j)
    values.push_back(block.load(tile, k.add(n, j)));
  return values;
}

void ScanRun::store(ValueRange values, const View &tile, Value n) const {
  for (auto [j, value] : llvm::enumerate(values))
    block.store(value, tile, k.add(n, j));
}

Value ScanRun::mul(Value x, Value y) const { return arith::MulFOp::create(k.b, k.loc, x, y); }
Value ScanRun::add(Value x, Value y) const { return arith::AddFOp::create(k.b, k.loc, x, y); }
Value ScanRun::decay(Value delta, Value a) const {
  return Approximations{k.b, k.loc}.decay(mul(delta, a));
}
