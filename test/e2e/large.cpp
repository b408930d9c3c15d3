// Products of rows and channels beyond 2^31 on little memory: of a batch of two
// million tokens by 2048 channels only the last rows are computed, in mapped memory
// of which only touched pages exist, and must be those of a batch that has no others.
//   momc-test-large test/gpu/large.mlir
#include "compiler/Passes.h"
#include "compiler/Target/Program.h"
#include "compiler/tools/mom-compare/Compiled.h"
#include "compiler/tools/mom-compare/Inputs.h"
#include "dialect/Mom.h"
#include "runtime/Batch.h"
#include "runtime/Cpu.h"
#include "runtime/Walk.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/TargetSelect.h"

#include <cstring>
#include <sys/mman.h>

using namespace mlir;
using namespace mom;
using namespace mom::compare;

// The tail: segments of uneven lengths, and all rows of each.
static constexpr int64_t kLengths[] = {61, 1, 200, 3, 64, 118};
static constexpr int64_t kTail = 61 + 1 + 200 + 3 + 64 + 118;
// Saved states are 2^31 numbers, too.
static constexpr int64_t kCheckpoint = 4;
static constexpr int64_t kRows = (int64_t(1) << 21) - 77;

namespace {
/// Pages that exist once they are touched.
struct Mapped {
  explicit Mapped(int64_t bytes) : bytes(bytes) {
    memory = static_cast<char *>(mmap(nullptr, size_t(bytes), PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  }
  ~Mapped() { munmap(memory, size_t(bytes)); }
  Mapped(const Mapped &) = delete;
  char *memory;
  int64_t bytes;
};

/// Runs the blocks that may touch the tail's rows. What walks segments walks all, as
/// only the tail has any; what sums over all rows is not run.
class Tail : public momrt::Cpu {
public:
  Tail(const momrt::Program &program) : momrt::Cpu(program, 1), program(program) {}

  void launch(const momrt::Launch &launch) override {
    const momrt_op &op = program.table.ops()[launch.op];
    const momrt_kernel &kernel = program.table.kernels()[launch.kernel];
    StringRef name = program.table.string(kernel.name);
    if (name.contains("reduce_rows") || name.contains("wgrad") || name.contains("embedding_grad"))
      return;
    int64_t first = 0, end = launch.blocks;
    if (op.grid_count == MOMRT_COUNT_TOKEN) {
      first = (kRows - kTail) / op.grid_tile * op.grid_factor;
      end = ((kRows - 1) / op.grid_tile + 1) * op.grid_factor;
    }
    std::vector<char> memory(size_t(kernel.scratch) + MOMRT_ALIGNMENT);
    auto address = llvm::alignTo<MOMRT_ALIGNMENT>(reinterpret_cast<uintptr_t>(memory.data()));
    for (int64_t block = first; block < end; ++block)
      program.kernel(launch.kernel)(launch.pointers, block, reinterpret_cast<void *>(address));
  }

private:
  const momrt::Program &program;
};

/// A batch of `rows` whose last are the tail, each argument's rows in mapped memory.
struct Run {
  Run(const momrt::Program &program, int64_t rows, bool all);
  ~Run();

  int64_t rows;
  std::vector<std::unique_ptr<Mapped>> memory;
  momrt::Addresses addresses;
  momrt::Counts counts, capacities;
  std::vector<momrt_segment> segments;
  std::vector<momrt_segment_record> records;
  std::vector<std::vector<float>> results; ///< the tail of each output of rows
  bool mapped = true;
};
} // namespace

Run::~Run() = default;

Run::Run(const momrt::Program &program, int64_t rows, bool all) : rows(rows) {
  const momrt::Table &table = program.table;
  const momrt_entry &entry = table.entry(kEntryName.str());
  int64_t start = rows - kTail;
  for (int64_t length : kLengths) {
    segments.push_back({start, length, -1, -1});
    start += length;
  }
  records = momrt::segmentRecords(segments);
  counts = {1, rows, 1, int64_t(segments.size()), int64_t(segments.size())};
  capacities = momrt::capacitiesOf(counts, 0);
  auto map = [&](int64_t bytes) {
    memory.push_back(std::make_unique<Mapped>(std::max<int64_t>(bytes, 4096)));
    mapped &= memory.back()->memory != MAP_FAILED;
    return memory.back()->memory;
  };
  momrt::ArenaPlan plan = momrt::planArena(table, capacities);
  char *arena = map(plan.bytes);
  for (int64_t offset : plan.offsets)
    addresses.slots.push_back(arena + offset);
  auto &base = addresses.base;
  base[MOMRT_SPACE_COUNTS] = reinterpret_cast<char *>(counts.data());
  base[MOMRT_SPACE_SEGMENTS] = reinterpret_cast<char *>(records.data());
  base[MOMRT_SPACE_STATUS] = map(int64_t(table.ops().size() * sizeof(momrt_status)));
  base[MOMRT_SPACE_MODALITY] = map(capacities[MOMRT_COUNT_TOKEN] * 4);
  base[MOMRT_SPACE_ROUTE_OFFSETS] = map(4096);
  for (auto space : {MOMRT_SPACE_ROUTE_ROW, MOMRT_SPACE_ROUTE_POSITION}) {
    base[space] = map(capacities[MOMRT_COUNT_TOKEN] * 4);
    for (int64_t row = rows - kTail; row < rows; ++row)
      reinterpret_cast<int32_t *>(base[space])[row] = int32_t(row);
  }
  // The same numbers whatever the rows before; a scan's A is negative.
  uint64_t number = 0;
  for (const momrt_input &input : table.inputs()) {
    bool isRows = input.count == MOMRT_COUNT_TOKEN;
    char *data = map((isRows ? capacities[MOMRT_COUNT_TOKEN] : 1) * input.channels * 4);
    addresses.inputs.push_back(data);
    std::mt19937_64 random(++number);
    int64_t first = isRows ? (rows - kTail) * input.channels : 0;
    int64_t count = (isRows ? kTail : 1) * input.channels;
    for (int64_t i = first; i < first + count; ++i)
      if (input.type == MOMRT_I32)
        reinterpret_cast<int32_t *>(data)[i] = int32_t(below(64, random));
      else
        reinterpret_cast<float *>(data)[i] = float(-std::fabs(0.1 * normal(random)));
  }
  if (!mapped)
    return;
  Tail tail(program);
  momrt::Cpu whole(program, 1);
  momrt::walk(table, entry, capacities, addresses, all ? whole : tail);
  for (const momrt_output &output : table.outputsOf(entry)) {
    if (output.kind != MOMRT_OUTPUT_ROWS)
      continue;
    auto *data = reinterpret_cast<float *>(momrt::resolve(output.where, addresses, capacities, 0));
    data += (rows - kTail) * output.channels;
    results.emplace_back(data, data + kTail * output.channels);
  }
}

/// Compiles the function's joint form, and runs its tail both ways.
static int64_t check(ModuleOp module, bool fuse) {
  auto func = module.lookupSymbol<func::FuncOp>("rows.joint");
  PipelineOptions options;
  options.fuse = fuse;
  SmallVector<char> object;
  auto report = [&] { return func.emitError(); };
  auto jit = Jit::create(report);
  if (failed(jit) || failed(compileFunction(func, options, "large_test", object)) ||
      failed((*jit)->load(object, report)))
    return 1;
  momrt::Program program(static_cast<const momrt_program *>((*jit)->lookup("large_test")));
  Run large(program, kRows, false), small(program, kTail, true);
  if (!large.mapped) {
    llvm::outs() << "the memory cannot be mapped\n";
    return 1;
  }
  int64_t bad = 0;
  for (auto [i, pair] : llvm::enumerate(llvm::zip_equal(large.results, small.results))) {
    Difference difference;
    for (auto [a, b] : llvm::zip_equal(std::get<0>(pair), std::get<1>(pair)))
      difference.add(a, b);
    bool good = difference.normWithin(1e-6, 0) && difference.norm() > 0;
    bad += !good;
    llvm::outs() << (fuse ? "fused" : "op by op") << ", rows " << i << ": ";
    difference.print(llvm::outs());
    llvm::outs() << (good ? "\n" : "  <-- differs\n");
  }
  return bad;
}

int main(int argc, char **argv) {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  llvm::InitializeNativeTargetAsmParser();
  DialectRegistry registry;
  registerDialects(registry);
  MLIRContext context(registry);
  auto module = parseSourceFile<ModuleOp>(argc > 1 ? argv[1] : "-", &context);
  if (!module)
    return 1;
  auto func = module->lookupSymbol<func::FuncOp>("rows");
  func->setAttr(attr::kLayer, UnitAttr::get(&context));
  func->setAttr(attr::kExport, UnitAttr::get(&context));
  PassManager passes(&context);
  passes.addPass(createDifferentiatePass({kCheckpoint, true}));
  if (failed(passes.run(*module)))
    return 1;
  int64_t bad = check(*module, true) + check(*module, false);
  llvm::outs() << (bad ? "differs\n" : "ok\n");
  return bad != 0;
}
