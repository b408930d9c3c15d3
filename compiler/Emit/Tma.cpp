// Copies of tiles and their barriers.
#include "compiler/Emit/Tma.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mom;

static constexpr int64_t kMapBytes = 128;
static constexpr int64_t kBarrierBytes = 8;

//===----------------------------------------------------------------------===//
// Barriers
//===----------------------------------------------------------------------===//

SharedBarriers::SharedBarriers(KernelBuilder &k, int64_t count)
    : k(k), gpu(k), base(k.shared(count * kBarrierBytes)) {}

Value SharedBarriers::address(Value index) const {
  return k.address(base, k.b.getI64Type(), index);
}

void SharedBarriers::initialise(int64_t index, int64_t arrivals) {
  gpu.assembly("mbarrier.init", {}, {address(k.index(index)), gpu.i32(arrivals)},
               "mbarrier.init.shared::cta.b64 [$0], $1;", "l,r,~{memory}");
}

void SharedBarriers::publish() {
  gpu.assembly("mbarrier.publish", {}, {}, "fence.mbarrier_init.release.cluster;", "~{memory}");
}

void SharedBarriers::arrive(Value index) {
  gpu.assembly("mbarrier.arrive", {}, {address(index)}, "mbarrier.arrive.shared::cta.b64 _, [$0];",
               "l,~{memory}");
}

void SharedBarriers::arrive(Value index, Value rank) {
  gpu.assembly("mbarrier.arrive.rank", {}, {address(index), gpu.toI32(rank)},
               "{ .reg .b64 there; mapa.shared::cluster.u64 there, $0, $1; "
               "mbarrier.arrive.shared::cluster.b64 _, [there]; }",
               "l,r,~{memory}");
}

void SharedBarriers::arriveExpecting(Value index, int64_t bytes) {
  gpu.assembly("mbarrier.expect", {}, {address(index), gpu.i32(bytes)},
               "mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], $1;", "l,r,~{memory}");
}

void SharedBarriers::wait(Value index, Value parity) {
  gpu.assembly("mbarrier.wait", {}, {address(index), parity},
               "{ .reg .pred over; again: mbarrier.try_wait.parity.shared::cta.b64 over, [$0], "
               "$1; @!over bra again; }",
               "l,r,~{memory}");
}

//===----------------------------------------------------------------------===//
// Tensor maps
//===----------------------------------------------------------------------===//

TensorMaps::TensorMaps(KernelBuilder &k, int64_t count, int64_t blocks)
    : k(k), gpu(k) {
  // One more, since a workspace need not begin at a multiple of a map's bytes.
  auto type = RankedTensorType::get({blocks * count + 1, kMapBytes / 4}, k.b.getF32Type());
  Value base = k.workspaceView(k.workspace(type)).base;
  Value bits = LLVM::PtrToIntOp::create(k.b, k.loc, k.b.getI64Type(), base);
  Value gap = k.rem(k.sub(k.index(0), bits), kMapBytes);
  Type i8 = k.b.getI8Type();
  maps = k.address(k.address(base, i8, gap), i8, k.mul(k.block(), count * kMapBytes));
  drafts = k.shared(k.threads() / Gpu::kWarp * kMapBytes, kMapBytes);
}

Value TensorMaps::address(Value index) {
  return k.address(maps, k.b.getI8Type(), k.mul(index, kMapBytes));
}

/// What sets a map's fields: `$0` is the map, `$1` the base, then for each dimension its
/// size and box, then the strides in bytes of all but the first, then the element type.
static std::string fieldsOf(unsigned rank) {
  std::string text;
  unsigned next = 2;
  auto set = [&](StringRef field, StringRef bits, const Twine &place) {
    text += ("tensormap.replace.tile." + field + ".shared::cta.b1024." + bits + " [$0], " + place +
             ";\n\t")
                .str();
  };
  set("global_address", "b64", "$1");
  set("rank", "b32", Twine(rank - 1));
  for (unsigned i = 0; i < rank; ++i) {
    set("global_dim", "b32", Twine(i) + ", $" + Twine(next++));
    set("box_dim", "b32", Twine(i) + ", $" + Twine(next++));
    set("element_stride", "b32", Twine(i) + ", 1");
  }
  for (unsigned i = 0; i + 1 < rank; ++i)
    set("global_stride", "b64", Twine(i) + ", $" + Twine(next++));
  set("interleave_layout", "b32", "0");
  set("swizzle_mode", "b32", "3"); // of 128 bytes
  set("fill_mode", "b32", "0");    // zeros
  return text;
}

void TensorMaps::make(Value index, Value base, Type element, ArrayRef<MapDimension> dimensions) {
  unsigned rank = dimensions.size();
  assert((rank == 2 || rank == 3 || rank == 5) && "the emulator knows no other maps");
  int64_t bytes = element.getIntOrFloatBitWidth() / 8;
  Value draft = k.address(drafts, k.b.getI8Type(), k.mul(gpu.warp(), kMapBytes));
  LLVM::StoreOp::create(k.b, k.loc, gpu.i32(0),
                        k.address(draft, k.b.getI32Type(), gpu.lane()), 4);
  gpu.warpBarrier();
  k.ifThen(k.equal(gpu.lane(), k.index(0)), [&] {
    SmallVector<Value> operands = {draft, base};
    std::string constraints = "l,l";
    for (const MapDimension &d : dimensions) {
      llvm::append_values(operands, gpu.toI32(d.size), gpu.i32(d.box));
      constraints += ",r,r";
    }
    for (const MapDimension &d : dimensions.drop_front()) {
      operands.push_back(k.index(d.stride * bytes));
      constraints += ",l";
    }
    // The numbers that PTX gives to f16 and bf16.
    std::string type = element.isF16() ? "6" : "10";
    gpu.assembly("tensormap.make" + std::to_string(rank), {}, operands,
                 fieldsOf(rank) + "tensormap.replace.tile.elemtype.shared::cta.b1024.b32 [$0], " +
                     type + ";",
                 constraints + ",~{memory}");
  });
  gpu.warpBarrier();
  gpu.assembly("tensormap.publish", {}, {address(index), draft},
               "tensormap.cp_fenceproxy.global.shared::cta.tensormap::generic.release.gpu.sync"
               ".aligned [$0], [$1], 128;",
               "l,l,~{memory}");
  gpu.warpBarrier(); // before the draft is written again
}

// Others found that ptxas may move a copy before the fence; to wait for an empty group of
// copies prevents it.
void TensorMaps::acquire(Value index) {
  gpu.assembly("tensormap.acquire", {}, {address(index)},
               "fence.proxy.tensormap::generic.acquire.gpu [$0], 128;\n\t"
               "cp.async.bulk.commit_group;\n\tcp.async.bulk.wait_group.read 0;",
               "l,~{memory}");
}

void TensorMaps::copy(Value shared, Value index, ArrayRef<Value> coordinates, Value barrier,
                      int64_t cluster) {
  SmallVector<Value> operands = {shared, address(index), barrier};
  std::string places, constraints = "l,l,l";
  for (auto [i, coordinate] : llvm::enumerate(coordinates)) {
    operands.push_back(gpu.toI32(coordinate));
    places += (i ? ", $" : "$") + std::to_string(3 + i);
    constraints += ",r";
  }
  std::string rank = std::to_string(coordinates.size());
  std::string text =
      "cp.async.bulk.tensor." + rank + "d.shared::cluster.global.mbarrier::complete_tx::bytes";
  std::string where = " [$0], [$1, {" + places + "}], [$2]";
  if (cluster == 1) {
    gpu.assembly("tma.load" + rank, {}, operands, text + where + ";", constraints + ",~{memory}");
    return;
  }
  std::string mask = ", $" + std::to_string(operands.size());
  operands.push_back(gpu.i32((1 << cluster) - 1)); // all of its blocks
  gpu.assembly("tma.multicast" + rank, {}, operands,
               "{ .reg .b16 blocks; cvt.u16.u32 blocks" + mask + "; " + text +
                   ".multicast::cluster" + where + ", blocks; }",
               constraints + ",r,~{memory}");
}

void mom::setRegisters(KernelBuilder &k, int64_t count, bool more) {
  Gpu(k).assembly("setmaxnreg", {}, {},
                  ("setmaxnreg." + StringRef(more ? "inc" : "dec") + ".sync.aligned.u32 " +
                   Twine(count) + ";")
                      .str(),
                  "~{memory}");
}
