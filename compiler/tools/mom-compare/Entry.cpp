// Entries of a model by names.
#include "compiler/tools/mom-compare/Entry.h"

#include "momrt/table.h"

#include "llvm/ADT/StringMap.h"

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

/// An argument of the entry: the batch, a parameter (a stack of its rounds), or
/// an input of that name.
static FailureOr<reference::Value> argumentValue(func::FuncOp func, BlockArgument argument,
                                                 const momrt::Request &request,
                                                 const Tensors &parameters) {
  unsigned index = argument.getArgNumber();
  if (isa<BatchType>(argument.getType()))
    return reference::Value(toBatch(request.batch, compare::groupsOf(func->getParentOfType<ModuleOp>())));
  if (auto name = func.getArgAttrOfType<StringAttr>(index, attr::kParam)) {
    auto stack = dyn_cast<StackType>(argument.getType());
    if (!stack)
      return reference::Value(toTensor(*parameters.lookup(nameOfRound(name.getValue(), 0))));
    reference::Stack values;
    for (int64_t i = 0; i < static_cast<int64_t>(stack.getCount()); ++i)
      values.values.push_back(toTensor(*parameters.lookup(nameOfRound(name.getValue(), i))));
    return reference::Value(std::move(values));
  }
  auto name = func.getArgAttrOfType<StringAttr>(index, attr::kInput);
  for (const momrt::NamedTensor &tensor : request.tensors) {
    if (!name || tensor.name != name.getValue())
      continue;
    reference::Tensor value = toTensor(tensor);
    if (isRows(argument.getType()) && value.shape.size() == 1)
      value.shape.push_back(1);
    return reference::Value(std::move(value));
  }
  return func.emitError() << "expected an input " << name << ", but the file has none";
}

/// The name of a result, as `momc run` writes it.
static std::string resultName(func::FuncOp func, unsigned index) {
  for (auto [key, kind] : {std::pair(attr::kLoss, MOMRT_OUTPUT_LOSS),
                           {attr::kSum, MOMRT_OUTPUT_SUM},
                           {attr::kCount, MOMRT_OUTPUT_COUNT},
                           {attr::kOutput, MOMRT_OUTPUT_TENSOR}})
    if (auto name = func.getResultAttrOfType<StringAttr>(index, key))
      return momrt::outputName(kind, name.str());
  if (auto name = func.getResultAttrOfType<StringAttr>(index, attr::kGradient))
    return "gradient." + name.str();
  return "result" + std::to_string(index);
}

static void addResult(const std::string &name, const reference::Value &value,
                      std::vector<momrt::NamedTensor> &results) {
  auto add = [&](const reference::Value &value, int64_t round) {
    if (const reference::Tensor *tensor = value.tensor())
      results.push_back({nameOfRound(name, round),
                         MOMRT_F64,
                         {tensor->shape.begin(), tensor->shape.end()},
                         tensor->data});
  };
  const reference::Stack *stack = value.stack();
  if (!stack)
    return add(value, 0);
  for (auto [i, element] : llvm::enumerate(stack->values))
    add(element, i);
}

FailureOr<SmallVector<reference::Value>>
compare::argumentsOf(func::FuncOp func, const momrt::Request &request,
                     ArrayRef<momrt::NamedTensor> parameters) {
  Tensors byName;
  for (const momrt::NamedTensor &parameter : parameters)
    byName[parameter.name] = &parameter;
  SmallVector<reference::Value> arguments;
  for (BlockArgument argument : func.getArguments()) {
    FailureOr<reference::Value> value = argumentValue(func, argument, request, byName);
    if (failed(value))
      return failure();
    arguments.push_back(std::move(*value));
  }
  return arguments;
}

std::vector<momrt::NamedTensor> compare::namedResults(func::FuncOp func,
                                                      ArrayRef<reference::Value> values) {
  std::vector<momrt::NamedTensor> results;
  for (auto [i, value] : llvm::enumerate(values))
    addResult(resultName(func, i), value, results);
  return results;
}
