// momc gradcheck: gradients against finite differences, both by the interpreter.
#include "compiler/tools/mom-compare/Gradients.h"
#include "compiler/tools/mom-compare/Inputs.h"
#include "compiler/tools/momc/Verbs.h"

#include "llvm/Support/Format.h"

using namespace mlir;
using namespace mom;
using namespace mom::tool;
namespace cl = llvm::cl;

namespace mom::tool {
cl::OptionCategory gradcheckOptions("Checking gradients");
} // namespace mom::tool
static Number<1> tokens("tokens", cl::desc("of the random batch (default: 24)"), cl::init(24),
                        cl::cat(gradcheckOptions));
static Number<1> elements("elements", cl::desc("at most, of each parameter and input (default: 6)"),
                          cl::init(6), cl::cat(gradcheckOptions));
static cl::opt<double> tolerance("tolerance",
                                 cl::desc("of errors, by the largest element (default: 1e-6)"),
                                 cl::init(1e-6), cl::value_desc("number"),
                                 cl::cat(gradcheckOptions));

static void print(StringRef title, ArrayRef<compare::GradientRow> rows) {
  size_t width = 9;
  for (const compare::GradientRow &row : rows)
    width = std::max(width, row.name.size());
  llvm::outs() << title << "\n  " << llvm::left_justify("parameter", width)
               << " elements      norm     error  worst element\n";
  for (const compare::GradientRow &row : rows)
    llvm::outs() << "  " << llvm::left_justify(row.name, width)
                 << llvm::formatv(" {0,8} {1,9:e2} {2,9:e2}  {3}{4}\n", row.difference.elements(),
                                  row.difference.norm(), row.difference.relativeError(), row.worst,
                                  row.within ? "" : "  <-- differs");
}

/// A function on a random batch; the rows of its table.
static FailureOr<SmallVector<compare::GradientRow>> checkFunction(func::FuncOp func,
                                                                  StringRef joint) {
  std::mt19937_64 random(seed);
  compare::BatchOptions shape;
  shape.tokens = tokens;
  shape.segments = std::min<int64_t>(3, tokens);
  auto batch = compare::randomBatch(shape, compare::countGroups(func), random);
  if (!batch)
    return func.emitError() << llvm::toString(batch.takeError());
  auto arguments = compare::randomArguments(func, *batch, random);
  if (failed(arguments))
    return failure();
  std::string differing;
  llvm::raw_string_ostream os(differing);
  return compare::compareGradients(func, *arguments, {joint.str(), elements, tolerance},
                                   reference::interpret, random, os);
}

int mom::tool::gradcheck() {
  if (!(tolerance >= 0))
    return fail("expected --tolerance 0 or more, but got " + std::to_string(tolerance));
  ModelFile model;
  if (!model || failed(model->load()) || failed(model->runTo(Stage::Grad)))
    return 1;
  ModuleOp module = model->module();
  std::string worst;
  double largest = -1.0;
  int64_t bad = 0, all = 0;
  auto check = [&](func::FuncOp func, StringRef joint, const llvm::Twine &title) {
    auto rows = checkFunction(func, joint);
    if (failed(rows))
      return failure();
    print(title.str(), *rows);
    for (const compare::GradientRow &row : *rows) {
      bad += !row.within;
      ++all;
      if (double error = row.difference.relativeError(); !(error <= largest)) {
        largest = error;
        worst = llvm::formatv("{0} of {1}: error {2:e2} at {3}", row.name, func.getSymName(), error,
                              row.worst);
      }
    }
    return success();
  };
  for (auto func : llvm::to_vector(module.getOps<func::FuncOp>())) {
    if (func->hasAttr(attr::kLayer) && func->hasAttr(attr::kExport)) {
      std::string joint = (func.getSymName() + ".joint").str();
      if (module.lookupSymbol(joint) &&
          failed(check(func, joint, "layer " + func.getSymName() + ", its inputs and parameters")))
        return 1;
    }
    std::string gradient = (func.getSymName() + ".gradient").str();
    if (module.lookupSymbol(gradient) &&
        failed(check(func, gradient, "model " + func.getSymName() + ", the loss that is minimised")))
      return 1;
  }
  if (!all)
    return fail("the model has no parameter and no exported layer");
  llvm::outs() << "the worst is " << worst << "\n" << all << " gradients, " << bad << " differ\n";
  return bad != 0;
}
