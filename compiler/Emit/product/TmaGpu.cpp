// A product whose blocks stay and whose warps have roles.
#include "compiler/Emit/product/TmaGpu.h"

#include "compiler/Emit/product/WgmmaGpu.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mom;

static constexpr int64_t kGroup = 128; // threads of a warpgroup

// Registers of a thread that copies and of one that multiplies: of three warpgroups they are
// the 168 each that all begin with.
static constexpr int64_t kCopyRegisters = 40, kMultiplyRegisters = 232;

bool mom::canCopyTiles(const View &view, Type element) {
  return view && !view.row && !view.valid && view.element == element && view.alignment % 16 == 0 &&
         view.stride % 8 == 0;
}

LogicalResult mom::checkCluster(KernelBuilder &k, const TileShape &shape, int64_t columnTiles) {
  auto divides = [&](int64_t count, const Twine &what) -> LogicalResult {
    if (count % shape.cluster == 0)
      return success();
    return k.error() << "expected a knob 'cluster' that divides " << what << ", " << count
                     << ", but got " << shape.cluster;
  };
  return failure(failed(divides(columnTiles, "the tiles side by side")) ||
                 failed(divides(k.knob("grid"), "knob 'grid'")) ||
                 failed(divides(TensorCore::kPanel, "the lines of a panel")));
}

LogicalResult mom::finishTma(KernelBuilder &k, const TileShape &shape) {
  keepBlocks(k);
  k.finish(k.fixedGrid(k.knob("grid")));
  if (shape.cluster == 1)
    k.mayJoin("products");
  return checkShared(k, "'stages', 'panels' and the tile's");
}

int64_t TmaProduct::bytesOf(const TmaOperand &operand) const {
  return stageBytes(operand.innerLast, operand.outer);
}

//===----------------------------------------------------------------------===//
// Tensor maps
//===----------------------------------------------------------------------===//

/// The lines of a panel that one copy takes.
int64_t TmaProduct::linesOf(const TmaOperand &operand) const {
  return (operand.innerLast ? operand.outer : TensorCore::kPanel) / sharers(operand);
}

/// The dimensions of an operand's map. Those of a permuted one are, of a column
/// 4 run J + run q + 2 j + e: e, q, j and J, so that a copy lays e after q after j.
SmallVector<MapDimension> TmaProduct::dimensionsOf(const TmaOperand &operand, Value map) {
  int64_t line = operand.view.stride, box = linesOf(operand);
  SmallVector<MapDimension> dimensions = {{k.index(operand.channels), 1, 64}};
  if (int64_t run = operand.run) {
    int64_t all = operand.groups * operand.lines / (4 * run);
    dimensions.push_back({k.index(2), line, 2});
    dimensions.push_back({k.index(4), run * line, 4});
    dimensions.push_back({k.index(run / 2), 2 * line, run / 2});
    dimensions.push_back({k.index(all), 4 * run * line, box / (4 * run)});
  } else if (operand.groups) {
    dimensions.push_back({k.index(operand.lines), line, box});
    dimensions.push_back({k.index(operand.groups), operand.lines * line, 1});
  } else {
    dimensions.push_back({operand.end(map), line, box});
  }
  return dimensions;
}

/// Half of the warps make the maps of A, half those of B.
void TmaProduct::makeMaps(TensorMaps &tensorMaps) {
  int64_t warps = shape.threads / Gpu::kWarp / 2;
  for (const TmaOperand *operand : {&a, &b}) {
    int64_t first = operand == &a ? 0 : warps;
    Value mine = k.equal(k.div(gpu.warp(), warps), k.index(first / warps));
    k.ifThen(mine, [&] {
      k.loop(k.sub(gpu.warp(), k.index(first)), k.index(maps), warps, [&](Value map) {
        Value place = operand == &a ? map : k.add(map, maps);
        tensorMaps.make(place, operand->view.base, operand->view.element,
                        dimensionsOf(*operand, map));
      });
    });
  }
}

/// What A's rows are multiplied by for their sums: in any order of its bytes the same.
void TmaProduct::fillOnes() {
  int64_t words = WgmmaStep::kOnesBytes / 4;
  Value pair = gpu.i32(a.view.element.isF16() ? 0x3c003c00 : 0x3f803f80);
  k.loop(k.thread(), k.index(words), shape.threads, [&](Value word) {
    LLVM::StoreOp::create(k.b, k.loc, pair, k.address(ones, k.b.getI32Type(), word), 4);
  });
  TensorCore(k, a.view.element).publish();
}

//===----------------------------------------------------------------------===//
// The ring of stages
//===----------------------------------------------------------------------===//

/// Bytes of 64 k of both operands; a stage has `inner` / 64 of them, one after the other.
int64_t TmaProduct::partBytes() const { return bytesOf(a) + bytesOf(b); }

/// The stage after one, and the parity of its phase.
SmallVector<Value> TmaProduct::next(Value stage, Value parity) {
  Value following = k.add(stage, 1);
  Value wraps = k.equal(following, k.index(shape.stages));
  Value other = arith::XOrIOp::create(k.b, k.loc, parity, gpu.i32(1));
  return {k.select(wraps, k.index(0), following), k.select(wraps, other, parity)};
}

void TmaProduct::copyStep(const TmaOperand &operand, Value map, const TmaTile &tile, Value line,
                          Value channel, Value inner, Value shared, Value barrier) {
  int64_t cluster = sharers(operand);
  if (cluster > 1) {
    Value part = k.mul(k.rem(k.block(), cluster), linesOf(operand));
    line = k.add(line, part);
    shared = k.address(shared, k.b.getI8Type(), k.mul(part, TensorCore::kLineBytes));
  }
  if (operand.innerLast) {
    SmallVector<Value> places = {inner, line};
    if (operand.run) {
      Value all = k.add(k.mul(tile.rows.group, operand.lines), line);
      places = {inner, k.index(0), k.index(0), k.index(0), k.div(all, 4 * operand.run)};
    } else if (operand.groups) {
      places.push_back(tile.rows.group);
    }
    return tensorMaps->copy(shared, map, places, barrier, cluster);
  }
  for (int64_t panel = 0, count = llvm::divideCeil(operand.outer, 64); panel < count; ++panel) {
    SmallVector<Value> places = {k.add(channel, panel * 64), k.add(line, inner)};
    if (operand.groups)
      places.push_back(tile.rows.group);
    Value to = k.address(shared, k.b.getI8Type(), k.index(panel * 64 * TensorCore::kLineBytes));
    tensorMaps->copy(to, map, places, barrier, cluster);
  }
}

void TmaProduct::produce(Value tiles, Locate locate) {
  k.loop(k.index(0), k.index(2 * maps), 1, [&](Value map) { tensorMaps->acquire(map); });
  int64_t parts = shape.inner / TensorCore::kPanel;
  SmallVector<Value> start = {k.index(0), gpu.i32(1)};
  k.loop(k.block(), tiles, k.knob("grid"), start, [&](Value number, ValueRange carried) {
    TmaTile tile = locate(number);
    return k.loop(k.index(0), tile.steps, 1, carried, [&](Value step, ValueRange values) {
      Value stage = values[0];
      empty->wait(stage, values[1]);
      full->arriveExpecting(stage, parts * partBytes());
      Value barrier = full->address(stage);
      for (int64_t part = 0; part < parts; ++part) {
        Value inner = k.add(k.mul(step, shape.inner), part * TensorCore::kPanel);
        Value offset = k.add(k.mul(stage, parts * partBytes()), part * partBytes());
        Value left = k.address(stages, k.b.getI8Type(), offset);
        Value right = k.address(left, k.b.getI8Type(), k.index(bytesOf(a)));
        copyStep(a, tile.map, tile, tile.aLine, tile.firstRow, inner, left, barrier);
        copyStep(b, k.add(tile.map, maps), tile, tile.bLine, tile.firstColumn, inner, right,
                 barrier);
      }
      return next(stage, values[1]);
    });
  });
}

/// The number among the block's tiles.
Value TmaProduct::tileNumber(Value number) {
  return k.div(k.sub(number, k.block()), k.knob("grid"));
}

void TmaProduct::producePanels(Value tiles, Locate locate) {
  panels->acquire(*tensorMaps);
  k.loop(k.block(), tiles, k.knob("grid"), [&](Value number) {
    TmaTile tile = locate(number);
    panels->copyTile(*tensorMaps, tileNumber(number), tile.rows.begin, tile.firstColumn);
  });
}

//===----------------------------------------------------------------------===//
// Multiplication
//===----------------------------------------------------------------------===//

/// By one thread of a warpgroup: a stage has been read. What fills it are copies of all blocks
/// of the cluster.
void TmaProduct::release(Value stage) {
  if (shape.cluster == 1)
    return empty->arrive(stage);
  for (int64_t rank = 0; rank < shape.cluster; ++rank)
    empty->arrive(stage, k.index(rank));
}

/// Sums of a tile whose steps come after `taken` others of this block. Where warpgroups take
/// turns, one looks at the stages only after the other has seen all of its own: a barrier
/// tells a phase from the next, but not from the one after.
FragmentSums TmaProduct::multiply(Value consumer, Value taken, Value turn, Value steps) {
  int64_t rows = shape.rows / (shape.pingpong ? 1 : 2);
  int64_t parts = shape.inner / TensorCore::kPanel;
  Value firstRow = shape.pingpong ? k.index(0) : k.mul(consumer, rows);
  WgmmaStep step(k, a.view.element, {stages, a.innerLast, a.outer},
                 {k.address(stages, k.b.getI8Type(), k.index(bytesOf(a))), b.innerLast, b.outer},
                 firstRow, rows / 64, ones);
  Value leads = k.equal(k.rem(k.thread(), kGroup), k.index(0));
  auto releaseBefore = [&](Value stage, Value condition) {
    Value before = k.select(k.equal(stage, k.index(0)), k.index(shape.stages), stage);
    k.ifThen(condition, [&] { release(k.sub(before, k.index(1))); });
  };

  if (shape.pingpong)
    turns->wait(consumer, turn);
  int64_t columns = shape.columns + (ones ? WgmmaStep::kColumns : 0);
  SmallVector<Value> carried(rows / 64 * columns / 2);
  for (Value &sum : carried)
    sum = LLVM::UndefOp::create(k.b, k.loc, k.b.getF32Type());
  carried.push_back(k.rem(taken, shape.stages));
  carried.push_back(gpu.toI32(k.rem(k.div(taken, shape.stages), 2)));
  carried = k.loop(k.index(0), steps, 1, carried, [&](Value number, ValueRange values) {
    SmallVector<Value> sums(values.drop_back(2));
    Value stage = values.drop_back().back();
    full->wait(stage, values.back());
    Value later = k.less(k.index(0), number);
    SmallVector<Value> offsets;
    for (int64_t part = 0; part < parts; ++part)
      offsets.push_back(k.add(k.mul(stage, parts * partBytes()), part * partBytes()));
    step.multiply(sums, offsets, later);
    TensorCore(k, a.view.element).waitGroup(1); // the step before is over
    releaseBefore(stage, arith::AndIOp::create(k.b, k.loc, leads, later));
    llvm::append_range(sums, next(stage, values.back()));
    return sums;
  });
  carried.pop_back();
  Value stage = carried.pop_back_val();
  if (shape.pingpong)
    k.ifThen(leads, [&] { turns->arrive(k.sub(k.index(1), consumer)); });
  step.finish(carried);
  releaseBefore(stage, leads);
  int64_t ofTile = rows / 64 * shape.columns / 2;
  return {SmallVector<Value>(ArrayRef(carried).take_front(ofTile)),
          SmallVector<Value>(ArrayRef(carried).drop_front(ofTile))};
}

void TmaProduct::consume(Value tiles, Locate locate, Finish finish) {
  int64_t grid = k.knob("grid");
  Value consumer = consumers(), first = k.block(), taken = k.index(0);
  // The first group's first turn has come: its barrier is in phase 0.
  Value turn = gpu.toI32(k.sub(k.index(1), consumer));
  if (shape.pingpong) {
    taken = k.mul(consumer, locate(first).steps);
    first = k.add(first, k.mul(consumer, grid));
  }
  int64_t stride = grid * (shape.pingpong ? 2 : 1);
  SmallVector<Value> start = {taken, turn};
  k.loop(first, tiles, stride, start, [&](Value number, ValueRange carried) {
    TmaTile tile = locate(number);
    Value firstRow = k.index(0);
    if (!shape.pingpong)
      firstRow = k.mul(consumer, shape.rows / 2);
    finish(tile, {tileNumber(number), firstRow, panels ? &*panels : nullptr, [&] {
                    return multiply(consumer, carried[0], carried[1], tile.steps);
                  }});
    Value after = k.add(carried[0], tile.steps);
    if (shape.pingpong) { // the other's tile comes between
      Value other = k.min(k.add(number, grid), k.sub(tiles, k.index(1)));
      after = k.add(after, locate(other).steps);
    }
    Value next = arith::XOrIOp::create(k.b, k.loc, carried[1], gpu.i32(1));
    return SmallVector<Value>{after, next};
  });
}

/// The number of this thread's warpgroup among those that multiply; the same in all lanes
/// of a warp, and known to be.
Value TmaProduct::consumers() {
  Value warp = gpu.toI64(gpu.shuffle(gpu.toI32(gpu.warp()), k.index(0)));
  return k.sub(k.div(warp, 4), k.index(1));
}

/// All threads whose barriers and stages depend on each other.
void TmaProduct::meet() { shape.cluster > 1 ? gpu.clusterBarrier() : gpu.barrier(); }

void TmaProduct::emit(Value tiles, Locate locate, Finish finish) {
  tensorMaps.emplace(k, 2 * maps + inputs.size(), k.knob("grid"));
  stages = k.shared(shape.stages * shape.inner / TensorCore::kPanel * partBytes(), 1024);
  if (sumsRows)
    ones = k.shared(WgmmaStep::kOnesBytes, 1024);
  if (!inputs.empty())
    panels.emplace(k, shape, inputs, 2 * maps);
  full.emplace(k, shape.stages);
  empty.emplace(k, shape.stages);
  turns.emplace(k, 2);
  // A block without tiles has nothing to prepare.
  k.ifThen(k.less(k.block(), tiles), [&] {
    makeMaps(*tensorMaps);
    if (panels)
      panels->makeMaps(*tensorMaps, a.end(k.index(0)));
    if (ones)
      fillOnes();
    k.ifThen(k.equal(k.thread(), k.index(0)), [&] {
      for (int64_t stage = 0; stage < shape.stages; ++stage) {
        full->initialise(stage, 1);
        empty->initialise(stage, shape.cluster * (shape.pingpong ? 1 : 2));
      }
      for (int64_t consumer = 0; consumer < 2; ++consumer)
        turns->initialise(consumer, 1);
      if (panels)
        panels->initialise();
      full->publish();
    });
    meet();
    Value copies = k.less(consumers(), k.index(0));
    auto role = scf::IfOp::create(k.b, k.loc, copies, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(k.b);
    k.b.setInsertionPointToStart(role.thenBlock());
    setRegisters(k, kCopyRegisters, /*more=*/false);
    k.ifThen(k.equal(k.thread(), k.index(0)), [&] { produce(tiles, locate); });
    if (panels)
      k.ifThen(k.equal(k.thread(), k.index(Gpu::kWarp)), [&] { producePanels(tiles, locate); });
    k.b.setInsertionPointToStart(role.elseBlock());
    setRegisters(k, kMultiplyRegisters, /*more=*/true);
    consume(tiles, locate, finish);
    k.b.setInsertionPointAfter(role);
    if (shape.cluster > 1) // others may still copy to this block, or arrive at its barriers
      meet();
  });
  formClusters(k, shape.cluster);
}
