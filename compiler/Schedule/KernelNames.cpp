#include "compiler/Schedule/KernelNames.h"

#include "dialect/Views.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace mom;

StringRef mom::definitionOf(func::FuncOp func) { return func.getSymName().split('.').first; }

std::string mom::scheduleName(func::FuncOp func) {
  StringRef name = func.getSymName();
  return name.contains('.') ? name.str() : (name + ".loss").str();
}

bool mom::isFunctionSuffix(StringRef suffix) {
  static constexpr StringLiteral known[] = {
      "loss",     "forward", "backward",        "entry",        "vjp.entry",
      "gradient", "update",  "accumulate",      "copies",       "next",
      "draw",     "window",  "gradient.window", "gradient.sum", "joint.sum"};
  auto [name, number] = suffix.rsplit('_'); // a second one of a name: `gradient.sum_0`
  bool numbered = !number.empty() && llvm::all_of(number, llvm::isDigit);
  return llvm::is_contained(known, numbered ? name : suffix);
}

/// Whether a result of an entry belongs to backward.
static bool isGradient(func::FuncOp func, unsigned index) {
  auto output = func.getResultAttrOfType<StringAttr>(index, attr::kOutput);
  return func.getResultAttr(index, attr::kGradient) ||
         (output && output.getValue().starts_with("d"));
}

/// What the results of forward need; everything but that is backward.
static DenseSet<Operation *> forwardOf(func::FuncOp func) {
  DenseSet<Operation *> forward;
  SmallVector<Value> work;
  bool backward = func.getSymName().ends_with(".backward");
  for (OpOperand &operand : func.getBody().front().getTerminator()->getOpOperands())
    if (!backward && !isGradient(func, operand.getOperandNumber()))
      work.push_back(operand.get());
  while (!work.empty()) {
    Operation *op = sourceOf(work.pop_back_val()).getDefiningOp();
    if (op && forward.insert(op).second)
      llvm::append_range(work, op->getOperands());
  }
  return forward;
}

/// "a.z" are the names of several values.
static void addNames(Location loc, MLIRContext *context, llvm::SetVector<StringAttr> &names) {
  if (auto name = loc->findInstanceOf<NameLoc>())
    for (StringRef piece : llvm::split(name.getName().getValue(), '.'))
      names.insert(StringAttr::get(context, piece));
}

llvm::SmallVector<NamedKernel> mom::nameKernels(func::FuncOp func) {
  DenseSet<Operation *> forward = forwardOf(func);
  SmallVector<NamedKernel> kernels;
  DenseMap<Operation *, unsigned> index;
  llvm::StringMap<unsigned> seen;
  for (auto kernel : func.getOps<KernelOp>()) {
    NamedKernel named{kernel, !forward.contains(kernel), kernel.getName().str(), {}};
    for (Operation &op : kernel.getBody().front().without_terminator()) {
      if (auto split = dyn_cast<SplitOp>(op)) {
        // A range of what another kernel makes: its names are that kernel's too.
        Value source = split.getX();
        if (auto extend = source.getDefiningOp<arith::ExtFOp>())
          source = extend.getIn();
        Value input = kernel.inputOf(source);
        Operation *maker = input ? sourceOf(input).getDefiningOp() : nullptr;
        if (auto found = index.find(maker); found != index.end())
          addNames(op.getLoc(), func.getContext(), kernels[found->second].values);
        continue;
      }
      addNames(op.getLoc(), func.getContext(), named.values);
      if (isa<LinearWgradOp>(op))
        named.name += ".weight";
    }
    unsigned count = ++seen[(named.gradient ? "grad " : "kernel ") + named.name];
    if (count > 1)
      named.name += "." + std::to_string(count);
    index[kernel] = kernels.size();
    kernels.push_back(std::move(named));
  }
  return kernels;
}
