// Gradients of a program against finite differences.
#include "compiler/tools/mom-compare/Gradients.h"

#include "compiler/tools/mom-compare/Inputs.h"
#include "dialect/reference/Differences.h"

#include "mlir/IR/SymbolTable.h"

#include <cmath>

using namespace mlir;
using namespace mom;
using namespace mom::compare;
using Values = SmallVector<reference::Value>;

static constexpr double kSuspicious = 1e-8, kSmallStep = 1e-5;

static bool isFloat(Type type) {
  if (auto stack = dyn_cast<StackType>(type))
    return isFloat(stack.getElement());
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && isa<FloatType>(tensor.getElementType());
}

static FailureOr<func::FuncOp> findJoint(func::FuncOp forward, StringRef name) {
  std::string base = forward.getSymName().str();
  SmallVector<std::string> names{base + ".joint", base + ".gradient"};
  if (!name.empty())
    names = {name.str()};
  for (const std::string &candidate : names)
    if (auto func = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
            forward, StringAttr::get(forward.getContext(), candidate)))
      return func;
  return forward.emitError() << "expected a function with its gradients, named "
                             << llvm::join(names, " or ");
}

/// The argument that each gradient result of `joint` belongs to.
static FailureOr<SmallVector<unsigned>> ownersOf(func::FuncOp forward, func::FuncOp joint) {
  unsigned results = forward.getNumResults(), gradients = joint.getNumResults() - results;
  SmallVector<unsigned> floats, owners;
  for (auto [i, type] : llvm::enumerate(forward.getArgumentTypes()))
    if (isFloat(type))
      floats.push_back(i);
  if (gradients == floats.size())
    return floats;
  for (unsigned r = results; r < joint.getNumResults(); ++r)
    for (unsigned i : floats) {
      Attribute name = joint.getResultAttr(r, attr::kGradient);
      if (name && name == forward.getArgAttr(i, attr::kParam))
        owners.push_back(i);
    }
  if (owners.size() == gradients)
    return owners;
  return joint.emitError() << "expected " << floats.size()
                           << " gradients, one a float argument, or gradients that name their "
                              "parameters, but got "
                           << gradients;
}

/// Whether result `r` is the loss that mom-differentiate differentiates, if no other is.
static bool isMinimised(func::FuncOp model, unsigned r) {
  auto name = model.getResultAttrOfType<StringAttr>(r, attr::kLoss);
  auto train = model->getParentOfType<ModuleOp>()->getAttrOfType<DictionaryAttr>(attr::kTrain);
  auto wanted = train ? train.getAs<StringAttr>("loss") : StringAttr();
  return name && (!wanted || wanted.getValue().empty() || name == wanted);
}

/// Gradients of the results: random where the joint function takes them; else 1
/// for the loss. They are the weights of the scalar that is differentiated.
static FailureOr<Values> seedsFor(func::FuncOp forward, func::FuncOp joint,
                                  ArrayRef<reference::Value> results, std::mt19937_64 &random) {
  unsigned taken = joint.getNumArguments() - forward.getNumArguments();
  Values seeds(results.size());
  unsigned given = 0;
  for (unsigned r = 0; r < results.size(); ++r) {
    if (taken ? !isFloat(forward.getResultTypes()[r]) : !isMinimised(forward, r) || given)
      continue; // of several losses of no name, the first
    if (taken)
      seeds[r] = randomLike(results[r], random);
    else
      seeds[r] = reference::Tensor::zeros(results[r].tensor()->shape, 1.0);
    ++given;
  }
  if (given != std::max(taken, 1u))
    return joint.emitError() << "expected gradients of " << given << " float results, but takes "
                             << taken;
  return seeds;
}

/// At most `limit` different elements. Half of them have a gradient that is not zero,
/// as far as there are such: most rows of a large table have none.
static SmallVector<int64_t> choose(const std::vector<double> &gradient, int64_t limit,
                                   std::mt19937_64 &random) {
  int64_t size = gradient.size();
  SmallVector<int64_t> all, zeros;
  for (int64_t i = 0; i < size; ++i)
    (gradient[i] != 0 ? all : zeros).push_back(i);
  int64_t front = all.size();
  llvm::append_range(all, zeros);
  auto shuffle = [&](int64_t begin, int64_t count, int64_t end) {
    for (int64_t i = begin; i < begin + count; ++i)
      std::swap(all[i], all[i + random() % uint64_t(end - i)]);
  };
  if (size > limit) {
    int64_t first = std::min(front, (limit + 1) / 2);
    shuffle(0, first, front);
    shuffle(first, limit - first, size);
    all.truncate(limit);
  }
  llvm::sort(all);
  return all;
}

static std::string nameOf(func::FuncOp forward, unsigned argument) {
  if (auto name = forward.getArgAttrOfType<StringAttr>(argument, attr::kParam))
    return name.str();
  if (auto loc = forward.getArgument(argument).getLoc()->findInstanceOf<NameLoc>())
    return loc.getName().str();
  return "argument " + std::to_string(argument);
}

/// [round] and index of an element, with both numbers.
static std::string describe(const reference::Tensor &tensor, bool stacked, int64_t round,
                            int64_t element, double got, double expected) {
  SmallVector<int64_t> index;
  for (int64_t extent : llvm::reverse(tensor.shape)) {
    index.insert(index.begin(), element % extent);
    element /= extent;
  }
  std::string text;
  llvm::raw_string_ostream os(text);
  if (stacked)
    os << "{" << round << "}";
  os << "[";
  llvm::interleaveComma(index, os);
  os << llvm::formatv("]: {0:e6}, by differences {1:e6}", got, expected);
  return text;
}

/// The gradient of one argument, of some of its elements.
static FailureOr<GradientRow> compareOne(func::FuncOp forward, unsigned owner,
                                         MutableArrayRef<reference::Value> arguments,
                                         const reference::Value &gradient, reference::Scalar scalar,
                                         const GradientOptions &options,
                                         std::mt19937_64 &random) {
  GradientRow row{nameOf(forward, owner), {}, true, ""};
  const reference::Stack *stack = arguments[owner].stack();
  int64_t rounds = stack ? stack->values.size() : 1;
  double worst = -1.0;
  for (int64_t round = 0; round < rounds; ++round) {
    reference::Place place{owner, round};
    const reference::Value &part = stack ? gradient.stack()->values[round] : gradient;
    int64_t limit = std::max<int64_t>(options.elements / rounds, 1);
    SmallVector<int64_t> elements = choose(part.tensor()->data, limit, random);
    if (elements.empty())
      continue;
    auto expected = reference::differences(scalar, arguments, place, elements);
    if (failed(expected))
      return failure();
    for (auto [element, number] : llvm::zip_equal(elements, *expected)) {
      double got = part.tensor()->data[element];
      // A maximum or select may change its mind within the step; within a much
      // smaller one, which rounds more, it hardly does.
      if (std::fabs(got - number) > kSuspicious * (1.0 + std::fabs(number))) {
        auto closer = reference::difference(scalar, arguments, place, element, kSmallStep);
        if (failed(closer))
          return failure();
        number = std::fabs(got - *closer) < std::fabs(got - number) ? *closer : number;
      }
      row.difference.add(got, number);
      if (double error = std::fabs(got - number); !(error <= worst)) {
        worst = error;
        row.worst = describe(place.in(arguments), stack, round, element, got, number);
      }
    }
  }
  row.within = row.difference.within(options.tolerance);
  return row;
}

FailureOr<SmallVector<GradientRow>>
compare::compareGradients(func::FuncOp forward, MutableArrayRef<reference::Value> arguments,
                          const GradientOptions &options, const Execution &execute,
                          std::mt19937_64 &random, raw_ostream &os) {
  FailureOr<func::FuncOp> joint = findJoint(forward, options.joint);
  if (failed(joint))
    return failure();
  unsigned results = forward.getNumResults();
  if (joint->getNumArguments() < forward.getNumArguments() || joint->getNumResults() < results)
    return joint->emitError() << "expected at least the arguments and results of '"
                              << forward.getSymName() << "'";
  FailureOr<SmallVector<unsigned>> owners = ownersOf(forward, *joint);
  FailureOr<Values> plain = reference::interpret(forward, arguments);
  if (failed(owners) || failed(plain))
    return failure();
  FailureOr<Values> seeds = seedsFor(forward, *joint, *plain, random);
  if (failed(seeds))
    return failure();

  Values jointArguments(arguments);
  if (joint->getNumArguments() > forward.getNumArguments())
    llvm::copy_if(*seeds, std::back_inserter(jointArguments),
                  [](const reference::Value &seed) { return seed.tensor() || seed.stack(); });
  FailureOr<Values> computed = execute(*joint, jointArguments);
  if (failed(computed))
    return failure();
  auto isClose = [&](const Difference &d) { return d.within(options.tolerance); };
  if (!compareResults(ArrayRef(*computed).take_front(results), *plain, isClose, os))
    return failure();

  auto scalar = [&](ArrayRef<reference::Value> values) -> FailureOr<double> {
    FailureOr<Values> outputs = reference::interpret(forward, values);
    if (failed(outputs))
      return failure();
    return reference::weightedSum(*outputs, *seeds);
  };
  SmallVector<GradientRow> rows;
  for (auto [g, owner] : llvm::enumerate(*owners)) {
    FailureOr<GradientRow> row = compareOne(forward, owner, arguments, (*computed)[results + g],
                                            scalar, options, random);
    if (failed(row))
      return failure();
    rows.push_back(std::move(*row));
  }
  return rows;
}

FailureOr<bool> compare::checkGradients(func::FuncOp forward,
                                        MutableArrayRef<reference::Value> arguments,
                                        const GradientOptions &options, const Execution &execute,
                                        std::mt19937_64 &random, raw_ostream &os) {
  auto rows = compareGradients(forward, arguments, options, execute, random, os);
  if (failed(rows))
    return failure();
  for (const GradientRow &row : *rows) {
    os << "gradient of " << row.name << ": ";
    row.difference.print(os);
    os << (row.within ? "\n" : "  <-- differs\n");
  }
  return llvm::all_of(*rows, [](const GradientRow &row) { return row.within; });
}
