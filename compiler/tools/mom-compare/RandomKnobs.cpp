// Schedules that nobody wrote.
#include "compiler/tools/mom-compare/RandomKnobs.h"

#include "compiler/Schedule/Knobs.h"

#include "mlir/IR/Builders.h"
#include "llvm/Support/MathExtras.h"

#include <random>

using namespace mlir;
using namespace mom;

/// Where a batch of tens of tokens is to be cut.
static constexpr int64_t kShortPiece = 8;

static constexpr int64_t kWarp = 32;

/// A value near the default, or at an end of the range.
static int64_t drawValue(const Knob &knob, int64_t usual, std::mt19937_64 &random) {
  if (knob.name == "piece")
    usual = kShortPiece;
  int64_t most = std::min(knob.greatest, 4 * std::max<int64_t>(usual, 2)), value = usual;
  switch (random() % 5) {
  case 0:
    value = knob.least;
    break;
  case 1:
    value = usual / 2;
    break;
  case 2:
    value = usual * 2;
    break;
  default:
    value = knob.least + int64_t(random() % uint64_t(std::max<int64_t>(most - knob.least, 0) + 1));
  }
  value = std::clamp(value, knob.least, knob.greatest);
  // Of threads, and of a product's tile, what is no multiple of a warp is refused.
  if (knob.least % kWarp == 0 && knob.least)
    return value - value % knob.least;
  bool power = knob.name == "lanes" || knob.sentence.contains("power of two");
  return power && value > 0 ? int64_t(llvm::bit_floor(uint64_t(value))) : value;
}

void compare::drawKnobs(ModuleOp module, const PipelineOptions &how, uint64_t seed) {
  std::mt19937_64 random(seed);
  StringRef family = isGpu(how) ? "gpu" : "cpu";
  int64_t width = vectorWidthOf(how.cpu), architecture = architectureOf(how.target);
  // Of a GPU's knobs few combinations fit a kernel: one in two dozen is drawn.
  uint64_t oneOf = isGpu(how) ? 24 : 3;
  Builder b(module.getContext());
  module.walk([&](KernelOp kernel) {
    NamedAttrList schedule(kernel.getScheduleAttr());
    for (const Knob &knob : allKnobs()) {
      if (knob.anchor != kernel.getAnchor() || knob.target != family || random() % oneOf)
        continue;
      int64_t usual = knob.defaultFor(kernel, width, architecture);
      schedule.set(knob.name, b.getI64IntegerAttr(drawValue(knob, usual, random)));
    }
    kernel.setScheduleAttr(schedule.getDictionary(b.getContext()));
  });
}

void compare::chooseKnobs(ModuleOp module, const PipelineOptions &how, const KnobChoice &choice) {
  if (choice.seed)
    drawKnobs(module, how, choice.seed);
  StringRef family = isGpu(how) ? "gpu" : "cpu";
  Builder b(module.getContext());
  module.walk([&](KernelOp kernel) {
    NamedAttrList schedule(kernel.getScheduleAttr());
    for (const auto &[name, value] : choice.given)
      for (const Knob &knob : allKnobs())
        if (knob.anchor == kernel.getAnchor() && knob.target == family && knob.name == name)
          schedule.set(knob.name, b.getI64IntegerAttr(value));
    kernel.setScheduleAttr(schedule.getDictionary(b.getContext()));
  });
}
