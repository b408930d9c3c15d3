// mom-select-schedules: which of the text's schedules count here.
#include "compiler/Schedule/Knobs.h"
#include "dialect/TrainedRows.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace mom {
#define GEN_PASS_DECL_SELECTSCHEDULESPASS
#define GEN_PASS_DEF_SELECTSCHEDULESPASS
#include "compiler/Schedule/Passes.h.inc"
} // namespace mom

using namespace mlir;
using namespace mom;

/// Rows of a model that is not trained.
static constexpr int64_t kTypicalRows = 4096;

namespace {
class SelectSchedulesPass : public mom::impl::SelectSchedulesPassBase<SelectSchedulesPass> {
public:
  using Base::Base;

  void runOnOperation() override {
    auto all = getOperation()->getAttrOfType<ArrayAttr>(attr::kSchedules);
    if (!all)
      return;
    SmallVector<Attribute> chosen;
    for (auto schedule : all.getAsRange<DictionaryAttr>())
      if (isForTarget(schedule.getAs<StringAttr>("target").getValue()) && isForRows(schedule))
        chosen.push_back(schedule);
    getOperation()->setAttr(attr::kSchedules, ArrayAttr::get(&getContext(), chosen));
  }

private:
  bool isForTarget(StringRef wanted) {
    return wanted.empty() || compiledTarget(wanted) == target || (wanted == "gpu" && target != "cpu");
  }

  bool isForRows(DictionaryAttr schedule) {
    StringRef comparison = schedule.getAs<StringAttr>("comparison").getValue();
    int64_t bound = schedule.getAs<IntegerAttr>("rows").getInt(),
            rows = trainedRows(getOperation()).value_or(kTypicalRows);
    return comparison.empty() || (comparison == "<" ? rows < bound : rows >= bound);
  }
};
} // namespace
