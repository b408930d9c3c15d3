// Elements that are all treated alike, on a GPU.
#include "compiler/Emit/map/RunGpu.h"

#include "compiler/Emit/map/MapBody.h"
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

/// Inputs of more than one element.
static SmallVector<Value> wideInputs(KernelBuilder &k, const Run &run) {
  SmallVector<Value> roots, wide;
  for (unsigned i : run.outputs)
    roots.push_back(k.yielded(i));
  for (Value v : inputsBehind(roots))
    if (isRows(v.getType()) || cast<RankedTensorType>(v.getType()).getNumElements() > 1)
      wide.push_back(v);
  return wide;
}

static At placeOf(KernelBuilder &k, const Run &run, Value place) {
  if (!run.channels)
    return At{Value(), place, run.lanes, Value()};
  return At{k.div(place, run.channels), k.rem(place, run.channels), run.lanes, Value()};
}

/// The elements from each of `places` on. All loads come first, so that they are under
/// way together, and all stores last, since a result may take an input's place.
static void emitVectors(KernelBuilder &k, const Run &run, ArrayRef<Value> places) {
  SmallVector<Value> inputs;
  if (!run.channels) // else a vector may be repeated: at another place than this
    inputs = wideInputs(k, run);
  std::vector<PointwiseEmitter> emitters;
  for (Value place : places) {
    PointwiseEmitter &e = emitters.emplace_back(k, placeOf(k, run, place));
    if (run.shared)
      e.shareScalars(*run.shared);
    for (Value input : inputs)
      e.value(input);
  }
  SmallVector<SmallVector<Value>> values;
  for (PointwiseEmitter &e : emitters) {
    values.emplace_back();
    for (unsigned i : run.outputs)
      values.back().push_back(e.value(k.yielded(i)));
  }
  for (auto [place, computed] : llvm::zip_equal(places, values))
    for (auto [i, value] : llvm::zip_equal(run.outputs, computed)) {
      auto type = cast<RankedTensorType>(k.kernel.getResult(i).getType());
      View to = k.output(i);
      if (!run.channels && isStatic(type))
        to = flatView(to, type.getNumElements());
      k.store(value, to, placeOf(k, run, place));
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
