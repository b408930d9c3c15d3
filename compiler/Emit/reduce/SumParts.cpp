// The second phase of sums over rows. A block has a warp's width of the channels of a
// group; on a GPU each of its warps adds up every so many parts.
#include "compiler/Emit/reduce/SumParts.h"

#include "compiler/Emit/Gpu.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mom;

static Value addf(KernelBuilder &k, Value x, Value y) {
  return arith::AddFOp::create(k.b, k.loc, x, y);
}

static Value zero(KernelBuilder &k) {
  return arith::ConstantOp::create(k.b, k.loc, k.b.getF64FloatAttr(0));
}

/// Sums over parts first, first + step, ... of one channel of a group, in f64.
static SmallVector<Value> addUp(KernelBuilder &k, const SumParts &sums, Value group,
                                Value channel, Value first, int64_t step) {
  SmallVector<Value> init(sums.outputs.size(), zero(k));
  return k.loop(first, k.index(sums.parts), step, init, [&](Value part, ValueRange carried) {
    SmallVector<Value> next;
    for (auto [id, sum] : llvm::zip_equal(sums.workspaces, carried)) {
      At at{k.add(k.mul(group, sums.parts), part), channel, 1, Value()};
      Value term = k.load(k.workspaceView(id), at);
      next.push_back(
          addf(k, sum, arith::ExtFOp::create(k.b, k.loc, k.b.getF64Type(), term)));
    }
    return next;
  });
}

static void storeTotals(KernelBuilder &k, const SumParts &sums, ArrayRef<Value> totals,
                        Value group, Value channel) {
  for (auto [output, total] : llvm::zip_equal(sums.outputs, totals)) {
    Value result = arith::TruncFOp::create(k.b, k.loc, k.b.getF32Type(), total);
    k.store(result, k.output(output), At{group, channel, 1, Value()});
  }
}

static void emitBlockCpu(KernelBuilder &k, const SumParts &sums, Value group, Value first) {
  Value end = k.min(k.add(first, Gpu::kWarp), k.index(sums.channels));
  k.loop(first, end, 1, [&](Value channel) {
    storeTotals(k, sums, addUp(k, sums, group, channel, k.index(0), 1), group, channel);
  });
}

static void emitBlockGpu(KernelBuilder &k, const SumParts &sums, Value group, Value first) {
  Gpu gpu(k);
  int64_t warps = k.threads() / Gpu::kWarp;
  Value channel = k.add(first, gpu.lane());
  Value exists = k.less(channel, k.index(sums.channels));
  channel = k.min(channel, k.index(sums.channels - 1));
  SmallVector<Value> totals = addUp(k, sums, group, channel, gpu.warp(), warps);
  View slots = k.sharedView(totals.size() * warps, Gpu::kWarp, k.b.getF64Type());
  for (auto [i, total] : llvm::enumerate(totals))
    k.store(total, slots, At{k.add(gpu.warp(), i * warps), gpu.lane(), 1, Value()});
  gpu.barrier();
  Value isFirst = k.less(k.thread(), k.index(Gpu::kWarp));
  k.ifThen(arith::AndIOp::create(k.b, k.loc, isFirst, exists), [&] {
    for (auto [i, total] : llvm::enumerate(totals)) {
      total = zero(k);
      for (int64_t w = 0; w < warps; ++w)
        total = addf(k, total,
                     k.load(slots, At{k.index(i * warps + w), gpu.lane(), 1, Value()}));
    }
    storeTotals(k, sums, totals, group, channel);
  });
}

void mom::emitSumTotals(KernelBuilder &k, ArrayRef<SumParts> all) {
  SmallVector<unsigned> outputs;
  SmallVector<int64_t> blocks;
  auto tiles = [](const SumParts &sums) {
    return llvm::divideCeil(sums.channels, Gpu::kWarp);
  };
  for (const SumParts &sums : all) {
    llvm::append_range(outputs, sums.outputs);
    blocks.push_back(sums.groups * tiles(sums));
  }
  k.begin(outputs, "total");
  k.finishSum(k.dealBlocks(blocks, [&](size_t i, Value block) {
    const SumParts &sums = all[i];
    Value group = k.div(block, tiles(sums));
    Value first = k.mul(k.rem(block, tiles(sums)), Gpu::kWarp);
    (k.onGpu() ? emitBlockGpu : emitBlockCpu)(k, sums, group, first);
  }));
}
