// Plans on a GPU: a counting sort by group, stable by position.
//
// A fixed number of blocks shares the positions out, a whole number of *steps* of one
// position a thread to each. The first phase counts each block's positions of a group, the
// second sums the counts of the blocks before, and the third places the positions.
//
// In a warp, lane g works for group g: with one ballot for each bit of the group, every
// lane knows which lanes' positions are of its own position's group, and lane g how many
// are of group g.
//
// What is sorted is either the tokens of a batch by modality, an entry of its own, or the
// copies of a computed route, whose groups a phase before the others chooses.
#include "compiler/Emit/plan/PlanGpu.h"

#include "compiler/Emit/Gpu.h"
#include "compiler/Emit/plan/Choose.h"

#include "momrt/table.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mom;

static constexpr llvm::StringLiteral kPlan = "plan";
static constexpr int64_t kBlocks = 128;
static constexpr int64_t kThreads = 256;

namespace {
/// The sort. Results of the kernel are, first, offsets, rows and positions.
class Plan {
public:
  /// `positions` of each token; `given` views their groups, in the current phase.
  Plan(KernelBuilder &k, int64_t groups, int64_t positions, llvm::function_ref<View()> given)
      : k(k), gpu(k), groups(groups), positions(positions), warps(k.threads() / Gpu::kWarp),
        given(given) {}

  void emit();
  /// What a kernel loads behind the last position, as a part of a whole vector, is a row too.
  bool clearsRest = false;

private:
  /// A thread's position of a step.
  struct Token {
    Value position; ///< i64
    Value valid;    ///< i1
    Value group;    ///< i32; 0 where it is none
    Value read;     ///< i32: as given
  };
  struct Warp {
    Value same;  ///< i32: lanes whose positions are of the group of this lane's
    Value count; ///< i32: the warp's positions of the group that this lane works for
  };

  void countTokens();
  void sumBlocks();
  void placeTokens();
  void clearRest();
  Value count() { return k.mul(k.count(RowSpace::token), positions); }
  /// The range of positions of this block.
  std::pair<Value, Value> range();
  Token token(Value start, Value end);
  Warp vote(const Token &token);

  Value loadI32(View view, Value row, Value column);
  void storeI32(Value value, View view, Value row, Value column);

  KernelBuilder &k;
  Gpu gpu;
  int64_t groups, positions, warps;
  llvm::function_ref<View()> given;
  unsigned counts, before; ///< workspaces [groups, blocks]
};
} // namespace

enum Output { Offsets, Row, Position };

std::pair<Value, Value> Plan::range() {
  Value tokens = count();
  Value length = k.mul(k.ceilDiv(tokens, kBlocks * k.threads()), k.threads());
  Value lo = arith::MulIOp::create(k.b, k.loc, k.block(), length);
  return {lo, k.min(k.add(lo, length), tokens)};
}

Plan::Token Plan::token(Value start, Value end) {
  Token token;
  token.position = k.add(start, k.thread());
  token.valid = k.less(token.position, end);
  // Any position there is: a step has one at least.
  Value at = k.min(token.position, k.sub(end, k.index(1)));
  token.read = k.load(given(), At{Value(), at, 1, Value()});
  Value known = arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::ult, token.read,
                                      gpu.i32(groups));
  token.group = k.select(known, token.read, gpu.i32(0));
  return token;
}

Plan::Warp Plan::vote(const Token &token) {
  Value all = gpu.ballot(token.valid), same = all, mine = all;
  Value lane = gpu.toI32(gpu.lane()), ones = gpu.i32(-1);
  for (int64_t bit = 0; int64_t(1) << bit < groups; ++bit) {
    auto isSet = [&](Value group) -> Value {
      Value masked = arith::AndIOp::create(k.b, k.loc, group, gpu.i32(int64_t(1) << bit));
      return arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::ne, masked, gpu.i32(0));
    };
    Value set = isSet(token.group), votes = gpu.ballot(set);
    Value others = arith::XOrIOp::create(k.b, k.loc, votes, ones);
    same = arith::AndIOp::create(k.b, k.loc, same, k.select(set, votes, others));
    mine = arith::AndIOp::create(k.b, k.loc, mine, k.select(isSet(lane), votes, others));
  }
  Value count = math::CtPopOp::create(k.b, k.loc, mine);
  // Lanes past the last group alias others' bits.
  return {same, k.select(k.less(lane, gpu.i32(groups)), count, gpu.i32(0))};
}

Value Plan::loadI32(View view, Value row, Value column) {
  return k.load(view, At{row, column, 1, Value()});
}

void Plan::storeI32(Value value, View view, Value row, Value column) {
  k.store(value, view, At{row, column, 1, Value()});
}

/// Phase 1: counts[g][block]. A group that is none is reported, and counts as 0.
void Plan::countTokens() {
  k.begin({}, "count");
  auto type = RankedTensorType::get({groups, kBlocks}, k.b.getI32Type());
  counts = k.workspace(type);
  auto [lo, hi] = range();
  Value end = hi;
  SmallVector<Value> sum = k.loop(lo, end, k.threads(), {gpu.i32(0)},
                                  [&](Value start, ValueRange sum) -> SmallVector<Value> {
    Token mine = token(start, end);
    Value wrong = arith::CmpIOp::create(k.b, k.loc, arith::CmpIPredicate::ne, mine.read,
                                        mine.group);
    k.ifThen(arith::AndIOp::create(k.b, k.loc, wrong, mine.valid), [&] {
      Value value = arith::ExtSIOp::create(k.b, k.loc, k.b.getI64Type(), mine.read);
      k.report(MOMRT_ERROR_INDEX, mine.position, value);
    });
    return {k.add(sum[0], vote(mine).count)};
  });
  View shared = k.sharedView(warps, Gpu::kWarp, k.b.getI32Type());
  storeI32(sum[0], shared, gpu.warp(), gpu.lane());
  gpu.barrier();
  k.ifThen(k.less(k.thread(), k.index(groups)), [&] {
    Value total = gpu.i32(0);
    for (int64_t warp = 0; warp < warps; ++warp)
      total = k.add(total, loadI32(shared, k.index(warp), k.thread()));
    storeI32(total, k.workspaceView(counts), k.thread(), k.block());
  });
  k.finish(k.fixedGrid(kBlocks));
}

/// Phase 2, one block: a warp sums a group's counts over the blocks before each.
void Plan::sumBlocks() {
  k.begin({Offsets}, "sum");
  before = k.workspace(RankedTensorType::get({groups, kBlocks}, k.b.getI32Type()));
  View totals = k.sharedView(1, Gpu::kWarp, k.b.getI32Type());
  Value lane = gpu.toI32(gpu.lane());
  k.loop(gpu.warp(), k.index(groups), warps, [&](Value group) {
    Value total = gpu.i32(0);
    for (int64_t first = 0; first < kBlocks; first += Gpu::kWarp) {
      Value block = k.add(gpu.lane(), first);
      Value own = loadI32(k.workspaceView(counts), group, block), sum = own;
      for (int64_t distance = 1; distance < Gpu::kWarp; distance *= 2) {
        Value below = gpu.shuffleUp(sum, distance);
        sum = k.add(sum, k.select(k.less(gpu.i32(distance - 1), lane), below, gpu.i32(0)));
      }
      storeI32(k.add(total, k.sub(sum, own)), k.workspaceView(before), group, block);
      total = k.add(total, gpu.shuffle(sum, k.index(Gpu::kWarp - 1)));
    }
    k.ifThen(k.equal(gpu.lane(), k.index(0)),
             [&] { storeI32(total, totals, Value(), group); });
  });
  gpu.barrier();
  k.ifThen(k.equal(k.thread(), k.index(0)), [&] {
    Value offset = k.index(0);
    for (int64_t group = 0; group <= groups; ++group) {
      k.store(offset, k.output(Offsets), At{Value(), k.index(group), 1, Value()});
      if (group < groups)
        offset = k.add(offset, gpu.toI64(loadI32(totals, Value(), k.index(group))));
    }
  });
  k.finish(k.fixedGrid(1));
}

/// Phase 3. Lane g of each warp keeps the row of the next token of group g.
void Plan::placeTokens() {
  k.begin({Row, Position}, "place");
  auto [lo, hi] = range();
  Value end = hi;
  View shared[2];
  for (View &view : shared)
    view = k.sharedView(warps, Gpu::kWarp, k.b.getI32Type());
  Value lane = gpu.lane(), group = k.min(lane, k.index(groups - 1));
  Value offset = k.load(k.output(Offsets), At{Value(), group, 1, Value()});
  Value next = k.add(gpu.toI32(offset), loadI32(k.workspaceView(before), group, k.block()));

  Value bit = arith::ShLIOp::create(k.b, k.loc, gpu.i32(1), gpu.toI32(lane));
  Value lower = k.sub(bit, gpu.i32(1));
  // Two buffers of counts take turns, so that a step needs one barrier.
  k.loop(lo, end, 2 * k.threads(), {next}, [&](Value first, ValueRange carried) {
    Value next = carried[0];
    for (int64_t turn = 0; turn < 2; ++turn) {
      Value start = k.add(first, turn * k.threads());
      Token mine = token(start, end);
      Warp warp = vote(mine);
      storeI32(warp.count, shared[turn], gpu.warp(), lane);
      gpu.barrier();
      Value here = next;
      for (int64_t other = 0; other < warps; ++other) {
        Value count = loadI32(shared[turn], k.index(other), lane);
        Value earlier = k.less(k.index(other), gpu.warp());
        here = k.add(here, k.select(earlier, count, gpu.i32(0)));
        next = k.add(next, count);
      }
      Value rank = math::CtPopOp::create(
          k.b, k.loc, arith::AndIOp::create(k.b, k.loc, warp.same, lower));
      Value row = k.add(gpu.shuffle(here, gpu.toI64(mine.group)), rank);
      k.ifThen(mine.valid, [&] {
        storeI32(row, k.output(Row), Value(), mine.position);
        storeI32(gpu.toI32(mine.position), k.output(Position), gpu.toI64(row), Value());
      });
    }
    return SmallVector<Value>{next};
  });
  if (clearsRest)
    clearRest();
  k.finish(k.fixedGrid(kBlocks));
}

void Plan::clearRest() {
  Value tokens = count(), position = k.add(tokens, k.thread());
  Value rest = k.mul(k.ceilDiv(tokens, MOMRT_ALIGNMENT / 4), MOMRT_ALIGNMENT / 4);
  Value own = arith::AndIOp::create(k.b, k.loc, k.equal(k.block(), k.index(0)),
                                    k.less(position, rest));
  k.ifThen(own, [&] {
    storeI32(gpu.i32(0), k.output(Row), position, Value());
    storeI32(gpu.i32(0), k.output(Position), position, Value());
  });
}

void Plan::emit() {
  countTokens();
  sumBlocks();
  placeTokens();
}

/// Groups of the modality route, or 0 where none is used or the host must make it: where
/// a layer's entry has the plan's name, or a warp has too few lanes.
static int64_t groupsToPlan(ModuleOp module) {
  int64_t groups = 0;
  module.walk([&](ModalityRouteOp op) {
    groups = cast<RouteType>(op.getResult().getType()).getGroups();
  });
  for (auto func : module.getOps<func::FuncOp>())
    if (auto entry = func->getAttrOfType<StringAttr>(attr::kEntry); entry && entry == kPlan)
      return 0;
  return groups <= Gpu::kWarp ? groups : 0;
}

void mom::emitPlan(ModuleOp module) {
  int64_t groups = groupsToPlan(module);
  if (!groups)
    return;
  OpBuilder b = OpBuilder::atBlockEnd(module.getBody());
  Location loc = module.getLoc();
  Type rows = RankedTensorType::get({ShapedType::kDynamic, 1}, b.getI32Type(),
                                    RowsAttr::get(b.getContext(), RowSpace::token));
  Type offsets = RankedTensorType::get({groups + 1}, b.getI64Type());
  auto func = func::FuncOp::create(b, loc, kPlan, b.getFunctionType({rows}, {offsets, rows, rows}));
  SymbolTable(module).insert(func);
  func->setAttr(attr::kEntry, b.getStringAttr(kPlan));
  auto placed = [&](StringRef space) {
    return SmallVector<NamedAttribute>{b.getNamedAttr(attr::kState, b.getStringAttr(space)),
                                       b.getNamedAttr(attr::kOffset, b.getI64IntegerAttr(0))};
  };
  func.setArgAttrs(0, placed("modality"));
  func.setResultAttrs(Offsets, placed("route_offsets"));
  func.setResultAttrs(Row, placed("route_row"));
  func.setResultAttrs(Position, placed("route_position"));

  Block *body = func.addEntryBlock();
  b.setInsertionPointToStart(body);
  auto schedule = b.getDictionaryAttr(b.getNamedAttr("threads", b.getI64IntegerAttr(kThreads)));
  auto kernel = KernelOp::create(b, loc, func.getResultTypes(), Anchor::map, kPlan,
                                 body->getArguments(), schedule);
  func::ReturnOp::create(b, loc, kernel.getOutputs());
  // What the kernel does is not an op: its body has the argument, and is never read.
  Block &inside = kernel.getBody().emplaceBlock();
  inside.addArgument(rows, loc);
  b.setInsertionPointToStart(&inside);
  YieldOp::create(b, loc);

  KernelBuilder k(kernel, kPlan, Family::Gpu);
  auto given = [&] { return k.view(kernel.getBody().getArgument(0)); };
  Plan plan(k, groups, 1, given);
  plan.clearsRest = true;
  plan.emit();
  k.replaceKernel();
}

/// Phase 0: a thread chooses for a token. Several choices are also written side by side,
/// into a workspace that is returned.
static std::optional<unsigned> chooseGroups(KernelBuilder &k, PlanOp op, unsigned first) {
  int64_t copies = op.getChoices().size(), threads = k.threads();
  k.begin(llvm::to_vector(llvm::seq<unsigned>(first, first + copies)), "choose");
  std::optional<unsigned> all;
  if (copies > 1)
    all = k.workspace(withChannels(op.getRow().getType(), copies));
  Value token = k.add(k.mul(k.block(), threads), k.thread());
  k.ifThen(k.less(token, k.count(RowSpace::token)), [&] {
    for (auto [j, group] : llvm::enumerate(emitChoices(k, op, token))) {
      k.store(group, k.output(first + j), At{token, Value(), 1, Value()});
      if (all)
        k.store(group, k.workspaceView(*all), At{token, k.index(j), 1, Value()});
    }
  });
  k.finish(k.rowGrid(RowSpace::token, threads, 0, 1));
  return all;
}

LogicalResult mom::emitPlanGpu(KernelOp kernel, KernelBuilder &k) {
  FailureOr<PlanOp> planned = plannedKernel(k);
  if (failed(planned))
    return failure();
  PlanOp op = *planned;
  unsigned first = Position + 1; // of the choices among the results
  std::optional<unsigned> all = chooseGroups(k, op, first);
  auto given = [&] { return all ? k.workspaceView(*all) : k.output(first); };
  Plan(k, channelsOf(op.getScores()), op.getChoices().size(), given).emit();
  return success();
}
