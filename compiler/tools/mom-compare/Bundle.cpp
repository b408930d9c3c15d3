// Checks for a machine without the compiler.
#include "compiler/tools/mom-compare/Bundle.h"

#include "compiler/tools/mom-compare/Compiled.h"
#include "compiler/tools/mom-compare/Inputs.h"
#include "compiler/tools/mom-compare/Sensitivity.h"
#include "runtime/RunFile.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace mom;
using namespace mom::compare;

// Larger results are kept as a signed sum of each row.
static constexpr size_t kLargest = 1 << 13;

namespace {
/// The batch of a case. Its name says what is special about it.
struct Shape {
  std::string name;
  BatchOptions options;
};
} // namespace

/// Plain batches of the sizes asked for, then awkward ones: a group of one token,
/// two empty groups, and segments that end round the length of a checkpointed run.
static SmallVector<Shape> shapesFor(ArrayRef<int64_t> tokens) {
  SmallVector<Shape> shapes;
  for (int64_t count : tokens) {
    BatchOptions plain;
    plain.tokens = count;
    plain.segments = std::min<int64_t>(5, count);
    shapes.push_back({std::to_string(count), plain});
  }
  BatchOptions single;
  single.tokens = 129;
  for (int64_t i = 0; i < single.tokens; ++i)
    single.modality.push_back(i == 57 ? 1 : i < 100 ? 0 : 2);
  BatchOptions segments;
  segments.lengths = {1, 1, 16, 17, 1, 32, 1, 15};
  segments.streams = 3;
  BatchOptions one;
  one.tokens = 60;
  one.streams = 7;
  one.segments = 4;
  one.empty = {0, 2};
  shapes.append({{"129-single", single}, {"84-segments", segments}, {"60-one-group", one}});
  return shapes;
}

static void addBatch(const std::string &prefix, const reference::Batch &batch,
                     std::vector<momrt::NamedTensor> &tensors) {
  tensors.push_back({prefix + "batch",
                     MOMRT_F64,
                     {3},
                     {double(batch.tokens), double(batch.streams), double(batch.documents)}});
  tensors.push_back({prefix + "modality",
                     MOMRT_F32,
                     {batch.tokens},
                     {batch.modality.begin(), batch.modality.end()}});
  std::vector<double> segments;
  for (const reference::Segment &s : batch.segments)
    segments.insert(segments.end(),
                    {double(s.start), double(s.length), double(s.initial), double(s.final)});
  tensors.push_back(
      {prefix + "segments", MOMRT_F64, {int64_t(batch.segments.size()), 4}, std::move(segments)});
}

/// An argument as (source, a, b, seed, rows, channels); its numbers too, if they are
/// not drawn.
static void addArgument(const std::string &name, const Recipe &recipe, uint64_t seed,
                        const reference::Tensor &tensor,
                        std::vector<momrt::NamedTensor> &tensors) {
  int64_t channels = std::max<int64_t>(tensor.channels(), 1);
  tensors.push_back({name,
                     MOMRT_F64,
                     {6},
                     {double(recipe.source), recipe.a, recipe.b, double(seed),
                      double(tensor.data.size() / channels), double(channels)}});
  if (recipe.source == Recipe::Given)
    tensors.push_back({name + ".values", MOMRT_F32, {int64_t(tensor.data.size())}, tensor.data});
}

static void addResult(const std::string &name, const reference::Tensor &tensor,
                      std::vector<momrt::NamedTensor> &tensors) {
  int64_t size = tensor.data.size(), channels = std::max<int64_t>(tensor.channels(), 1);
  if (tensor.data.size() <= kLargest || channels == 1) {
    tensors.push_back({name, MOMRT_F32, {size / channels, channels}, tensor.data});
    return;
  }
  double squares = 0, wild = 0;
  for (double x : tensor.data)
    std::isfinite(x) ? squares += x * x : wild += 1;
  std::vector<float> sums = signedSums(tensor.data.data(), size / channels, channels);
  tensors.push_back(
      {name + ".sums", MOMRT_F32, {size / channels}, {sums.begin(), sums.end()}});
  tensors.push_back({name + ".norm", MOMRT_F64, {3}, {squares, wild, double(channels)}});
}

/// One case: a batch, arguments each from a seed of its own, and the results.
static LogicalResult addCase(func::FuncOp func, const Shape &shape, uint64_t seed,
                             std::vector<momrt::NamedTensor> &tensors) {
  std::mt19937_64 random(seed);
  std::string prefix = shape.name + "/";
  auto batch = randomBatch(shape.options, countGroups(func), random);
  if (!batch)
    return func.emitError() << llvm::toString(batch.takeError());
  addBatch(prefix, **batch, tensors);
  SmallVector<reference::Value> arguments;
  for (auto [i, type] : llvm::enumerate(func.getArgumentTypes())) {
    uint64_t own = uint32_t(random());
    std::mt19937_64 numbers(own);
    FailureOr<reference::Value> value = randomArgument(func, i, *batch, numbers);
    if (failed(value))
      return failure();
    arguments.push_back(std::move(*value));
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      addArgument(prefix + "argument" + std::to_string(i), recipeFor(func, i, tensor), own,
                  *arguments.back().tensor(), tensors);
  }
  roundToFloat(arguments);
  auto results = reference::interpret(func, arguments);
  if (failed(results))
    return failure();
  if (func->hasAttr(kRandomProgram)) {
    auto spreads = spreadsOf(func, arguments, *results, roundingOf("bf16"), random);
    if (failed(spreads))
      return failure();
    for (auto [i, spread] : llvm::enumerate(*spreads)) {
      bool compared = norm(*(*results)[i].tensor()) < kHuge;
      tensors.push_back({prefix + "result" + std::to_string(i) + ".spread", MOMRT_F64, {1},
                         {compared ? spread : HUGE_VAL}});
    }
  }
  roundToFloat(*results);
  for (auto [i, result] : llvm::enumerate(*results))
    addResult(prefix + "result" + std::to_string(i), *result.tensor(), tensors);
  return success();
}

static LogicalResult writeObject(func::FuncOp func, const PipelineOptions &how,
                                 const KnobChoice &knobs, StringRef stem, const std::string &path) {
  SmallVector<char> object;
  std::string symbol = programSymbol(stem);
  llvm::replace(symbol, '.', '_');
  llvm::replace(symbol, '-', '_');
  if (failed(compileFunction(func, how, symbol, object, knobs)))
    return failure();
  llvm::Error error = llvm::writeToOutput(path, [&](llvm::raw_ostream &file) {
    file << StringRef(object.data(), object.size());
    return llvm::Error::success();
  });
  if (error)
    return func.emitError() << "cannot write " << path << ": " << llvm::toString(std::move(error));
  return success();
}

LogicalResult compare::writeBundle(func::FuncOp func, const PipelineOptions &how,
                                   const BundleOptions &options) {
  std::string stem = options.program + "." + func.getSymName().str();
  for (const char *part : {"/objects", "/cases"})
    if (std::error_code code = llvm::sys::fs::create_directories(options.folder + part))
      return func.emitError() << "cannot create " << options.folder << part << ": "
                              << code.message();
  bool compiled = true; // one that cannot be is reported, and the others are written
  for (const std::string &storage : options.storages) {
    PipelineOptions stored = how;
    stored.storage = storage;
    std::string name = stem + "." + storage;
    compiled &= succeeded(
        writeObject(func, stored, options.knobs, name, options.folder + "/objects/" + name + ".o"));
  }
  std::vector<momrt::NamedTensor> tensors = {
      {"tolerance", MOMRT_F64, {1}, {toleranceFactor(func)}}};
  SmallVector<Shape> shapes = shapesFor(options.tokens);
  if (llvm::none_of(func.getArgumentTypes(), [](Type type) { return isa<BatchType>(type); }))
    shapes.assign({{"static", BatchOptions()}}); // nothing depends on a batch
  llvm::erase_if(shapes, [groups = countGroups(func)](const Shape &shape) {
    return groups < 3 && !(shape.options.modality.empty() && shape.options.empty.empty());
  });
  for (const Shape &shape : shapes)
    if (failed(addCase(func, shape, options.seed, tensors)))
      return failure();
  std::string error =
      momrt::writeTensors(options.folder + "/cases/" + stem + ".safetensors", tensors);
  if (!error.empty())
    return func.emitError() << error;
  return success(compiled);
}
