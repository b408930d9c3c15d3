// momc run and momc interpret: one entry on tensors from a file.
#include "compiler/Target/LaunchTable.h"
#include "compiler/tools/mom-compare/Entry.h"
#include "compiler/tools/momc/Verbs.h"
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
static std::string entryName() {
  return entryNames.empty() ? "loss" : entryNames[entryNames.size() - 1];
}

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
  func::FuncOp func = compare::entryNamed(module, entryName());
  if (!func)
    return fail("the model has no entry '" + entryName() + "'");

  // A table without entries still says which parameters there are.
  OwningOpRef<ModuleOp> names = module.clone();
  names->walk([](func::FuncOp f) { f->removeAttr(attr::kEntry); });
  FailureOr<LaunchTable> table = buildLaunchTable(*names, model->digest());
  if (failed(table))
    return 1;
  momrt::Request request;
  std::vector<momrt::NamedTensor> parameters;
  std::string error = momrt::readRequest(inputs, request);
  if (error.empty())
    error = momrt::readParameters(reinterpret_cast<const momrt_table *>(table->bytes.data()),
                                  checkpoint, seed, parameters);
  if (!error.empty())
    return fail(error);
  FailureOr<SmallVector<reference::Value>> values =
      compare::argumentsOf(func, request, parameters);
  if (succeeded(values))
    values = reference::interpret(func, *values);
  return failed(values) ? 1 : finish(compare::namedResults(func, *values));
}
