// mom-assign-storage: what kernels store between each other.
//
// Fusion is over, so the values that cross boundaries are the ones that cost
// bytes; kernels convert as they load and store, and compute in f32. Products are
// the exception: tensor cores multiply narrow numbers, so where rows are narrow
// all operands of products are, and weights have a narrow copy that the update
// writes beside them.
#include "compiler/Fusion/Narrow.h"
#include "dialect/ParameterLayout.h"

namespace mom {
#define GEN_PASS_DECL_ASSIGNSTORAGEPASS
#define GEN_PASS_DEF_ASSIGNSTORAGEPASS
#include "compiler/Fusion/Passes.h.inc"
} // namespace mom

using namespace mlir;
using namespace mom;

namespace {
/// Types of a program's memory, from the precision line of a train block: "bf16
/// (weights f32 + bf16 copy, moments f32)". Null copies: products read the weights.
/// `gradients` are those of weights and those that a layer hands to the one before;
/// `residual` is what layers hand on, `interface` what callers of an exported layer hand in
/// and get.
struct Precision {
  Type rows, weights, copies, moments, gradients, residual, interface;
};

class AssignStoragePass : public mom::impl::AssignStoragePassBase<AssignStoragePass> {
public:
  using Base::Base;

  void runOnOperation() override {
    if (failed(readPrecision()))
      return signalPassFailure();
    if (!precision.rows.isF32())
      narrowRows();
    if (!precision.interface.isF32())
      narrowInterfaces();
    narrowTraining();
    if (precision.copies)
      copyWeights();
    if (!precision.rows.isF32())
      for (auto func : getOperation().getOps<func::FuncOp>())
        narrowProducts(func);
    updateFunctionTypes(getOperation());
    record();
  }

private:
  LogicalResult readPrecision();
  void narrowRows();
  void narrowInterfaces();
  void narrowTraining();
  void narrowState(StringRef space, Type element);
  void copyWeights();
  void storeCopies();
  void addCopiesEntry(const ParameterLayout &layout);
  void narrowProducts(func::FuncOp func);
  Value narrowCopy(Value value, llvm::DenseMap<Value, Value> &copies);
  void record();

  func::FuncOp model() {
    auto name = getOperation()->getAttrOfType<FlatSymbolRefAttr>(attr::kModel);
    return name ? getOperation().lookupSymbol<func::FuncOp>(name.getValue()) : func::FuncOp();
  }

  Precision precision;
};
} // namespace

static Type typeNamed(StringRef name, MLIRContext *context) {
  Builder b(context);
  return llvm::StringSwitch<Type>(name)
      .Case("f32", b.getF32Type())
      .Case("bf16", b.getBF16Type())
      .Case("f16", b.getF16Type())
      .Default(Type());
}

static std::string nameOf(Type type) {
  std::string name;
  llvm::raw_string_ostream(name) << type;
  return name;
}

LogicalResult AssignStoragePass::readPrecision() {
  // The frontend has checked the grammar of a model's line, nobody that of --storage.
  StringRef text = type;
  if (type == "model") {
    auto train = getOperation()->getAttrOfType<DictionaryAttr>(attr::kTrain);
    auto line = train ? train.getAs<StringAttr>("precision") : StringAttr();
    text = line ? line.getValue() : "bf16";
  }
  auto [rows, items] = text.split(" (");
  Type f32 = Float32Type::get(&getContext());
  precision = {typeNamed(rows, &getContext()), f32, Type(), f32, f32, f32, f32};
  if (!precision.rows)
    return getOperation().emitError() << "expected storage f32, bf16 or f16, but got " << rows;
  bool copiesNamed = false;
  for (StringRef item : llvm::split(items.rtrim(')'), ", ")) {
    auto [what, value] = item.split(' ');
    if (what == "weights") {
      auto [weights, copy] = value.split(" + ");
      precision.weights = typeNamed(weights, &getContext());
      precision.copies = typeNamed(copy.split(' ').first, &getContext());
      copiesNamed = true;
    } else if (what == "moments") {
      precision.moments = typeNamed(value, &getContext());
    } else if (what == "gradients") {
      precision.gradients = typeNamed(value, &getContext());
    } else if (what == "residual") {
      precision.residual = typeNamed(value, &getContext());
    } else if (what == "interface") {
      precision.interface = typeNamed(value, &getContext());
    } else if (!what.empty()) {
      return getOperation().emitError() << "expected weights, moments, gradients, residual or "
                                           "interface in the storage '"
                                        << text << "', but got '" << what << "'";
    }
  }
  for (Type named : {precision.weights, precision.moments, precision.gradients, precision.residual,
                     precision.interface})
    if (!named)
      return getOperation().emitError()
             << "expected types f32, bf16 and f16 in the storage '" << text << "'";
  if (precision.interface != precision.rows && !precision.interface.isF32())
    return getOperation().emitError() << "expected an interface of f32 or, as rows are, of "
                                      << rows << ", but got " << precision.interface;
  if (!copiesNamed && !precision.rows.isF32())
    precision.copies = precision.rows;
  if (precision.copies == precision.weights)
    precision.copies = Type();
  return success();
}

/// Rows that only kernels read: their type is ours to choose. One channel (a
/// norm, a loss) saves nothing and keeps its digits. So do states that are carried from
/// batch to batch; a scan's checkpoints end in sums of what is rounded as much, but may be
/// too large for f16.
static bool isStored(Value value, Type element) {
  RowsAttr rows = rowsOf(value);
  if (!rows || channelsOf(value) == 1 || !getElementTypeOrSelf(value.getType()).isF32())
    return false;
  switch (rows.getSpace()) {
  case RowSpace::token:
  case RowSpace::copy:
    return true;
  case RowSpace::chunk:
    return element.isBF16();
  default:
    return false;
  }
}

/// Whether a route is chosen by the value: rounded, experts would be equally likely that
/// are not, and the first of them would get all tokens.
static bool decidesRoute(const SharedValue &shared) {
  return llvm::any_of(shared.readers(), [](BlockArgument argument) {
    return llvm::any_of(argument.getUsers(),
                        [](Operation *user) { return isa<PlanOp, SoftmaxOp>(user); });
  });
}

void AssignStoragePass::narrowRows() {
  auto never = [](func::FuncOp, unsigned, bool) { return false; };
  Type f32 = Float32Type::get(&getContext());
  getOperation().walk([&](KernelOp kernel) {
    for (OpResult value : kernel.getOutputs()) {
      if (!isStored(value, precision.rows))
        continue;
      SharedValue shared(value);
      if (decidesRoute(shared))
        continue;
      Type element[] = {precision.rows, precision.residual, precision.gradients, f32};
      if (shared.isOurs(never) && !element[shared.carriedBy()].isF32())
        shared.narrow(element[shared.carriedBy()]);
    }
  });
}

/// Whether the entry is an exported layer, whose tensors are all the caller's.
static bool isLayer(func::FuncOp entry) { return entry.getSymName().ends_with(".entry"); }

/// Whether a kernel multiplies by the argument or gathers its rows, and nothing else.
static bool isWeight(BlockArgument argument) {
  SmallVector<Value> values = {argument};
  for (Operation *user : argument.getUsers())
    if (auto extend = dyn_cast<arith::ExtFOp>(user))
      values.push_back(extend);
  for (Value value : values)
    for (OpOperand &use : value.getUses()) {
      auto linear = dyn_cast<LinearOp>(use.getOwner());
      auto embedding = dyn_cast<EmbeddingOp>(use.getOwner());
      if (!isa<arith::ExtFOp>(use.getOwner()) && !(linear && linear.getWeights() == use.get()) &&
          !(embedding && embedding.getTable() == use.get()))
        return false;
    }
  return true;
}

static bool isWeightGradient(Value value) {
  auto kernel = value.getDefiningOp<KernelOp>();
  return kernel && llvm::any_of(kernel.getBody().front(), [](Operation &op) {
           return isa<LinearWgradOp>(op);
         });
}

/// Rows of tokens, and the weights of products with their gradients. States that are
/// carried and small parameters, a scan's decays among them, keep their digits.
void AssignStoragePass::narrowInterfaces() {
  for (auto func : getOperation().getOps<func::FuncOp>()) {
    if (!func->hasAttr(attr::kEntry) || !isLayer(func))
      continue;
    auto ours = [&](func::FuncOp at, unsigned, bool) { return at == func; };
    SmallVector<Value> values(func.getArguments());
    llvm::append_range(values, func.getBody().front().getTerminator()->getOperands());
    for (Value value : values) {
      auto type = dyn_cast<RankedTensorType>(value.getType());
      if (!type || !type.getElementType().isF32())
        continue;
      SharedValue shared(value);
      RowsAttr rows = rowsOf(value);
      bool isOfProduct = isWeightGradient(value) || (isa<BlockArgument>(value) &&
                                                     llvm::all_of(shared.readers(), isWeight));
      bool narrow = rows ? rows.getSpace() == RowSpace::token : isOfProduct;
      if (narrow && shared.isOurs(ours))
        shared.narrow(precision.interface);
    }
  }
}

//===----------------------------------------------------------------------===//
// Parameters, gradients and moments
//===----------------------------------------------------------------------===//

static bool isState(func::FuncOp func, unsigned index, bool isResult, StringRef space) {
  auto state = isResult ? func.getResultAttrOfType<StringAttr>(index, attr::kState)
                        : func.getArgAttrOfType<StringAttr>(index, attr::kState);
  return state && state.getValue() == space;
}

/// Whether the argument or result of an entry lies in the flat buffer `space`.
static bool liesIn(func::FuncOp func, unsigned index, bool isResult, StringRef space) {
  if (isState(func, index, isResult, space))
    return true;
  if (space == "gradients")
    return isResult && func.getResultAttr(index, attr::kGradient);
  return space == "parameters" && !isResult && func.getArgAttr(index, attr::kParam);
}

/// Whether f32 is stored: what shares its type with another value is narrowed with that one.
static bool isWide(Value value) {
  Type type = value.getType();
  if (auto stack = dyn_cast<StackType>(type))
    type = stack.getElement();
  return getElementTypeOrSelf(type).isF32();
}

void AssignStoragePass::narrowState(StringRef space, Type element) {
  auto ours = [&](func::FuncOp func, unsigned index, bool isResult) {
    return liesIn(func, index, isResult, space);
  };
  for (auto func : getOperation().getOps<func::FuncOp>()) {
    if (!func->hasAttr(attr::kEntry))
      continue;
    SmallVector<Value> values;
    for (BlockArgument argument : func.getArguments())
      if (ours(func, argument.getArgNumber(), false))
        values.push_back(argument);
    for (OpOperand &returned : func.getBody().front().getTerminator()->getOpOperands())
      if (ours(func, returned.getOperandNumber(), true))
        values.push_back(returned.get());
    for (Value value : values) {
      if (!isWide(value))
        continue; // as a part of another one
      SharedValue shared(value);
      if (shared.isOurs(ours) && !shared.carriedBy())
        shared.narrow(element);
    }
  }
}

void AssignStoragePass::narrowTraining() {
  for (auto [space, element] : {std::pair("parameters", precision.weights),
                                {"gradients", precision.gradients},
                                {"moment1", precision.moments},
                                {"moment2", precision.moments}})
    if (!element.isF32())
      narrowState(space, element);
}

/// What only products and gathers read is read from the copies.
void AssignStoragePass::copyWeights() {
  auto isParameter = [](func::FuncOp func, unsigned index, bool isResult) {
    return !isResult && func.getArgAttr(index, attr::kParam);
  };
  bool any = false;
  for (auto func : getOperation().getOps<func::FuncOp>()) {
    if (!func->hasAttr(attr::kEntry))
      continue;
    for (BlockArgument argument : func.getArguments()) {
      if (!isParameter(func, argument.getArgNumber(), false) || argument.use_empty() ||
          !isWide(argument)) // a layer used twice has both uses' weights
        continue;
      SharedValue shared(argument);
      if (!shared.isOurs(isParameter) || shared.carriedBy() ||
          !llvm::all_of(shared.readers(), isWeight))
        continue;
      shared.narrow(precision.copies);
      any = true;
    }
  }
  if (!any) {
    precision.copies = Type();
    return;
  }
  storeCopies();
  if (model())
    addCopiesEntry(ParameterLayout(model()));
}

static DictionaryAttr stateAt(Builder &b, StringRef space, int64_t offset) {
  return b.getDictionaryAttr({b.getNamedAttr(attr::kState, b.getStringAttr(space)),
                              b.getNamedAttr(attr::kOffset, b.getI64IntegerAttr(offset))});
}

/// The update writes each weight's copy as it writes the weight.
void AssignStoragePass::storeCopies() {
  Builder b(&getContext());
  for (auto func : getOperation().getOps<func::FuncOp>()) {
    if (!func->hasAttr(attr::kEntry))
      continue;
    Operation *terminator = func.getBody().front().getTerminator();
    for (unsigned i = 0, count = terminator->getNumOperands(); i < count; ++i) {
      if (!isState(func, i, true, "parameters"))
        continue;
      auto weights = cast<OpResult>(terminator->getOperand(i));
      int64_t offset = func.getResultAttrOfType<IntegerAttr>(i, attr::kOffset).getInt();
      OpResult copy = addNarrowResult(cast<KernelOp>(weights.getOwner()),
                                      weights.getResultNumber(), precision.copies);
      unsigned last = terminator->getNumOperands();
      terminator->insertOperands(last, copy);
      (void)func.insertResult(last, copy.getType(), stateAt(b, "copies", offset));
    }
  }
}

/// An entry that makes the copies from the weights, for when those were written from
/// outside.
void AssignStoragePass::addCopiesEntry(const ParameterLayout &layout) {
  func::FuncOp like = model();
  OpBuilder b = OpBuilder::atBlockEnd(getOperation().getBody());
  auto func = func::FuncOp::create(b, like.getLoc(), (like.getSymName() + ".copies").str(),
                                   b.getFunctionType({}, {}));
  func->setAttr(attr::kEntry, b.getStringAttr("copies"));
  OpBuilder body = OpBuilder::atBlockEnd(func.addEntryBlock());
  Location loc = NameLoc::get(b.getStringAttr("copies"), like.getLoc());
  SmallVector<Value> copies;
  SmallVector<Attribute> attributes;
  for (const ParameterRange &range : layout.ranges) {
    auto type = RankedTensorType::get({range.size}, b.getF32Type());
    unsigned index = func.getNumArguments();
    (void)func.insertArgument(index, type, stateAt(b, "parameters", range.offset), loc);
    llvm::DenseMap<Value, Value> none;
    copies.push_back(narrowCopy(func.getArgument(index), none));
    copies.back().getDefiningOp()->moveBefore(&func.getBody().front(),
                                              func.getBody().front().end());
    attributes.push_back(stateAt(b, "copies", range.offset));
  }
  func::ReturnOp::create(body, loc, copies);
  updateFunctionTypes(getOperation());
  func.setResAttrsAttr(b.getArrayAttr(attributes));
}

//===----------------------------------------------------------------------===//
// Operands of products
//===----------------------------------------------------------------------===//

/// `value` in the narrow type: one more result of the kernel that makes it, or what a
/// kernel of its own makes of an argument.
Value AssignStoragePass::narrowCopy(Value value, llvm::DenseMap<Value, Value> &copies) {
  if (Value copy = copies.lookup(value))
    return copy;
  Type element = precision.rows.isF32() ? precision.copies : precision.rows;
  if (auto result = dyn_cast<OpResult>(value); result && isa<KernelOp>(result.getOwner())) {
    auto maker = cast<KernelOp>(result.getOwner());
    unsigned index = result.getResultNumber();
    OpResult copy = addNarrowResult(maker, index, element);
    // The maker is another op now, and what was found before is its result.
    return copies[copy.getOwner()->getResult(index)] = copy;
  }
  OpBuilder b(&getContext());
  b.setInsertionPointAfterValue(value);
  std::string name = "copy";
  if (auto loc = value.getLoc()->findInstanceOf<NameLoc>())
    name = loc.getName().str();
  Type narrow = withElement(value.getType(), element);
  auto kernel = KernelOp::create(b, value.getLoc(), narrow, Anchor::map, name, value,
                                 DictionaryAttr());
  Block *body = &kernel.getBody().emplaceBlock();
  BlockArgument argument = body->addArgument(value.getType(), value.getLoc());
  b.setInsertionPointToStart(body);
  Value rounded = arith::TruncFOp::create(b, value.getLoc(), narrow, argument);
  YieldOp::create(b, value.getLoc(), rounded);
  return copies[value] = kernel.getResult(0);
}

/// The input of the kernel that an operand of its product is, or a part of, in f32.
static std::optional<unsigned> wideInput(Value operand) {
  while (Operation *op = operand.getDefiningOp()) {
    if (!isa<SplitOp>(op))
      return std::nullopt; // narrow already, or computed here
    operand = op->getOperand(0);
  }
  auto argument = cast<BlockArgument>(operand);
  auto type = dyn_cast<RankedTensorType>(argument.getType());
  if (!type || !type.getElementType().isF32())
    return std::nullopt;
  return argument.getArgNumber();
}

void AssignStoragePass::narrowProducts(func::FuncOp func) {
  llvm::DenseMap<Value, Value> copies;
  // Ops are replaced as results are added to them, so each round looks afresh.
  auto next = [&]() -> std::pair<KernelOp, unsigned> {
    for (auto kernel : func.getOps<KernelOp>())
      for (Operation &op : kernel.getBody().front())
        if (isa<LinearOp, LinearWgradOp>(op))
          for (Value operand : op.getOperands().take_front(2))
            if (std::optional<unsigned> input = wideInput(operand))
              return {kernel, *input};
    return {};
  };
  for (auto [kernel, input] = next(); kernel; std::tie(kernel, input) = next()) {
    // What else the kernel does with the value, it does with all its digits.
    Value copy = narrowCopy(kernel.getInputs()[input], copies);
    BlockArgument wide = kernel.getBody().getArgument(input);
    BlockArgument narrow = kernel.addInput(copy);
    OpBuilder b = OpBuilder::atBlockBegin(&kernel.getBody().front());
    Value extended = arith::ExtFOp::create(b, wide.getLoc(), wide.getType(), narrow);
    // Products read views of the copy.
    IRMapping map;
    map.map(wide, extended);
    for (Operation &op : llvm::make_early_inc_range(kernel.getBody().front())) {
      if (auto split = dyn_cast<SplitOp>(op); split && map.contains(split.getX())) {
        b.setInsertionPoint(split);
        auto view = cast<SplitOp>(b.clone(op, map));
        map.map(split.getParts(), view.getParts());
      } else if (isa<LinearOp, LinearWgradOp>(op)) {
        for (OpOperand &operand : op.getOpOperands().take_front(2))
          if (map.contains(operand.get()))
            operand.set(map.lookup(operand.get()));
      }
    }
    if (wide.use_empty() ||
        llvm::all_of(wide.getUsers(), [](Operation *user) { return user->use_empty(); })) {
      for (Operation *user : llvm::make_early_inc_range(wide.getUsers()))
        user->erase();
      kernel.eraseInput(input);
    }
  }
}

/// The launch table says what the flat buffers hold.
void AssignStoragePass::record() {
  Builder b(&getContext());
  auto name = [&](Type type) { return b.getStringAttr(nameOf(type)); };
  NamedAttrList types;
  types.set("parameters", name(precision.weights));
  types.set("gradients", name(precision.gradients));
  types.set("moments", name(precision.moments));
  if (precision.copies)
    types.set("copies", name(precision.copies));
  getOperation()->setAttr(attr::kStorage, types.getDictionary(&getContext()));
}
