// mom-differentiate: joint functions of layers, the gradient function of the
// model, and the entries of exported layers.
//
// Reverse mode over straight-line code. What a layer must save is not decided
// here: forward and backward stand in one function, in SSA form, so whatever
// backward uses is visible as a use, and mom-partition cuts along the uses.
#include "dialect/Mom.h"

namespace mom {
#define GEN_PASS_DECL_DIFFERENTIATEPASS
#define GEN_PASS_DEF_DIFFERENTIATEPASS
#include "compiler/Autodiff/Passes.h.inc"
} // namespace mom

using namespace mlir;
using namespace mom;

static bool isFloatTensor(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && isa<FloatType>(tensor.getElementType());
}

static Value zeroLike(OpBuilder &b, Location loc, Value value) {
  if (isRows(value.getType()))
    return AffineOp::create(b, loc, value.getType(), value, b.getF64FloatAttr(0),
                            b.getF64FloatAttr(0));
  return arith::ConstantOp::create(b, loc, b.getZeroAttr(value.getType()));
}

namespace {
/// Gradients of the values of one block, built at the end of it.
class Reverse {
public:
  Reverse(OpBuilder &b, SymbolTable &symbols) : b(b), symbols(symbols) {}

  void wants(Value value) { varied.insert(value); }
  void seed(Value value, Value gradient) { add(value, gradient); }

  /// Builds the gradients that flow from the seeds through `ops`, which stand
  /// in program order.
  LogicalResult run(ArrayRef<Operation *> ops) {
    for (Operation *op : ops)
      if (llvm::any_of(op->getOperands(), [&](Value v) { return varied.contains(v); }))
        for (Value result : op->getResults())
          if (isFloatTensor(result.getType()))
            varied.insert(result);
    for (Operation *op : llvm::reverse(ops))
      if (failed(step(op)))
        return failure();
    return success();
  }

  /// The gradient of `value`; zeros where none arrived.
  Value get(Value value) {
    if (isa<StackType>(value.getType()))
      return sumOf(stacks.lookup(value), value);
    Value gradient = gradients.lookup(value);
    return gradient ? gradient : zeroLike(b, value.getLoc(), value);
  }

  bool has(Value value) const { return gradients.contains(value) || stacks.contains(value); }

private:
  void add(Value value, Value gradient) {
    if (isa<StackType>(value.getType()))
      return stacks[value].push_back(gradient);
    Value &sum = gradients[value];
    sum = sum ? arith::AddFOp::create(b, gradient.getLoc(), sum, gradient) : gradient;
  }

  LogicalResult step(Operation *op) {
    if (llvm::none_of(op->getResults(), [&](Value v) { return gradients.contains(v); }))
      return success();
    SmallVector<bool> active = llvm::map_to_vector(op->getOperands(), [&](Value v) {
      return varied.contains(v) && isFloatTensor(v.getType());
    });
    if (auto forward = dyn_cast<ForwardOp>(op))
      return backward(forward);
    if (llvm::none_of(active, [](bool a) { return a; }))
      return success();
    auto differentiable = dyn_cast<DifferentiableOpInterface>(op);
    if (!differentiable)
      return op->emitOpError("has no derivative, but a gradient arrives at its result");
    SmallVector<Value> arriving =
        llvm::map_to_vector(op->getResults(), [&](Value v) { return gradients.lookup(v); });
    SmallVector<Value> built = differentiable.buildBackward(b, arriving, active);
    if (built.size() != op->getNumOperands())
      return failure(); // buildBackward has said why
    for (auto [operand, gradient, isActive] : llvm::zip_equal(op->getOperands(), built, active))
      if (isActive && gradient)
        add(operand, gradient);
    return success();
  }

  LogicalResult backward(ForwardOp forward) {
    SmallVector<Value> arriving =
        llvm::map_to_vector(forward.getOutputs(), [&](Value v) { return get(v); });
    SmallVector<Type> types(forward.getCarried().getTypes());
    llvm::append_range(types, forward.getEach().getTypes());
    auto op =
        BackwardOp::create(b, forward.getLoc(), types, forward.getCallee(), forward.getCount(),
                           arriving, forward.getShared(), forward.getEach(), forward.getTape());
    SmallVector<Value> operands(forward.getCarried());
    llvm::append_range(operands, forward.getEach());
    for (auto [operand, gradient] : llvm::zip_equal(operands, op.getOutputs()))
      if (varied.contains(operand))
        add(operand, gradient);
    return success();
  }

  /// One stack for each repetition that read `value`: what adds them up is a repetition, too.
  Value sumOf(ArrayRef<Value> parts, Value value) {
    if (parts.size() == 1)
      return parts.front();
    auto type = cast<StackType>(value.getType());
    auto owner = cast<func::FuncOp>(b.getInsertionBlock()->getParentOp());
    SmallVector<Type> rounds(parts.size(), type.getElement());
    OpBuilder inner(b.getContext());
    auto round = func::FuncOp::create(inner, value.getLoc(), (owner.getSymName() + ".sum").str(),
                                      b.getFunctionType(rounds, type.getElement()));
    round.setPrivate();
    symbols.insert(round);
    Block *body = round.addEntryBlock();
    inner.setInsertionPointToEnd(body);
    Value sum;
    for (auto [part, argument] : llvm::zip_equal(parts, body->getArguments()))
      sum = sum ? arith::AddFOp::create(inner, part.getLoc(), sum, argument) : Value(argument);
    if (!sum)
      sum = arith::ConstantOp::create(inner, value.getLoc(), b.getZeroAttr(type.getElement()));
    func::ReturnOp::create(inner, value.getLoc(), sum);
    return RepeatOp::create(b, value.getLoc(), type, round.getSymName(), type.getCount(),
                            /*carried=*/ValueRange(), /*shared=*/ValueRange(), /*each=*/parts,
                            /*reverse=*/false)
        .getResult(0);
  }

  OpBuilder &b;
  SymbolTable &symbols;
  DenseMap<Value, Value> gradients;
  DenseMap<Value, SmallVector<Value>> stacks; ///< gradients of stacks, not added up yet
  DenseSet<Value> varied;
};

class DifferentiatePass : public mom::impl::DifferentiatePassBase<DifferentiatePass> {
public:
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    SymbolTable table(module);
    symbols = &table;
    for (auto func : llvm::to_vector(module.getOps<func::FuncOp>()))
      if (func->hasAttr(attr::kExport) && func->hasAttr(attr::kLayer) && failed(exportLayer(func)))
        return signalPassFailure();
    auto name = module->getAttrOfType<FlatSymbolRefAttr>(attr::kModel);
    if (!name)
      return;
    auto model = table.lookup<func::FuncOp>(name.getValue());
    if (!model) {
      module.emitError() << "the module names the model " << name << ", but has no such function";
      return signalPassFailure();
    }
    model->setAttr(attr::kEntry, StringAttr::get(&getContext(), "loss"));
    if (training && failed(buildGradient(model)))
      signalPassFailure();
  }

private:
  /// An empty copy of `func`'s signature under another name, at the module's end.
  func::FuncOp declare(func::FuncOp func, const Twine &name) {
    OpBuilder b(&getContext());
    auto copy = func::FuncOp::create(b, func.getLoc(), name.str(), func.getFunctionType());
    symbols->insert(copy);
    copy.addEntryBlock();
    for (auto [from, to] : llvm::zip_equal(func.getArguments(), copy.getArguments()))
      to.setLoc(from.getLoc());
    if (func.getArgAttrsAttr())
      copy.setArgAttrsAttr(func.getArgAttrsAttr());
    return copy;
  }

  /// Clones `from`'s body into `to`, ready to be differentiated: repetitions
  /// become mom.forward, scans keep checkpoints. Returns what `from` returns.
  FailureOr<SmallVector<Value>> cloneForward(func::FuncOp from, func::FuncOp to) {
    OpBuilder b = OpBuilder::atBlockEnd(&to.getBody().front());
    IRMapping map;
    map.map(from.getArguments(), to.getArguments());
    for (Operation &op : from.getBody().front().without_terminator()) {
      if (auto repeat = dyn_cast<RepeatOp>(op)) {
        FailureOr<func::FuncOp> joint = jointOf(repeat.getCallee());
        if (failed(joint))
          return failure();
        auto mapped = [&](ValueRange values) {
          return llvm::map_to_vector(values, [&](Value v) { return map.lookup(v); });
        };
        auto forward = ForwardOp::create(b, op.getLoc(), repeat.getOutputs().getTypes(),
                                         TapeType::get(&getContext()), joint->getSymName(),
                                         repeat.getCount(), mapped(repeat.getCarried()),
                                         mapped(repeat.getShared()), mapped(repeat.getEach()));
        map.map(repeat.getOutputs(), forward.getOutputs());
        continue;
      }
      if (auto scan = dyn_cast<ScanOp>(op); scan && !scan.getCheckpoints()) {
        cloneWithCheckpoints(b, scan, map);
        continue;
      }
      b.clone(op, map);
    }
    return llvm::map_to_vector(from.getBody().front().getTerminator()->getOperands(),
                               [&](Value v) { return map.lookup(v); });
  }

  /// A GPU has memory for few states, and keeps all those from one checkpoint to the next on
  /// chip: the more of them a token has, the fewer its tokens.
  static int64_t checkpointFor(int64_t states) {
    return states <= 16 ? 64 : states <= 64 ? 32 : 16;
  }

  void cloneWithCheckpoints(OpBuilder &b, ScanOp scan, IRMapping &map) {
    auto A = cast<RankedTensorType>(scan.getA().getType());
    int64_t states = A.getNumElements(), tokens = checkpoint;
    auto rows = RowsAttr::get(&getContext(), RowSpace::chunk,
                              tokens ? tokens : checkpointFor(A.getDimSize(1)), StringAttr());
    auto type = RankedTensorType::get({ShapedType::kDynamic, states}, b.getF32Type(), rows);
    auto optional = [&](Value v) { return v ? map.lookup(v) : Value(); };
    auto copy =
        ScanOp::create(b, scan.getLoc(), scan.getY().getType(),
                       scan.getFinal() ? scan.getFinal().getType() : Type(), type,
                       map.lookup(scan.getU()), map.lookup(scan.getDelta()),
                       map.lookup(scan.getA()), map.lookup(scan.getB()), map.lookup(scan.getC()),
                       map.lookup(scan.getBatch()), optional(scan.getInit()), scan.getReverse());
    map.map(scan.getY(), copy.getY());
    if (scan.getFinal())
      map.map(scan.getFinal(), copy.getFinal());
  }

  static SmallVector<Operation *> opsOf(func::FuncOp func) {
    SmallVector<Operation *> ops;
    for (Operation &op : func.getBody().front())
      ops.push_back(&op);
    return ops;
  }

  /// The joint function of a layer, made once.
  FailureOr<func::FuncOp> jointOf(StringRef layer) {
    std::string name = (layer + ".joint").str();
    if (auto done = symbols->lookup<func::FuncOp>(name))
      return done;
    auto from = symbols->lookup<func::FuncOp>(layer);
    func::FuncOp joint = declare(from, name);
    joint.setPrivate();
    joint->setAttr(attr::kJoint, UnitAttr::get(&getContext()));
    FailureOr<SmallVector<Value>> results = cloneForward(from, joint);
    if (failed(results))
      return failure();
    SmallVector<Operation *> ops = opsOf(joint);

    OpBuilder b = OpBuilder::atBlockEnd(&joint.getBody().front());
    Reverse reverse(b, *symbols);
    SmallVector<Value> wanted;
    for (BlockArgument argument : joint.getArguments())
      if (isFloatTensor(argument.getType()) || isa<StackType>(argument.getType())) {
        wanted.push_back(argument);
        reverse.wants(argument);
      }
    for (Value result : *results) {
      unsigned index = joint.getNumArguments();
      (void)joint.insertArgument(index, result.getType(), {}, result.getLoc());
      reverse.seed(result, joint.getArgument(index));
    }
    if (failed(reverse.run(ops)))
      return failure();
    SmallVector<Value> returned(*results);
    for (Value value : wanted)
      returned.push_back(reverse.get(value));
    func::ReturnOp::create(b, joint.getLoc(), returned);
    joint.setFunctionType(
        b.getFunctionType(joint.getArgumentTypes(), TypeRange(ValueRange(returned))));
    joint->setAttr(attr::kCarried, b.getI64IntegerAttr(results->size()));
    return joint;
  }

  LogicalResult buildGradient(func::FuncOp model) {
    FailureOr<unsigned> loss = findLoss(model);
    if (failed(loss))
      return failure();
    func::FuncOp func = declare(model, model.getSymName() + ".gradient");
    OpBuilder b(&getContext());
    func->setAttr(attr::kEntry, b.getStringAttr("gradient"));
    FailureOr<SmallVector<Value>> results = cloneForward(model, func);
    if (failed(results))
      return failure();
    SmallVector<Operation *> ops = opsOf(func);
    b.setInsertionPointToEnd(&func.getBody().front());
    Reverse reverse(b, *symbols);
    for (BlockArgument argument : func.getArguments())
      if (func.getArgAttr(argument.getArgNumber(), attr::kParam))
        reverse.wants(argument);
    Value minimised = (*results)[*loss];
    auto one = DenseElementsAttr::get(cast<ShapedType>(minimised.getType()), b.getF32FloatAttr(1));
    reverse.seed(minimised, arith::ConstantOp::create(b, minimised.getLoc(), one));
    if (failed(reverse.run(ops)))
      return failure();

    SmallVector<Value> returned(*results);
    SmallVector<Attribute> attributes;
    for (unsigned i = 0; i < results->size(); ++i)
      attributes.push_back(b.getDictionaryAttr(model.getResultAttrs(i)));
    for (BlockArgument argument : func.getArguments()) {
      Attribute name = func.getArgAttr(argument.getArgNumber(), attr::kParam);
      if (!name)
        continue;
      // Layers that the loss does not depend on: gradients stay the zeros they begin as.
      if (isa<StackType>(argument.getType()) && !reverse.has(argument))
        continue;
      returned.push_back(reverse.get(argument));
      attributes.push_back(b.getDictionaryAttr(b.getNamedAttr(attr::kGradient, name)));
    }
    func::ReturnOp::create(b, func.getLoc(), returned);
    func.setFunctionType(
        b.getFunctionType(func.getArgumentTypes(), TypeRange(ValueRange(returned))));
    func.setResAttrsAttr(b.getArrayAttr(attributes));
    return success();
  }

  FailureOr<unsigned> findLoss(func::FuncOp model) {
    StringRef wanted;
    if (auto train = getOperation()->getAttrOfType<DictionaryAttr>(attr::kTrain))
      if (auto name = train.getAs<StringAttr>("loss"))
        wanted = name.getValue();
    for (unsigned i = 0; i < model.getNumResults(); ++i)
      if (auto name = model.getResultAttrOfType<StringAttr>(i, attr::kLoss))
        if (wanted.empty() || name.getValue() == wanted)
          return i;
    InFlightDiagnostic error = model.emitError("expected a loss");
    if (!wanted.empty())
      error << " named '" << wanted << "'";
    return error << " to minimise";
  }

  /// `@f` and `@f.vjp` as entries: all arguments are the caller's tensors.
  LogicalResult exportLayer(func::FuncOp layer) {
    FailureOr<func::FuncOp> joint = jointOf(layer.getSymName());
    if (failed(joint))
      return failure();
    OpBuilder b(&getContext());
    for (func::FuncOp from : {layer, *joint}) {
      func::FuncOp entry = from.clone();
      bool vjp = from == *joint;
      entry.setSymName((layer.getSymName() + (vjp ? ".vjp" : "") + ".entry").str());
      symbols->insert(entry);
      entry.setPublic();
      entry->removeAttr(attr::kLayer);
      entry->removeAttr(attr::kJoint);
      entry->removeAttr(attr::kExport);
      entry->setAttr(attr::kEntry, b.getStringAttr(layer.getSymName() + (vjp ? ".vjp" : "")));
      nameInterface(layer, entry);
    }
    return success();
  }

  void nameInterface(func::FuncOp layer, func::FuncOp entry) {
    OpBuilder b(&getContext());
    SmallVector<std::string> names; // of float arguments, then of results
    for (auto [i, argument] : llvm::enumerate(layer.getArguments())) {
      if (isa<BatchType>(argument.getType()))
        continue;
      std::string name = "arg" + std::to_string(i);
      if (auto param = layer.getArgAttrOfType<StringAttr>(i, attr::kParam))
        name = param.str();
      else if (auto loc = argument.getLoc()->findInstanceOf<NameLoc>())
        name = loc.getName().str();
      entry.setArgAttr(i, attr::kInput, b.getStringAttr(name));
      entry.removeArgAttr(i, StringAttr::get(&getContext(), attr::kParam));
      names.push_back(name);
    }
    unsigned results = layer.getNumResults();
    auto resultName = [&](unsigned i) {
      return results == 1 ? std::string("y") : "y" + std::to_string(i);
    };
    for (unsigned i = layer.getNumArguments(); i < entry.getNumArguments(); ++i)
      entry.setArgAttr(i, attr::kInput,
                       b.getStringAttr("d" + resultName(i - layer.getNumArguments())));
    for (unsigned i = 0; i < entry.getNumResults(); ++i)
      entry.setResultAttr(i, attr::kOutput,
                          b.getStringAttr(i < results ? resultName(i) : "d" + names[i - results]));
  }

  SymbolTable *symbols = nullptr;
};
} // namespace
