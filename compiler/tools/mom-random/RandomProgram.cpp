// Random legal programs, from a seed.
#include "compiler/tools/mom-random/RandomProgram.h"

#include "dialect/Calculus.h"

#include "mlir/IR/BuiltinOps.h"

using namespace mlir;
using namespace mom;
using namespace mom::random;
using compare::below;

namespace {
/// Writes the statements of one function.
class Generator {
public:
  Generator(func::FuncOp func, int64_t groups, std::mt19937_64 &random)
      : func(func), b(OpBuilder::atBlockEnd(func.addEntryBlock())), calculus{b, func.getLoc()},
        groups(groups), random(random) {
    batch = argument(BatchType::get(b.getContext()));
    tokens.push_back(argument(rows(RowSpace::token, size())));
  }

  void statement();
  void finish();

private:
  // Types, arguments and choices.
  RankedTensorType rows(RowSpace space, int64_t channels, Type element = {}) {
    return RankedTensorType::get({ShapedType::kDynamic, channels}, element ? element : b.getF32Type(),
                                 RowsAttr::get(b.getContext(), space));
  }
  RankedTensorType weights(ArrayRef<int64_t> shape) {
    return RankedTensorType::get(shape, b.getF32Type());
  }
  Value argument(Type type, StringRef attribute = {}) {
    unsigned index = func.getNumArguments();
    (void)func.insertArgument(index, type, {}, func.getLoc());
    if (!attribute.empty())
      func.setArgAttr(index, attribute, b.getUnitAttr());
    return func.getArgument(index);
  }
  bool oneIn(int64_t n) { return below(n, random) == 0; }
  /// Channels of a value: small and awkward, sometimes past a tile.
  int64_t size() {
    static constexpr int64_t kSizes[] = {1, 2, 3, 4, 5, 7, 8, 12, 16, 17, 24, 33, 40, 65};
    return kSizes[below(std::size(kSizes), random)];
  }
  Value pick(ArrayRef<Value> values) { return values[below(values.size(), random)]; }
  /// Token rows, the last ones more often than others.
  Value token() { return oneIn(2) ? tokens.back() : pick(tokens); }
  /// Token rows of `channels`: what is there, an argument, or a product.
  Value tokenOf(int64_t channels) {
    SmallVector<Value> fitting;
    for (Value value : tokens)
      if (channelsOf(value) == channels)
        fitting.push_back(value);
    if (!fitting.empty() && !oneIn(4))
      return pick(fitting);
    return oneIn(3) ? argument(rows(RowSpace::token, channels)) : linear(token(), channels);
  }
  Value routeOrNone() {
    if (oneIn(2))
      return {};
    if (!route)
      route = ModalityRouteOp::create(
          b, func.getLoc(), RouteType::get(b.getContext(), b.getStringAttr("M"), groups), batch);
    return route;
  }
  Value ids() { return argument(rows(RowSpace::token, 1, b.getI32Type())); }

  // Statements.
  Value linear(Value x, int64_t channels);
  Value unary(Value x);
  Value binary();
  Value positive(Value x) { return calculus.affine(softplus(x), 1.0, 0.25); }
  Value softplus(Value x) { return SoftplusOp::create(b, func.getLoc(), x.getType(), x); }
  /// Of few channels the norm is a sign, and its gradient only rounding.
  void norm(Value x) {
    if (channelsOf(x) > 3)
      tokens.push_back(
          RmsNormOp::create(b, func.getLoc(), x.getType(), x, b.getF64FloatAttr(1e-5)));
  }
  Value weighted(Value x);
  void convolution();
  void scan();
  void channels();
  Value sums(Value x);
  Value lookup();
  Value loss();
  Value choice();
  Value experts();
  Value computedRoute(int64_t experts, int64_t copies);
  void state();

  func::FuncOp func;
  OpBuilder b;
  Calculus calculus;
  const int64_t groups;
  std::mt19937_64 &random;
  Value batch, route;
  SmallVector<Value> tokens, states, totals; ///< token rows, stream rows, sums over rows
};
} // namespace

Value Generator::linear(Value x, int64_t channels) {
  Value route = routeOrNone();
  bool transposed = oneIn(5);
  SmallVector<int64_t> shape;
  if (route)
    shape.push_back(groups);
  shape.push_back(transposed ? channelsOf(x) : channels);
  shape.push_back(transposed ? channels : channelsOf(x));
  return LinearOp::create(b, func.getLoc(), withChannels(x.getType(), channels), x,
                          argument(weights(shape)), route,
                          transposed ? b.getUnitAttr() : UnitAttr());
}

Value Generator::unary(Value x) {
  Location loc = func.getLoc();
  Type type = x.getType();
  switch (below(10, random)) {
  case 0:
    return SiluOp::create(b, loc, type, x);
  case 1:
    return softplus(x);
  case 2:
    return calculus.sigmoid(x);
  case 3:
    return math::TanhOp::create(b, loc, x);
  case 4:
    return math::ExpOp::create(b, loc, Value(math::TanhOp::create(b, loc, x)));
  case 5:
    return math::LogOp::create(b, loc, positive(x));
  case 6:
    return calculus.sqrt(positive(x));
  case 7:
    return math::AbsFOp::create(b, loc, x);
  case 8:
    return calculus.neg(x);
  default:
    return calculus.affine(x, 0.5 * double(below(5, random)) - 1.0, 0.25);
  }
}

Value Generator::binary() {
  Value x = token();
  Value y = tokenOf(channelsOf(x));
  switch (below(4, random)) {
  case 0:
    return calculus.add(x, y);
  case 1:
    return calculus.sub(x, y);
  case 2:
    return calculus.mul(x, y);
  default:
    return calculus.div(x, positive(y));
  }
}

/// x + or * a vector, one number, a vector of each group, a total, or rows of one channel.
Value Generator::weighted(Value x) {
  Value w, group;
  int64_t width = oneIn(3) ? 1 : channelsOf(x);
  SmallVector<Value> fitting;
  for (Value total : totals)
    if (auto type = cast<RankedTensorType>(total.getType());
        type.getRank() == 1 && (channelsOf(x) == type.getDimSize(0) || type.getDimSize(0) == 1))
      fitting.push_back(total);
  if (oneIn(4) && width == 1 && channelsOf(x) > 1)
    w = tokenOf(1);
  else if (!fitting.empty() && oneIn(2))
    w = pick(fitting);
  else if ((group = routeOrNone()))
    w = argument(weights({groups, width}));
  else
    w = argument(weights({width}));
  w = calculus.broadcast(w, x, group);
  return oneIn(2) ? calculus.add(x, w) : calculus.mul(x, w);
}

void Generator::convolution() {
  Value x = token();
  int64_t channels = channelsOf(x), width = 1 + below(6, random);
  RankedTensorType stateType = rows(RowSpace::stream, (width - 1) * channels);
  bool carried = width > 1, hasInit = carried && oneIn(3), hasFinal = carried && oneIn(3);
  Value w = argument(weights({channels, width}));
  Value bias = oneIn(2) ? argument(weights({channels})) : Value();
  Value init = hasInit ? argument(stateType) : Value();
  UnitAttr reverse = oneIn(4) ? b.getUnitAttr() : UnitAttr();
  auto op = Conv1dOp::create(b, func.getLoc(), x.getType(), hasFinal ? Type(stateType) : Type(), x,
                             w, batch, bias, init, reverse);
  tokens.push_back(op.getY());
  if (hasFinal)
    states.push_back(op.getFinal());
}

void Generator::scan() {
  static constexpr int64_t kStates[] = {1, 2, 3, 4, 7, 8, 16, 17, 33, 64};
  Value u = token();
  int64_t channels = channelsOf(u), n = kStates[below(std::size(kStates), random)];
  if (channels * n > 700)
    n = 1 + below(8, random);
  Value delta = positive(tokenOf(channels));
  Value A = argument(weights({channels, n}), "mom.negative");
  Value B = tokenOf(n);
  Value C = tokenOf(n);
  RankedTensorType stateType = rows(RowSpace::stream, channels * n);
  bool hasFinal = oneIn(3);
  Value init;
  if (oneIn(3)) {
    SmallVector<Value> fitting;
    for (Value state : states)
      if (state.getType() == stateType)
        fitting.push_back(state);
    init = fitting.empty() ? argument(stateType) : pick(fitting);
  }
  UnitAttr reverse = oneIn(4) ? b.getUnitAttr() : UnitAttr();
  auto op = ScanOp::create(b, func.getLoc(), u.getType(), hasFinal ? Type(stateType) : Type(),
                           Type(), u, delta, A, B, C, batch, init, reverse);
  tokens.push_back(op.getY());
  if (hasFinal)
    states.push_back(op.getFinal());
}

/// Channels apart, or side by side.
void Generator::channels() {
  Value x = token();
  int64_t width = channelsOf(x);
  if (width > 1 && oneIn(2)) {
    int64_t first = 1 + below(width - 1, random);
    auto split = SplitOp::create(b, func.getLoc(),
                                 TypeRange{withChannels(x.getType(), first),
                                           withChannels(x.getType(), width - first)},
                                 x);
    llvm::append_range(tokens, split.getParts());
    return;
  }
  Value y = token();
  if (width + channelsOf(y) <= 130)
    tokens.push_back(ConcatOp::create(b, func.getLoc(),
                                      withChannels(x.getType(), width + channelsOf(y)),
                                      ValueRange{x, y}));
}

/// A sum over the channels, or over the rows of the batch.
Value Generator::sums(Value x) {
  if (oneIn(2))
    return calculus.sum(x);
  // Scaled, as the sum of many rows is large.
  totals.push_back(calculus.sumRows(calculus.affine(x, 1.0 / 64, 0.0), routeOrNone()));
  return {};
}

Value Generator::lookup() {
  Value id = ids();
  if (oneIn(3)) {
    Value x = token();
    Value hot = OneHotOp::create(b, func.getLoc(), x.getType(), id);
    return calculus.mul(x, hot);
  }
  int64_t entries = 1 + below(12, random), width = size();
  return EmbeddingOp::create(b, func.getLoc(), rows(RowSpace::token, width), id,
                             argument(weights({entries, width})));
}

Value Generator::loss() {
  Value logits = token();
  Value target = ids();
  if (oneIn(2))
    target = NextOp::create(b, func.getLoc(), target.getType(), target, batch);
  Type one = withChannels(logits.getType(), 1);
  auto op = CrossEntropyOp::create(b, func.getLoc(), one, one, logits, target);
  if (oneIn(2))
    return op.getNll();
  Value present = PresentOp::create(b, func.getLoc(), one, target);
  return calculus.mul(op.getNll(), present);
}

Value Generator::choice() {
  Value x = token();
  Value y = tokenOf(channelsOf(x));
  switch (below(3, random)) {
  case 0:
    return arith::MaximumFOp::create(b, func.getLoc(), x, y);
  case 1:
    return arith::MinimumFOp::create(b, func.getLoc(), x, y);
  default:
    return calculus.choose(calculus.compare(arith::CmpFPredicate::OGT, x, y), y, calculus.affine(x, 0.5, 0.0));
  }
}

/// What it chooses by are labels: differences do not change them, and they are often equal.
Value Generator::computedRoute(int64_t experts, int64_t copies) {
  Location loc = func.getLoc();
  Value scores;
  for (int64_t j = 0; j < copies; ++j) {
    Value hot = OneHotOp::create(b, loc, rows(RowSpace::token, experts), ids());
    scores = scores ? calculus.add(calculus.affine(scores, 2.0, 0.0), hot) : hot;
  }
  StringAttr name = b.getStringAttr("e");
  auto sent = RowsAttr::get(b.getContext(), RowSpace::copy, copies, name);
  Type label = rows(RowSpace::token, 1, b.getI32Type());
  SmallVector<Type> types = {RankedTensorType::get({experts + 1}, b.getI64Type()),
                             rows(RowSpace::token, copies, b.getI32Type()),
                             withRows(label, sent)};
  types.append(copies, label);
  auto plan = PlanOp::create(b, loc, types, scores);
  return ComputedRouteOp::create(b, loc, RouteType::get(b.getContext(), name, experts, copies),
                                 plan.getOffsets(), plan.getRow(), plan.getCopy());
}

/// Copies of tokens through a product or two, and back.
Value Generator::experts() {
  Location loc = func.getLoc();
  int64_t experts = oneIn(8) ? 32 : 2 + below(6, random);
  int64_t copies = 1 + below(std::min<int64_t>(experts, 3), random), channels = size();
  Value by = computedRoute(experts, copies), x = token();
  auto sent = RowsAttr::get(b.getContext(), RowSpace::copy, copies, b.getStringAttr("e"));
  auto dispatch = [&](Value first) -> Value {
    SmallVector<Value> parts = {first};
    bool same = oneIn(2);
    while (int64_t(parts.size()) < copies)
      parts.push_back(same ? first : tokenOf(channelsOf(first)));
    return DispatchOp::create(b, loc, withRows(first.getType(), sent), parts, by);
  };
  Value y = dispatch(x);
  for (int64_t left = 1 + below(2, random); left > 0; --left) {
    Value route = oneIn(4) ? Value() : by;
    SmallVector<int64_t> shape;
    if (route)
      shape.push_back(experts);
    shape.append({channels, channelsOf(y)});
    y = LinearOp::create(b, loc, withChannels(y.getType(), channels), y, argument(weights(shape)),
                         route, UnitAttr());
    if (route && oneIn(2))
      y = calculus.add(y, calculus.broadcast(argument(weights({experts, channels})), y, route));
    if (oneIn(2))
      y = unary(y);
  }
  if (oneIn(2))
    y = calculus.mul(y, calculus.broadcast(dispatch(tokenOf(1)), y));
  SmallVector<Type> types(copies, rows(RowSpace::token, channels));
  auto parts = RetrieveOp::create(b, loc, types, y, by);
  Value sum = parts.getParts().front();
  for (Value part : parts.getParts().drop_front())
    sum = calculus.add(sum, part);
  return sum;
}

/// Work on stream rows, which states are.
void Generator::state() {
  if (states.empty())
    return;
  Value x = pick(states);
  states.push_back(oneIn(2) ? unary(x)
                            : calculus.add(x, argument(x.getType())));
}

void Generator::statement() {
  auto add = [&](Value value) {
    if (value)
      tokens.push_back(value);
  };
  switch (below(17, random)) {
  case 16:
    return add(experts());
  case 0:
  case 1:
  case 2:
    return add(linear(token(), size()));
  case 3:
  case 4:
    return add(unary(token()));
  case 5:
  case 6:
    return add(binary());
  case 7:
    return add(weighted(token()));
  case 8:
    return norm(token());
  case 9:
    return convolution();
  case 10:
  case 11:
    return scan();
  case 12:
    return channels();
  case 13:
    return add(oneIn(2) ? sums(token()) : choice());
  case 14:
    return add(oneIn(2) ? lookup() : loss());
  default:
    return state();
  }
}

/// Returns what nothing reads, and sometimes what something does.
void Generator::finish() {
  SmallVector<Value> results;
  auto consider = [&](ArrayRef<Value> values) {
    for (Value value : values)
      if ((value.use_empty() && !isa<BlockArgument>(value)) || oneIn(8))
        results.push_back(value);
  };
  consider(tokens);
  consider(states);
  consider(totals);
  if (results.empty())
    results.push_back(tokens.back());
  func::ReturnOp::create(b, func.getLoc(), results);
  func.setFunctionType(
      b.getFunctionType(func.getArgumentTypes(), TypeRange(ValueRange(results))));
}

compare::BatchOptions random::makeBatch(int64_t groups, const RandomOptions &options,
                                        std::mt19937_64 &random) {
  static constexpr int64_t kTokens[] = {0, 1, 2, 3, 7, 16, 17, 31, 33, 64, 65, 100, 129, 200};
  compare::BatchOptions batch;
  batch.tokens = std::min(kTokens[below(std::size(kTokens), random)], options.tokens);
  batch.streams = below(5, random);
  batch.segments = 0;
  // One segment, segments of one token, or any.
  for (int64_t left = batch.tokens, style = below(4, random); left > 0;) {
    int64_t length = style == 0 ? left : style == 1 ? 1 : 1 + below(std::min<int64_t>(left, style == 2 ? 9 : 70), random);
    length = std::min(length, left);
    batch.lengths.push_back(length);
    left -= length;
  }
  // All of one modality, one token of it, spans of some, or each token its own.
  int64_t style = below(4, random), only = below(groups, random);
  SmallVector<int32_t> present;
  for (int64_t m = 0; m < groups; ++m)
    if (below(3, random))
      present.push_back(m);
  if (present.empty())
    present.push_back(only);
  int64_t single = batch.tokens ? below(batch.tokens, random) : 0, span = 0, current = 0;
  for (int64_t t = 0; t < batch.tokens; ++t) {
    if (span-- <= 0 || style == 3) {
      current = present[below(present.size(), random)];
      span = below(20, random);
    }
    batch.modality.push_back(style == 0 ? only : style == 1 ? (t == single ? only : (only + 1) % groups) : current);
  }
  return batch;
}

RandomCase random::makeCase(MLIRContext &context, uint64_t seed, const RandomOptions &options) {
  std::mt19937_64 random(seed);
  static constexpr int64_t kGroups[] = {1, 2, 3, 3, 3, 5, 16};
  int64_t groups = kGroups[below(std::size(kGroups), random)];
  Location loc = UnknownLoc::get(&context);
  RandomCase result;
  result.module = ModuleOp::create(loc);
  OpBuilder b(&context);
  b.setInsertionPointToEnd(result.module->getBody());
  auto func = func::FuncOp::create(b, loc, "f", b.getFunctionType({}, {}));
  func->setAttr(attr::kLayer, b.getUnitAttr());
  func->setAttr(attr::kExport, b.getUnitAttr());
  Generator generator(func, groups, random);
  for (int64_t left = 1 + below(options.statements, random); left > 0; --left)
    generator.statement();
  generator.finish();
  // A program may have no route; its batch still has modalities.
  SmallVector<Attribute> names(groups, b.getStringAttr("m"));
  (*result.module)->setAttr(attr::kModalities, b.getDictionaryAttr(b.getNamedAttr("M", b.getArrayAttr(names))));
  result.batch = makeBatch(groups, options, random);
  result.how = options.how;
  static constexpr const char *kOrders[] = {"auto", "auto", "modality", "position"};
  result.how.order = kOrders[below(4, random)];
  result.how.fuse = (below(5, random) + 1) / 2; // mostly 1 or 2
  static constexpr int64_t kCheckpoints[] = {1, 4, 5, 16, 16, 64};
  result.scanCheckpoint = kCheckpoints[below(6, random)];
  return result;
}
