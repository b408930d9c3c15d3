// The module and its attributes; functions, their arguments and statements.
// Expressions and parts are in ExprGen.cpp.
#include "frontend/MLIRGen.h"

#include "frontend/Defaults.h"
#include "frontend/SourceLocation.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace mom;
using namespace mom::frontend;
using namespace mom::frontend::ast;
using llvm::StringRef;

/// On a function that the text exports.
static constexpr llvm::StringLiteral kExport = attr::kExport;
/// The name of a sum of losses.
static constexpr llvm::StringLiteral kTotal = "total";

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

static RowsAttr rowsAttr(MLIRContext *context, Space space) {
  switch (space) {
  case Space::Token:
    return RowsAttr::get(context, RowSpace::token);
  case Space::Stream:
    return RowsAttr::get(context, RowSpace::stream);
  case Space::Document:
    return RowsAttr::get(context, RowSpace::document);
  case Space::Copy:
    break;
  }
  llvm_unreachable("copies have the rows of their route");
}

static RowsAttr rowsAttr(const ast::Type &type, MLIRContext *context) {
  if (type.space != Space::Copy)
    return rowsAttr(context, type.space);
  return RowsAttr::get(context, RowSpace::copy, type.route->copies,
                       StringAttr::get(context, type.route->routeName));
}

mlir::Type mom::frontend::convert(const ast::Type &type, MLIRContext *context) {
  auto f32 = Float32Type::get(context);
  if (type.kind == ast::Type::Static)
    return RankedTensorType::get(type.shape, f32);
  if (type.kind == ast::Type::Labels)
    return RankedTensorType::get({ShapedType::kDynamic, 1}, IntegerType::get(context, 32),
                                 rowsAttr(context, type.space));
  assert(type.kind == ast::Type::Rows && "a checked tree has tensors here");
  return RankedTensorType::get({ShapedType::kDynamic, type.channels()}, f32,
                               rowsAttr(type, context));
}

static mlir::Type parameterType(const Parameter &parameter, MLIRContext *context) {
  mlir::Type type = RankedTensorType::get(parameter.shape, Float32Type::get(context));
  for (int64_t count : llvm::reverse(parameter.stacks))
    type = StackType::get(context, count, type);
  return type;
}

static InitAttr initAttr(const Init &init, MLIRContext *context) {
  switch (init.kind) {
  case Init::Constant:
    return InitAttr::get(context, InitKind::constant, init.a, init.b);
  case Init::Uniform:
    return InitAttr::get(context, InitKind::uniform, init.a, init.b);
  case Init::Normal:
    return InitAttr::get(context, InitKind::normal, init.a, init.b);
  case Init::LogIota:
    return InitAttr::get(context, InitKind::log_iota, init.a, init.b);
  case Init::Dt:
    return InitAttr::get(context, InitKind::dt, init.a, init.b);
  }
  llvm_unreachable("initial values have one of the kinds above");
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

Location FunctionGen::locate(llvm::SMRange range, StringRef name) const {
  Location place = mom::frontend::locate(module.sources, range.Start, builder.getContext());
  return name.empty() ? place : NameLoc::get(builder.getStringAttr(name), place);
}

Location FunctionGen::locate(StringRef name) const {
  return NameLoc::get(builder.getStringAttr(name),
                      mom::frontend::locate(module.sources, name, builder.getContext()));
}

DictionaryAttr FunctionGen::dictionary(StringRef name, StringRef value) const {
  return builder.getDictionaryAttr(builder.getNamedAttr(name, builder.getStringAttr(value)));
}

func::FuncOp FunctionGen::begin(const FunctionDecl &decl, StringRef marker) {
  auto function =
      func::FuncOp::create(builder, locate(decl.name), decl.name, builder.getFunctionType({}, {}));
  if (!marker.empty())
    function->setAttr(marker, builder.getUnitAttr());
  if (decl.exported)
    function->setAttr(kExport, builder.getUnitAttr());
  block = new Block();
  function.getBody().push_back(block);
  builder.setInsertionPointToEnd(block);
  return function;
}

Value FunctionGen::addArgument(mlir::Type type, Location location, DictionaryAttr attributes) {
  argumentAttributes.push_back(attributes ? attributes : builder.getDictionaryAttr({}));
  return block->addArgument(type, location);
}

void FunctionGen::addParameters(const FunctionDecl &decl) {
  const auto *train = module.first<TrainDecl>();
  for (const Parameter &parameter : parametersOf(decl)) {
    NamedAttribute attributes[] = {
        builder.getNamedAttr(attr::kParam, builder.getStringAttr(parameter.name)),
        builder.getNamedAttr(attr::kInit, initAttr(parameter.init, builder.getContext())),
        builder.getNamedAttr(attr::kDecay, builder.getF64FloatAttr(decayOf(parameter, train)))};
    Location place =
        mom::frontend::locate(module.sources, parameter.source->name, builder.getContext());
    std::string path = parameter.name; // braces are no part of an SSA name
    for (size_t round = path.find("{}."); round != std::string::npos; round = path.find("{}."))
      path.erase(round, 3);
    bound[parameter.owner].push_back(addArgument(parameterType(parameter, builder.getContext()),
                                                 NameLoc::get(builder.getStringAttr(path), place),
                                                 builder.getDictionaryAttr(attributes)));
  }
}

void FunctionGen::end(func::FuncOp function, ValueRange results,
                      ArrayRef<DictionaryAttr> attributes, Location location) {
  func::ReturnOp::create(builder, location, results);
  function.setFunctionType(builder.getFunctionType(block->getArgumentTypes(), results.getTypes()));
  function.setAllArgAttrs(argumentAttributes);
  if (!attributes.empty())
    function.setAllResultAttrs(attributes);
  builder.setInsertionPointAfter(function);
}

/// func.func private @name(arguments, batch, parameters) -> results
func::FuncOp FunctionGen::layer(const FunctionDecl &decl) {
  func::FuncOp function = begin(decl, attr::kLayer);
  function.setPrivate();
  for (const ValueDecl *argument : decl.arguments)
    bound[argument] = {
        addArgument(convert(argument->type, builder.getContext()), locate(argument->name))};
  batch = addArgument(BatchType::get(builder.getContext()),
                      NameLoc::get(builder.getStringAttr("batch"), function.getLoc()));
  addParameters(decl);
  for (const Node *node : decl.body) {
    if (auto *statement = llvm::dyn_cast<BindStmt>(node))
      bind(*statement);
    if (auto *statement = llvm::dyn_cast<ReturnStmt>(node)) {
      Values results;
      for (const Expr *expr : statement->values)
        results.push_back(value(expr));
      end(function, results, {}, locate(statement->range, {}));
    }
  }
  return function;
}

/// func.func @name(batch, fields, parameters) -> losses and metrics
func::FuncOp FunctionGen::model(const FunctionDecl &decl) {
  func::FuncOp function = begin(decl, {});
  batch = addArgument(BatchType::get(builder.getContext()),
                      NameLoc::get(builder.getStringAttr("batch"), function.getLoc()));
  if (const auto *declared = module.first<BatchDecl>())
    for (const FieldDecl *field : declared->fields()) {
      llvm::SmallVector<NamedAttribute> attributes = {
          builder.getNamedAttr(attr::kInput, builder.getStringAttr(field->name))};
      if (field->type.kind == ast::Type::Labels)
        attributes.push_back(
            builder.getNamedAttr(attr::kLimit, builder.getI64IntegerAttr(field->type.limit)));
      if (!field->draw.empty())
        attributes.push_back(builder.getNamedAttr(attr::kDraw, builder.getStringAttr(field->draw)));
      if (field->onlyIndex >= 0)
        attributes.push_back(
            builder.getNamedAttr(attr::kOnly, builder.getI64IntegerAttr(field->onlyIndex)));
      bound[field] = {addArgument(convert(field->type, builder.getContext()), locate(field->name),
                                  builder.getDictionaryAttr(attributes))};
    }
  addParameters(decl);
  Values results;
  llvm::SmallVector<DictionaryAttr> attributes;
  for (const Node *node : decl.body) {
    if (auto *statement = llvm::dyn_cast<BindStmt>(node))
      bind(*statement);
    if (auto *statement = llvm::dyn_cast<MeasureStmt>(node))
      measure(*statement, results, attributes);
  }
  if (const auto *train = module.first<TrainDecl>(); train && !train->isOneLoss())
    total(*train, results, attributes);
  end(function, results, attributes, function.getLoc());
  return function;
}

//===----------------------------------------------------------------------===//
// Statements
//===----------------------------------------------------------------------===//

void FunctionGen::bind(const BindStmt &statement) {
  if (statement.isRoute)
    return bindRoute(*llvm::cast<CallExpr>(statement.value));
  std::string name;
  for (const ValueDecl *decl : statement.names)
    name += (name.empty() ? "" : ".") + decl->name.str();
  Values results = values(statement.value, name);
  for (auto [decl, result] : llvm::zip_equal(statement.names, results))
    bound[decl] = {result};
}

/// The sum of losses that is minimized.
void FunctionGen::total(const TrainDecl &train, Values &results,
                        llvm::SmallVectorImpl<DictionaryAttr> &attributes) {
  Location location = locate(train.minimize->range, kTotal);
  Value sum;
  for (auto [name, factor] : train.losses) {
    DictionaryAttr wanted = dictionary(attr::kLoss, name);
    Value term = affine(results[llvm::find(attributes, wanted) - attributes.begin()], factor, 0,
                        location);
    sum = sum ? arith::AddFOp::create(builder, location, sum, term).getResult() : term;
  }
  results.push_back(sum);
  attributes.push_back(dictionary(attr::kLoss, kTotal));
}

/// A mean over the rows whose targets are all there: (mean, sum, count) for a
/// loss, (sum, count) for a metric, each of them one a group.
void FunctionGen::measure(const MeasureStmt &statement, Values &results,
                          llvm::SmallVectorImpl<DictionaryAttr> &attributes) {
  Location location = locate(statement.name);
  Value v = value(statement.mean, statement.name); // [rows, 1]
  Value present;                                   // [rows, 1]
  for (const CallExpr *target : statement.mean->types.front().targets) {
    Value labels = targets.lookup(target);
    if (!labels) // only their modality is asked for
      labels = value(target);
    Value one = PresentOp::create(builder, location, v.getType(), labels);
    present = present ? arith::MulFOp::create(builder, location, present, one).getResult() : one;
  }
  if (statement.where) {
    Value one = mask(*statement.where, location);
    present = present ? arith::MulFOp::create(builder, location, present, one).getResult() : one;
  }
  if (present)
    v = arith::MulFOp::create(builder, location, v, present);
  else
    present = affine(v, 0, 1, location);
  if (statement.labels) {
    int64_t groups = module.first<BatchDecl>()->modality->members.size();
    Value group = labelModality(statement.labels, location); // [rows, 1]
    Value oneHot = OneHotOp::create(builder, location, withChannels(v.getType(), groups), group);
    v = arith::MulFOp::create(builder, location, oneHot, broadcast(v, oneHot, groups, location));
    present = arith::MulFOp::create(builder, location, oneHot,
                                    broadcast(present, oneHot, groups, location));
  }
  Value sum = reduceRows(v, location), count = reduceRows(present, location); // [groups] or [1]
  if (statement.isLoss) {
    auto type = cast<RankedTensorType>(count.getType());
    Value one = arith::ConstantOp::create(builder, location, DenseElementsAttr::get(type, 1.0f));
    Value atLeastOne = arith::MaximumFOp::create(builder, location, count, one);
    results.push_back(arith::DivFOp::create(builder, location, sum, atLeastOne));
    attributes.push_back(dictionary(attr::kLoss, statement.name));
  }
  results.append({sum, count});
  attributes.append(
      {dictionary(attr::kSum, statement.name), dictionary(attr::kCount, statement.name)});
}

//===----------------------------------------------------------------------===//
// The module
//===----------------------------------------------------------------------===//

static Attribute constantAttr(const ast::Constant &constant, OpBuilder &builder) {
  switch (constant.kind) {
  case ast::Constant::Integer:
    return builder.getI64IntegerAttr(constant.integer);
  case ast::Constant::Float:
    return builder.getF64FloatAttr(constant.number);
  case ast::Constant::Boolean:
    return builder.getBoolAttr(constant.integer);
  }
  llvm_unreachable("a constant has one of the kinds above");
}

static DictionaryAttr modalities(const ast::Module &module, OpBuilder &builder) {
  llvm::SmallVector<NamedAttribute> entries;
  for (const ModalityDecl *decl : module.all<ModalityDecl>())
    entries.push_back(builder.getNamedAttr(decl->name, builder.getStrArrayAttr(decl->members)));
  return builder.getDictionaryAttr(entries);
}

static DictionaryAttr settings(const ast::Module &module, OpBuilder &builder) {
  llvm::SmallVector<NamedAttribute> entries;
  for (const ConstantDecl *decl : module.all<ConstantDecl>())
    if (decl->isSetting)
      entries.push_back(builder.getNamedAttr(decl->name, constantAttr(*decl->constant, builder)));
  return builder.getDictionaryAttr(entries);
}

/// mom.train, as the header describes it.
static DictionaryAttr training(const TrainDecl &decl, OpBuilder &builder) {
  llvm::SmallVector<Attribute> rates;
  for (const RatePhase &phase : decl.rate) {
    llvm::SmallVector<NamedAttribute> entries = {
        builder.getNamedAttr("kind",
                             builder.getStringAttr(phase.name.empty() ? "constant" : phase.name)),
        builder.getNamedAttr("steps", builder.getI64IntegerAttr(phase.stepCount))};
    if (phase.name != "warmup")
      entries.append({builder.getNamedAttr("from", builder.getF64FloatAttr(phase.from)),
                      builder.getNamedAttr("to", builder.getF64FloatAttr(phase.to))});
    rates.push_back(builder.getDictionaryAttr(entries));
  }
  StringRef precision =
      decl.precision.empty() ? StringRef(defaults::kPrecision) : StringRef(decl.precision);
  return builder.getDictionaryAttr(
      {builder.getNamedAttr("streams", builder.getI64IntegerAttr(decl.streamCount)),
       builder.getNamedAttr("length", builder.getI64IntegerAttr(decl.tokenCount)),
       builder.getNamedAttr("clip", builder.getF64FloatAttr(decl.clipNorm)),
       builder.getNamedAttr("betas", builder.getF64ArrayAttr({decl.beta1, decl.beta2})),
       builder.getNamedAttr("eps", builder.getF64FloatAttr(decl.epsValue)),
       builder.getNamedAttr("accumulate", builder.getI64IntegerAttr(decl.batches)),
       builder.getNamedAttr(
           "loss", builder.getStringAttr(decl.isOneLoss() ? decl.losses[0].first : kTotal)),
       builder.getNamedAttr("precision", builder.getStringAttr(precision)),
       builder.getNamedAttr("rates", builder.getArrayAttr(rates))});
}

/// mom.schedules: [{name, target, comparison, rows, items = [{kind, names, places, knobs =
/// [{name, value, place}], place}], place}], the places being locations.
static ArrayAttr schedules(const ast::Module &module, OpBuilder &builder) {
  MLIRContext *context = builder.getContext();
  auto entry = [&](StringRef name, Attribute value) { return builder.getNamedAttr(name, value); };
  auto place = [&](StringRef slice) -> Attribute {
    return LocationAttr(mom::frontend::locate(module.sources, slice, context));
  };
  llvm::SmallVector<Attribute> all;
  for (const ScheduleDecl *decl : module.all<ScheduleDecl>()) {
    llvm::SmallVector<Attribute> items;
    for (const ScheduleDecl::Item &item : decl->items) {
      llvm::SmallVector<Attribute> knobs, places;
      // `save nothing` is a list of no names.
      bool none = item.kind == "save" && item.names.front() == "nothing";
      llvm::ArrayRef<StringRef> names = none ? llvm::ArrayRef<StringRef>() : item.names;
      for (StringRef name : names)
        places.push_back(place(name));
      for (const ScheduleDecl::Knob &knob : item.knobs)
        knobs.push_back(builder.getDictionaryAttr(
            {entry("name", builder.getStringAttr(knob.name)),
             entry("value", builder.getI64IntegerAttr(knob.number)),
             entry("place", place(knob.place))}));
      items.push_back(builder.getDictionaryAttr(
          {entry("kind", builder.getStringAttr(item.kind)),
           entry("names", builder.getStrArrayAttr(names)),
           entry("places", builder.getArrayAttr(places)),
           entry("knobs", builder.getArrayAttr(knobs)),
           entry("place", place(item.names.front()))}));
    }
    all.push_back(builder.getDictionaryAttr(
        {entry("name", builder.getStringAttr(decl->name)),
         entry("target", builder.getStringAttr(decl->target)),
         entry("comparison", builder.getStringAttr(decl->comparison)),
         entry("rows", builder.getI64IntegerAttr(decl->rowCount)),
         entry("items", builder.getArrayAttr(items)), entry("place", place(decl->name))}));
  }
  return builder.getArrayAttr(all);
}

OwningOpRef<ModuleOp> mom::frontend::generate(ast::Module &module, MLIRContext *context) {
  context->loadDialect<MomDialect, arith::ArithDialect, func::FuncDialect, math::MathDialect>();
  OpBuilder builder(context);
  StringRef text = module.sources.getMemoryBuffer(module.sources.getMainFileID())->getBuffer();
  OwningOpRef<ModuleOp> op =
      ModuleOp::create(builder, mom::frontend::locate(module.sources, text, context));
  (*op)->setAttr(attr::kModalities, modalities(module, builder));
  (*op)->setAttr(attr::kSettings, settings(module, builder));
  builder.setInsertionPointToEnd(op->getBody());
  for (const FunctionDecl *decl : module.all<FunctionDecl>()) {
    FunctionGen generator(module, builder);
    if (decl->isModel)
      (*op)->setAttr(attr::kModel, FlatSymbolRefAttr::get(generator.model(*decl)));
    else
      generator.layer(*decl);
  }
  if (module.first<ScheduleDecl>())
    (*op)->setAttr(attr::kSchedules, schedules(module, builder));
  if (const auto *train = module.first<TrainDecl>())
    (*op)->setAttr(attr::kTrain, training(*train, builder));
  if (failed(verify(*op)))
    return {};
  return op;
}
