// Defaults of the knobs of GPU products.
#include "compiler/Schedule/ProductDefaults.h"

#include "compiler/Schedule/Knobs.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mom;

/// Blocks that run at once, two a multiprocessor.
static constexpr int64_t kBlocks = 2 * kMultiprocessors;

/// Whether a value lies in rows that begin at multiples of 16 bytes.
static bool isAligned(Value value) {
  int64_t sizes = channelsOf(value); // what must be a multiple, in one number's low bits
  while (Operation *op = value.getDefiningOp()) {
    if (auto extend = dyn_cast<arith::ExtFOp>(op)) {
      value = extend.getIn();
    } else if (auto split = dyn_cast<SplitOp>(op)) {
      for (Value part : split.getParts().take_front(cast<OpResult>(value).getResultNumber()))
        sizes |= channelsOf(part);
      value = split.getX();
    } else {
      return false; // computed
    }
    sizes |= channelsOf(value);
  }
  return sizes * getElementTypeOrSelf(value.getType()).getIntOrFloatBitWidth() / 8 % 16 == 0;
}

/// What is widened, or read in part, to give a value.
static Value storedAs(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (auto extend = dyn_cast<arith::ExtFOp>(op))
      value = extend.getIn();
    else if (auto split = dyn_cast<SplitOp>(op))
      value = split.getX();
    else
      break;
  }
  return value;
}

static Type storageOf(Value value) { return getElementTypeOrSelf(storedAs(value).getType()); }

namespace {
/// The product of a kernel as C[m, n] = sum over k. Counts of rows are unknown: 0.
struct Sizes {
  Type a, b; ///< storage
  int64_t m = 0, n = 0, k = 0, groups = 1;
  bool innerLast = false; ///< k runs along the channels of B
  bool tiled = false;     ///< TMA can copy both operands
  bool made = false;      ///< a convolution makes A's lines
};
} // namespace

/// A warpgroup that copies and two that multiply.
static constexpr int64_t kTmaThreads = 384;

/// Groups whose tensor maps each block of a weight gradient makes.
static constexpr int64_t kMostMaps = 16;

static int64_t groupsOf(Value route) {
  return route ? cast<RouteType>(route.getType()).getGroups() : 1;
}

static Sizes sizesOf(KernelOp kernel) {
  Sizes sizes;
  auto tiled = [](Value a, Value b) {
    return storageOf(a) == storageOf(b) && isAligned(a) && isAligned(b);
  };
  kernel.getBody().walk([&](Operation *op) {
    if (auto linear = dyn_cast<LinearOp>(op))
      sizes = {storageOf(linear.getX()),
               storageOf(linear.getWeights()),
               0,
               channelsOf(linear.getY()),
               channelsOf(linear.getX()),
               groupsOf(linear.getRoute()),
               !linear.getTransposed(),
               tiled(linear.getX(), linear.getWeights()) && channelsOf(linear.getY()) % 8 == 0};
    else if (auto wgrad = dyn_cast<LinearWgradOp>(op))
      sizes = {storageOf(wgrad.getDy()),
               storageOf(wgrad.getX()),
               channelsOf(wgrad.getDy()),
               channelsOf(wgrad.getX()),
               0,
               groupsOf(wgrad.getRoute()),
               false,
               tiled(wgrad.getDy(), wgrad.getX()) && groupsOf(wgrad.getRoute()) <= kMostMaps};
  });
  sizes.made = !kernel.getBody().getOps<Conv1dOp>().empty();
  return sizes;
}

Type mom::productType(KernelOp kernel) {
  Sizes sizes = sizesOf(kernel);
  auto isNarrow = [](Type type) { return type && (type.isBF16() || type.isF16()); };
  if (isNarrow(sizes.a) && isNarrow(sizes.b) && sizes.a != sizes.b)
    return {};
  return isNarrow(sizes.a) ? sizes.a : isNarrow(sizes.b) ? sizes.b : Type();
}

/// Columns of a tile: few that are computed for nothing, but wide, since a tile reads
/// all of A again.
static int64_t tileColumns(int64_t columns, ProductUnit unit, bool innerLast) {
  if (unit == ProductUnit::Fma)
    return 64; // 32 sums a thread; with 64, registers for two blocks would be short
  if (columns <= (innerLast ? 160 : 128)) // three stages of 128 by 160 still fit twice
    return llvm::alignTo(std::max<int64_t>(columns, 1), 32);
  auto cost = [&](int64_t tile) { return llvm::divideCeil(columns, tile) * (tile + 64); };
  int64_t best = 128;
  for (int64_t tile : {96, 64})
    if (cost(tile) < cost(best))
      best = tile;
  return best;
}

/// Tiles of all groups' weights; 0 for other products, whose rows are not known.
static int64_t tileCount(const Sizes &sizes, int64_t rows, int64_t columns) {
  return sizes.groups * llvm::divideCeil(sizes.m, rows) * llvm::divideCeil(sizes.n, columns);
}

/// Until when the last of the blocks that stay works on a weight gradient, in rows of all
/// groups' by tiles of one column. Tiles are dealt in turn, and a group's tiles are as long as
/// it has rows: unknown here, so that groups are taken to grow evenly (1, 2, 3 ...), as
/// unlike each other as modalities usually are.
static double makespan(const Sizes &sizes, int64_t columns) {
  std::array<double, kMultiprocessors> busy = {};
  int64_t tiles = tileCount(sizes, 128, columns), ofGroup = tiles / sizes.groups;
  for (int64_t tile = 0; tile < tiles; ++tile)
    busy[tile % busy.size()] += tile / ofGroup + 1;
  double rows = sizes.groups * (sizes.groups + 1) / 2.0;
  // Of 128 columns an H200 multiplies 0.9 as fast as of 192 or 256, which read less.
  return *llvm::max_element(busy) / rows * columns / (columns == 128 ? 0.9 : 1);
}

/// Columns of a tile of TMA products. Warpgroups do better to share tiles of 256 columns than to
/// take ones of 128 in turn where a product waits for the L2 cache: the larger tiles read a
/// quarter less, though taking turns hides a tile's end behind the next one. A weight
/// gradient does, and how evenly its tiles fill the device decides (192 in turn are between);
/// so does a product of few columns and many steps.
static int64_t tmaColumns(const Sizes &sizes) {
  if (!sizes.m)
    return sizes.n % 256 == 0 && sizes.n <= 1024 && sizes.k >= 4096 ? 256 : 128;
  int64_t best = 128;
  for (int64_t columns : {192, 256})
    if (sizes.n >= columns && makespan(sizes, columns) < makespan(sizes, best))
      best = columns;
  return best;
}

/// Parts of the rows of a weight gradient, so that small weights have blocks enough.
static int64_t rowParts(const Sizes &sizes, int64_t tileRows, int64_t columns) {
  if (!sizes.m)
    return 1;
  int64_t tiles = tileCount(sizes, tileRows, columns);
  return std::clamp<int64_t>((kBlocks + tiles / 2) / tiles, 1, 128);
}

/// Rows of a tile. Few columns make few tiles: of 64 rows there are enough for both
/// warpgroups of each block; and so there are for two blocks where one makes its lines while
/// the other waits for their inputs.
static int64_t tileRows(const Sizes &sizes, bool tma) {
  if (sizes.made)
    return 64;
  return tma && !sizes.m && sizes.n <= 128 && sizes.k >= 1024 ? 64 : 128;
}

SmallVector<Value> mom::epilogueInputs(KernelOp kernel) {
  auto linears = kernel.getBody().getOps<LinearOp>();
  if (linears.empty())
    return {};
  Value y = (*linears.begin()).getY();
  SetVector<Value> reached;
  reached.insert_range(
      llvm::map_range(kernel.getBody().front().getTerminator()->getOperands(), beforeReorder));
  SmallVector<Value> inputs;
  for (size_t i = 0; i < reached.size(); ++i) { // grows
    Value v = reached[i];
    if (v == y || !isRows(v.getType()) || channelsOf(v) != channelsOf(y))
      continue;
    if (isa<BlockArgument>(storedAs(v)))
      inputs.push_back(v);
    else if (Operation *op = v.getDefiningOp();
             !isa<BroadcastOp, Conv1dOp>(op) && !readsOtherRows(op))
      reached.insert_range(op->getOperands());
  }
  return inputs;
}

/// Whether TMA can copy an input of what follows a product.
static bool fitsPanels(Value input) {
  return storageOf(input).getIntOrFloatBitWidth() == 16 && isAligned(input);
}

/// Panels for inputs of what follows a product: with few steps a tile is mostly that, and so
/// is shared memory; with many, one input is not worth stages. Each of two warpgroups has a
/// ring, of a panel of each input at least.
static int64_t panelCount(const Sizes &sizes, ArrayRef<Value> inputs) {
  int64_t count = llvm::count_if(inputs, fitsPanels);
  if (!count || count > 4)
    return 0;
  if (sizes.k <= 4 * 64)
    return 8;
  return count > 1 ? std::max<int64_t>(4, 2 * count) : 0;
}

/// Bytes of 64 k of both operands.
static int64_t stageBytesOf(const Sizes &sizes, int64_t rows, int64_t columns) {
  int64_t inputs = sizes.made ? rows + kSpareLines : 0;
  return (rows + inputs + (sizes.innerLast ? columns : llvm::alignTo(columns, 64))) * 128;
}

/// Bytes that a product by TMA takes beside its stages: drafts of tensor maps and barriers
/// take 2 KB, the first stage's alignment one more.
static int64_t besideStages(int64_t panels, int64_t rows) { return 3072 + panels * rows * 128; }

bool mom::leavesShared(KernelOp kernel, int64_t bytes) {
  auto knob = [&](StringRef name) { return given(kernel, name, 0); };
  if (knob("unit") != static_cast<int64_t>(ProductUnit::Tma))
    return false;
  int64_t rows = knob("tile_rows");
  int64_t stages = stageBytesOf(sizesOf(kernel), rows, knob("tile_columns")) * knob("stages") *
                   std::max<int64_t>(knob("tile_inner") / 64, 1);
  return stages + besideStages(knob("panels"), rows) + bytes <= sharedBytes(90);
}

/// Blocks that share the rows of their tiles. Where threads read what follows a product from
/// memory, that and tiles of both operands meet in the L2 cache: at 32768 x 2048 x 4096 and f32 a
/// cluster gives 0.94 instead of 0.85 of cuBLASLt's speed. Others are within 2 % either way.
static int64_t clusterBlocks(const Sizes &sizes, int64_t columns, ArrayRef<Value> inputs,
                             int64_t grid) {
  bool reads = !inputs.empty() && !llvm::all_of(inputs, fitsPanels);
  return reads && llvm::divideCeil(sizes.n, columns) % 2 == 0 && grid % 2 == 0 ? 2 : 1;
}

int64_t mom::productDefault(KernelOp kernel, StringRef knob, int64_t architecture) {
  Sizes sizes = sizesOf(kernel);
  auto given = [&](StringRef name, auto otherwise) -> int64_t {
    return mom::given(kernel, name, static_cast<int64_t>(otherwise));
  };
  bool hopper = architecture >= 90 && architecture < 100;
  bool tiled = sizes.tiled && given("threads", kTmaThreads) == kTmaThreads;
  ProductUnit usual = !productType(kernel) ? ProductUnit::Fma
                      : !hopper            ? ProductUnit::Mma
                      : tiled              ? ProductUnit::Tma
                                           : ProductUnit::Wgmma;
  auto unit = static_cast<ProductUnit>(given("unit", usual));
  bool tma = unit == ProductUnit::Tma;
  int64_t wide = tma ? tmaColumns(sizes) : 0;
  int64_t columns =
      given("tile_columns", wide > 128 ? wide : tileColumns(sizes.n, unit, sizes.innerLast));
  int64_t rows = given("tile_rows", tileRows(sizes, tma));
  int64_t threads = given("threads", unit == ProductUnit::Mma || sizes.made ? 128
                                     : tma                                  ? kTmaThreads
                                                                            : 256);
  // Two blocks share a multiprocessor, so that one multiplies while the other stores, if
  // each has stages enough, and registers: its sums, and 64 for all else.
  int64_t stageBytes = stageBytesOf(sizes, rows, columns);
  int64_t least = unit == ProductUnit::Wgmma ? 3 : 2, stages = given("stages", least);
  bool two = !tma &&
             (unit == ProductUnit::Fma || stages * stageBytes <= sharedBytes(architecture, 2)) &&
             2 * (rows * columns + 64 * threads) <= 65536;
  int64_t blocks = given("blocks", two ? 2 : 1);
  int64_t inner = given("tile_inner", unit == ProductUnit::Fma ? 16 : 64);
  SmallVector<Value> inputs = epilogueInputs(kernel);
  int64_t panels = given("panels", tma ? panelCount(sizes, inputs) : 0);
  int64_t besides = tma ? besideStages(panels, rows) : 0;
  int64_t fitting = (sharedBytes(architecture, blocks) - besides) / stageBytes /
                    std::max<int64_t>(inner / 64, 1);
  return llvm::StringSwitch<int64_t>(knob)
      .Case("unit", static_cast<int64_t>(usual))
      .Case("threads", threads)
      .Case("tile_rows", rows)
      .Case("band", tma ? 4 : 8)
      .Case("tile_columns", columns)
      .Case("tile_inner", inner)
      .Case("stages",
            unit == ProductUnit::Fma ? 2 : std::clamp<int64_t>(fitting, least, tma ? 8 : 4))
      .Case("blocks", blocks)
      .Case("ahead", inputs.empty() || (panels && llvm::all_of(inputs, fitsPanels)) ? 8 : 2)
      .Case("panels", panels)
      .Case("pingpong", rows * columns <= 128 * (sizes.m ? 192 : 160))
      .Case("split_k", rowParts(sizes, rows, columns))
      .Case("cluster",
            tma ? clusterBlocks(sizes, columns, inputs, given("grid", kMultiprocessors)) : 1)
      .Default(1);
}
