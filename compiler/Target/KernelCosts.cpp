// What a kernel must move and compute.
#include "compiler/Target/KernelCosts.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/Format.h"

using namespace mlir;
using namespace mom;

static constexpr llvm::StringLiteral kCosts = "mom.costs"; // on kernels and launches

double Amount::at(ArrayRef<int64_t> counts) const {
  double sum = 0;
  for (auto [factor, count] : llvm::zip(per, counts))
    sum += factor * count;
  return sum;
}

static momrt_count countOf(RowSpace space) {
  switch (space) {
  case RowSpace::stream:
    return MOMRT_COUNT_STREAM;
  case RowSpace::document:
    return MOMRT_COUNT_DOCUMENT;
  default:
    return MOMRT_COUNT_TOKEN;
  }
}

/// Adds `each` for every row of a tensor; once where it has none.
static void addRows(Amount &amount, Type type, double each) {
  RowsAttr rows = rowsOf(type);
  if (!rows) {
    amount.per[MOMRT_COUNT_ONE] += each;
    return;
  }
  bool chunks = rows.getSpace() == RowSpace::chunk, copies = rows.getSpace() == RowSpace::copy;
  amount.per[countOf(rows.getSpace())] += chunks   ? each / rows.getChunk()
                                          : copies ? each * rows.getChunk()
                                                   : each;
  if (chunks)
    amount.per[MOMRT_COUNT_SEGMENT] += each;
}

/// Elements of a row, or of a tensor without rows.
static double elementsOf(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return 0;
  return isRows(type) ? channelsOf(type) : tensor.getNumElements();
}

static void addBuffer(Amount &bytes, Type type, double elements) {
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    addRows(bytes, type, elements * tensor.getElementTypeBitWidth() / 8);
}

/// Of a buffer of which only ranges of channels are used, those; of a table that
/// rows are gathered from, the rows.
static void addInput(Amount &bytes, BlockArgument input) {
  double elements = 0;
  SmallVector<Operation *> users;
  for (Operation *user : input.getUsers())
    if (auto extend = dyn_cast<arith::ExtFOp>(user))
      llvm::append_range(users, extend->getUsers());
    else
      users.push_back(user);
  for (Operation *user : users) {
    if (auto embedding = dyn_cast<EmbeddingOp>(user); embedding && input.hasOneUse()) {
      auto tensor = cast<RankedTensorType>(input.getType());
      addRows(bytes, embedding.getType(),
              channelsOf(embedding.getType()) * tensor.getElementTypeBitWidth() / 8.0);
      return;
    }
    auto split = dyn_cast<SplitOp>(user);
    if (!split) {
      addBuffer(bytes, input.getType(), elementsOf(input.getType()));
      return;
    }
    for (Value part : split.getParts())
      if (!part.use_empty())
        elements += channelsOf(part);
  }
  addBuffer(bytes, input.getType(), elements);
}

/// FLOPs of products and exponentials of one op.
static void addOp(KernelCosts &costs, Operation *op) {
  auto product = [&](Type rows, double multiplyAdds) {
    addRows(costs.flops, rows, 2 * multiplyAdds);
  };
  auto exponentials = [&](Type type, double each) { addRows(costs.exps, type, each); };
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](LinearOp linear) {
        product(linear.getX().getType(),
                double(channelsOf(linear.getX())) * channelsOf(linear.getY()));
      })
      .Case([&](LinearWgradOp wgrad) {
        product(wgrad.getX().getType(),
                double(channelsOf(wgrad.getX())) * channelsOf(wgrad.getDy()));
      })
      .Case([&](Conv1dOp conv) {
        product(conv.getX().getType(), elementsOf(conv.getWeights().getType()));
      })
      .Case([&](Conv1dGradOp conv) { // the gradients of input and weights
        product(conv.getX().getType(), 2 * elementsOf(conv.getWeights().getType()));
      })
      .Case<ScanOp, ScanGradOp>([&](auto scan) {
        exponentials(scan.getU().getType(), elementsOf(scan.getA().getType()));
      })
      .Case<CrossEntropyOp, CrossEntropyGradOp>([&](auto loss) {
        exponentials(loss.getLogits().getType(), channelsOf(loss.getLogits()));
      })
      .Case([&](DrawOp draw) {
        exponentials(draw.getLogits().getType(), channelsOf(draw.getLogits()));
      })
      .Case<SiluOp, SigmoidOp, SoftplusOp, math::ExpOp>([&](auto unary) {
        exponentials(unary.getType(), elementsOf(unary.getType()));
      });
}

KernelCosts mom::costsOf(KernelOp kernel) {
  KernelCosts costs;
  costs.name = kernel.getName().str();
  llvm::SmallPtrSet<void *, 8> seen; // a buffer given twice is read once
  for (auto [value, input] : llvm::zip(kernel.getInputs(), kernel.getBody().getArguments()))
    if (seen.insert(value.getAsOpaquePointer()).second && !input.use_empty())
      addInput(costs.bytes, input);
  for (Type type : kernel.getResultTypes())
    addBuffer(costs.bytes, type, elementsOf(type));
  kernel.getBody().walk([&](Operation *op) { addOp(costs, op); });
  return costs;
}

//===----------------------------------------------------------------------===//
// From kernels to launches
//===----------------------------------------------------------------------===//

void mom::annotateCosts(ModuleOp scheduled) {
  Builder b(scheduled.getContext());
  int64_t number = 0;
  scheduled.walk([&](KernelOp kernel) {
    KernelCosts costs = costsOf(kernel);
    auto amount = [&](const Amount &a) { return b.getDenseF64ArrayAttr(a.per); };
    kernel->setAttr(kCosts,
                    b.getDictionaryAttr(
                        {b.getNamedAttr("kernel", b.getI64IntegerAttr(number++)),
                         b.getNamedAttr("name", b.getStringAttr(costs.name)),
                         b.getNamedAttr("bytes", amount(costs.bytes)),
                         b.getNamedAttr("flops", amount(costs.flops)),
                         b.getNamedAttr("exps", amount(costs.exps))}));
  });
}

static LaunchCosts costsOf(DictionaryAttr attributes) {
  LaunchCosts result;
  auto noted = attributes.getAs<DictionaryAttr>(kCosts);
  if (!noted)
    return result;
  auto read = [&](StringRef name, Amount &amount) {
    llvm::copy(noted.getAs<DenseF64ArrayAttr>(name).asArrayRef(), amount.per.begin());
  };
  result.kernel = noted.getAs<IntegerAttr>("kernel").getInt();
  result.costs.name = noted.getAs<StringAttr>("name").str();
  read("bytes", result.costs.bytes);
  read("flops", result.costs.flops);
  read("exps", result.costs.exps);
  return result;
}

/// Of joined products, of all; of joined sums nothing, since their kernels have told.
static LaunchCosts costsOf(LaunchOp launch) {
  auto joined = launch->getAttrOfType<ArrayAttr>(attr::kJoined);
  if (!joined)
    return costsOf(launch->getDiscardableAttrDictionary());
  LaunchCosts all;
  for (auto attributes : joined.getAsRange<DictionaryAttr>()) {
    if (attributes.getAs<StringAttr>(attr::kJoins).getValue() == "sums")
      return {};
    LaunchCosts more = costsOf(attributes);
    if (all.costs.name.empty())
      all.kernel = more.kernel;
    else
      all.costs.name += ", ";
    all.costs.name += more.costs.name;
    auto add = [](Amount &to, const Amount &from) {
      for (auto [sum, each] : llvm::zip_equal(to.per, from.per))
        sum += each;
    };
    add(all.costs.bytes, more.costs.bytes);
    add(all.costs.flops, more.costs.flops);
    add(all.costs.exps, more.costs.exps);
  }
  return all;
}

/// In the order in which LaunchTable.cpp makes ops: a repetition, what is in it, its end.
static void addOps(func::FuncOp func, SymbolTable &symbols, SmallVectorImpl<LaunchCosts> &list) {
  for (Operation &op : func.getBody().front()) {
    if (auto launch = dyn_cast<LaunchOp>(op))
      list.append(launch.getOther() ? 2 : 1, costsOf(launch));
    auto repeat = dyn_cast<RepeatOp>(op);
    if (!repeat)
      continue;
    list.emplace_back();
    size_t first = list.size();
    addOps(symbols.lookup<func::FuncOp>(repeat.getCallee()), symbols, list);
    if (repeat.getWindows()) // each round has its share of the tokens
      for (LaunchCosts &launch : MutableArrayRef(list).drop_front(first))
        for (Amount *amount : {&launch.costs.bytes, &launch.costs.flops, &launch.costs.exps})
          amount->per[MOMRT_COUNT_TOKEN] /= repeat.getCount();
    list.emplace_back();
  }
}

SmallVector<LaunchCosts> mom::launchCosts(ModuleOp emitted) {
  SmallVector<LaunchCosts> list;
  SymbolTable symbols(emitted);
  for (auto func : emitted.getOps<func::FuncOp>())
    if (func->hasAttr(attr::kEntry))
      addOps(func, symbols, list);
  return list;
}

/// Numbers are counts and multiples of them; 17 digits bring each double back.
std::string mom::printCosts(ArrayRef<LaunchCosts> costs) {
  std::string text;
  llvm::raw_string_ostream os(text);
  for (const LaunchCosts &launch : costs) {
    os << launch.kernel;
    for (const Amount *amount : {&launch.costs.bytes, &launch.costs.flops, &launch.costs.exps})
      for (double each : amount->per)
        os << llvm::format(" %.17g", each);
    os << " " << launch.costs.name << "\n";
  }
  return text;
}

std::optional<SmallVector<LaunchCosts>> mom::parseCosts(StringRef text) {
  SmallVector<LaunchCosts> costs;
  while (!text.empty()) {
    StringRef line;
    std::tie(line, text) = text.split('\n');
    LaunchCosts launch;
    auto word = [&] {
      StringRef first;
      std::tie(first, line) = line.split(' ');
      return first;
    };
    if (word().getAsInteger(10, launch.kernel))
      return std::nullopt;
    for (Amount *amount : {&launch.costs.bytes, &launch.costs.flops, &launch.costs.exps})
      for (double &each : amount->per)
        if (word().getAsDouble(each))
          return std::nullopt;
    launch.costs.name = line.str();
    costs.push_back(std::move(launch));
  }
  return costs;
}
