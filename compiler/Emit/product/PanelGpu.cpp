// A ring of panels of what the work after a product reads.
#include "compiler/Emit/product/PanelGpu.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mom;

static constexpr int64_t kLineBytes = 128, kChunkBytes = 16; // of the swizzle

PanelRing::PanelRing(KernelBuilder &k, const TileShape &shape, ArrayRef<View> inputs,
                     int64_t firstMap)
    : k(k), gpu(k), shape(shape), inputs(inputs), firstMap(firstMap),
      slots(k.knob("panels") * shape.rows / rows()), memory(k.shared(slots * bytes(), 1024)),
      full(k, slots), empty(k, slots) {}

int64_t PanelRing::inTile() const {
  return llvm::divideCeil(shape.columns, kColumns) * shape.rows / rows();
}

void PanelRing::makeMaps(TensorMaps &maps, Value rowCount) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    const View &view = inputs[i];
    int64_t warp = i % (shape.threads / Gpu::kWarp);
    k.ifThen(k.equal(gpu.warp(), k.index(warp)), [&] {
      maps.make(k.index(firstMap + i), view.base, view.element,
                {{k.index(view.channels), 1, kColumns}, {rowCount, view.stride, rows()}});
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
  Value number = k.add(k.mul(k.div(tile, rings), inTile() * count), panel * count + input);
  Value slot = k.add(k.mul(k.rem(tile, rings), mine), k.rem(number, mine));
  return {slot, gpu.toI32(k.rem(k.div(number, mine), 2))};
}

void PanelRing::acquire(TensorMaps &maps) {
  for (size_t i = 0; i < inputs.size(); ++i)
    maps.acquire(k.index(firstMap + i));
}

void PanelRing::copyTile(TensorMaps &maps, Value tile, Value row, Value column) {
  int64_t beside = shape.rows / rows();
  for (int64_t panel = 0; panel < inTile(); ++panel)
    for (size_t i = 0; i < inputs.size(); ++i) {
      Place place = placeOf(tile, panel, i);
      Value other = arith::XOrIOp::create(k.b, k.loc, place.parity, gpu.i32(1));
      empty.wait(place.slot, other);
      full.arriveExpecting(place.slot, bytes());
      maps.copy(address(tile, panel, i), k.index(firstMap + i),
                {k.add(column, panel / beside * kColumns), k.add(row, panel % beside * rows())},
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
  Value inLine = k.mul(column, 2);
  Value place = k.add(offset(row, k.div(inLine, kChunkBytes)), k.rem(inLine, kChunkBytes));
  SmallVector<Value> values;
  for (auto [i, view] : llvm::enumerate(inputs)) {
    Value from = k.address(address(tile, panel, i), k.b.getI8Type(), place);
    values.push_back(LLVM::LoadOp::create(k.b, k.loc, k.lanesOf(view.element, lanes), from,
                                          2 * lanes));
  }
  return values;
}

Value PanelRing::address(Value tile, int64_t panel, int64_t input) {
  return k.address(memory, k.b.getI8Type(), k.mul(placeOf(tile, panel, input).slot, bytes()));
}

Value PanelRing::offset(Value row, Value chunk) {
  Value place = arith::XOrIOp::create(k.b, k.loc, chunk, k.rem(row, 8));
  return k.add(k.mul(row, kLineBytes), k.mul(place, kChunkBytes));
}

void PanelRing::release(Value tile, int64_t panel) {
  gpu.warpBarrier();
  k.ifThen(k.equal(gpu.lane(), k.index(0)), [&] {
    for (size_t i = 0; i < inputs.size(); ++i)
      empty.arrive(placeOf(tile, panel, i).slot);
  });
}
