// Random inputs for a function, by its argument types and attributes.
#include "compiler/tools/mom-compare/Inputs.h"

#include "llvm/Support/Error.h"

#include <cmath>
#include <numeric>

using namespace mlir;
using namespace mom;
using namespace mom::compare;
using reference::Batch;
using reference::Segment;
using reference::Stack;
using reference::Tensor;

//===----------------------------------------------------------------------===//
// Batch
//===----------------------------------------------------------------------===//

/// `tokens` cut at random into `count` pieces, one of a single token.
static std::vector<int64_t> cut(int64_t tokens, int64_t count, std::mt19937_64 &random) {
  std::vector<int64_t> lengths(count, 1);
  int64_t single = count > 1 ? below(count, random) : -1;
  for (int64_t left = tokens - count; left > 0;) {
    int64_t piece = below(count, random), grow = 1 + below(left, random);
    if (piece == single)
      continue;
    lengths[piece] += grow;
    left -= grow;
  }
  return lengths;
}

/// Spans of 1 to 9 tokens of one modality.
static std::vector<int32_t> spans(int64_t tokens, ArrayRef<int32_t> modalities,
                                  std::mt19937_64 &random) {
  std::vector<int32_t> result;
  while (int64_t(result.size()) < tokens)
    result.resize(std::min<int64_t>(tokens, result.size() + 1 + below(9, random)),
                  modalities[below(modalities.size(), random)]);
  return result;
}

llvm::Expected<std::shared_ptr<const Batch>>
compare::randomBatch(const BatchOptions &options, int64_t groups, std::mt19937_64 &random) {
  auto batch = std::make_shared<Batch>();
  batch->groups = groups;
  batch->tokens = options.tokens;
  batch->streams = options.streams;
  std::vector<int64_t> lengths(options.lengths.begin(), options.lengths.end());
  if (!lengths.empty())
    batch->tokens = std::accumulate(lengths.begin(), lengths.end(), int64_t(0));
  else if (options.segments < std::min<int64_t>(options.tokens, 1) ||
           options.segments > options.tokens)
    return llvm::createStringError("expected 1 to %lld segments, as there are tokens, but got %lld",
                                   (long long)options.tokens, (long long)options.segments);
  else
    lengths = cut(options.tokens, options.segments, random);
  batch->documents = options.documents ? options.documents : int64_t(lengths.size());

  int64_t start = 0, count = lengths.size(), streams = std::max<int64_t>(options.streams, 1);
  auto streamOf = [&](int64_t segment) { return segment * streams / count; };
  for (int64_t i = 0; i < count; ++i) {
    bool first = i == 0 || streamOf(i) != streamOf(i - 1);
    bool last = i + 1 == count || streamOf(i) != streamOf(i + 1);
    bool has = options.streams > 0;
    batch->segments.push_back(
        {start, lengths[i], first && has ? streamOf(i) : -1, last && has ? streamOf(i) : -1});
    start += lengths[i];
  }

  SmallVector<int32_t> modalities;
  for (int32_t m = 0; m < groups; ++m)
    if (!llvm::is_contained(options.empty, unsigned(m)))
      modalities.push_back(m);
  if (modalities.empty())
    return llvm::createStringError("expected a modality with tokens, but all are empty");
  batch->modality = spans(batch->tokens, modalities, random);
  if (!options.modality.empty())
    batch->modality.assign(options.modality.begin(), options.modality.end());
  batch->fillRoute();
  if (std::string wrong = batch->check(); !wrong.empty())
    return llvm::createStringError(wrong);
  return std::shared_ptr<const Batch>(std::move(batch));
}

int64_t compare::countGroups(func::FuncOp func) {
  int64_t groups = 0;
  auto see = [&](Type type) {
    if (auto route = dyn_cast<RouteType>(type); route && !route.getCopies()) // by modality
      groups = std::max(groups, route.getGroups());
  };
  // Layers that are called or repeated may route where `func` does not.
  func->getParentOfType<ModuleOp>()->walk([&](Operation *op) {
    llvm::for_each(op->getResultTypes(), see);
    if (auto callee = dyn_cast<func::FuncOp>(op))
      llvm::for_each(callee.getArgumentTypes(), see);
  });
  auto module = func->getParentOfType<ModuleOp>();
  if (auto named = module->getAttrOfType<DictionaryAttr>(attr::kModalities); named && !groups)
    for (NamedAttribute name : named)
      if (auto list = dyn_cast<ArrayAttr>(name.getValue()))
        groups = std::max<int64_t>(groups, list.size());
  return groups ? groups : 3;
}

double compare::toleranceFactor(func::FuncOp func) {
  auto factor = func->getAttrOfType<FloatAttr>("mom.tolerance");
  return factor ? factor.getValueAsDouble() : 1.0;
}

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

/// Labels in [first, limit): some are absent where `first` is -1.
struct Labels {
  int64_t first, limit;
};

/// What the ops that read integer rows, perhaps through others, allow.
static Labels labelsFor(mlir::Value value) {
  Labels labels{-1, 0};
  auto narrow = [&](Labels seen) {
    if (seen.limit && (!labels.limit || seen.limit < labels.limit))
      labels.limit = seen.limit;
    labels.first = std::max(labels.first, seen.first);
  };
  for (Operation *user : value.getUsers()) {
    if (auto loss = dyn_cast<CrossEntropyOp>(user))
      narrow({-1, channelsOf(loss.getLogits())});
    else if (auto hot = dyn_cast<OneHotOp>(user))
      narrow({-1, channelsOf(hot.getY())});
    else if (auto equals = dyn_cast<EqualsOp>(user))
      narrow({-1, int64_t(equals.getValue()) + 2});
    else if (isa<ReorderOp, NextOp>(user))
      narrow(labelsFor(user->getResult(0)));
    else if (auto embedding = dyn_cast<EmbeddingOp>(user)) {
      narrow({0, cast<RankedTensorType>(embedding.getTable().getType()).getDimSize(0)});
    }
  }
  if (!labels.limit)
    labels.limit = 4;
  return labels;
}

static Recipe::Source sourceOf(InitKind kind) {
  switch (kind) {
  case InitKind::constant:
    return Recipe::Constant;
  case InitKind::uniform:
    return Recipe::Uniform;
  case InitKind::normal:
    return Recipe::Gaussian;
  case InitKind::log_iota:
    return Recipe::LogIota;
  case InitKind::dt:
    return Recipe::Dt;
  }
  return Recipe::Given;
}

Recipe compare::recipeFor(func::FuncOp func, unsigned index, RankedTensorType type) {
  if (func.getArgAttr(index, "mom.values"))
    return {Recipe::Given, 0, 0};
  if (type.getElementType().isInteger()) {
    Labels labels = labelsFor(func.getArgument(index));
    if (auto limit = func.getArgAttrOfType<IntegerAttr>(index, attr::kLimit))
      labels = {0, limit.getInt()};
    return {Recipe::Labels, double(labels.first), double(labels.limit)};
  }
  if (auto draw = func.getArgAttrOfType<StringAttr>(index, attr::kDraw);
      draw && draw.getValue() == "uniform")
    return {Recipe::Uniform, 0, 1};
  if (func.getArgAttr(index, "mom.positive"))
    return {Recipe::Positive, 0, 0};
  if (func.getArgAttr(index, "mom.negative"))
    return {Recipe::Negative, 0, 0};
  if (auto init = func.getArgAttrOfType<InitAttr>(index, attr::kInit))
    return {sourceOf(init.getKind()), init.getA().getValueAsDouble(),
            init.getB().getValueAsDouble()};
  int64_t channels = std::max<int64_t>(type.getRank() ? type.getShape().back() : 1, 1);
  return {Recipe::Normal, isStatic(type) && type.getRank() >= 2 ? 1.0 / std::sqrt(double(channels))
                                                                : 1.0, 0};
}

namespace {
/// Makes the value of one argument.
struct Maker {
  func::FuncOp func;
  unsigned index;
  std::shared_ptr<const Batch> batch;
  std::mt19937_64 &random;

  FailureOr<reference::Value> make(Type type) {
    if (isa<BatchType, RouteType>(type))
      return reference::Value(batch);
    if (auto stack = dyn_cast<StackType>(type)) {
      Stack result;
      for (int64_t i = 0; i < stack.getCount(); ++i) {
        FailureOr<reference::Value> element = make(stack.getElement());
        if (failed(element))
          return failure();
        result.values.push_back(std::move(*element));
      }
      return reference::Value(std::move(result));
    }
    auto tensor = dyn_cast<RankedTensorType>(type);
    SmallVector<int64_t> shape;
    if (tensor)
      shape = shapeFor(tensor, batch.get());
    if (!tensor || llvm::any_of(shape, ShapedType::isDynamic))
      return func.emitError() << "argument #" << index << ": no random values for type " << type;
    Tensor result = Tensor::zeros(shape);
    if (auto given = func.getArgAttrOfType<DenseElementsAttr>(index, "mom.values"))
      return copy(given, result);
    Recipe recipe = recipeFor(func, index, tensor);
    int64_t channels = std::max<int64_t>(result.channels(), 1);
    for (size_t i = 0; i < result.data.size(); ++i)
      result.data[i] = draw(recipe, i % channels, random);
    return reference::Value(std::move(result));
  }

  FailureOr<reference::Value> copy(DenseElementsAttr given, Tensor &result) {
    if (given.getType().getShape() != ArrayRef<int64_t>(result.shape))
      return func.emitError() << "argument #" << index << ": expected values of shape ["
                              << result.shape << "], but got " << given.getType();
    result.data.clear();
    if (isa<FloatType>(given.getElementType()))
      for (const APFloat &number : given.getValues<APFloat>())
        result.data.push_back(number.convertToDouble());
    else
      for (const APInt &number : given.getValues<APInt>())
        result.data.push_back(number.getSExtValue());
    return reference::Value(std::move(result));
  }
};
} // namespace

FailureOr<reference::Value> compare::randomArgument(func::FuncOp func, unsigned index,
                                                    std::shared_ptr<const Batch> batch,
                                                    std::mt19937_64 &random) {
  return Maker{func, index, batch, random}.make(func.getArgumentTypes()[index]);
}

FailureOr<SmallVector<reference::Value>>
compare::randomArguments(func::FuncOp func, std::shared_ptr<const Batch> batch,
                         std::mt19937_64 &random) {
  SmallVector<reference::Value> arguments;
  for (unsigned i = 0; i < func.getNumArguments(); ++i) {
    FailureOr<reference::Value> value = randomArgument(func, i, batch, random);
    if (failed(value))
      return failure();
    arguments.push_back(std::move(*value));
  }
  return arguments;
}

reference::Value compare::randomLike(const reference::Value &value, std::mt19937_64 &random) {
  if (const Stack *stack = value.stack()) {
    Stack result;
    for (const reference::Value &element : stack->values)
      result.values.push_back(randomLike(element, random));
    return result;
  }
  if (!value.tensor())
    return {};
  Tensor result = Tensor::zeros(value.tensor()->shape);
  for (double &x : result.data)
    x = normal(random);
  return result;
}
