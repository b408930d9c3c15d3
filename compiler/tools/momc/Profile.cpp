// momc profile: where a step's time goes, as tables and as a timeline.
#include "compiler/tools/momc/Timed.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/JSON.h"

using namespace mlir;
using namespace mom;
using namespace mom::tool;
namespace cl = llvm::cl;
namespace json = llvm::json;

static Number<0> top("top", cl::desc("lines of a table; 0: all (default: 20)"), cl::init(20),
                     cl::cat(verbOptions));

static void printTable(StringRef title, std::vector<TimedKernel> rows, double total) {
  llvm::sort(rows);
  llvm::outs() << "\n"
               << llvm::formatv("  {0,10} {1,6} {2,6} {3,6}  {4}\n", "ms", "share", "so far",
                                "times", title);
  double passed = 0;
  for (auto [i, row] : llvm::enumerate(rows)) {
    if (top && static_cast<int64_t>(i) == top) {
      llvm::outs() << llvm::formatv("  ... and {0} more\n", rows.size() - i);
      break;
    }
    passed += row.milliseconds;
    llvm::outs() << llvm::formatv(
        "  {0,10} {1,6} {2,6} {3,6}  {4}\n", llvm::formatv("{0:f4}", row.milliseconds).str(),
        llvm::formatv("{0:f1}%", 100 * row.milliseconds / total).str(),
        llvm::formatv("{0:f1}%", 100 * passed / total).str(), row.launches,
        row.source.empty() ? row.name : row.name + "  " + row.source);
  }
}

/// All launches, by a key of theirs.
static std::vector<TimedKernel> grouped(const TimedModel &model,
                                        function_ref<std::string(const TimedLaunch &)> key,
                                        bool withSource) {
  llvm::MapVector<StringRef, TimedKernel> groups;
  llvm::StringSet<> names; // which the map's keys point into
  for (const std::vector<TimedLaunch> &launches : model.launches)
    for (const TimedLaunch &launch : launches) {
      StringRef name = names.insert(key(launch)).first->getKey();
      TimedKernel &group = groups[name];
      group.name = name.str();
      if (withSource)
        group.source = lineOf(launch.source);
      group.launches += launch.rounds;
      group.milliseconds += launch.milliseconds;
    }
  std::vector<TimedKernel> rows;
  for (auto &[name, group] : groups)
    rows.push_back(group);
  return rows;
}

/// Chrome's trace format, which Perfetto reads: microseconds, one after the other
/// with the medians as durations.
static json::Value timelineOf(const TimedModel &model) {
  json::Array events;
  auto name = [&](int64_t thread, StringRef text) {
    events.push_back(json::Object{{"name", "thread_name"},
                                  {"ph", "M"},
                                  {"pid", 1},
                                  {"tid", thread},
                                  {"args", json::Object{{"name", text}}}});
  };
  name(1, "entries");
  name(2, "launches");
  double now = 0;
  for (size_t entry = 0; entry < model.launches.size(); ++entry) {
    double begin = now;
    for (const TimedLaunch &launch : model.timeline(entry)) {
      auto amount = [&](const Amount &a) { return a.at(model.timings.counts); };
      json::Object facts{{"source", launch.source},
                         {"bytes", amount(launch.what.costs.bytes)},
                         {"flops", amount(launch.what.costs.flops)},
                         {"exps", amount(launch.what.costs.exps)}};
      double duration = launch.milliseconds * 1e3;
      events.push_back(json::Object{{"name", launch.symbol},
                                    {"cat", lineOf(launch.source)},
                                    {"ph", "X"},
                                    {"pid", 1},
                                    {"tid", 2},
                                    {"ts", now},
                                    {"dur", duration},
                                    {"args", std::move(facts)}});
      now += duration;
    }
    events.push_back(json::Object{{"name", model.timings.entries[entry].entry},
                                  {"ph", "X"},
                                  {"pid", 1},
                                  {"tid", 1},
                                  {"ts", begin},
                                  {"dur", now - begin}});
  }
  return json::Object{{"traceEvents", std::move(events)}, {"displayTimeUnit", "ms"}};
}

/// A step of training where the model says how it is trained, else the loss.
static std::vector<std::string> entriesToProfile(ModuleOp module) {
  if (!entryNames.empty())
    return {entryNames.begin(), entryNames.end()};
  if (module->hasAttr(attr::kTrain))
    return {"gradient", "update"};
  return {"loss"};
}

int mom::tool::profile() {
  ModelFile model;
  if (!model || failed(model->load()))
    return 1;
  momrt::TimingOptions options = timingOptionsFromCommandLine();
  options.entries = entriesToProfile(model->module());
  model->keepOnly(options.entries);
  FailureOr<TimedModel> timed = timeModel(*model.operator->(), options);
  if (failed(timed))
    return 1;
  double total = 0, whole = 0;
  for (const std::vector<TimedLaunch> &launches : timed->launches)
    for (const TimedLaunch &launch : launches)
      total += launch.milliseconds;
  for (const momrt::EntryTiming &timing : timed->timings.entries)
    whole += timing.median();
  llvm::outs() << describe(*timed, options) << "\n"
               << llvm::join(options.entries, " + ")
               << llvm::formatv(": {0:f4} ms; launch by launch {1:f4} ms\n", whole, total);
  printTable("launch, line",
             grouped(*timed, [](const TimedLaunch &launch) { return launch.symbol; }, true), total);
  printTable("line",
             grouped(*timed, [](const TimedLaunch &launch) { return lineOf(launch.source); }, false),
             total);
  if (!output.getNumOccurrences())
    return 0;
  return writeFile(output, llvm::formatv("{0}\n", timelineOf(*timed)).str());
}
