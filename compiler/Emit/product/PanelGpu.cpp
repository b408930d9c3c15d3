// A ring of panels of what the work after a product reads.
#include "compiler/Emit/product/PanelGpu.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mom;

static constexpr int64_t kLineBytes = 128, kChunkBytes = 16; // of the swizzle

PanelRing::PanelRing(KernelBuilder &k, const TileShape &shape, ArrayRef<View> inputs,
                     int64_t firstMap)
    : k(k), gpu(k), shape(shape), inputs(inputs), firstMap(firstMap), slots(k.knob("panels")),
      panels(llvm::divideCeil(shape.columns, kColumns)),
      memory(k.shared(slots * bytes(shape.rows), 1024)), full(k, slots), empty(k, slots) {}

void PanelRing::makeMaps(TensorMaps &maps, Value rowCount) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    const View &view = inputs[i];
    int64_t warp = i % (shape.threads / Gpu::kWarp);
    k.ifThen(k.equal(gpu.warp(), k.index(warp)), [&] {
      maps.make(k.index(firstMap + i), view.base, view.element,
                {{k.index(view.channels), 1, kColumns}, {rowCount, view.stride, shape.rows}});
    });
  }
}

void PanelRing::initialise() {
  for (int64_t slot = 0; slot < slots; ++slot) {
    full.initialise(slot, 1);
    empty.initialise(slot, shape.pingpong ? 4 : 8); // warps that read it
  }
}

// Warpgroups that take tiles in turn have a ring each: a barrier tells a phase from the next
// but not from the one after, so all phases of a slot must be seen by who waits for it.
PanelRing::Place PanelRing::placeOf(Value tile, int64_t panel, int64_t input) {
  int64_t count = inputs.size(), rings = shape.pingpong ? 2 : 1, mine = slots / rings;
  Value number = k.add(k.mul(k.div(tile, rings), panels * count), panel * count + input);
  Value slot = k.add(k.mul(k.rem(tile, rings), mine), k.rem(number, mine));
  return {slot, gpu.toI32(k.rem(k.div(number, mine), 2))};
}

void PanelRing::acquire(TensorMaps &maps) {
  for (size_t i = 0; i < inputs.size(); ++i)
    maps.acquire(k.index(firstMap + i));
}

void PanelRing::copyTile(TensorMaps &maps, Value tile, Value row, Value column) {
  for (int64_t panel = 0; panel < panels; ++panel)
    for (size_t i = 0; i < inputs.size(); ++i) {
      Place place = placeOf(tile, panel, i);
      Value other = arith::XOrIOp::create(k.b, k.loc, place.parity, gpu.i32(1));
      empty.wait(place.slot, other);
      full.arriveExpecting(place.slot, bytes(shape.rows));
      Value to = k.address(memory, k.b.getI8Type(), k.mul(place.slot, bytes(shape.rows)));
      maps.copy(to, k.index(firstMap + i), {k.add(column, panel * kColumns), row},
                full.address(place.slot));
    }
}

void PanelRing::wait(Value tile, int64_t panel) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    Place place = placeOf(tile, panel, i);
    full.wait(place.slot, place.parity);
  }
}

SmallVector<Value> PanelRing::read(Value tile, int64_t panel, Value row, Value column,
                                   int64_t lanes) {
  Value inLine = k.mul(k.sub(column, k.index(panel * kColumns)), 2);
  Value chunk = arith::XOrIOp::create(k.b, k.loc, k.div(inLine, kChunkBytes), k.rem(row, 8));
  Value offset = k.add(k.mul(row, kLineBytes), k.mul(chunk, kChunkBytes));
  offset = k.add(offset, k.rem(inLine, kChunkBytes));
  SmallVector<Value> values;
  for (auto [i, view] : llvm::enumerate(inputs)) {
    Value slot = k.mul(placeOf(tile, panel, i).slot, bytes(shape.rows));
    Value from = k.address(memory, k.b.getI8Type(), k.add(slot, offset));
    values.push_back(LLVM::LoadOp::create(k.b, k.loc, k.lanesOf(view.element, lanes), from,
                                          2 * lanes));
  }
  return values;
}

void PanelRing::release(Value tile, int64_t panel) {
  gpu.warpBarrier();
  k.ifThen(k.equal(gpu.lane(), k.index(0)), [&] {
    for (size_t i = 0; i < inputs.size(); ++i)
      empty.arrive(placeOf(tile, panel, i).slot);
  });
}
