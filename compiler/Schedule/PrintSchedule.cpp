#include "compiler/Schedule/PrintSchedule.h"

#include "compiler/Schedule/KernelNames.h"

using namespace mlir;
using namespace mom;

/// What layers save: records that mom-partition left.
static void printSaved(ModuleOp module, StringRef target, llvm::raw_ostream &os) {
  auto all = module->getAttrOfType<ArrayAttr>(attr::kSchedules);
  if (!all)
    return;
  for (auto schedule : all.getAsRange<DictionaryAttr>())
    for (auto item : schedule.getAs<ArrayAttr>("items").getAsRange<DictionaryAttr>()) {
      if (item.getAs<StringAttr>("kind").getValue() != "save")
        continue;
      os << "schedule " << schedule.getAs<StringAttr>("name").getValue() << " on " << target
         << " {\n  save ";
      auto names = item.getAs<ArrayAttr>("names");
      llvm::interleaveComma(names.getAsRange<StringAttr>(), os,
                            [&](StringAttr name) { os << name.getValue(); });
      os << (names.empty() ? "nothing\n}\n\n" : "\n}\n\n");
    }
}

void mom::printSchedule(ModuleOp module, StringRef target, llvm::raw_ostream &os) {
  printSaved(module, target, os);
  StringRef separator;
  for (auto func : module.getOps<func::FuncOp>()) {
    SmallVector<NamedKernel> kernels = nameKernels(func);
    if (kernels.empty())
      continue;
    os << separator << "schedule " << scheduleName(func) << " on " << target << " {\n";
    for (const NamedKernel &named : kernels) {
      KernelOp kernel = named.kernel;
      if (kernel.getScheduleAttr().empty()) // nothing to say: a CPU's plan
        continue;
      os << (named.gradient ? "  grad " : "  kernel ") << named.name << ": ";
      llvm::interleaveComma(kernel.getScheduleAttr(), os, [&](NamedAttribute knob) {
        os << knob.getName().getValue() << " " << cast<IntegerAttr>(knob.getValue()).getInt();
      });
      os << "\n";
    }
    os << "}\n";
    separator = "\n";
  }
}
