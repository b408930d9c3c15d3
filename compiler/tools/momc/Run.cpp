// momc run and momc interpret: one entry on tensors from a file.
#include "compiler/Target/LaunchTable.h"
#include "compiler/tools/momc/Verbs.h"
#include "dialect/ParameterLayout.h"
#include "dialect/reference/Interpreter.h"
#include "runtime/RunFile.h"

using namespace mlir;
using namespace mom;
using namespace mom::tool;
namespace cl = llvm::cl;

static cl::opt<std::string> inputs("inputs", cl::desc("tensors of the batch, as safetensors"),
                                   cl::value_desc("file"), cl::cat(emitOptions));
static cl::opt<std::string> outputs("outputs", cl::desc("write the results here"),
                                    cl::value_desc("file"), cl::cat(emitOptions));

/// The one entry that is asked for; the loss.
static std::string entryName() { return entryNames.empty() ? "loss" : entryNames[entryNames.size() - 1]; }

static int finish(const std::vector<momrt::NamedTensor> &results) {
  for (const momrt::NamedTensor &tensor : results)
    if (tensor.data.size() <= 8) {
      llvm::outs() << tensor.name << ":";
      for (double value : tensor.data)
        llvm::outs() << llvm::formatv(" {0:g9}", value);
      llvm::outs() << "\n";
    }
  if (outputs.empty())
    return 0;
  std::string error = momrt::writeTensors(outputs, results);
  return error.empty() ? 0 : fail(error);
}

int mom::tool::run() {
  if (inputs.empty())
    return fail("expected --inputs: the tensors of a batch");
  ModelFile model({entryName()});
  FailureOr<Program> program = compileModel(model);
  if (failed(program))
    return 1;
  momrt::Request request;
  std::vector<momrt::NamedTensor> parameters, results;
  std::string error = momrt::readRequest(inputs, request);
  if (error.empty())
    error = momrt::readParameters(program->program->table, checkpoint, seed, parameters);
  if (error.empty())
    error = momrt::runEntry(program->program, sessionOptions(), entryName(), request, parameters,
                            results);
  return error.empty() ? finish(results) : fail(error);
}

//===----------------------------------------------------------------------===//
// The same by the interpreter
//===----------------------------------------------------------------------===//

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

static int64_t groupsOf(ModuleOp module) {
  auto all = module->getAttrOfType<DictionaryAttr>(attr::kModalities);
  return all && !all.empty() ? cast<ArrayAttr>(all.begin()->getValue()).size() : 1;
}

/// `{}` in a parameter's name stands for the round; a layer used once has none.
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
    return reference::Value(toBatch(request.batch, groupsOf(func->getParentOfType<ModuleOp>())));
  if (auto name = func.getArgAttrOfType<StringAttr>(index, attr::kParam)) {
    auto stack = dyn_cast<StackType>(argument.getType());
    if (!stack)
      return reference::Value(toTensor(*parameters.lookup(name.getValue())));
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
  if (const reference::Stack *stack = value.stack()) {
    for (auto [i, element] : llvm::enumerate(stack->values))
      addResult(nameOfRound(name, i), element, results);
    return;
  }
  if (const reference::Tensor *tensor = value.tensor())
    results.push_back(
        {name, MOMRT_F64, {tensor->shape.begin(), tensor->shape.end()}, tensor->data});
}

int mom::tool::interpret() {
  if (inputs.empty())
    return fail("expected --inputs: the tensors of a batch");
  ModelFile model;
  if (!model || failed(model->load()))
    return 1;
  // Entries besides the loss are made by differentiation.
  if (model->current() < Stage::Grad && failed(model->runTo(Stage::Grad)))
    return 1;
  ModuleOp module = model->module();
  func::FuncOp func;
  for (auto candidate : module.getOps<func::FuncOp>())
    if (auto name = candidate->getAttrOfType<StringAttr>(attr::kEntry);
        name && name.getValue() == entryName())
      func = candidate;
  if (!func)
    return fail("the model has no entry '" + entryName() + "'");

  // A table without entries still says which parameters there are.
  OwningOpRef<ModuleOp> names = module.clone();
  names->walk([](func::FuncOp f) { f->removeAttr(attr::kEntry); });
  FailureOr<LaunchTable> table = buildLaunchTable(*names, model->digest());
  if (failed(table))
    return 1;
  momrt::Request request;
  std::vector<momrt::NamedTensor> parameters, results;
  std::string error = momrt::readRequest(inputs, request);
  if (error.empty())
    error = momrt::readParameters(reinterpret_cast<const momrt_table *>(table->bytes.data()),
                                  checkpoint, seed, parameters);
  if (!error.empty())
    return fail(error);
  Tensors byName;
  for (const momrt::NamedTensor &parameter : parameters)
    byName[parameter.name] = &parameter;
  SmallVector<reference::Value> arguments;
  for (BlockArgument argument : func.getArguments()) {
    FailureOr<reference::Value> value = argumentValue(func, argument, request, byName);
    if (failed(value))
      return 1;
    arguments.push_back(std::move(*value));
  }
  FailureOr<SmallVector<reference::Value>> values = reference::interpret(func, arguments);
  if (failed(values))
    return 1;
  for (auto [i, value] : llvm::enumerate(*values))
    addResult(resultName(func, i), value, results);
  return finish(results);
}
