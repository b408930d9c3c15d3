// mom-apply-schedules: the knobs of the text's schedules, at their kernels.
#include "compiler/Schedule/KernelNames.h"
#include "compiler/Schedule/Knobs.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace mom {
#define GEN_PASS_DECL_APPLYSCHEDULESPASS
#define GEN_PASS_DEF_APPLYSCHEDULESPASS
#include "compiler/Schedule/Passes.h.inc"
} // namespace mom

using namespace mlir;
using namespace mom;

static Location placeOf(DictionaryAttr record) { return record.getAs<LocationAttr>("place"); }

/// The names of an item, as a kernel's name has them.
static std::string nameOf(DictionaryAttr item) {
  std::string name;
  for (auto part : item.getAs<ArrayAttr>("names").getAsRange<StringAttr>())
    name += (name.empty() ? "" : ", ") + part.str();
  return name;
}

namespace {
class ApplySchedulesPass : public mom::impl::ApplySchedulesPassBase<ApplySchedulesPass> {
public:
  using Base::Base;

  void runOnOperation() override {
    auto all = getOperation()->getAttrOfType<ArrayAttr>(attr::kSchedules);
    if (!all)
      return;
    for (auto schedule : all.getAsRange<DictionaryAttr>())
      if (failed(apply(schedule)))
        failedOnce = true;
    if (failedOnce)
      signalPassFailure();
  }

private:
  LogicalResult apply(DictionaryAttr schedule) {
    StringRef name = schedule.getAs<StringAttr>("name").getValue();
    auto [base, suffix] = name.split('.');
    if (!suffix.empty() && !isFunctionSuffix(suffix))
      return emitError(placeOf(schedule)) << "'" << base << "' has no function '" << suffix
                                          << "': expected loss, forward, backward, entry, vjp.entry, "
                                             "gradient, update, accumulate or copies";
    SmallVector<SmallVector<NamedKernel>> functions;
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (suffix.empty() ? definitionOf(func) == name : scheduleName(func) == name)
        functions.push_back(nameKernels(func));
    llvm::DenseMap<Operation *, DictionaryAttr> taken; // kernel -> its item
    bool good = true;
    for (auto item : schedule.getAs<ArrayAttr>("items").getAsRange<DictionaryAttr>())
      if (item.getAs<StringAttr>("kind").getValue() != "save")
        good &= succeeded(applyItem(name, item, functions, taken));
    return success(good);
  }

  LogicalResult applyItem(StringRef name, DictionaryAttr item,
                          MutableArrayRef<SmallVector<NamedKernel>> functions,
                          llvm::DenseMap<Operation *, DictionaryAttr> &taken) {
    bool gradient = item.getAs<StringAttr>("kind").getValue() == "grad", side = false, any = false;
    for (SmallVector<NamedKernel> &kernels : functions) {
      SmallVector<NamedKernel *> found = find(kernels, gradient, item);
      side |= llvm::any_of(kernels, [&](NamedKernel &k) { return k.gradient == gradient; });
      if (found.empty())
        continue;
      any = true;
      if (found.size() > 1)
        return ambiguous(item, found);
      KernelOp kernel = found.front()->kernel;
      if (auto [it, first] = taken.try_emplace(kernel, item); !first) {
        InFlightDiagnostic report = emitError(placeOf(item))
                                    << "'" << nameOf(item) << "' is the kernel '"
                                    << found.front()->name << "', which has its knobs already";
        report.attachNote(placeOf(it->second)) << "given here";
        return report;
      }
      if (failed(setKnobs(kernel, item)))
        return failure();
    }
    // What this program is not compiled for may be named all the same, but not what a function
    // that it has does not make.
    bool isNamed = name.contains('.') && !functions.empty();
    return any || !(side || isNamed) ? success() : unknown(name, item, gradient, functions);
  }

  /// The kernel of that name, else those that compute all the values named.
  static SmallVector<NamedKernel *> find(SmallVector<NamedKernel> &kernels, bool gradient,
                                         DictionaryAttr item) {
    std::string name = nameOf(item);
    SmallVector<NamedKernel *> found, makers;
    for (NamedKernel &named : kernels) {
      if (named.gradient != gradient)
        continue;
      if (named.name == name)
        return {&named};
      auto names = item.getAs<ArrayAttr>("names").getAsRange<StringAttr>();
      // The kernel that hands a value on has it in its name, in any place; there alone are what
      // the model gives no name.
      auto pieces = llvm::split(named.kernel.getName(), ", ");
      auto handsOn = [&](StringAttr part) { return llvm::is_contained(pieces, part.getValue()); };
      if (llvm::all_of(names, handsOn))
        makers.push_back(&named);
      if (llvm::all_of(names, [&](StringAttr part) {
            return handsOn(part) || named.values.contains(part);
          }))
        found.push_back(&named);
    }
    return makers.empty() ? found : makers;
  }

  LogicalResult ambiguous(DictionaryAttr item, ArrayRef<NamedKernel *> found) {
    InFlightDiagnostic report = emitError(placeOf(item))
                                << "several kernels compute '" << nameOf(item) << "': name one of ";
    llvm::interleaveComma(found, report,
                          [&](NamedKernel *named) { report << "'" << named->name << "'"; });
    return report;
  }

  LogicalResult unknown(StringRef name, DictionaryAttr item, bool gradient,
                        ArrayRef<SmallVector<NamedKernel>> functions) {
    llvm::SetVector<StringRef> known;
    for (const SmallVector<NamedKernel> &kernels : functions)
      for (const NamedKernel &named : kernels)
        if (named.gradient == gradient)
          known.insert(named.name);
    InFlightDiagnostic report = emitError(placeOf(item))
                                << "no kernel of " << (gradient ? "the gradient of '" : "'")
                                << name << "' computes '" << nameOf(item) << "'";
    report.attachNote(placeOf(item)) << "the kernels are " << llvm::join(known, "; ");
    return report;
  }

  LogicalResult setKnobs(KernelOp kernel, DictionaryAttr item) {
    NamedAttrList schedule(kernel.getScheduleAttr());
    for (auto given : item.getAs<ArrayAttr>("knobs").getAsRange<DictionaryAttr>()) {
      StringAttr name = given.getAs<StringAttr>("name");
      auto value = given.getAs<IntegerAttr>("value");
      const Knob *knob = llvm::find_if(allKnobs(), [&](const Knob &known) {
        return known.anchor == kernel.getAnchor() && known.target == target &&
               known.name == name.getValue();
      });
      if (knob == allKnobs().end())
        return noKnob(kernel, placeOf(given), name.getValue());
      if (value.getInt() < knob->least || value.getInt() > knob->greatest)
        return emitError(placeOf(given))
               << "expected knob '" << name.getValue() << "' (" << knob->sentence << ") from "
               << knob->least << " to " << knob->greatest << ", but got " << value.getInt();
      schedule.set(name, value);
    }
    kernel.setScheduleAttr(schedule.getDictionary(&getContext()));
    return success();
  }

  LogicalResult noKnob(KernelOp kernel, Location place, StringRef name) {
    SmallVector<StringRef> known;
    for (const Knob &knob : allKnobs())
      if (knob.anchor == kernel.getAnchor() && knob.target == target)
        known.push_back(knob.name);
    return emitError(place) << "a " << stringifyAnchor(kernel.getAnchor())
                            << " kernel has no knob '" << name << "' on " << target
                            << ": expected one of " << llvm::join(known, ", ");
  }

  bool failedOnce = false;
};
} // namespace
