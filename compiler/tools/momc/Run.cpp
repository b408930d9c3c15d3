// momc run and momc interpret: one entry on tensors from a file.
#include "compiler/Target/LaunchTable.h"
#include "compiler/tools/mom-compare/Entry.h"
#include "compiler/tools/momc/Verbs.h"
#include "runtime/RunFile.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"

using namespace mlir;
using namespace mom;
using namespace mom::tool;
namespace cl = llvm::cl;

static cl::opt<std::string>
    inputs("inputs",
           cl::desc("safetensors with the tensors of a batch. Besides inputs: modality (absent: "
                    "all tokens have the first) and document, offsets (absent: all is one)"),
           cl::value_desc("file"), cl::cat(verbOptions));
static cl::opt<std::string> outputs("outputs", cl::desc("safetensors to write the results to"),
                                    cl::value_desc("file"), cl::cat(verbOptions));

/// The one entry that is asked for; the loss.
static std::string entryName() { return entryNames.empty() ? "loss" : entryNames.front(); }

/// What can be said before the model is read.
static int checkCommandLine() {
  if (inputs.empty())
    return fail("expected --inputs: the tensors of a batch");
  if (outputs == "-")
    return fail("expected --outputs FILE, but got -: tensors are not written to standard output");
  if (entryNames.size() > 1)
    return fail("expected one --entry, but got " + llvm::join(entryNames, " and "));
  return 0;
}

/// An entry, and the batch that it is to run on.
namespace {
struct Task {
  func::FuncOp entry;
  momrt::Request request;
};
} // namespace

/// The entry's function, of stage `grad` or later.
static FailureOr<func::FuncOp> findEntry(ModelFile &model) {
  // Entries besides the loss are made by differentiation.
  if (!model || failed(model->load()) ||
      (model->current() < Stage::Grad && failed(model->runTo(Stage::Grad))))
    return failure();
  func::FuncOp func = compare::entryNamed(model->module(), entryName());
  if (!func) {
    SmallVector<StringRef> names;
    for (auto other : model->module().getOps<func::FuncOp>())
      if (auto name = other->getAttrOfType<StringAttr>(attr::kEntry))
        names.push_back(name.getValue());
    fail("the program has no entry '" + entryName() + "', only " + llvm::join(names, ", "));
    return failure();
  }
  for (unsigned i = 0; i < func.getNumArguments(); ++i) {
    auto state = func.getArgAttrOfType<StringAttr>(i, attr::kState);
    if (state && state != "states") { // those that streams carry begin with zeros
      fail("the entry '" + entryName() +
           "' works on gradients, moments and the scalars of a step, which are a training run's: "
           "expected an entry whose inputs a file can hold, such as gradient");
      return failure();
    }
  }
  return func;
}

static bool hasParameters(func::FuncOp entry) {
  for (unsigned i = 0; i < entry.getNumArguments(); ++i)
    if (entry.getArgAttr(i, attr::kParam))
      return true;
  return false;
}

static FailureOr<Task> findTask(ModelFile &model) {
  FailureOr<func::FuncOp> entry = findEntry(model);
  if (failed(entry))
    return failure();
  Task task{*entry, {}};
  std::string error = momrt::readRequest(inputs, task.request);
  if (error.empty())
    if (error = compare::checkInputs(task.entry, task.request); !error.empty())
      error = inputs + ": " + error;
  if (!error.empty()) {
    fail(error);
    return failure();
  }
  bool told = llvm::any_of(task.request.tensors, [](auto &t) { return t.name == "modality"; });
  if (!told && compare::groupsOf(model->module()) > 1)
    warn(inputs + " has no 'modality': all tokens have the first");
  if (checkpoint.empty() && !seed.getNumOccurrences() && hasParameters(task.entry))
    warnOfNoCheckpoint();
  return task;
}

static int finish(const std::vector<momrt::NamedTensor> &results) {
  for (const momrt::NamedTensor &tensor : results)
    if (tensor.data.size() <= 8) {
      llvm::outs() << tensor.name << ":";
      for (double value : tensor.data)
        llvm::outs() << llvm::format(" %.9g", value);
      llvm::outs() << "\n";
    }
  if (outputs.empty())
    return 0;
  std::string error = momrt::writeTensors(outputs, results);
  return error.empty() ? 0 : fail(error);
}

int mom::tool::run() {
  if (checkCommandLine())
    return 1;
  ModelFile model({entryName()});
  FailureOr<Task> task = findTask(model);
  if (failed(task))
    return 1;
  llvm::StringMap<std::vector<int64_t>> shapes = compare::resultShapes(task->entry);
  FailureOr<Program> program = model->jit(); // the entry's function ends here
  if (failed(program))
    return 1;
  std::vector<momrt::NamedTensor> parameters, results;
  std::string error = momrt::readParameters(program->program->table, checkpoint, seed, parameters);
  if (error.empty())
    error = momrt::runEntry(program->program, sessionOptions(), entryName(), task->request,
                            parameters, results);
  if (!error.empty())
    return fail(error);
  for (momrt::NamedTensor &result : results)
    if (auto shape = shapes.find(result.name); shape != shapes.end())
      result.shape = shape->second;
  return finish(results);
}

//===----------------------------------------------------------------------===//
// The same by the interpreter
//===----------------------------------------------------------------------===//

int mom::tool::interpret() {
  if (checkCommandLine())
    return 1;
  ModelFile model({entryName()});
  FailureOr<Task> task = findTask(model);
  if (failed(task))
    return 1;
  // A table without entries still says which parameters there are.
  OwningOpRef<ModuleOp> names = model->module().clone();
  names->walk([](func::FuncOp f) { f->removeAttr(attr::kEntry); });
  FailureOr<LaunchTable> table = buildLaunchTable(*names, model->digest());
  if (failed(table))
    return 1;
  std::vector<momrt::NamedTensor> parameters;
  std::string error = momrt::readParameters(
      reinterpret_cast<const momrt_table *>(table->bytes.data()), checkpoint, seed, parameters);
  if (!error.empty())
    return fail(error);
  FailureOr<SmallVector<reference::Value>> values = reference::interpret(
      task->entry, compare::argumentsOf(task->entry, task->request, parameters));
  return failed(values) ? 1 : finish(compare::namedResults(task->entry, *values));
}
