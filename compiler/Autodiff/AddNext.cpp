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
  void slice(func::FuncOp model);
  void findWanted(RepeatOp repeat);
  /// What of a layer the wanted results are made from, in program order.
  SmallVector<Operation *> opsFor(func::FuncOp layer);
  LogicalResult check(ArrayRef<Operation *> ops);
  func::FuncOp declare(func::FuncOp model, StringRef entry);
  func::FuncOp nextOf(func::FuncOp layer);
  void finish(func::FuncOp func, ArrayRef<Value> results);

  /// Clones ops to where `b` stands. Each state becomes one more argument of `func`, and
  /// its next value one more element of `states`.
  void clone(ArrayRef<Operation *> ops, func::FuncOp func, IRMapping &map, OpBuilder &b,
             SmallVectorImpl<Value> &states);
  void cloneRepeat(RepeatOp repeat, func::FuncOp func, IRMapping &map, OpBuilder &b,
                   SmallVectorImpl<Value> &states);

  SymbolTable *symbols = nullptr;
  llvm::MapVector<BlockArgument, Value> logits; ///< by the input that they predict
  SetVector<Operation *> needed;                ///< of the model, for the logits
  DenseMap<Operation *, llvm::SmallBitVector> wanted; ///< carried values of layers, likewise
};
} // namespace

/// The ops that `values` are made from.
static DenseSet<Operation *> opsBehind(SmallVector<Value> values) {
  DenseSet<Operation *> found;
  while (!values.empty())
    if (Operation *op = values.pop_back_val().getDefiningOp(); op && found.insert(op).second)
      llvm::append_range(values, op->getOperands());
  return found;
}

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
  auto layer = symbols->lookup<func::FuncOp>(repeat.getCallee());
  func::FuncOp next = nextOf(layer);
  auto mapped = [&](ValueRange values) {
    return llvm::map_to_vector(values, [&](Value v) { return map.lookup(v); });
  };
  SmallVector<Value> each = mapped(repeat.getEach());
  SmallVector<Type> types(repeat.getOutputs().getTypes());
  for (BlockArgument state : next.getArguments().drop_front(layer.getNumArguments())) {
    types.push_back(StackType::get(&getContext(), repeat.getCount(), state.getType()));
    each.push_back(addState(func, types.back(), state.getLoc()));
  }
  auto copy = RepeatOp::create(b, repeat.getLoc(), types, next.getSymName(), repeat.getCount(),
                               mapped(repeat.getCarried()), mapped(repeat.getShared()), each,
                               /*reverse=*/false, /*windows=*/false);
  unsigned results = repeat.getOutputs().size();
  map.map(repeat.getOutputs(), copy.getOutputs().take_front(results));
  llvm::append_range(states, copy.getOutputs().drop_front(results));
}

void AddNextPass::finish(func::FuncOp func, ArrayRef<Value> results) {
  OpBuilder b = OpBuilder::atBlockEnd(&func.getBody().front());
  func::ReturnOp::create(b, func.getLoc(), results);
  func.setFunctionType(
      b.getFunctionType(func.getArgumentTypes(), TypeRange(ValueRange(results))));
}

/// (carried..., shared..., parameters..., states...) -> (carried..., states...)
func::FuncOp AddNextPass::nextOf(func::FuncOp layer) {
  std::string name = (layer.getSymName() + ".next").str();
  if (auto done = symbols->lookup<func::FuncOp>(name))
    return done;
  OpBuilder b(&getContext());
  auto func = func::FuncOp::create(b, layer.getLoc(), name, layer.getFunctionType());
  func.setPrivate();
  symbols->insert(func);
  func.addEntryBlock();
  IRMapping map;
  map.map(layer.getArguments(), func.getArguments());
  for (auto [from, to] : llvm::zip_equal(layer.getArguments(), func.getArguments()))
    to.setLoc(from.getLoc());
  if (layer.getArgAttrsAttr())
    func.setArgAttrsAttr(layer.getArgAttrsAttr());
  b.setInsertionPointToEnd(&func.getBody().front());
  SmallVector<Value> states;
  clone(opsFor(layer), func, map, b, states);
  SmallVector<Value> results;
  auto returned = layer.getBody().front().getTerminator()->getOperands();
  for (auto [i, value] : llvm::enumerate(returned)) // what nobody wants stays as it was
    results.push_back(wanted[layer].test(i) ? map.lookup(value) : func.getArgument(i));
  llvm::append_range(results, states);
  finish(func, results);
  return func;
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

LogicalResult AddNextPass::check(ArrayRef<Operation *> ops) {
  for (Operation *op : ops) {
    if (StringRef why = obstacle(op); !why.empty()) {
      op->emitError() << "the model has no entry 'next': " << why;
      return failure();
    }
    auto repeat = dyn_cast<RepeatOp>(op);
    if (!repeat)
      continue;
    if (failed(check(opsFor(symbols->lookup<func::FuncOp>(repeat.getCallee())))))
      return failure();
  }
  return success();
}

/// What of the model the logits are made from, in program order.
void AddNextPass::slice(func::FuncOp model) {
  SmallVector<Value> work;
  for (auto &[input, value] : logits)
    work.push_back(value);
  DenseSet<Operation *> found = opsBehind(work);
  for (Operation &op : model.getBody().front())
    if (found.contains(&op))
      needed.insert(&op);
  for (Operation *op : needed)
    if (auto repeat = dyn_cast<RepeatOp>(op))
      findWanted(repeat);
}

/// A loss that layers add up, say, needs all tokens, but the logits do not need it.
void AddNextPass::findWanted(RepeatOp repeat) {
  auto layer = symbols->lookup<func::FuncOp>(repeat.getCallee());
  llvm::SmallBitVector &carried = wanted[layer];
  carried.resize(repeat.getCarried().size());
  for (auto [i, result] : llvm::enumerate(repeat.getCarriedResults()))
    if (llvm::any_of(logits, [&, value = result](auto &entry) { return entry.second == value; }) ||
        llvm::any_of(result.getUsers(), [&](Operation *user) { return needed.contains(user); }))
      carried.set(i);
  for (bool grows = true; grows;) { // from round to round
    grows = false;
    SmallVector<Operation *> ops = opsFor(layer);
    auto returned = layer.getBody().front().getTerminator()->getOperands();
    for (unsigned i = 0; i < carried.size(); ++i) {
      Value argument = layer.getArgument(i);
      bool reads = llvm::any_of(argument.getUsers(), [&](Operation *user) {
        return llvm::is_contained(ops, user);
      });
      for (unsigned other : carried.set_bits())
        reads |= returned[other] == argument;
      grows |= reads && !carried.test(i);
      if (reads)
        carried.set(i);
    }
  }
}

SmallVector<Operation *> AddNextPass::opsFor(func::FuncOp layer) {
  Block &body = layer.getBody().front();
  SmallVector<Value> results;
  for (unsigned i : wanted[layer].set_bits())
    results.push_back(body.getTerminator()->getOperand(i));
  DenseSet<Operation *> found = opsBehind(results);
  SmallVector<Operation *> ops;
  for (Operation &op : body)
    if (found.contains(&op))
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
  slice(model);
  if (failed(check(needed.getArrayRef())))
    return failure();
  func::FuncOp func = declare(model, "next");
  IRMapping map;
  for (BlockArgument argument : model.getArguments()) {
    bool reads = isa<BatchType>(argument.getType()) || logits.contains(argument) ||
                 llvm::any_of(argument.getUsers(),
                              [&](Operation *user) { return needed.contains(user); });
    if (!reads)
      continue;
    unsigned index = func.getNumArguments();
    (void)func.insertArgument(index, argument.getType(),
                              model.getArgAttrDict(argument.getArgNumber()), argument.getLoc());
    map.map(argument, func.getArgument(index));
  }
  unsigned arguments = func.getNumArguments();
  OpBuilder b = OpBuilder::atBlockEnd(&func.getBody().front());
  SmallVector<Value> results, states;
  clone(needed.getArrayRef(), func, map, b, states);
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
