// momc bench: times kernels, layers and training steps.
#include "compiler/tools/momc/Timed.h"

#include "llvm/Support/GlobPattern.h"
#include "llvm/Support/JSON.h"

using namespace mlir;
using namespace mom;
using namespace mom::tool;
namespace cl = llvm::cl;
namespace json = llvm::json;

static cl::opt<std::string> pattern("kernel",
                                    cl::desc("print kernels of these names only (default: *)"),
                                    cl::value_desc("pattern"), cl::init("*"), cl::cat(verbOptions));
cl::opt<std::string> mom::tool::jsonFile("json", cl::desc("write the figures here too"),
                                         cl::value_desc("file"), cl::cat(verbOptions));

/// "  41%", or nothing where the ceiling or the rate is unknown.
static std::string share(double rate, double ceiling) {
  return ceiling && rate ? llvm::formatv("{0:f0}%", 100 * rate / ceiling).str() : "";
}

static void printKernels(const std::vector<TimedKernel> &kernels, const Ceilings &ceilings) {
  constexpr const char *row = "  {0,10} {1,6} {2,10} {3,9} {4,5} {5,10} {6,9} {7,5} {8,10} {9,9} {10,5}  {11}\n";
  llvm::outs() << llvm::formatv(row, "ms", "times", "MB", "GB/s", "", "GFLOP", "TFLOP/s", "",
                                "Mexp", "Gexp/s", "", "kernel");
  auto number = [](double value, const char *digits) {
    return value ? llvm::formatv(digits, value).str() : std::string();
  };
  for (const TimedKernel &k : kernels)
    llvm::outs() << llvm::formatv(
        row, llvm::formatv("{0:f4}", k.milliseconds).str(), k.launches,
        number(k.bytes / 1e6, "{0:f3}"), number(k.gigabytesPerSecond(), "{0:f1}"),
        share(k.gigabytesPerSecond(), ceilings.copy), number(k.flops / 1e9, "{0:f3}"),
        number(k.teraflops(), "{0:f3}"), share(k.teraflops(), ceilings.product),
        number(k.exps / 1e6, "{0:f3}"), number(k.gigaexps(), "{0:f2}"),
        share(k.gigaexps(), ceilings.exps), k.name + "  " + lineOf(k.source));
}

static json::Object kernelJson(const TimedKernel &kernel, const Ceilings &ceilings) {
  json::Object object{{"kernel", kernel.name},
                      {"source", kernel.source},
                      {"launches", kernel.launches},
                      {"milliseconds", kernel.milliseconds},
                      {"bytes", kernel.bytes},
                      {"flops", kernel.flops},
                      {"exps", kernel.exps},
                      {"gigabytes_per_second", kernel.gigabytesPerSecond()},
                      {"teraflops", kernel.teraflops()},
                      {"gigaexps", kernel.gigaexps()}};
  if (ceilings.copy)
    object["share_of_copy"] = kernel.gigabytesPerSecond() / ceilings.copy;
  if (ceilings.product)
    object["share_of_product"] = kernel.teraflops() / ceilings.product;
  if (ceilings.exps)
    object["share_of_exps"] = kernel.gigaexps() / ceilings.exps;
  return object;
}

static double tokensPerSecond(const TimedModel &model, double milliseconds) {
  return milliseconds > 0 ? model.timings.counts[MOMRT_COUNT_TOKEN] / milliseconds * 1e3 : 0;
}

static json::Object printEntry(const TimedModel &model, size_t index, const Ceilings &ceilings,
                               const llvm::GlobPattern &wanted) {
  const momrt::EntryTiming &timing = model.timings.entries[index];
  std::vector<TimedKernel> kernels = model.kernels(index);
  double sum = 0;
  for (const TimedKernel &kernel : kernels)
    sum += kernel.milliseconds;
  double median = timing.median();
  llvm::outs() << llvm::formatv("\n{0}: {1:f4} ms ({2:f4} to {3:f4}), {4:f0} tokens/s; kernels alone "
                                "{5:f4} ms; {6} numbers finite{7}\n",
                                timing.entry, median, timing.runs.front(), timing.runs.back(),
                                tokensPerSecond(model, median), sum, timing.numbers,
                                timing.repeated ? " and the same at the end" : "");
  llvm::erase_if(kernels, [&](const TimedKernel &kernel) { return !wanted.match(kernel.name); });
  printKernels(kernels, ceilings);
  json::Array list;
  for (const TimedKernel &kernel : kernels)
    list.push_back(kernelJson(kernel, ceilings));
  return json::Object{{"entry", timing.entry},
                      {"milliseconds", median},
                      {"least", timing.runs.front()},
                      {"greatest", timing.runs.back()},
                      {"kernels_milliseconds", sum},
                      {"tokens_per_second", tokensPerSecond(model, median)},
                      {"numbers_checked", timing.numbers},
                      {"repeated", timing.repeated},
                      {"kernels", std::move(list)}};
}

/// A step of training is a gradient and an update.
static std::optional<json::Object> printStep(const TimedModel &model) {
  double milliseconds = 0;
  int parts = 0;
  for (const momrt::EntryTiming &timing : model.timings.entries)
    if (timing.entry == "gradient" || timing.entry == "update") {
      milliseconds += timing.median();
      ++parts;
    }
  if (parts != 2)
    return std::nullopt;
  llvm::outs() << llvm::formatv("\nstep (gradient and update): {0:f4} ms, {1:f0} tokens/s\n",
                                milliseconds, tokensPerSecond(model, milliseconds));
  return json::Object{{"milliseconds", milliseconds},
                      {"tokens_per_second", tokensPerSecond(model, milliseconds)}};
}

/// The entries that are asked for, or all that the program will have.
static FailureOr<std::vector<std::string>> entriesToTime(Compiler &compiler) {
  if (!entryNames.empty())
    return std::vector<std::string>(entryNames.begin(), entryNames.end());
  if (compiler.current() < Stage::Grad && failed(compiler.runTo(Stage::Grad)))
    return failure();
  std::vector<std::string> names;
  for (auto func : compiler.module().getOps<func::FuncOp>())
    if (auto name = func->getAttrOfType<StringAttr>(attr::kEntry))
      names.push_back(name.str());
  return names;
}

int mom::tool::bench() {
  llvm::Expected<llvm::GlobPattern> wanted = llvm::GlobPattern::create(pattern);
  if (!wanted)
    return fail("--kernel: " + llvm::toString(wanted.takeError()));
  ModelFile model({entryNames.begin(), entryNames.end()});
  if (!model || failed(model->load()))
    return 1;
  momrt::TimingOptions options = timingOptionsFromCommandLine();
  FailureOr<std::vector<std::string>> entries = entriesToTime(*model.operator->());
  if (failed(entries))
    return 1;
  options.entries = *entries;
  FailureOr<TimedModel> timed = timeModel(*model.operator->(), options);
  if (failed(timed))
    return 1;
  FailureOr<Ceilings> ceilings = findCeilings();
  if (failed(ceilings))
    return 1;
  llvm::outs() << describe(*timed, options) << "\n"
               << llvm::formatv("ceilings: copy {0:f1} GB/s, product {1:f3} TFLOP/s ({2})\n",
                                ceilings->copy, ceilings->product, ceilings->origin);
  json::Array list;
  for (size_t i = 0; i < timed->timings.entries.size(); ++i)
    list.push_back(printEntry(*timed, i, *ceilings, *wanted));
  json::Object all{
      {"device", timed->timings.device},
      {"target", compileOptionsFromCommandLine().pipeline.target},
      {"storage", compileOptionsFromCommandLine().pipeline.storage},
      {"tokens", timed->timings.counts[MOMRT_COUNT_TOKEN]},
      {"streams", timed->timings.counts[MOMRT_COUNT_STREAM]},
      {"segments", timed->timings.counts[MOMRT_COUNT_SEGMENT]},
      {"batches", timed->timings.batches},
      {"repeats", options.repeats},
      {"ceilings", json::Object{{"copy", ceilings->copy},
                                {"product", ceilings->product},
                                {"exps", ceilings->exps},
                                {"origin", ceilings->origin}}},
      {"entries", std::move(list)}};
  if (std::optional<json::Object> step = printStep(*timed))
    all["step"] = std::move(*step);
  if (jsonFile.empty())
    return 0;
  return writeFile(jsonFile, llvm::formatv("{0:2}\n", json::Value(std::move(all))).str());
}
