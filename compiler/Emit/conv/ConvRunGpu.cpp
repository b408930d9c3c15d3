// How threads of a GPU share a convolution's tokens and channels.
#include "compiler/Emit/conv/ConvRunGpu.h"

#include "compiler/Emit/Sequence.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mom;
using Values = SmallVector<Value>;

//===----------------------------------------------------------------------===//
// Threads and channels
//===----------------------------------------------------------------------===//

static int64_t lanesFor(KernelBuilder &k, int64_t channels, ArrayRef<View> views) {
  auto fits = [&](int64_t lanes) {
    return channels % lanes == 0 && llvm::all_of(views, [&](const View &view) {
             int64_t bytes = lanes * view.element.getIntOrFloatBitWidth() / 8;
             return bytes <= 16 && view.alignment % bytes == 0;
           });
  };
  int64_t lanes = k.knob("lanes");
  while (lanes > 1 && !fits(lanes))
    lanes /= 2;
  return lanes;
}

/// Threads side by side: a divisor of the vectors if that reads whole cache lines,
/// else a power of two with some threads idle.
static int64_t threadsAcross(int64_t vectors, int64_t bytes, int64_t threads) {
  int64_t divisor = vectors & -vectors;
  divisor = std::min<int64_t>(divisor, llvm::bit_floor<uint64_t>(threads));
  if (divisor == vectors || divisor * bytes >= 128)
    return divisor;
  return std::min<int64_t>(llvm::PowerOf2Ceil(vectors), llvm::bit_floor<uint64_t>(threads));
}

ConvTile::ConvTile(KernelBuilder &k, int64_t channels, ArrayRef<View> views, bool oneRun)
    : lanes(lanesFor(k, channels, views)), channels(channels) {
  int64_t vectors = channels / lanes;
  int64_t bytes = lanes * views[0].element.getIntOrFloatBitWidth() / 8;
  across = oneRun ? k.threads() : threadsAcross(vectors, bytes, k.threads());
  runs = k.threads() / across;
  tiles = llvm::divideCeil(vectors, across);
  part = k.div(k.block(), tiles);
  run = k.div(k.thread(), across);
  Value vector = k.add(k.mul(k.rem(k.block(), tiles), across), k.rem(k.thread(), across));
  if (tiles * across != vectors) {
    active = k.less(vector, k.index(vectors));
    vector = k.min(vector, k.index(vectors - 1));
  }
  // Where the block is no multiple of `across`, its last threads have no run.
  if (runs * across != k.threads()) {
    Value has = k.less(run, k.index(runs));
    active = active ? arith::AndIOp::create(k.b, k.loc, active, has) : has;
    run = k.min(run, k.index(runs - 1));
  }
  first = k.mul(vector, lanes);
}

At ConvTile::at(KernelBuilder &k, Value row, Value slot) const {
  return At{row, k.add(k.mul(slot, channels), first), lanes, Value()};
}

void ConvTile::ifActive(KernelBuilder &k, function_ref<void()> body) const {
  if (!active)
    return body();
  k.ifThen(active, body);
}

Values mom::loadTaps(KernelBuilder &k, Value first, int64_t lanes, Value weights) {
  int64_t width = channelsOf(weights), all = lanes * width;
  Value loaded = k.load(k.view(weights), At{Value(), k.mul(first, width), all, Value()});
  Values taps;
  for (int64_t tap = width - 1; tap >= 0; --tap) {
    SmallVector<int64_t> from;
    for (int64_t lane = 0; lane < lanes; ++lane)
      from.push_back(lane * width + tap);
    if (all == 1)
      taps.push_back(loaded);
    else if (lanes == 1)
      taps.push_back(vector::ExtractOp::create(k.b, k.loc, loaded, from));
    else
      taps.push_back(vector::ShuffleOp::create(k.b, k.loc, loaded, loaded, from));
  }
  return taps;
}

Values mom::tensorsOfRun(KernelBuilder &k, Value x, ValueRange values) {
  Values tensors{withoutWidening(x)};
  for (Value read : tensorsRead(k, values, x))
    if (!llvm::is_contained(tensors, read))
      tensors.push_back(read);
  return tensors;
}

SmallVector<View> mom::viewsOf(KernelBuilder &k, ArrayRef<Value> tensors) {
  return llvm::map_to_vector(tensors, [&](Value tensor) { return k.view(tensor); });
}

Values mom::forSegmentsOf(KernelBuilder &k, Value batch, bool final, Value row, ValueRange init,
                          function_ref<Values(Value, ValueRange)> body) {
  Gpu gpu(k);
  Value count = k.segmentCount(), none = k.index(-1);
  return k.loop(k.index(0), count, Gpu::kWarp, init, [&](Value base, ValueRange carried) {
    // Each lane looks at one record; then the warp goes through those that were found.
    Value mine = k.add(base, gpu.lane());
    Segment record = k.segment(batch, k.min(mine, k.sub(count, k.index(1))));
    Value state = k.select(k.less(mine, count), final ? record.final : record.initial, none);
    Values values{gpu.ballot(k.equal(state, row))};
    llvm::append_range(values, carried);
    auto found = scf::WhileOp::create(
        k.b, k.loc, TypeRange(ValueRange(values)), values,
        [&](OpBuilder &nested, Location, ValueRange now) {
          OpBuilder::InsertionGuard guard(k.b);
          k.b.restoreInsertionPoint(nested.saveInsertionPoint());
          Value any = arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::ne, now[0],
                                            gpu.i32(0));
          scf::ConditionOp::create(k.b, k.loc, any, now);
        },
        [&](OpBuilder &nested, Location, ValueRange now) {
          OpBuilder::InsertionGuard guard(k.b);
          k.b.restoreInsertionPoint(nested.saveInsertionPoint());
          Value bit = math::CountTrailingZerosOp::create(k.b, k.loc, now[0]);
          Values next{arith::AndIOp::create(k.b, k.loc, now[0], k.sub(now[0], gpu.i32(1)))};
          llvm::append_range(next, body(k.add(base, gpu.toI64(bit)), now.drop_front()));
          scf::YieldOp::create(k.b, k.loc, next);
        });
    return Values(found.getResults().drop_front());
  });
}

//===----------------------------------------------------------------------===//
// The walk
//===----------------------------------------------------------------------===//

ConvRun::ConvRun(KernelBuilder &k, Value batch, RowsAttr rows, const ConvTile &tile,
                 ArrayRef<Value> tensors, bool down, Value lo64, Value hi, int64_t reach)
    : k(k), gpu(k), batch(batch), rows(rows), tile(tile), tensors(tensors),
      views(viewsOf(k, tensors)), down(down), ahead(k.knob("ahead")), reach(reach),
      more(llvm::divideCeil(reach, ahead)), slots(k.knob("stages") + more) {
  for (const View &view : views)
    rings.push_back(k.shared(slots * ahead * k.threads() * bytesOf(view), 16));
  Value count = k.count(RowSpace::token);
  Value last = k.mul(k.ceilDiv(k.min(hi, count), ahead), ahead);
  tokens = gpu.toI32(count);
  lo = gpu.toI32(lo64);
  end = gpu.toI32(last);
  chunks = gpu.toI32(k.div(k.sub(last, lo64), ahead));
  first = down ? k.sub(end, gpu.i32(1)) : lo;
  for (int64_t chunk = 0; chunk < slots - 1; ++chunk) {
    Values rows = chunkRows(gpu.i32(chunk));
    if (!chunk)
      firstRows = rows;
    copyChunk(gpu.i32(chunk), rows);
  }
  nextRows = chunkRows(gpu.i32(slots - 1));
}

/// The least position of a chunk, counted as the walk goes; past the last one that is copied,
/// that one's. A chunk without tokens is another one.
Value ConvRun::chunkStart(Value chunk) {
  Value step = k.mul(k.min(chunk, k.add(chunks, gpu.i32(more - 1))), gpu.i32(ahead));
  Value start = down ? k.sub(k.sub(end, gpu.i32(ahead)), step) : k.add(lo, step);
  if (!more)
    return start;
  Value last = arith::DivUIOp::create(k.b, k.loc, k.sub(tokens, gpu.i32(1)), gpu.i32(ahead));
  return k.max(k.min(start, k.mul(last, gpu.i32(ahead))), gpu.i32(0));
}

Value ConvRun::position(Value start, int64_t token) {
  return k.add(start, gpu.i32(down ? ahead - 1 - token : token));
}

Value ConvRun::rowOf(Value position) {
  Value inside = k.min(position, k.sub(tokens, gpu.i32(1)));
  return rows.getRoute() ? gpu.toI32(k.rowAt(batch, gpu.toI64(inside))) : inside;
}

/// The rows (i32) of a chunk's tokens in the walk's order.
Values ConvRun::chunkRows(Value chunk) {
  Value start = chunkStart(chunk);
  Values result;
  if (!rows.getRoute()) {
    for (int64_t token = 0; token < ahead; ++token)
      result.push_back(rowOf(position(start, token)));
    return result;
  }
  // Past the last token the index holds rows too.
  Value all = k.rowsAt(batch, gpu.toI64(start), ahead);
  for (int64_t token = 0; token < ahead; ++token) {
    int64_t lane = down ? ahead - 1 - token : token;
    result.push_back(ahead == 1 ? all
                                : vector::ExtractOp::create(k.b, k.loc, all,
                                                            ArrayRef<int64_t>{lane}));
  }
  return result;
}

int64_t ConvRun::bytesOf(const View &view) const {
  return tile.lanes * view.element.getIntOrFloatBitWidth() / 8;
}

/// Lanes of a tensor in storage, as words of 32 bits: conversion comes with the use, so
/// that the wait for the load does, too.
Value ConvRun::loadPacked(const View &view, Value address) {
  int64_t bytes = bytesOf(view);
  Type type = bytes < 4 ? Type(k.b.getI16Type()) : k.lanesOf(k.b.getI32Type(), bytes / 4);
  return LLVM::LoadOp::create(k.b, k.loc, type, address, bytes);
}

Value ConvRun::unpack(Value packed, Type element) {
  Value lanes = LLVM::BitcastOp::create(k.b, k.loc, k.lanesOf(element, tile.lanes), packed);
  if (element.isF32())
    return lanes;
  return arith::ExtFOp::create(k.b, k.loc, k.lanesOf(k.b.getF32Type(), tile.lanes), lanes);
}

/// This thread's place for a token of a chunk (i32).
Value ConvRun::placeOf(Value chunk, int64_t token, size_t tensor) {
  Value slot = gpu.toI64(arith::RemUIOp::create(k.b, k.loc, chunk, gpu.i32(slots)));
  Value line = k.add(k.mul(slot, ahead), token);
  Value place = k.add(k.mul(line, k.threads()), k.thread());
  return k.address(rings[tensor], k.b.getI8Type(), k.mul(place, bytesOf(views[tensor])));
}

/// A group of copies, empty for a chunk that is not.
void ConvRun::copyChunk(Value chunk, ValueRange rows) {
  k.ifThen(k.less(chunk, k.add(chunks, gpu.i32(more))), [&] {
    for (auto [token, row] : llvm::enumerate(rows))
      for (auto [n, view] : llvm::enumerate(views)) {
        Value from = k.address(view, tile.at(gpu.toI64(row))), to = placeOf(chunk, token, n);
        if (int64_t bytes = bytesOf(view); bytes >= 4)
          gpu.copyAsync(to, from, {}, bytes);
        else
          LLVM::StoreOp::create(k.b, k.loc, loadPacked(view, from), to, bytes);
      }
  });
  gpu.commitCopies();
}

Value ConvRun::valueAt(Value chunk, int64_t token, size_t tensor) {
  const View &view = views[tensor];
  return unpack(loadPacked(view, placeOf(chunk, token, tensor)), view.element);
}

Value ConvRun::rowBefore(int64_t count) {
  Value position = k.add(first, gpu.i32(down ? count : -count));
  return gpu.toI64(rowOf(k.max(position, gpu.i32(0))));
}

void ConvRun::locate() {
  // A walk down may begin behind the last token: the border to the last segment is ahead.
  Value found = k.segmentOf(batch, gpu.toI64(k.min(first, k.sub(tokens, gpu.i32(1)))));
  segment = k.segment(batch, found);
  Value start = origin(segment);
  index = down ? k.sub(start, first) : k.sub(first, start);
  segmentIndex = gpu.toI32(found);
}

Value ConvRun::origin(const Segment &segment) {
  if (!down)
    return gpu.toI32(segment.start);
  return gpu.toI32(k.sub(k.add(segment.start, segment.length), k.index(1)));
}

Value ConvRun::last(const Segment &segment) {
  if (down)
    return gpu.toI32(segment.start);
  return gpu.toI32(k.sub(k.add(segment.start, segment.length), k.index(1)));
}

Value ConvRun::reaches(Value position, int64_t count, Value last) {
  Value there = k.add(position, gpu.i32(down ? -count : count));
  return down ? k.less(k.sub(last, gpu.i32(1)), there) : k.less(there, k.add(last, gpu.i32(1)));
}

Value ConvRun::border(const Segment &segment) {
  if (down)
    return gpu.toI32(k.sub(segment.start, k.index(1))); // -1 is never met
  Value next = gpu.toI32(k.add(segment.start, segment.length));
  return k.select(k.less(next, tokens), next, gpu.i32(-1));
}

void ConvRun::bind(PointwiseEmitter &emitter, const Token &token) const {
  for (auto [tensor, value] : llvm::zip_equal(tensors, token.values)) {
    emitter.bind(tensor, value);
    for (Operation *user : tensor.getUsers())
      if (auto extend = dyn_cast<arith::ExtFOp>(user))
        emitter.bind(extend.getOut(), value);
  }
}

/// Segment, border and what is carried at a token, which may be a segment's first.
Values ConvRun::cross(const Token &token, ValueRange now, Enter enter) {
  auto begin = [&] {
    Value following = k.add(now[0], gpu.i32(down ? -1 : 1));
    Segment entered = k.segment(batch, gpu.toI64(following));
    Values changed{following, border(entered)};
    llvm::append_range(changed, enter(entered, now.drop_front(2)));
    return changed;
  };
  return k.either(k.equal(token.position, now[1]), begin, [&] { return Values(now); });
}

/// Segment, border and what is carried after a chunk's tokens. Most chunks have tokens, and
/// reach those, of one segment only: without conditions they take a sixth to a fifth fewer
/// instructions, since selections of all that is carried come with each.
Values ConvRun::steps(Value chunk, ValueRange rows, ValueRange now, Enter enter, Step step) {
  Value start = chunkStart(chunk);
  auto all = [&](bool isWhole) {
    Values result(now);
    for (int64_t t = 0; t < ahead; ++t) {
      Token token{position(start, t), gpu.toI64(rows[t]), {}, {}, {}, isWhole};
      token.valid = isWhole ? Value(arith::ConstantIntOp::create(k.b, k.loc, 1, 1))
                            : k.less(token.position, tokens);
      for (size_t n = 0; n < views.size(); ++n)
        token.values.push_back(valueAt(chunk, t, n));
      for (int64_t there = t + 1; there <= t + reach; ++there)
        token.after.push_back(valueAt(k.add(chunk, gpu.i32(there / ahead)), there % ahead, 0));
      if (!isWhole)
        result = cross(token, result, enter);
      Values next = step(token, ArrayRef(result).drop_front(2));
      result.truncate(2);
      llvm::append_range(result, next);
    }
    return result;
  };
  Value least = down ? k.sub(start, gpu.i32(reach)) : start;
  Value crosses = arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::ult, k.sub(now[1], least),
                                        gpu.i32(ahead + reach));
  Value ends = k.less(tokens, k.add(start, gpu.i32(down ? ahead : ahead + reach)));
  return k.either(
      arith::OrIOp::create(k.b, k.loc, crosses, ends), [&] { return all(/*isWhole=*/false); },
      [&] { return all(/*isWhole=*/true); });
}

Values ConvRun::walk(ValueRange init, Enter enter, Step step, Chunk chunk) {
  bool indexed = static_cast<bool>(rows.getRoute());
  Value one = gpu.i32(1), segment0 = segmentIndex, border0 = border(segment);
  if (down) { // behind the last token: as if the segment after were there
    Value before = k.less(index, gpu.i32(0));
    segment0 = k.select(before, k.add(segment0, one), segment0);
    border0 = k.select(before, origin(segment), border0);
  }
  // Carried: segment, border, and where they are looked up the rows of the chunk and of the
  // one to be copied; then what the caller carries.
  Values carried{segment0, border0};
  if (indexed) {
    llvm::append_range(carried, firstRows);
    llvm::append_range(carried, nextRows);
  }
  size_t own = carried.size();
  llvm::append_range(carried, init);

  carried = k.loop(k.index(0), gpu.toI64(chunks), 1, carried, [&](Value i64, ValueRange values) {
    Value i = gpu.toI32(i64), later = k.add(i, gpu.i32(slots - 1));
    Values here, there, following;
    if (indexed) {
      here = values.slice(2, ahead);
      there = values.slice(2 + ahead, ahead);
      following = chunkRows(k.add(i, one));
      llvm::append_range(following, chunkRows(k.add(later, one)));
    } else {
      here = chunkRows(i);
      there = chunkRows(later);
    }
    gpu.waitCopies(slots - more - 2);
    copyChunk(later, there);

    Values now{values[0], values[1]};
    llvm::append_range(now, values.drop_front(own));
    now = steps(i, here, now, enter, step);
    Values user(llvm::drop_begin(now, 2));
    if (chunk)
      user = chunk(i64, user);
    Values yielded{now[0], now[1]};
    llvm::append_range(yielded, following);
    llvm::append_range(yielded, user);
    return yielded;
  });
  return Values(llvm::drop_begin(carried, own));
}
