// The plan that is compiled for a GPU against the host's, on the emulator.
#include "compiler/Passes.h"
#include "compiler/Target/Cpu.h"
#include "compiler/Target/Emulator/Emulator.h"
#include "compiler/Target/Program.h"
#include "dialect/Mom.h"
#include "runtime/Batch.h"
#include "runtime/Cpu.h"
#include "runtime/Walk.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FormatVariadic.h"

#include <random>

using namespace mlir;
using namespace mom;

namespace {
/// A program that sorts rows by one of `groups` modalities, and does nothing else.
struct Compiled {
  std::unique_ptr<Jit> jit;
  std::unique_ptr<momrt::Program> program;

  static std::optional<Compiled> compile(MLIRContext &context, int64_t groups) {
    std::string text = llvm::formatv("func.func @use(%batch: !mom.batch) {{\n"
                                     "  %r = mom.modality_route %batch : !mom.route<\"M\", {0}>\n"
                                     "  return\n"
                                     "}", groups).str();
    OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context);
    PassManager passes(&context);
    passes.addPass(createEmitGpuPass({90}));
    if (!module || failed(passes.run(*module)))
      return std::nullopt;
    CodeOptions options;
    options.target = "sm_90a";
    options.emulate = true;
    auto report = [&] { return emitError(UnknownLoc::get(&context)); };
    SmallVector<char> object;
    FailureOr<std::unique_ptr<Jit>> jit = Jit::create(report);
    if (failed(jit) || failed(compileProgram(TargetModule{*module, options}, "plan_test", "plan",
                                             object, /*assembly=*/false, report)) ||
        failed((*jit)->load(object, report)))
      return std::nullopt;
    auto *program = static_cast<const momrt_program *>((*jit)->lookup("plan_test"));
    return Compiled{std::move(*jit), std::make_unique<momrt::Program>(program)};
  }
};

struct Result {
  momrt::Route route;
  momrt_status status = {};
};
} // namespace

/// Runs the entry "plan" on arrays of the capacities' size that hold rubbish.
static Result plan(const momrt::Program &program, const std::vector<int32_t> &modality,
                   int64_t groups) {
  momrt::Counts counts{1, int64_t(modality.size()), 1, 1, 1, 0};
  momrt::Counts capacities = momrt::capacitiesOf(counts, 0);
  auto tokens = size_t(momrt::alignUp(capacities[MOMRT_COUNT_TOKEN] * 4) / 4);
  std::vector<int32_t> padded(modality), row(tokens, -7), position(tokens, -7);
  padded.resize(tokens, -7);
  std::vector<int64_t> offsets(size_t(groups) + 1, -7);
  std::vector<momrt_status> statuses(program.table.ops().size());
  momrt::ArenaPlan places = momrt::planArena(program.table, capacities);
  momrt::Cpu device(program, 3);
  momrt::Buffer arena(device, places.bytes);
  device.fill(arena.data(), 0xff, places.bytes);

  momrt::Addresses addresses;
  auto place = [&](momrt_space space, auto &values) {
    addresses.base[space] = reinterpret_cast<char *>(values.data());
  };
  place(MOMRT_SPACE_COUNTS, counts);
  place(MOMRT_SPACE_MODALITY, padded);
  place(MOMRT_SPACE_ROUTE_OFFSETS, offsets);
  place(MOMRT_SPACE_ROUTE_ROW, row);
  place(MOMRT_SPACE_ROUTE_POSITION, position);
  place(MOMRT_SPACE_STATUS, statuses);
  for (int64_t offset : places.offsets)
    addresses.slots.push_back(arena.data() + offset);
  momrt::walk(program.table, program.table.entry("plan"), capacities, addresses, device);

  // What lies behind the last token in its line of memory must be a row as well.
  bool valid = true;
  auto line = size_t(momrt::alignUp(int64_t(modality.size()) * 4) / 4);
  for (size_t at = modality.size(); at < line; ++at)
    valid &= row[at] == 0 && position[at] == 0;
  Result result;
  for (const momrt_status &status : statuses)
    if (status.code)
      result.status = status;
  if (!valid)
    result.status.code = -1;
  row.resize(modality.size());
  position.resize(modality.size());
  result.route = {offsets, row, position};
  return result;
}

static bool same(const momrt::Route &a, const momrt::Route &b) {
  return a.offsets == b.offsets && a.row == b.row && a.position == b.position;
}

static int failures = 0;
static void check(bool good, const std::string &what) {
  if (good)
    return;
  ++failures;
  llvm::errs() << "not so: " << what << "\n";
}

int main() {
  DialectRegistry registry;
  registerDialects(registry);
  MLIRContext context(registry);
  context.loadAllAvailableDialects();
  std::mt19937 random(5);
  for (int64_t groups : {1, 2, 3, 16, 32}) {
    std::optional<Compiled> compiled = Compiled::compile(context, groups);
    if (!compiled)
      return 1;
    for (int64_t tokens : {0, 1, 31, 1023, 1024, 1025, 100000})
      for (int64_t used : {groups, std::max<int64_t>(groups / 2, 1), int64_t(1)}) {
        // The highest groups only, so that those before them are empty; then runs of one.
        std::vector<int32_t> modality;
        while (int64_t(modality.size()) < tokens) {
          auto group = int32_t(groups - 1 - int64_t(random() % uint64_t(used)));
          modality.resize(std::min<size_t>(modality.size() + random() % 40 + 1, size_t(tokens)),
                          group);
        }
        setEmulatorReverse(random() & 1);
        Result got = plan(*compiled->program, modality, groups);
        check(!got.status.code && same(got.route, momrt::routeByModality(modality, groups)),
              llvm::formatv("{0} tokens of {1} of {2} groups", tokens, used, groups).str());
        if (tokens == 100000)
          break;
      }
    // A modality that is none: reported, and sorted as 0.
    for (int32_t bad : {int32_t(groups), -1, 1 << 20}) {
      std::vector<int32_t> modality(700, int32_t(groups - 1)), instead = modality;
      modality[612] = bad;
      instead[612] = 0;
      Result got = plan(*compiled->program, modality, groups);
      check(got.status.code == MOMRT_ERROR_INDEX && got.status.row == 612 &&
                got.status.value == bad && same(got.route, momrt::routeByModality(instead, groups)),
            llvm::formatv("modality {0} of {1} groups", bad, groups).str());
    }
  }
  // More groups than a warp has lanes: the host plans.
  std::optional<Compiled> many = Compiled::compile(context, 33);
  check(many && !many->program->table.findEntry("plan"), "33 groups have no plan");
  llvm::outs() << (failures ? "failed\n" : "ok\n");
  return failures != 0;
}
