// Elements that are all treated alike, on a GPU.
#include "compiler/Emit/map/RunGpu.h"

#include "compiler/Schedule/RowDefaults.h"
#include "momrt/table.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mom;

int64_t mom::lanesOfRun(KernelBuilder &k, int64_t elements) {
  return lanesOfWidth(elements, k.knob("lanes"));
}

View mom::flatView(const View &view, int64_t elements) {
  View flat = view;
  int64_t bytes = elements * (view.element.getIntOrFloatBitWidth() / 8);
  flat.alignment = std::gcd<int64_t>(bytes, MOMRT_ALIGNMENT);
  return flat;
}

/// The elements from each of `places` on: all are computed before any is stored, so
/// that a result may take an input's place and no store holds up a load.
static void emitVectors(KernelBuilder &k, const Run &run, ArrayRef<Value> places) {
  struct Vector {
    At at;
    SmallVector<Value> values;
  };
  SmallVector<Vector> vectors;
  for (Value place : places) {
    At at{Value(), place, run.lanes, Value()};
    if (run.channels) {
      at.row = k.div(place, run.channels);
      at.column = k.rem(place, run.channels);
    }
    PointwiseEmitter e(k, at);
    if (run.shared)
      e.shareScalars(*run.shared);
    Vector vector{at, {}};
    for (unsigned i : run.outputs)
      vector.values.push_back(e.value(k.yielded(i)));
    vectors.push_back(vector);
  }
  for (Vector &vector : vectors)
    for (auto [i, value] : llvm::zip_equal(run.outputs, vector.values)) {
      View to = k.output(i);
      if (!run.channels && !isRows(k.kernel.getResult(i).getType()))
        to = flatView(to, cast<RankedTensorType>(k.kernel.getResult(i).getType()).getNumElements());
      k.store(value, to, vector.at);
    }
}

void mom::emitRun(KernelBuilder &k, const Run &run, Value first, Value end, int64_t most,
                  bool exact) {
  int64_t step = k.threads() * run.lanes;
  // No more vectors under way than there are.
  int64_t vectors = std::min<int64_t>(k.knob("vectors"), llvm::divideCeil(most, step));
  Value mine = k.mul(k.thread(), run.lanes);
  auto whole = [&](Value base) {
    SmallVector<Value> places;
    for (int64_t i = 0; i < vectors; ++i)
      places.push_back(k.add(k.add(base, mine), i * step));
    emitVectors(k, run, places);
  };
  auto part = [&](Value base) {
    Value last = k.min(k.add(base, vectors * step), end);
    k.loop(k.add(base, mine), last, step, [&](Value place) { emitVectors(k, run, {place}); });
  };
  auto steps = [&](Value base) {
    if (exact && most % (vectors * step) == 0)
      return whole(base);
    if (most < vectors * step)
      return part(base);
    Value full = k.less(k.add(base, vectors * step - 1), end);
    k.ifThen(full, [&] { whole(base); });
    k.ifThen(k.equal(full, arith::ConstantOp::create(k.b, k.loc, k.b.getBoolAttr(false))),
             [&] { part(base); });
  };
  if (most <= vectors * step)
    return steps(first);
  k.loop(first, end, vectors * step, steps);
}
