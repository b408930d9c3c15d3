// GPU form of mom.embedding_grad: a stable sort of the tokens by id, then a sum a row
// of the table. No atomics, so the same order and the same bits every time.
//
// First phase: a block owns `tile_ids` ids. Its threads read all ids of the batch in
// turn and count, each in its own column of shared memory, the tokens of each owned
// id; sums along ids and threads are the places at which a second walk lists the
// tokens. How many tokens have lower ids, which the walk counts too, is where the
// block's list begins.
//
// Second phase: a warp owns an id and adds up the listed rows of one tile of channels.
// An id with many tokens is left to all warps of the block together.
#include "compiler/Emit/reduce/EmbeddingGradGpu.h"

#include "compiler/Emit/Gpu.h"
#include "compiler/Emit/Pointwise.h"
#include "compiler/Schedule/RowDefaults.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mom;

/// Ids whose loads a thread has under way.
static constexpr int64_t kIdsAhead = 8;
/// Rows whose loads a thread has under way.
static constexpr int64_t kRowsAhead = 4;
/// Tokens of an id that one warp adds up.
static constexpr int64_t kFewTokens = 32;

namespace {
class EmbeddingGrad {
public:
  EmbeddingGrad(KernelBuilder &k, EmbeddingGradOp op) : k(k), gpu(k), op(op) {
    auto table = cast<RankedTensorType>(op.getDtable().getType());
    vocabulary = table.getDimSize(0);
    channels = table.getDimSize(1);
    tileIds = k.knob("tile_ids");
    idBlocks = llvm::divideCeil(vocabulary, tileIds);
    lanes = lanesOfWidth(channels, k.knob("lanes"));
    tiles = llvm::divideCeil(channels, lanes * Gpu::kWarp);
    i32 = k.b.getI32Type();
  }

  LogicalResult emit();

private:
  // First phase.
  void emitList();
  Value forEachId(Value init, llvm::function_ref<Value(Value token, Value id, Value)> body);
  Value ownId(Value id, Value &local);
  void emitPlaces();
  // Second phase.
  void emitSums();
  SmallVector<Value> emitRows(Value lo, Value hi, int64_t step, Value column);
  void emitMany(Value firstId, Value column);

  Value loadShared(Value base, Value i) { return k.loadScalar(base, i32, i); }
  void storeShared(Value value, Value base, Value i) {
    LLVM::StoreOp::create(k.b, k.loc, value, k.address(base, i32, i), 4);
  }
  Value addi(Value x, Value y) { return arith::AddIOp::create(k.b, k.loc, x, y); }
  Value asI32(Value condition) { return arith::ExtUIOp::create(k.b, k.loc, i32, condition); }
  /// Sum of the values of the lanes below (i32), and of all lanes.
  std::pair<Value, Value> sumBelow(Value value);
  Value begins(Value id) {
    Value begin = k.load(k.workspaceView(offsets), At{Value(), id, 1, Value()});
    return gpu.toI64(begin);
  }

  KernelBuilder &k;
  Gpu gpu;
  EmbeddingGradOp op;
  int64_t vocabulary, channels, tileIds, idBlocks, lanes, tiles;
  Type i32;
  unsigned list = 0, offsets = 0; ///< workspaces: tokens by id; where an id's begin
  Value firstId, counts, perId;   ///< of the block; [tile_ids, threads]; [tile_ids + 1]
};
} // namespace

/// Walks all tokens, with a value that `body` carries; a thread meets its own tokens in
/// the same order every time.
Value EmbeddingGrad::forEachId(Value init, llvm::function_ref<Value(Value, Value, Value)> body) {
  int64_t threads = k.threads();
  Value count = k.count(op.getDy().getType());
  auto idOf = [&](Value token) {
    PointwiseEmitter e(k, At{token, Value(), 1, Value()});
    return e.scalar(op.getIds());
  };
  Value whole = k.sub(count, k.rem(count, threads * kIdsAhead));
  Value carried = k.loop(k.index(0), whole, threads * kIdsAhead, init,
                         [&](Value base, ValueRange values) {
                           SmallVector<std::pair<Value, Value>> ids;
                           for (int64_t i = 0; i < kIdsAhead; ++i) {
                             Value token = k.add(k.add(base, k.thread()), i * threads);
                             ids.push_back({token, idOf(token)});
                           }
                           Value next = values[0];
                           for (auto [token, id] : ids)
                             next = body(token, id, next);
                           return SmallVector<Value>{next};
                         })[0];
  return k.loop(k.add(whole, k.thread()), count, threads, carried,
                [&](Value token, ValueRange values) {
                  return SmallVector<Value>{body(token, idOf(token), values[0])};
                })[0];
}

/// Whether the block owns an id of the table, and which of its own that is.
Value EmbeddingGrad::ownId(Value id, Value &local) {
  local = arith::SubIOp::create(k.b, k.loc, id, gpu.toI32(firstId));
  Value last = k.min(k.sub(k.index(vocabulary), firstId), k.index(tileIds));
  return arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::ult, local, gpu.toI32(last));
}

std::pair<Value, Value> EmbeddingGrad::sumBelow(Value value) {
  Value sum = value;
  for (int64_t distance = 1; distance < Gpu::kWarp; distance *= 2) {
    Value below = gpu.shuffleUp(sum, distance);
    Value inside = k.less(k.index(distance - 1), gpu.lane());
    sum = addi(sum, k.select(inside, below, gpu.i32(0)));
  }
  Value all = gpu.shuffle(sum, k.index(Gpu::kWarp - 1));
  return {arith::SubIOp::create(k.b, k.loc, sum, value), all};
}

/// Turns counts into places: along the threads of an id, then along the ids.
void EmbeddingGrad::emitPlaces() {
  int64_t threads = k.threads(), warps = threads / Gpu::kWarp;
  k.loop(gpu.warp(), k.index(tileIds), warps, [&](Value id) {
    Value total = k.loop(k.index(0), k.index(threads), Gpu::kWarp, gpu.i32(0),
                         [&](Value first, ValueRange before) {
                           Value at = k.add(k.mul(id, threads), k.add(first, gpu.lane()));
                           auto [below, all] = sumBelow(loadShared(counts, at));
                           storeShared(addi(before[0], below), counts, at);
                           return SmallVector<Value>{addi(before[0], all)};
                         })[0];
    k.ifThen(k.equal(gpu.lane(), k.index(0)), [&] { storeShared(total, perId, id); });
  });
  gpu.barrier();
  Value firstWarp = k.less(k.thread(), k.index(Gpu::kWarp));
  k.ifThen(firstWarp, [&] {
    Value start = loadShared(perId, k.index(tileIds)); // tokens of lower ids
    int64_t padded = llvm::alignTo(tileIds, Gpu::kWarp);
    Value end = k.loop(k.index(0), k.index(padded), Gpu::kWarp, start,
                       [&](Value first, ValueRange before) {
                         Value id = k.add(first, gpu.lane());
                         Value exists = k.less(id, k.index(tileIds));
                         Value own = loadShared(perId, k.min(id, k.index(tileIds - 1)));
                         auto [below, all] = sumBelow(k.select(exists, own, gpu.i32(0)));
                         Value place = addi(before[0], below);
                         k.ifThen(exists, [&] {
                           storeShared(place, perId, id);
                           k.store(place, k.workspaceView(offsets),
                                   At{Value(), k.add(firstId, id), 1, Value()});
                         });
                         return SmallVector<Value>{addi(before[0], all)};
                       })[0];
    Value last = arith::AndIOp::create(k.b, k.loc, k.equal(gpu.lane(), k.index(0)),
                                       k.equal(k.block(), k.index(idBlocks - 1)));
    k.ifThen(last, [&] {
      k.store(end, k.workspaceView(offsets),
              At{Value(), k.index(idBlocks * tileIds), 1, Value()});
    });
  });
  gpu.barrier();
}

void EmbeddingGrad::emitList() {
  int64_t threads = k.threads(), warps = threads / Gpu::kWarp;
  firstId = k.mul(k.block(), tileIds);
  counts = k.shared(tileIds * threads * 4);
  perId = k.shared((tileIds + 1) * 4);
  Value lowerOf = k.shared(warps * 4);
  auto cell = [&](Value local) { return k.add(k.mul(gpu.toI64(local), threads), k.thread()); };
  k.loop(k.index(0), k.index(tileIds), 1, [&](Value id) {
    storeShared(gpu.i32(0), counts, k.add(k.mul(id, threads), k.thread()));
  });
  Value lower = forEachId(gpu.i32(0), [&](Value, Value id, Value lower) {
    Value local;
    k.ifThen(ownId(id, local), [&] {
      storeShared(addi(loadShared(counts, cell(local)), gpu.i32(1)), counts, cell(local));
    });
    Value isLower = arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::ult, id,
                                          gpu.toI32(firstId));
    return addi(lower, asI32(isLower));
  });
  lower = sumBelow(lower).second;
  k.ifThen(k.equal(gpu.lane(), k.index(0)), [&] { storeShared(lower, lowerOf, gpu.warp()); });
  gpu.barrier();
  k.ifThen(k.equal(k.thread(), k.index(0)), [&] {
    Value sum = loadShared(lowerOf, k.index(0));
    for (int64_t w = 1; w < warps; ++w)
      sum = addi(sum, loadShared(lowerOf, k.index(w)));
    storeShared(sum, perId, k.index(tileIds));
  });
  emitPlaces();
  forEachId(gpu.i32(0), [&](Value token, Value id, Value none) {
    Value local;
    k.ifThen(ownId(id, local), [&] {
      Value within = loadShared(counts, cell(local));
      storeShared(addi(within, gpu.i32(1)), counts, cell(local));
      Value place = addi(within, loadShared(perId, gpu.toI64(local)));
      k.store(gpu.toI32(token), k.workspaceView(list), At{gpu.toI64(place), Value(), 1, Value()});
    });
    return none;
  });
}

/// Sum of the listed rows lo, lo + step, ... below hi.
SmallVector<Value> EmbeddingGrad::emitRows(Value lo, Value hi, int64_t step, Value column) {
  auto rowAt = [&](Value place) {
    Value token = k.load(k.workspaceView(list), At{place, Value(), 1, Value()});
    PointwiseEmitter e(k, At{gpu.toI64(token), column, lanes, Value()});
    return e.value(op.getDy());
  };
  auto add = [&](Value x, Value y) -> Value { return arith::AddFOp::create(k.b, k.loc, x, y); };
  Value rows = k.ceilDiv(k.max(k.sub(hi, lo), k.index(0)), step);
  Value whole = k.add(lo, k.mul(k.div(rows, kRowsAhead), kRowsAhead * step));
  SmallVector<Value> sum = k.loop(lo, whole, kRowsAhead * step, k.zeros(lanes),
                                  [&](Value place, ValueRange carried) {
    SmallVector<Value> terms;
    for (int64_t i = 0; i < kRowsAhead; ++i)
      terms.push_back(rowAt(k.add(place, i * step)));
    Value four = add(add(terms[0], terms[1]), add(terms[2], terms[3]));
    return SmallVector<Value>{add(carried[0], four)};
  });
  return k.loop(whole, hi, step, sum, [&](Value place, ValueRange carried) {
    return SmallVector<Value>{add(carried[0], rowAt(place))};
  });
}

/// The ids of the block that have many tokens, one after the other, by all warps.
void EmbeddingGrad::emitMany(Value firstId, Value column) {
  int64_t warps = k.threads() / Gpu::kWarp;
  View slots = k.sharedView(warps, Gpu::kWarp * lanes, k.b.getF32Type());
  Value inside = k.min(column, k.index(channels - lanes));
  Value lastId = k.min(k.add(firstId, warps), k.index(vocabulary));
  k.loop(firstId, lastId, 1, [&](Value id) {
    Value lo = begins(id), hi = begins(k.add(id, 1));
    k.ifThen(k.less(k.index(kFewTokens), k.sub(hi, lo)), [&] {
      Value sum = emitRows(k.add(lo, gpu.warp()), hi, warps, inside)[0];
      k.store(sum, slots, At{gpu.warp(), k.mul(gpu.lane(), lanes), lanes, Value()});
      gpu.barrier();
      Value mine = arith::AndIOp::create(k.b, k.loc, k.equal(gpu.warp(), k.index(0)),
                                         k.less(column, k.index(channels)));
      k.ifThen(mine, [&] {
        Value total;
        for (int64_t w = 0; w < warps; ++w) {
          Value part =
              k.load(slots, At{k.index(w), k.mul(gpu.lane(), lanes), lanes, Value()});
          total = total ? arith::AddFOp::create(k.b, k.loc, total, part).getResult() : part;
        }
        k.store(total, k.output(0), At{id, column, lanes, Value()});
      });
      gpu.barrier();
    });
  });
}

void EmbeddingGrad::emitSums() {
  int64_t warps = k.threads() / Gpu::kWarp;
  Value tile = k.rem(k.block(), tiles);
  Value firstOfBlock = k.mul(k.div(k.block(), tiles), warps);
  Value column = k.mul(k.add(k.mul(tile, Gpu::kWarp), gpu.lane()), lanes);
  Value id = k.add(firstOfBlock, gpu.warp());
  Value mine = arith::AndIOp::create(k.b, k.loc, k.less(id, k.index(vocabulary)),
                                     k.less(column, k.index(channels)));
  k.ifThen(mine, [&] {
    Value lo = begins(id), hi = begins(k.add(id, 1));
    k.ifThen(k.less(k.sub(hi, lo), k.index(kFewTokens + 1)), [&] {
      k.store(emitRows(lo, hi, 1, column)[0], k.output(0), At{id, column, lanes, Value()});
    });
  });
  emitMany(firstOfBlock, column);
}

LogicalResult EmbeddingGrad::emit() {
  k.begin({}, "list");
  if (failed(checkPointwise(k, op.getDy())) || failed(checkPointwise(k, op.getIds())))
    return failure();
  list = k.workspace(cast<RankedTensorType>(op.getIds().getType()));
  offsets = k.workspace(RankedTensorType::get({idBlocks * tileIds + 1}, i32));
  emitList();
  k.finish(k.fixedGrid(idBlocks));
  k.begin({0}, "sum");
  emitSums();
  k.finish(k.fixedGrid(llvm::divideCeil(vocabulary, k.threads() / Gpu::kWarp) * tiles));
  return success();
}

LogicalResult mom::emitEmbeddingGradGpu(KernelOp kernel, KernelBuilder &k, EmbeddingGradOp op) {
  return EmbeddingGrad(k, op).emit();
}
