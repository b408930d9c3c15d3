// mom-resolve-schedule: the knob table, and kernels with all their knobs.
#include "compiler/Schedule/ConvDefaults.h"
#include "compiler/Schedule/Knobs.h"
#include "compiler/Schedule/RowDefaults.h"
#include "compiler/Schedule/ScanDefaults.h"
#include "compiler/Schedule/ProductDefaults.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/X86TargetParser.h"

namespace mom {
#define GEN_PASS_DECL_RESOLVESCHEDULEPASS
#define GEN_PASS_DEF_RESOLVESCHEDULEPASS
#include "compiler/Schedule/Passes.h.inc"
} // namespace mom

using namespace mlir;
using namespace mom;

ArrayRef<Knob> mom::allKnobs() {
  static const Knob knobs[] = {
#define MOM_KNOB(name, anchor, target, least, greatest, value, sentence)                           \
  {#name,   Anchor::anchor, #target,                                                               \
   least,   greatest,       [](KernelOp kernel, int64_t width, int64_t architecture) -> int64_t { return value; },  \
   sentence},
#include "compiler/Schedule/Knobs.def"
  };
  return knobs;
}

int64_t mom::sharedBytes(int64_t architecture, int64_t blocks) {
  int64_t all = architecture == 90 || architecture == 100 || architecture == 103 ? 228
                : architecture == 80 || architecture == 87                       ? 164
                                                                                 : 100;
  return (all / blocks - 1) * 1024; // each takes one for itself
}

int64_t mom::given(KernelOp kernel, StringRef name, int64_t otherwise) {
  DictionaryAttr schedule = kernel.getScheduleAttr();
  auto value = schedule ? schedule.getAs<IntegerAttr>(name) : IntegerAttr();
  return value ? value.getInt() : otherwise;
}

int64_t mom::hostVectorWidth() {
  llvm::StringMap<bool> features = llvm::sys::getHostCPUFeatures();
  return features.lookup("avx512f") ? 16 : features.lookup("avx2") ? 8 : 4;
}

int64_t mom::vectorWidthOf(StringRef cpu) {
  if (cpu == "native")
    return hostVectorWidth();
  if (llvm::X86::parseArchX86(cpu) == llvm::X86::CK_None)
    return 4;
  SmallVector<StringRef> features; // without those that others imply
  llvm::X86::getFeaturesForCPU(cpu, features);
  auto has = [&](StringRef prefix) {
    return llvm::any_of(features, [&](StringRef name) { return name.starts_with(prefix); });
  };
  return has("avx512") ? 16 : has("avx2") ? 8 : 4;
}

LogicalResult mom::verifySchedule(KernelOp kernel, StringRef target) {
  for (const Knob &knob : allKnobs()) {
    if (knob.anchor != kernel.getAnchor() || knob.target != target)
      continue;
    DictionaryAttr schedule = kernel.getScheduleAttr();
    if (!schedule || !schedule.getAs<IntegerAttr>(knob.name))
      return kernel.emitOpError() << "expected knob '" << knob.name << "' (" << knob.sentence
                                  << ") in its schedule: mom-resolve-schedule adds it";
  }
  return success();
}

namespace {
class ResolveSchedulePass : public mom::impl::ResolveSchedulePassBase<ResolveSchedulePass> {
public:
  using Base::Base;

  void runOnOperation() override {
    int64_t width = vectorWidthOf(cpu);
    WalkResult result = getOperation().walk([&](KernelOp kernel) {
      return failed(resolve(kernel, width)) ? WalkResult::interrupt() : WalkResult::advance();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }

private:
  LogicalResult resolve(KernelOp kernel, int64_t width) {
    NamedAttrList schedule(kernel.getScheduleAttr());
    Builder b(kernel.getContext());
    llvm::SmallPtrSet<StringAttr, 16> names;
    for (const Knob &knob : allKnobs()) {
      if (knob.anchor != kernel.getAnchor() || knob.target != target)
        continue;
      names.insert(b.getStringAttr(knob.name));
      Attribute given = schedule.get(knob.name);
      if (!given) {
        schedule.set(knob.name, b.getI64IntegerAttr(knob.defaultFor(kernel, width, architecture)));
        continue;
      }
      auto value = dyn_cast<IntegerAttr>(given);
      if (!value || value.getInt() < knob.least || value.getInt() > knob.greatest)
        return kernel.emitOpError() << "expected knob '" << knob.name << "' from " << knob.least
                                    << " to " << knob.greatest << ", but got " << given;
    }
    for (NamedAttribute attribute : schedule)
      if (!names.contains(attribute.getName()))
        return kernel.emitOpError()
               << "a " << stringifyAnchor(kernel.getAnchor()) << " kernel has no knob "
               << attribute.getName() << " on " << target;
    kernel.setScheduleAttr(schedule.getDictionary(kernel.getContext()));
    return success();
  }
};
} // namespace
