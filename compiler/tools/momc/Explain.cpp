// What a program costs, before it runs.
//
// A kernel takes at least as long as the slowest of moving its bytes, multiplying and
// exponentiating at the device's ceilings. Kernels do not overlap, so their sum is what a
// step takes at best; what is above that in `momc bench` is the kernels' own.
#include "compiler/tools/momc/Explain.h"

#include "compiler/Target/KernelCosts.h"
#include "compiler/tools/momc/Timed.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mom;
using namespace mom::tool;

namespace {
struct Estimate {
  std::string name;
  int64_t times = 1;
  double bytes = 0, flops = 0, exps = 0; ///< of all times
  double milliseconds = 0;
  StringRef bound;
};

/// Estimates of a module of stage `scheduled`.
class Estimates {
public:
  Estimates(ModuleOp module, const Ceilings &ceilings);

  /// Of an entry's kernels, the slowest first.
  std::vector<Estimate> of(func::FuncOp entry);
  double milliseconds(StringRef entry);
  void printSaved(llvm::raw_ostream &os);

  SmallVector<func::FuncOp> entries; ///< a step's, or all
  int64_t tokens = 0, streams = 0;

private:
  void add(func::FuncOp func, int64_t times, int64_t windows, std::vector<Estimate> &list);
  Estimate estimate(KernelOp kernel, int64_t times, int64_t windows);

  ModuleOp module;
  SymbolTable symbols;
  const Ceilings &ceilings;
  std::array<int64_t, MOMRT_COUNTS> counts{};
};
} // namespace

Estimates::Estimates(ModuleOp module, const Ceilings &ceilings)
    : module(module), symbols(module), ceilings(ceilings) {
  streams = 1, tokens = Compiler::kDocument;
  auto train = module->getAttrOfType<DictionaryAttr>(attr::kTrain);
  if (train) {
    streams = train.getAs<IntegerAttr>("streams").getInt();
    tokens = streams * train.getAs<IntegerAttr>("length").getInt();
  }
  counts[MOMRT_COUNT_ONE] = 1;
  counts[MOMRT_COUNT_TOKEN] = tokens;
  counts[MOMRT_COUNT_STREAM] = streams;
  counts[MOMRT_COUNT_SEGMENT] = counts[MOMRT_COUNT_DOCUMENT] =
      std::max(streams, tokens / Compiler::kDocument);
  for (auto func : module.getOps<func::FuncOp>()) {
    auto name = func->getAttrOfType<StringAttr>(attr::kEntry);
    if (name && (!train || name == "gradient" || name == "update"))
      entries.push_back(func);
  }
}

Estimate Estimates::estimate(KernelOp kernel, int64_t times, int64_t windows) {
  KernelCosts costs = costsOf(kernel);
  std::array<int64_t, MOMRT_COUNTS> mine = counts;
  mine[MOMRT_COUNT_TOKEN] /= windows;
  auto all = [&](const Amount &amount) { return amount.at(mine) * times; };
  Estimate e{costs.name, times, all(costs.bytes), all(costs.flops), all(costs.exps), 0, ""};
  auto consider = [&](double amount, double ceiling, double unit, StringRef what) {
    double ms = ceiling > 0 ? amount / (ceiling * unit) : 0;
    if (ms > e.milliseconds)
      e.milliseconds = ms, e.bound = what;
  };
  consider(e.bytes, ceilings.copy, 1e6, "memory");
  consider(e.flops, ceilings.product, 1e9, "products");
  consider(e.exps, ceilings.exps, 1e6, "exps");
  return e;
}

void Estimates::add(func::FuncOp func, int64_t times, int64_t windows,
                    std::vector<Estimate> &list) {
  for (Operation &op : func.getBody().front()) {
    if (auto kernel = dyn_cast<KernelOp>(op)) {
      list.push_back(estimate(kernel, times, windows));
      list.back().name = (func.getSymName() + " " + list.back().name).str();
    } else if (auto repeat = dyn_cast<RepeatOp>(op)) {
      int64_t count = repeat.getCount();
      add(symbols.lookup<func::FuncOp>(repeat.getCallee()), times * count,
          repeat.getWindows() ? windows * count : windows, list);
    }
  }
}

std::vector<Estimate> Estimates::of(func::FuncOp entry) {
  std::vector<Estimate> list;
  add(entry, 1, 1, list);
  llvm::stable_sort(list, [](const Estimate &a, const Estimate &b) {
    return a.milliseconds > b.milliseconds;
  });
  return list;
}

static double sumOf(ArrayRef<Estimate> list) {
  double sum = 0;
  for (const Estimate &e : list)
    sum += e.milliseconds;
  return sum;
}

double Estimates::milliseconds(StringRef entry) {
  for (func::FuncOp func : entries)
    if (func->getAttrOfType<StringAttr>(attr::kEntry) == entry)
      return sumOf(of(func));
  return 0;
}

/// Bytes a token of a value that each round of a repetition keeps.
static double bytesOfToken(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  RowsAttr rows = tensor ? rowsOf(tensor) : RowsAttr();
  if (!rows)
    return 0;
  double bytes = channelsOf(tensor) * tensor.getElementTypeBitWidth() / 8.0;
  return rows.getSpace() == RowSpace::chunk ? bytes / rows.getChunk() : bytes;
}

/// Names of what a layer saves, as mom-partition recorded them.
static SmallVector<StringRef> savedNames(ModuleOp module, StringRef layer) {
  SmallVector<StringRef> names;
  auto schedules = module->getAttrOfType<ArrayAttr>(attr::kSchedules);
  if (!schedules)
    return names;
  for (auto schedule : schedules.getAsRange<DictionaryAttr>())
    for (auto item : schedule.getAs<ArrayAttr>("items").getAsRange<DictionaryAttr>())
      if (item.getAs<StringAttr>("kind").getValue() == "save" &&
          schedule.getAs<StringAttr>("name").getValue() == layer)
        for (auto name : item.getAs<ArrayAttr>("names").getAsRange<StringAttr>())
          names.push_back(name.getValue());
  return names;
}

void Estimates::printSaved(llvm::raw_ostream &os) {
  for (func::FuncOp entry : entries)
    for (auto repeat : entry.getOps<RepeatOp>()) {
      SmallVector<StringRef> names = savedNames(module, repeat.getCallee().split('.').first);
      double all = 0;
      std::string text;
      llvm::raw_string_ostream list(text);
      auto kept = repeat.getResults().drop_front(repeat.getCarried().size());
      if (kept.size() != names.size())
        continue;
      for (auto [name, result] : llvm::zip_equal(names, kept)) {
        auto stack = dyn_cast<StackType>(result.getType());
        double bytes = stack ? bytesOfToken(stack.getElement()) : 0;
        all += bytes;
        list << "\n  " << llvm::formatv("{0,8:f0}", bytes) << "  " << name;
      }
      if (!all)
        continue;
      os << llvm::formatv("\n@{0} keeps for backward {1:f0} bytes a token and round, {2:f2} GiB in "
                          "{3} rounds:{4}\n",
                          repeat.getCallee(), all,
                          all * tokens * repeat.getCount() / double(1 << 30), repeat.getCount(),
                          text);
    }
}

/// Figures of a device that was not measured.
static Ceilings usualCeilings() {
  if (StringRef(compileOptionsFromCommandLine().pipeline.target).starts_with("sm_90"))
    return {4270, 773, 4000, "of an H200; --ceilings FILE measures this device's"};
  return {0, 0, 0, "no ceilings: --ceilings FILE measures this device's"};
}

static LogicalResult printPlans(Compiler &compiler, const Ceilings &ceilings,
                                llvm::raw_ostream &os) {
  os << "What backward finds saved, from most to least (--memory takes the first that fits):\n";
  constexpr const char *row = "{0,34} {1,10} {2,16}\n";
  os << llvm::formatv(row, "", "GiB", "ms at best");
  for (Compiler::Plan plan : Compiler::plans()) {
    double ms = 0;
    FailureOr<int64_t> bytes = compiler.tryPlan(plan, [&](ModuleOp scheduled) {
      Estimates estimates(scheduled, ceilings);
      ms = estimates.milliseconds("gradient") + estimates.milliseconds("update");
    });
    if (failed(bytes))
      return failure();
    std::string name = "--recompute=" + std::to_string(plan.recompute);
    if (plan.checkpoint)
      name += " --scan-checkpoint=" + std::to_string(plan.checkpoint);
    os << llvm::formatv(row, name, llvm::formatv("{0:f2}", *bytes / double(1 << 30)).str(),
                        ms ? llvm::formatv("{0:f1}", ms).str() : "");
  }
  return success();
}

LogicalResult mom::tool::explain(Compiler &compiler, llvm::raw_ostream &os) {
  FailureOr<Ceilings> ceilings = hasCeilings() ? findCeilings() : usualCeilings();
  if (failed(ceilings))
    return failure();
  os << llvm::formatv("ceilings: copy {0:f1} GB/s, product {1:f3} TFLOP/s, {2:f0} Gexp/s ({3})\n\n",
                      ceilings->copy, ceilings->product, ceilings->exps, ceilings->origin);
  if (compiler.module()->hasAttr(attr::kTrain) && compiler.current() < Stage::Grad &&
      failed(printPlans(compiler, *ceilings, os)))
    return failure();
  if (failed(compiler.runTo(Stage::Scheduled)))
    return failure();
  Estimates estimates(compiler.module(), *ceilings);
  estimates.printSaved(os);
  for (func::FuncOp entry : estimates.entries) {
    std::vector<Estimate> list = estimates.of(entry);
    os << llvm::formatv("\n{0}, {1} tokens in {2} streams: {3:f3} ms at best\n",
                        entry->getAttrOfType<StringAttr>(attr::kEntry).getValue(),
                        estimates.tokens, estimates.streams, sumOf(list));
    constexpr const char *row = "{0,10} {1,6} {2,10} {3,10} {4,10}  {5,-9} {6}\n";
    os << llvm::formatv(row, "ms", "times", "MB", "GFLOP", "Mexp", "bound by", "kernel");
    auto number = [](double value, const char *digits) {
      return value ? llvm::formatv(digits, value).str() : std::string();
    };
    for (const Estimate &e : list)
      os << llvm::formatv(row, number(e.milliseconds, "{0:f4}"), e.times,
                          number(e.bytes / 1e6, "{0:f3}"), number(e.flops / 1e9, "{0:f3}"),
                          number(e.exps / 1e6, "{0:f3}"), e.bound, e.name);
  }
  return success();
}
