// mom-add-next: the entry that goes on with sequences.
//
// What a model computes up to its logits, as an entry of its own. Along a sequence only
// convolutions and scans carry anything from token to token, so their states become
// arguments and results: a run of the entry continues where the one before it stopped.
// One token a stream is a step of generation, a prompt is its beginning, and both are
// the same kernels, as the batch's segments say where states are read and written.
//
// A second entry draws the next tokens from the logits, and leaves them where both find
// what they read: ids, modalities and the numbers of tokens are replaced in place. So a
// device takes step after step by itself.
#include "dialect/Mom.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/SmallBitVector.h"

namespace mom {
#define GEN_PASS_DECL_ADDNEXTPASS
#define GEN_PASS_DEF_ADDNEXTPASS
#include "compiler/Autodiff/Passes.h.inc"
} // namespace mom

using namespace mlir;
using namespace mom;

/// Empty if a token's results depend on its own operands and on tokens before it only, by
/// way of states that can be carried; else why not.
static StringRef obstacle(Operation *op) {
  if (isa<NextOp, CollectOp, ReduceRowsOp>(op))
    return "it needs tokens that are not there yet";
  if (auto conv = dyn_cast<Conv1dOp>(op))
    return conv.getReverse() ? "it walks from the end"
           : conv.getInit()  ? "its state is the caller's already"
                             : "";
  if (auto scan = dyn_cast<ScanOp>(op))
    return scan.getReverse() ? "it walks from the end"
           : scan.getInit()  ? "its state is the caller's already"
                             : "";
  return "";
}

/// The input whose next value the target of a loss is; null for another target.
static BlockArgument predictedInput(CrossEntropyOp loss) {
  auto next = loss.getTarget().getDefiningOp<NextOp>();
  auto input = next ? dyn_cast<BlockArgument>(next.getX()) : BlockArgument();
  auto func = loss->getParentOfType<func::FuncOp>();
  return input && func.getArgAttr(input.getArgNumber(), attr::kInput) ? input : BlockArgument();
}

namespace {
class AddNextPass : public mom::impl::AddNextPassBase<AddNextPass> {
public:
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto name = module->getAttrOfType<FlatSymbolRefAttr>(attr::kModel);
    if (!name)
      return;
    SymbolTable table(module);
    symbols = &table;
    auto model = table.lookup<func::FuncOp>(name.getValue());
    if (!model || failed(addNext(model)))
      signalPassFailure();
  }

private:
  LogicalResult addNext(func::FuncOp model);
  void addDraw(func::FuncOp model);
  LogicalResult findLogits(func::FuncOp model);
  func::FuncOp layerOf(RepeatOp repeat) {
    return symbols->lookup<func::FuncOp>(repeat.getCallee());
  }

  /// The logits need `value`. A layer has what any of its calls needs.
  void need(Value value);
  /// A call of a layer that needs this argument.
  void needOperand(RepeatOp call, BlockArgument argument);
  void needResult(func::FuncOp layer, unsigned index);
  /// The batch always is: it says how many rows there are.
  bool isNeeded(BlockArgument argument) {
    return isa<BatchType>(argument.getType()) || needed.contains(argument);
  }
  /// Of a model or layer, in program order.
  SmallVector<Operation *> neededOps(func::FuncOp func);
  LogicalResult check(func::FuncOp func);
  func::FuncOp declare(func::FuncOp model, StringRef entry);
  func::FuncOp nextOf(func::FuncOp layer);
  /// The needed ones.
  void addArguments(func::FuncOp from, func::FuncOp to, IRMapping &map);
  void finish(func::FuncOp func, ArrayRef<Value> results);

  /// Clones ops to where `b` stands. Each state becomes one more argument of `func`, and
  /// its next value one more element of `states`.
  void clone(ArrayRef<Operation *> ops, func::FuncOp func, IRMapping &map, OpBuilder &b,
             SmallVectorImpl<Value> &states);
  void cloneRepeat(RepeatOp repeat, func::FuncOp func, IRMapping &map, OpBuilder &b,
                   SmallVectorImpl<Value> &states);

  SymbolTable *symbols = nullptr;
  llvm::MapVector<BlockArgument, Value> logits; ///< by the input that they predict
  DenseSet<Value> needed;                       ///< for the logits, of the model and of layers
  DenseMap<Operation *, SetVector<RepeatOp>> calls;   ///< of layers, those that are needed
  DenseMap<Operation *, llvm::SmallBitVector> wanted; ///< results of layers, likewise
};
} // namespace

static Value addState(func::FuncOp func, Type type, Location loc) {
  unsigned index = func.getNumArguments();
  (void)func.insertArgument(index, type, {}, loc);
  return func.getArgument(index);
}

static Type streamRows(Type like, int64_t channels) {
  auto rows = RowsAttr::get(like.getContext(), RowSpace::stream);
  return RankedTensorType::get({ShapedType::kDynamic, channels},
                               cast<RankedTensorType>(like).getElementType(), rows);
}

void AddNextPass::clone(ArrayRef<Operation *> ops, func::FuncOp func, IRMapping &map, OpBuilder &b,
                        SmallVectorImpl<Value> &states) {
  auto of = [&](Value value) { return value ? map.lookup(value) : Value(); };
  for (Operation *op : ops) {
    if (auto conv = dyn_cast<Conv1dOp>(op)) {
      int64_t taps = channelsOf(conv.getWeights()) - 1;
      Type type = conv.getY().getType(), state = streamRows(type, taps * channelsOf(type));
      Value init = addState(func, state, op->getLoc());
      auto copy = Conv1dOp::create(b, op->getLoc(), type, state, of(conv.getX()),
                                   of(conv.getWeights()), of(conv.getBatch()), of(conv.getBias()),
                                   init, /*reverse=*/false);
      map.map(conv.getY(), copy.getY());
      states.push_back(copy.getFinal());
    } else if (auto scan = dyn_cast<ScanOp>(op)) {
      Type type = scan.getY().getType();
      Type state = streamRows(
          type, cast<RankedTensorType>(scan.getA().getType()).getNumElements());
      Value init = addState(func, state, op->getLoc());
      auto copy = ScanOp::create(b, op->getLoc(), type, state, /*checkpoints=*/Type(),
                                 of(scan.getU()), of(scan.getDelta()), of(scan.getA()),
                                 of(scan.getB()), of(scan.getC()), of(scan.getBatch()), init,
                                 /*reverse=*/false);
      map.map(scan.getY(), copy.getY());
      states.push_back(copy.getFinal());
    } else if (auto repeat = dyn_cast<RepeatOp>(op)) {
      cloneRepeat(repeat, func, map, b, states);
    } else {
      b.clone(*op, map);
    }
  }
}

/// A round's states are elements of stacks.
void AddNextPass::cloneRepeat(RepeatOp repeat, func::FuncOp func, IRMapping &map, OpBuilder &b,
                              SmallVectorImpl<Value> &states) {
  func::FuncOp layer = layerOf(repeat), next = nextOf(layer);
  unsigned carriedCount = repeat.getCarried().size();
  unsigned sharedCount = carriedCount + repeat.getShared().size(), arguments = 0;
  SmallVector<Value> carried, shared, each, results;
  for (auto [i, argument] : llvm::enumerate(layer.getArguments())) {
    if (!isNeeded(argument))
      continue;
    ++arguments;
    SmallVector<Value> &list = i < carriedCount ? carried : i < sharedCount ? shared : each;
    list.push_back(map.lookup(repeat.getOperand(i)));
    if (i < carriedCount)
      results.push_back(repeat.getResult(i));
  }
  SmallVector<Type> types = llvm::map_to_vector(results, [](Value v) { return v.getType(); });
  for (BlockArgument state : next.getArguments().drop_front(arguments)) {
    types.push_back(StackType::get(&getContext(), repeat.getCount(), state.getType()));
    each.push_back(addState(func, types.back(), state.getLoc()));
  }
  auto copy = RepeatOp::create(b, repeat.getLoc(), types, next.getSymName(), repeat.getCount(),
                               carried, shared, each, /*reverse=*/false, /*windows=*/false);
  map.map(results, copy.getOutputs().take_front(results.size()));
  llvm::append_range(states, copy.getOutputs().drop_front(results.size()));
}

void AddNextPass::finish(func::FuncOp func, ArrayRef<Value> results) {
  OpBuilder b = OpBuilder::atBlockEnd(&func.getBody().front());
  func::ReturnOp::create(b, func.getLoc(), results);
  func.setFunctionType(
      b.getFunctionType(func.getArgumentTypes(), TypeRange(ValueRange(results))));
}

/// (carried..., shared..., parameters..., states...) -> (carried..., states...), what is needed
func::FuncOp AddNextPass::nextOf(func::FuncOp layer) {
  std::string name = (layer.getSymName() + ".next").str();
  if (auto done = symbols->lookup<func::FuncOp>(name))
    return done;
  OpBuilder b(&getContext());
  auto func = func::FuncOp::create(b, layer.getLoc(), name, b.getFunctionType({}, {}));
  func.setPrivate();
  symbols->insert(func);
  func.addEntryBlock();
  IRMapping map;
  addArguments(layer, func, map);
  b.setInsertionPointToEnd(&func.getBody().front());
  SmallVector<Value> states;
  clone(neededOps(layer), func, map, b, states);
  SmallVector<Value> results;
  auto returned = layer.getBody().front().getTerminator()->getOperands();
  for (auto [i, value] : llvm::enumerate(returned)) {
    BlockArgument argument = layer.getArgument(i);
    if (isNeeded(argument)) // a result that nobody wants stays as it was
      results.push_back(map.lookup(wanted[layer].test(i) ? value : argument));
  }
  llvm::append_range(results, states);
  finish(func, results);
  return func;
}

void AddNextPass::addArguments(func::FuncOp from, func::FuncOp to, IRMapping &map) {
  for (BlockArgument argument : from.getArguments()) {
    if (!isNeeded(argument))
      continue;
    unsigned index = to.getNumArguments();
    (void)to.insertArgument(index, argument.getType(), from.getArgAttrDict(argument.getArgNumber()),
                            argument.getLoc());
    map.map(argument, to.getArgument(index));
  }
}

LogicalResult AddNextPass::findLogits(func::FuncOp model) {
  for (auto loss : model.getOps<CrossEntropyOp>())
    if (BlockArgument input = predictedInput(loss))
      logits.insert({input, loss.getLogits()});
  if (!logits.empty())
    return success();
  return model.emitError() << "expected a cross entropy whose target is next(...) of an input, but "
                              "the model predicts none: it has no entry 'next'";
}

LogicalResult AddNextPass::check(func::FuncOp func) {
  for (Operation *op : neededOps(func)) {
    if (StringRef why = obstacle(op); !why.empty()) {
      op->emitError() << "the model has no entry 'next': " << why;
      return failure();
    }
    if (auto repeat = dyn_cast<RepeatOp>(op); repeat && failed(check(layerOf(repeat))))
      return failure();
  }
  return success();
}

/// Through calls, value by value: a loss that layers add up, say, needs all tokens, but the
/// logits do not need it.
void AddNextPass::need(Value value) {
  if (!needed.insert(value).second)
    return;
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    for (RepeatOp call : llvm::to_vector(calls[argument.getOwner()->getParentOp()]))
      needOperand(call, argument);
    return;
  }
  auto repeat = value.getDefiningOp<RepeatOp>();
  if (!repeat) {
    for (Value operand : value.getDefiningOp()->getOperands())
      need(operand);
    return;
  }
  func::FuncOp layer = layerOf(repeat);
  if (calls[layer].insert(repeat))
    for (BlockArgument argument : layer.getArguments())
      if (isNeeded(argument))
        needOperand(repeat, argument);
  needResult(layer, cast<OpResult>(value).getResultNumber());
}

void AddNextPass::needOperand(RepeatOp call, BlockArgument argument) {
  unsigned index = argument.getArgNumber();
  need(call.getOperand(index));
  if (index < call.getCarried().size() && call.getCount() > 1) // another round hands it on
    needResult(layerOf(call), index);
}

/// What is handed on must be handed in.
void AddNextPass::needResult(func::FuncOp layer, unsigned index) {
  llvm::SmallBitVector &results = wanted[layer];
  results.resize(layer.getNumResults());
  if (results.test(index))
    return;
  results.set(index);
  need(layer.getArgument(index));
  need(layer.getBody().front().getTerminator()->getOperand(index));
}

SmallVector<Operation *> AddNextPass::neededOps(func::FuncOp func) {
  SmallVector<Operation *> ops;
  for (Operation &op : func.getBody().front())
    if (llvm::any_of(op.getResults(), [&](Value v) { return needed.contains(v); }))
      ops.push_back(&op);
  return ops;
}

/// An entry without arguments yet.
func::FuncOp AddNextPass::declare(func::FuncOp model, StringRef entry) {
  OpBuilder b(&getContext());
  auto func = func::FuncOp::create(b, model.getLoc(), (model.getSymName() + "." + entry).str(),
                                   b.getFunctionType({}, {}));
  func->setAttr(attr::kEntry, b.getStringAttr(entry));
  symbols->insert(func);
  func.addEntryBlock();
  return func;
}

LogicalResult AddNextPass::addNext(func::FuncOp model) {
  if (failed(findLogits(model)))
    return failure();
  for (auto &[input, value] : logits) {
    need(input); // a step draws it
    need(value);
  }
  if (failed(check(model)))
    return failure();
  func::FuncOp func = declare(model, "next");
  IRMapping map;
  addArguments(model, func, map);
  unsigned arguments = func.getNumArguments();
  OpBuilder b = OpBuilder::atBlockEnd(&func.getBody().front());
  SmallVector<Value> results, states;
  clone(neededOps(model), func, map, b, states);
  SmallVector<Attribute> attributes;
  for (auto &[input, value] : logits) {
    results.push_back(map.lookup(value));
    attributes.push_back(b.getDictionaryAttr(b.getNamedAttr(
        attr::kOutput, model.getArgAttr(input.getArgNumber(), attr::kInput))));
  }
  for (auto [i, state] : llvm::enumerate(states)) {
    auto place = [&, number = i](StringRef space) {
      return b.getDictionaryAttr({b.getNamedAttr(attr::kState, b.getStringAttr(space)),
                                  b.getNamedAttr(attr::kOffset, b.getI64IntegerAttr(number))});
    };
    func.setArgAttrs(arguments + i, place("states"));
    attributes.push_back(place("next_states"));
    results.push_back(state);
  }
  finish(func, results);
  func.setResAttrsAttr(b.getArrayAttr(attributes));
  addDraw(model);
  return success();
}

/// A model may predict several inputs; the first is drawn. What a token draws is its own
/// stream's next one, so that this is for batches of one token a stream.
void AddNextPass::addDraw(func::FuncOp model) {
  auto [predicted, value] = logits.front();
  Location loc = model.getLoc();
  func::FuncOp func = declare(model, "draw");
  OpBuilder b = OpBuilder::atBlockEnd(&func.getBody().front());
  auto add = [&](StringRef name, Type type) {
    unsigned index = func.getNumArguments();
    auto attributes = b.getDictionaryAttr(
        b.getNamedAttr(attr::kInput, b.getStringAttr("draw." + name)));
    (void)func.insertArgument(index, type, attributes, loc);
    return func.getArgument(index);
  };
  auto place = [&](StringRef space, int64_t offset) -> Attribute {
    return b.getDictionaryAttr({b.getNamedAttr(attr::kState, b.getStringAttr(space)),
                                b.getNamedAttr(attr::kOffset, b.getI64IntegerAttr(offset))});
  };
  Type i32 = b.getI32Type(), idType = predicted.getType();
  auto rows = withRows(value.getType(), RowsAttr::get(&getContext(), RowSpace::token));
  auto words = [&](int64_t size) { return RankedTensorType::get({size}, i32); };
  (void)func.insertArgument(0, idType, model.getArgAttrDict(predicted.getArgNumber()),
                            predicted.getLoc());
  BlockArgument from = add("logits", rows);
  BlockArgument at = add("place", withChannels(idType, 3));
  BlockArgument limits = add("limits", RankedTensorType::get({2}, b.getF32Type()));
  BlockArgument how = add("how", words(3)), groups = add("groups", words(channelsOf(rows)));
  auto draw = DrawOp::create(b, loc, TypeRange{idType, idType, at.getType()}, from, at, limits,
                             how, groups);
  finish(func, llvm::to_vector_of<Value>(draw->getResults()));
  func.setResAttrsAttr(b.getArrayAttr({place("argument", 0), place("modality", 0),
                                       place("argument", at.getArgNumber())}));
}
