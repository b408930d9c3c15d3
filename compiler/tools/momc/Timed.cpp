// Timed models.
#include "compiler/tools/momc/Timed.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace mom;
using namespace mom::tool;
namespace cl = llvm::cl;

namespace mom::tool {
cl::OptionCategory timingOptions("Timing");
} // namespace mom::tool
static Number<0> streams("streams", cl::desc("of a batch (default: as the train block says)"),
                         cl::init(0), cl::cat(timingOptions));
static Number<0> length("length", cl::desc("of a stream, in tokens (default: likewise)"),
                        cl::init(0), cl::cat(timingOptions));
static cl::opt<bool> wholeStreams("whole-streams",
                                  cl::desc("a stream is one document, not several uneven ones"),
                                  cl::cat(timingOptions));
static Number<1, 1000000> repeats("repeats",
                                  cl::desc("runs of which the median is taken (default: 20)"),
                                  cl::init(20), cl::cat(timingOptions));
static Number<0, 1000000> warmUp("warm-up", cl::desc("runs before (default: 3)"), cl::init(3),
                                 cl::cat(timingOptions));

momrt::TimingOptions mom::tool::timingOptionsFromCommandLine() {
  momrt::TimingOptions options;
  options.checkpoint = checkpoint;
  options.seed = seed;
  options.streams = streams;
  options.length = length;
  options.wholeStreams = wholeStreams;
  options.repeats = static_cast<int>(repeats);
  options.warmUp = static_cast<int>(warmUp);
  return options;
}

//===----------------------------------------------------------------------===//
// From the table to launches
//===----------------------------------------------------------------------===//

namespace {
/// The arrays of a table that was just built, and so needs no checks.
struct RawTable {
  const momrt_table &header;

  template <typename T> ArrayRef<T> array(const momrt_range &range) const {
    return {reinterpret_cast<const T *>(reinterpret_cast<const char *>(&header) + range.offset),
            size_t(range.count)};
  }
  StringRef text(uint64_t offset) const {
    return reinterpret_cast<const char *>(&header) + header.strings.offset + offset;
  }
  const momrt_entry *entry(StringRef name) const {
    for (const momrt_entry &entry : array<momrt_entry>(header.entries))
      if (text(entry.name) == name)
        return &entry;
    return nullptr;
  }
};
} // namespace

static std::vector<TimedLaunch> launchesOf(const RawTable &table, const momrt_entry &entry,
                                           ArrayRef<double> milliseconds,
                                           ArrayRef<LaunchCosts> costs) {
  std::vector<TimedLaunch> launches;
  SmallVector<int64_t> rounds = {1};
  ArrayRef<momrt_op> ops = table.array<momrt_op>(table.header.ops);
  for (uint64_t at = entry.ops.offset; at < entry.ops.offset + entry.ops.count; ++at) {
    const momrt_op &op = ops[at];
    if (op.kind == MOMRT_OP_REPEAT)
      rounds.push_back(rounds.back() * op.rounds);
    else if (op.kind == MOMRT_OP_END)
      rounds.pop_back();
    else
      launches.push_back(
          {table.text(table.array<momrt_kernel>(table.header.kernels)[op.kernel].name).str(),
           table.text(op.source).str(), rounds.back(), milliseconds[at - entry.ops.offset],
           costs[at]});
  }
  return launches;
}

/// Compiles for the batch that is timed: the windows that logits come in depend on it.
static void setBatch(ModuleOp module, const momrt::TimingOptions &options) {
  auto train = module->getAttrOfType<DictionaryAttr>(attr::kTrain);
  if (!train)
    return;
  Builder b(module.getContext());
  NamedAttrList changed(train);
  if (options.streams)
    changed.set("streams", b.getI64IntegerAttr(options.streams));
  if (options.length)
    changed.set("length", b.getI64IntegerAttr(options.length));
  module->setAttr(attr::kTrain, changed.getDictionary(b.getContext()));
}

FailureOr<TimedModel> mom::tool::timeModel(Compiler &compiler,
                                           const momrt::TimingOptions &options) {
  setBatch(compiler.module(), options);
  if (failed(compiler.runTo(Stage::Scheduled)))
    return failure();
  annotateCosts(compiler.module());
  FailureOr<Program> program =
      compiler.jit([](ModuleOp lowered) { return printCosts(launchCosts(lowered)); });
  if (failed(program))
    return failure();
  std::optional<SmallVector<LaunchCosts>> parsed = parseCosts(program->description);
  SmallVector<LaunchCosts> costs = parsed.value_or(SmallVector<LaunchCosts>());
  RawTable table{*program->program->table};
  TimedModel model;
  std::string error =
      momrt::timeEntries(program->program, sessionOptions(), options, model.timings);
  if (!error.empty()) {
    fail(error);
    return failure();
  }
  assert(costs.size() == table.header.ops.count && "costs follow the table's ops");
  for (const momrt::EntryTiming &timing : model.timings.entries) {
    const momrt_entry &entry = *table.entry(timing.entry);
    model.launches.push_back(launchesOf(table, entry, timing.launches, costs));
    ArrayRef<momrt_op> ops =
        table.array<momrt_op>(table.header.ops).slice(entry.ops.offset, entry.ops.count);
    model.ops.emplace_back(ops.begin(), ops.end());
  }
  return model;
}

std::vector<TimedKernel> TimedModel::kernels(size_t entry) const {
  llvm::MapVector<int64_t, TimedKernel> kernels;
  int64_t unknown = -2; // one line each
  for (const TimedLaunch &launch : launches[entry]) {
    auto [place, isNew] = kernels.try_emplace(
        launch.what.kernel >= 0 ? launch.what.kernel : unknown--, TimedKernel());
    TimedKernel &kernel = place->second;
    kernel.launches += launch.rounds;
    kernel.milliseconds += launch.milliseconds;
    if (!isNew) { // one more launch of the same work; one has the kernel's own name
      if (launch.symbol.size() < kernel.name.size())
        kernel.name = launch.symbol;
      continue;
    }
    const KernelCosts &costs = launch.what.costs;
    auto total = [&](const Amount &amount) {
      return amount.at(timings.counts) * double(launch.rounds);
    };
    kernel.name = launch.symbol;
    kernel.source = launch.source;
    kernel.bytes = total(costs.bytes);
    kernel.flops = total(costs.flops);
    kernel.exps = total(costs.exps);
  }
  std::vector<TimedKernel> sorted;
  for (auto &[number, kernel] : kernels)
    sorted.push_back(kernel);
  llvm::sort(sorted);
  return sorted;
}

/// Appends the launches of ops [first, end) and returns how many there are in the
/// table, whatever their rounds.
static size_t unroll(ArrayRef<momrt_op> ops, ArrayRef<TimedLaunch> launches,
                     std::vector<TimedLaunch> &line) {
  size_t next = 0;
  for (size_t at = 0; at < ops.size(); ++at) {
    if (ops[at].kind == MOMRT_OP_LAUNCH) {
      TimedLaunch launch = launches[next++];
      launch.milliseconds /= double(launch.rounds);
      line.push_back(std::move(launch));
      continue;
    }
    size_t end = at + 1;
    for (int depth = 1; depth; ++end)
      depth += ops[end].kind == MOMRT_OP_REPEAT ? 1 : ops[end].kind == MOMRT_OP_END ? -1 : 0;
    ArrayRef<momrt_op> body = ops.slice(at + 1, end - at - 2);
    size_t inside = 0;
    for (int64_t round = 0; round < ops[at].rounds; ++round)
      inside = unroll(body, launches.drop_front(next), line);
    next += inside;
    at = end - 1;
  }
  return next;
}

std::vector<TimedLaunch> TimedModel::timeline(size_t entry) const {
  std::vector<TimedLaunch> line;
  unroll(ops[entry], launches[entry], line);
  return line;
}

std::string mom::tool::lineOf(StringRef source) {
  StringRef line = source.rsplit(':').first;
  return line.empty() ? "(no line)" : llvm::sys::path::filename(line).str();
}

std::string mom::tool::describe(const TimedModel &model, const momrt::TimingOptions &options) {
  const momrt::Counts &counts = model.timings.counts;
  return llvm::formatv("{0}; {1} tokens in {2} streams and {3} segments; median of {4} runs over "
                       "{5} batches in turn",
                       model.timings.device, counts[MOMRT_COUNT_TOKEN], counts[MOMRT_COUNT_STREAM],
                       counts[MOMRT_COUNT_SEGMENT], options.repeats, model.timings.batches)
      .str();
}
