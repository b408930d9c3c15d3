// Entries of a model by names.
#include "compiler/tools/mom-compare/Entry.h"

#include "momrt/table.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mom;

func::FuncOp compare::entryNamed(ModuleOp module, StringRef name) {
  for (auto func : module.getOps<func::FuncOp>())
    if (auto entry = func->getAttrOfType<StringAttr>(attr::kEntry);
        entry && entry.getValue() == name)
      return func;
  return {};
}

static reference::Tensor toTensor(const momrt::NamedTensor &tensor) {
  reference::Tensor result;
  result.shape.assign(tensor.shape.begin(), tensor.shape.end());
  result.data = tensor.data;
  return result;
}

static std::shared_ptr<const reference::Batch> toBatch(const momrt::BatchDescription &description,
                                                       int64_t groups) {
  auto batch = std::make_shared<reference::Batch>();
  for (const momrt_segment &segment : description.segments)
    batch->segments.push_back({segment.start, segment.length, segment.initial, segment.final});
  batch->modality = description.modality;
  batch->tokens = description.modality.size();
  batch->streams = description.streams;
  batch->documents = description.documents;
  batch->groups = groups;
  batch->fillRoute();
  return batch;
}

int64_t compare::groupsOf(ModuleOp module) {
  auto all = module->getAttrOfType<DictionaryAttr>(attr::kModalities);
  return all && !all.empty() ? cast<ArrayAttr>(all.begin()->getValue()).size() : 1;
}

/// `{}` in a parameter's name stands for the round; a layer used once has none, or the only one.
static std::string nameOfRound(StringRef name, int64_t round) {
  auto [before, after] = name.split("{}");
  return name.contains("{}") ? (before + Twine(round) + after).str() : name.str();
}

using Tensors = llvm::StringMap<const momrt::NamedTensor *>;

/// The tensor of a file for an argument that is an input; null if it is none, or absent.
static const momrt::NamedTensor *tensorFor(func::FuncOp func, unsigned index,
                                           const momrt::Request &request) {
  auto name = func.getArgAttrOfType<StringAttr>(index, attr::kInput);
  for (const momrt::NamedTensor &tensor : request.tensors)
    if (name && tensor.name == name.getValue())
      return &tensor;
  return nullptr;
}

/// The shape of an input; of a stack, that of all rounds.
static SmallVector<int64_t> shapeOf(Type type, const reference::Batch *batch) {
  auto stack = dyn_cast<StackType>(type);
  Type element = stack ? stack.getElement() : type;
  SmallVector<int64_t> shape = reference::shapeFor(cast<RankedTensorType>(element), batch);
  if (stack)
    shape.insert(shape.begin(), stack.getCount());
  return shape;
}

/// Rows of one channel have an axis for it.
static SmallVector<int64_t> shapeOf(const momrt::NamedTensor &tensor, Type type) {
  SmallVector<int64_t> shape(tensor.shape.begin(), tensor.shape.end());
  if (isRows(type) && shape.size() == 1)
    shape.push_back(1);
  return shape;
}

/// As the interpreter wants it.
static reference::Value toInput(const momrt::NamedTensor &tensor, Type type) {
  reference::Tensor value = toTensor(tensor);
  value.shape = shapeOf(tensor, type);
  auto stack = dyn_cast<StackType>(type);
  if (!stack)
    return value;
  reference::Stack rounds;
  int64_t size = int64_t(value.data.size()) / stack.getCount();
  for (int64_t i = 0; i < stack.getCount(); ++i) {
    reference::Tensor round;
    round.shape.assign(value.shape.begin() + 1, value.shape.end());
    round.data.assign(value.data.begin() + i * size, value.data.begin() + (i + 1) * size);
    rounds.values.push_back(std::move(round));
  }
  return rounds;
}

static std::string shapeText(ArrayRef<int64_t> shape) {
  return llvm::formatv("[{0:$[, ]}]", llvm::make_range(shape.begin(), shape.end()));
}

std::string compare::checkInputs(func::FuncOp func, const momrt::Request &request) {
  auto batch = toBatch(request.batch, groupsOf(func->getParentOfType<ModuleOp>()));
  if (std::string wrong = batch->check(); !wrong.empty())
    return wrong;
  for (BlockArgument argument : func.getArguments()) {
    auto name = func.getArgAttrOfType<StringAttr>(argument.getArgNumber(), attr::kInput);
    Type type = argument.getType();
    if (!name || !isa<RankedTensorType, StackType>(type))
      continue;
    const momrt::NamedTensor *tensor = tensorFor(func, argument.getArgNumber(), request);
    if (!tensor)
      return ("expected an input '" + name.getValue() + "', but the file has none").str();
    SmallVector<int64_t> expected = shapeOf(type, batch.get());
    if (expected != shapeOf(*tensor, type))
      return ("expected the input '" + name.getValue() + "' of shape " + shapeText(expected) +
              ", but got " + shapeText(tensor->shape))
          .str();
  }
  return "";
}

/// What a stream carries before its first token.
static reference::Value zerosOf(Type type, const reference::Batch &batch) {
  if (auto stack = dyn_cast<StackType>(type)) {
    reference::Stack values;
    values.values.assign(stack.getCount(), zerosOf(stack.getElement(), batch));
    return values;
  }
  return reference::Tensor::zeros(reference::shapeFor(cast<RankedTensorType>(type), &batch));
}

/// An argument of the entry: the batch, a parameter (a stack of its rounds), an input of that
/// name, or a state.
static reference::Value argumentValue(func::FuncOp func, BlockArgument argument,
                                      const momrt::Request &request, const Tensors &parameters,
                                      const std::shared_ptr<const reference::Batch> &batch) {
  unsigned index = argument.getArgNumber();
  if (isa<BatchType>(argument.getType()))
    return batch;
  if (auto name = func.getArgAttrOfType<StringAttr>(index, attr::kParam)) {
    auto stack = dyn_cast<StackType>(argument.getType());
    if (!stack)
      return toTensor(*parameters.lookup(nameOfRound(name.getValue(), 0)));
    reference::Stack values;
    for (int64_t i = 0; i < static_cast<int64_t>(stack.getCount()); ++i)
      values.values.push_back(toTensor(*parameters.lookup(nameOfRound(name.getValue(), i))));
    return values;
  }
  if (const momrt::NamedTensor *tensor = tensorFor(func, index, request))
    return toInput(*tensor, argument.getType());
  assert(!func.getArgAttr(index, attr::kInput) && "checked before");
  return zerosOf(argument.getType(), *batch);
}

/// The name of a result, as `momc run` writes it; empty for a state, which it does not.
static std::string resultName(func::FuncOp func, unsigned index) {
  for (auto [key, kind] : {std::pair(attr::kLoss, MOMRT_OUTPUT_LOSS),
                           {attr::kSum, MOMRT_OUTPUT_SUM},
                           {attr::kCount, MOMRT_OUTPUT_COUNT},
                           {attr::kOutput, MOMRT_OUTPUT_TENSOR}})
    if (auto name = func.getResultAttrOfType<StringAttr>(index, key))
      return momrt::outputName(kind, name.str());
  if (auto name = func.getResultAttrOfType<StringAttr>(index, attr::kGradient))
    return "gradient." + name.str();
  return "";
}

/// Of a stack each round by its name, as parameters are, or `together` in one tensor.
static void addResult(const std::string &name, const reference::Value &value, bool together,
                      std::vector<momrt::NamedTensor> &results) {
  auto add = [&](const std::string &name, const reference::Value &value) {
    if (const reference::Tensor *tensor = value.tensor())
      results.push_back(
          {name, MOMRT_F64, {tensor->shape.begin(), tensor->shape.end()}, tensor->data});
  };
  const reference::Stack *stack = value.stack();
  if (!stack)
    return add(together ? name : nameOfRound(name, 0), value);
  if (!together) {
    for (auto [i, element] : llvm::enumerate(stack->values))
      add(nameOfRound(name, i), element);
    return;
  }
  add(name, stack->values.front());
  momrt::NamedTensor &all = results.back();
  for (const reference::Value &round : ArrayRef(stack->values).drop_front())
    llvm::append_range(all.data, round.tensor()->data);
  all.shape.insert(all.shape.begin(), int64_t(stack->values.size()));
}

SmallVector<reference::Value> compare::argumentsOf(func::FuncOp func, const momrt::Request &request,
                                                   ArrayRef<momrt::NamedTensor> parameters) {
  Tensors byName;
  for (const momrt::NamedTensor &parameter : parameters)
    byName[parameter.name] = &parameter;
  auto batch = toBatch(request.batch, groupsOf(func->getParentOfType<ModuleOp>()));
  SmallVector<reference::Value> arguments;
  for (BlockArgument argument : func.getArguments())
    arguments.push_back(argumentValue(func, argument, request, byName, batch));
  return arguments;
}

llvm::StringMap<std::vector<int64_t>> compare::resultShapes(func::FuncOp func) {
  llvm::StringMap<std::vector<int64_t>> shapes;
  for (auto [i, type] : llvm::enumerate(func.getResultTypes())) {
    if (!isa<RankedTensorType, StackType>(type))
      continue;
    SmallVector<int64_t> shape = shapeOf(type, nullptr);
    if (!ShapedType::isDynamicShape(shape))
      shapes[resultName(func, i)].assign(shape.begin(), shape.end());
  }
  return shapes;
}

std::vector<momrt::NamedTensor> compare::namedResults(func::FuncOp func,
                                                      ArrayRef<reference::Value> values) {
  std::vector<momrt::NamedTensor> results;
  for (auto [i, value] : llvm::enumerate(values))
    if (std::string name = resultName(func, i); !name.empty())
      addResult(name, value, /*together=*/bool(func.getResultAttr(i, attr::kOutput)), results);
  return results;
}
