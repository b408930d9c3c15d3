// What GPU products share: operands, sums and the way through the groups.
#include "compiler/Emit/product/TileGpu.h"

#include "compiler/Emit/Gpu.h"
#include "compiler/Emit/Pointwise.h"
#include "compiler/Emit/Sequence.h"
#include "compiler/Emit/product/ConvolvedGpu.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mom;

/// Routes with more groups are walked by a loop.
static constexpr int64_t kUnrolledGroups = 8;

FailureOr<TileShape> mom::tileShape(KernelBuilder &k) {
  TileShape s{static_cast<ProductUnit>(k.knob("unit")),
              k.knob("tile_rows"),
              k.knob("tile_columns"),
              k.knob("tile_inner"),
              k.knob("stages"),
              k.threads(),
              k.knob("pingpong") != 0,
              k.knob("cluster")};
  auto require = [&](bool holds, const Twine &what) -> LogicalResult {
    return holds ? success() : LogicalResult(k.error() << what);
  };
  auto divides = [&](StringRef knob, int64_t value, int64_t unit) -> LogicalResult {
    if (value % unit == 0)
      return success();
    return k.error() << "expected a multiple of " << unit << " as knob '" << knob << "', but got "
                     << value;
  };
  if (s.unit == ProductUnit::Fma) {
    // 16 threads side by side, four columns each; the others below, four rows each.
    if (failed(divides("threads", s.threads, 64)) ||
        failed(divides("tile_columns", s.columns, 64)) ||
        failed(divides("tile_rows", s.rows, s.threads / 4)) ||
        failed(divides("tile_inner", s.inner, 4)))
      return failure();
    int64_t smaller = std::min(s.rows, s.columns) * s.inner;
    if (failed(require(
            smaller % (4 * s.threads) == 0,
            "expected tiles of which each thread loads as many vectors, but knob 'threads' is " +
                Twine(s.threads) + " and the tile " + Twine(s.rows) + " by " + Twine(s.columns) +
                " by " + Twine(s.inner))))
      return failure();
    return s;
  }
  if (failed(s.unit == ProductUnit::Tma
                 ? divides("tile_inner", s.inner, 64)
                 : require(s.inner == 64, "expected 64 as knob 'tile_inner' of a product on "
                                          "tensor cores, but got " +
                                              Twine(s.inner))) ||
      failed(require(s.stages >= 2,
                     "expected at least 2 as knob 'stages', but got " + Twine(s.stages))) ||
      failed(require(s.threads <= 512, "expected at most 512 as knob 'threads' of a product on "
                                       "tensor cores, but got " +
                                           Twine(s.threads))) ||
      failed(divides("threads", s.threads, 64)) || failed(divides("tile_columns", s.columns, 32)) ||
      failed(divides("tile_rows", s.rows, 64)))
    return failure();
  if (!productType(k.kernel))
    return k.error() << "expected an operand of bf16 or f16, and no two of both, for a product "
                        "on tensor cores (knob 'unit')";
  if (k.architecture < 80)
    return k.error() << "expected sm_80 or later for a product on tensor cores, but got sm_"
                     << k.architecture;
  if (s.unit == ProductUnit::Mma) {
    if (failed(require(canDealToWarps(s), "expected a tile that its warps can share out in parts "
                                          "of 16 by 16, but got " +
                                              Twine(s.rows) + " by " + Twine(s.columns) + " with " +
                                              Twine(s.threads) + " threads")))
      return failure();
    return s;
  }
  if (k.architecture < 90 || k.architecture >= 100)
    return k.error() << "expected sm_90a for knob 'unit' 2 (wgmma) or 3 (tma), but got sm_"
                     << k.architecture;
  if (s.unit == ProductUnit::Tma) {
    int64_t rows = s.rows / (s.pingpong ? 1 : 2);
    if (s.pingpong && failed(divides("panels", k.knob("panels"), 2)))
      return failure();
    if (failed(require(s.threads == 384, "expected 384 as knob 'threads' of a product by tma, but "
                                         "got " +
                                             Twine(s.threads))) ||
        failed(divides("tile_rows", s.rows, s.pingpong ? 64 : 128)) ||
        failed(require(rows * s.columns <= 192 * 128,
                       "expected at most 192 sums a thread, but tiles of " + Twine(s.rows) +
                           " by " + Twine(s.columns) + " give " +
                           Twine(rows * s.columns / 128))) ||
        failed(require(s.columns <= 256, "expected at most 256 as knob 'tile_columns' for wgmma, "
                                         "but got " +
                                             Twine(s.columns))))
      return failure();
    return s;
  }
  if (failed(divides("threads", s.threads, 128)) ||
      failed(divides("tile_rows", s.rows, s.threads / 2)) ||
      failed(require(s.stages >= 3, "expected at least 3 as knob 'stages' for wgmma, but got " +
                                        Twine(s.stages))) ||
      failed(require(s.columns <= 256, "expected at most 256 as knob 'tile_columns' for wgmma, "
                                       "but got " +
                                           Twine(s.columns))))
    return failure();
  return s;
}

void mom::keepBlocks(KernelBuilder &k) {
  int64_t blocks = k.knob("blocks");
  if (blocks == 1 && static_cast<ProductUnit>(k.knob("unit")) != ProductUnit::Tma)
    return; // setmaxnreg wants it said
  fitBlocks(k, blocks);
}

LogicalResult mom::finishTiles(KernelBuilder &k, GridAttr grid) {
  keepBlocks(k);
  k.finish(grid);
  return checkShared(k, "'stages' and the tile's");
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

int64_t mom::operandLanes(const TileOperand &operand, int64_t most) {
  if (operand.view)
    most = std::min<int64_t>(most, 128 / operand.view.element.getIntOrFloatBitWidth());
  return std::gcd(operand.channels, llvm::bit_floor(uint64_t(most)));
}

// Addresses are moved inside rather than masked: a mask is a branch.
Value mom::loadOperand(KernelBuilder &k, const TileOperand &operand, Value line, Value channel,
                       int64_t lanes) {
  Value inLines = k.less(line, operand.endLine);
  Value inChannels = k.less(channel, k.index(operand.channels));
  line = k.min(line, k.sub(operand.endLine, k.index(1)));
  channel = k.min(channel, k.index(operand.channels - lanes));
  PointwiseEmitter e(k, At{line, channel, lanes, Value()});
  Value value = operand.view ? k.load(operand.view, At{line, channel, lanes, Value()})
                             : e.value(operand.source);
  Value inside = arith::AndIOp::create(k.b, k.loc, inLines, inChannels);
  return k.select(inside, value, k.zeros(lanes));
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

Value SumTile::address(Value row, Value column) const {
  Value group = k.div(column, 4);
  Value word = k.add(k.mul(row, columns + 8), k.mul(k.rem(group, 2), columns / 2 + 4));
  word = k.add(word, k.add(k.mul(k.div(group, 2), 4), k.rem(column, 4)));
  return k.address(base, k.b.getF32Type(), word);
}

void SumTile::store(Value value, Value address, int64_t moreRows, int64_t moreColumns) const {
  int64_t lanes = 1;
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    lanes = vector.getNumElements();
  Value to =
      k.address(address, k.b.getF32Type(), k.index(moreRows * (columns + 8) + moreColumns / 8 * 4));
  LLVM::StoreOp::create(k.b, k.loc, value, to, lanes * 4);
}

Value SumTile::load(Value row, Value column, int64_t lanes) const {
  Type f32 = k.b.getF32Type();
  Value from = address(row, column);
  auto part = [&](Value at) -> Value {
    int64_t size = std::min<int64_t>(lanes, 4);
    return LLVM::LoadOp::create(k.b, k.loc, k.lanesOf(f32, size), at, size * 4);
  };
  if (lanes < 8)
    return part(from);
  Value even = part(from), odd = part(k.address(from, f32, k.index(columns / 2 + 4)));
  return vector::ShuffleOp::create(k.b, k.loc, even, odd,
                                   llvm::to_vector(llvm::seq<int64_t>(0, 8)));
}

void SumTile::clear(int64_t threads) const {
  Value end = k.index(rows * (columns + 8));
  k.loop(k.mul(k.thread(), 4), end, 4 * threads, [&](Value word) {
    LLVM::StoreOp::create(k.b, k.loc, k.zeros(4), k.address(base, k.b.getF32Type(), word), 16);
  });
}

void mom::finishTile(KernelBuilder &k, const TileShape &shape, const SumTile &sums,
                     const TileFinish &work) {
  int64_t lanes = work.lanes;
  Value rows = work.rows, columns = work.columns;
  int64_t across = shape.columns / lanes; // vectors of a row
  int64_t passes = llvm::divideCeil(shape.rows * across, shape.threads);
  bool even = shape.rows * across % shape.threads == 0;
  auto placeOf = [&](Value pass) {
    TilePlace place;
    if (shape.threads % across == 0) { // a thread stays in its columns
      place.row = k.add(k.div(k.thread(), across), k.mul(pass, shape.threads / across));
      place.column = k.mul(k.rem(k.thread(), across), lanes);
    } else {
      Value vector = k.add(k.thread(), k.mul(pass, shape.threads));
      place.row = k.div(vector, across);
      place.column = k.mul(k.rem(vector, across), lanes);
    }
    return place;
  };
  auto finish = [&](ArrayRef<TilePlace> places) {
    SmallVector<TilePlace> filled(places);
    SmallVector<SmallVector<Value>> values;
    for (TilePlace &place : filled) {
      place.position = work.positionOf(place.row);
      place.fetched = work.fetch(place);
    }
    for (TilePlace &place : filled) {
      place.sums = sums.load(place.row, place.column, lanes);
      values.push_back(work.compute(place));
    }
    for (auto [place, value] : llvm::zip_equal(filled, values))
      work.store(place, 0, value);
  };
  Value whole = arith::AndIOp::create(k.b, k.loc, k.equal(rows, k.index(shape.rows)),
                                      k.equal(columns, k.index(shape.columns)));
  if (even) // several places at once, so that their loads are under way together
    k.ifThen(whole, [&] {
      int64_t together = std::gcd<int64_t>(passes, 4);
      k.loop(k.index(0), k.index(passes), together, [&](Value pass) {
        SmallVector<TilePlace> places;
        for (int64_t i = 0; i < together; ++i)
          places.push_back(placeOf(k.add(pass, i)));
        finish(places);
      });
    });
  Value first = even ? k.select(whole, k.index(passes), k.index(0)) : k.index(0);
  k.loop(first, k.index(passes), 1, [&](Value pass) {
    TilePlace place = placeOf(pass);
    Value exists =
        arith::AndIOp::create(k.b, k.loc, k.less(place.row, rows), k.less(place.column, columns));
    k.ifThen(exists, [&] { finish(place); });
  });
}

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

/// Parts of `size` rows that `rows` are cut into.
static Value partsOf(KernelBuilder &k, Value rows, Value size) {
  Value one = k.b.createOrFold<arith::ConstantIntOp>(k.loc, rows.getType(), 1);
  return k.b.createOrFold<arith::DivUIOp>(k.loc, k.add(rows, k.sub(size, one)), size);
}

// Rows are numbered in 32 bits, so what is known of groups lies in half the registers: of
// eight groups those that copy tiles have no more.

/// `step` of each group, with what the one before it left.
static SmallVector<Value> eachGroup(KernelBuilder &k, Value route, SmallVector<Value> carried,
                                    function_ref<SmallVector<Value>(Value, ValueRange)> step) {
  int64_t groups = cast<RouteType>(route.getType()).getGroups();
  if (groups > kUnrolledGroups)
    return k.loop(k.index(0), k.index(groups), 1, carried, step);
  for (int64_t group = 0; group < groups; ++group)
    carried = step(k.index(group), carried);
  return carried;
}

Value mom::countParts(KernelBuilder &k, Value route, Type type, Value size) {
  if (!route)
    return partsOf(k, k.count(type), size);
  Gpu gpu(k);
  size = gpu.toI32(size);
  auto step = [&](Value group, ValueRange carried) {
    Value lo = gpu.toI32(k.offset(route, group));
    Value hi = gpu.toI32(k.offset(route, k.add(group, 1)));
    return SmallVector<Value>{k.add(carried[0], partsOf(k, k.sub(hi, lo), size))};
  };
  return gpu.toI64(eachGroup(k, route, {gpu.i32(0)}, step)[0]);
}

GroupRows mom::findGroupRows(KernelBuilder &k, Value route, Type type, Value index, Value size) {
  if (!route) {
    Value begin = k.mul(index, size);
    return {k.index(0), begin, k.min(k.add(begin, size), k.count(type))};
  }
  Gpu gpu(k);
  size = gpu.toI32(size);
  index = gpu.toI32(index);
  // The first part of the group; then what was found.
  auto step = [&](Value group, ValueRange carried) {
    Value lo = gpu.toI32(k.offset(route, group));
    Value hi = gpu.toI32(k.offset(route, k.add(group, 1)));
    Value next = k.add(carried[0], partsOf(k, k.sub(hi, lo), size));
    Value here = arith::AndIOp::create(k.b, k.loc, k.less(index, next),
                                       k.less(k.sub(carried[0], gpu.i32(1)), index));
    Value begin = k.add(lo, k.mul(k.sub(index, carried[0]), size));
    Value end = k.min(k.add(begin, size), hi);
    return SmallVector<Value>{next, k.select(here, gpu.toI32(group), carried[1]),
                              k.select(here, begin, carried[2]), k.select(here, end, carried[3])};
  };
  SmallVector<Value> found = eachGroup(k, route, SmallVector<Value>(4, gpu.i32(0)), step);
  return {gpu.toI64(found[1]), gpu.toI64(found[2]), gpu.toI64(found[3])};
}

//===----------------------------------------------------------------------===//
// Units
//===----------------------------------------------------------------------===//

int64_t mom::stageBytes(bool innerLast, int64_t outer) {
  return innerLast ? outer * 128 : llvm::divideCeil(outer, 64) * 64 * 128;
}

int64_t mom::stageBytes(const TileOperand &operand) {
  return stageBytes(operand.innerLast, operand.outer);
}

Value mom::madeOf(Value multiplied) { return withoutStorage(withoutWidening(multiplied)); }

int64_t mom::tileBytes(const TileShape &shape, const TileTask &task) {
  int64_t stages =
      shape.unit == ProductUnit::Fma
          ? 2 * shape.inner * (shape.rows + shape.columns + 8) * 4
          : shape.stages * (stageBytes(task.a) + stageBytes(task.b) + ConvolvedRows::bytes(task.a));
  return std::max(stages, SumTile::bytes(shape));
}

void mom::emitTile(KernelBuilder &k, const TileShape &shape, const TileTask &task, Value shared,
                   const SumTile &sums) {
  switch (shape.unit) {
  case ProductUnit::Fma:
    return emitFmaTile(k, shape, task, shared, sums);
  case ProductUnit::Mma:
    return emitMmaTile(k, shape, task, shared, sums);
  case ProductUnit::Wgmma:
    return emitWgmmaTile(k, shape, task, shared, sums);
  case ProductUnit::Tma:
    break;
  }
  llvm_unreachable("blocks of TmaProduct have no one tile");
}
