// Programs that must agree to the bit, by the interpreter and as compiled code:
// whole sequences = chunks with carried states = single steps; reverse = flipped
// forward; packed documents = one by one, in any order; equal weights for each
// modality = one weight for all.
//   momc-test-equivalences PROGRAM [SEED]
#include "compiler/tools/mom-compare/Compiled.h"
#include "compiler/tools/mom-compare/Inputs.h"
#include "dialect/Mom.h"

#include "mlir/Parser/Parser.h"
#include "llvm/Support/TargetSelect.h"

using namespace mlir;
using namespace mom;
using namespace mom::compare;
using reference::Batch;
using reference::Tensor;
using Values = SmallVector<reference::Value>;

namespace {
/// The arguments of @forward and @reverse by what they are rows of.
constexpr unsigned kTokens = 4, kStates = 2, kFirstState = 1 + kTokens;

class Equivalences {
public:
  Equivalences(ModuleOp module, Execution execute, StringRef how, uint64_t seed)
      : module(module), execute(std::move(execute)), how(how), random(seed) {}

  void all() {
    carried();
    flipped();
    packed();
    equalWeights();
  }
  int64_t failures = 0;

private:
  using Lengths = SmallVector<int64_t>;

  /// Segment i has `lengths[i]` tokens; with states, it is all of stream i.
  std::shared_ptr<const Batch> batchOf(const Lengths &lengths, bool states) {
    auto batch = std::make_shared<Batch>();
    batch->groups = 3;
    for (auto [i, length] : llvm::enumerate(lengths)) {
      int64_t state = states ? int64_t(i) : -1;
      if (length)
        batch->segments.push_back({batch->tokens, length, state, state});
      batch->tokens += length;
    }
    batch->streams = lengths.size();
    batch->documents = batch->segments.size();
    for (int64_t i = 0; i < batch->tokens; ++i)
      batch->modality.push_back(below(3, random));
    batch->fillRoute();
    return batch;
  }
  func::FuncOp function(StringRef name) { return module.lookupSymbol<func::FuncOp>(name); }
  Values arguments(StringRef name, std::shared_ptr<const Batch> batch) {
    auto values = randomArguments(function(name), batch, random);
    roundToFloat(*values);
    return *values;
  }
  Values run(StringRef name, ArrayRef<reference::Value> arguments) {
    auto results = execute(function(name), arguments);
    if (failed(results))
      std::exit(1);
    return *results;
  }
  void same(const Tensor &got, const Tensor &expected, const Twine &what) {
    if (got.shape == expected.shape && got.data == expected.data)
      return;
    ++failures;
    Difference difference;
    addAll(difference, got, expected);
    llvm::outs() << how << ", " << what << ": ";
    difference.print(llvm::outs());
    llvm::outs() << "\n";
  }
  /// Rows [begin, begin + count) of `from` go to `to`, from row `at`, perhaps backwards.
  static void copy(const Tensor &from, int64_t begin, int64_t count, Tensor &to, int64_t at,
                   bool backwards = false) {
    for (int64_t i = 0; i < count; ++i)
      std::copy_n(from.row(begin + (backwards ? count - 1 - i : i)), from.channels(), to.row(at + i));
  }
  /// The same arguments for other tokens: rows of each segment as `pick` says.
  Values rearranged(ArrayRef<reference::Value> whole, std::shared_ptr<const Batch> batch,
                    llvm::function_ref<void(const Tensor &, Tensor &)> pick) {
    Values values(whole);
    values[0] = batch;
    for (unsigned i = 1; i <= kTokens; ++i) {
      const Tensor &from = *whole[i].tensor();
      Tensor to = Tensor::zeros({batch->tokens, from.channels()});
      pick(from, to);
      values[i] = std::move(to);
    }
    return values;
  }
  static Lengths startsOf(const Lengths &lengths) {
    Lengths starts{0};
    for (int64_t length : lengths)
      starts.push_back(starts.back() + length);
    return starts;
  }

  void carried();
  void chunks(const Lengths &lengths, int64_t longest);
  void flipped();
  void packed();
  void equalWeights();

  ModuleOp module;
  Execution execute;
  std::string how;
  std::mt19937_64 random;
};
} // namespace

void Equivalences::carried() {
  for (int64_t longest : {1, 3, 16, 40})
    chunks({37, 1, 0, 64, 5}, longest);
}

/// Each stream in pieces of at most `longest` tokens, all first pieces in one batch.
void Equivalences::chunks(const Lengths &lengths, int64_t longest) {
  Values whole = arguments("forward", batchOf(lengths, true));
  Values expected = run("forward", whole);
  Tensor y = Tensor::zeros(expected[0].tensor()->shape);
  Tensor states[kStates] = {*whole[kFirstState].tensor(), *whole[kFirstState + 1].tensor()};
  Lengths done(lengths.size(), 0), starts = startsOf(lengths);
  while (done != lengths) {
    Lengths piece;
    for (auto [length, at] : llvm::zip(lengths, done))
      piece.push_back(std::min(length - at, longest == 1 ? 1 : 1 + below(longest, random)));
    Lengths into = startsOf(piece);
    auto batch = batchOf(piece, true);
    Values part = rearranged(whole, batch, [&](const Tensor &from, Tensor &to) {
      for (size_t s = 0; s < piece.size(); ++s)
        copy(from, starts[s] + done[s], piece[s], to, into[s]);
    });
    for (unsigned i = 0; i < kStates; ++i)
      part[kFirstState + i] = states[i];
    Values results = run("forward", part);
    for (size_t s = 0; s < piece.size(); ++s) {
      copy(*results[0].tensor(), into[s], piece[s], y, starts[s] + done[s]);
      for (unsigned i = 0; i < kStates && piece[s]; ++i) // a stream without a segment keeps its state
        copy(*results[1 + i].tensor(), s, 1, states[i], s);
      done[s] += piece[s];
    }
  }
  std::string what = llvm::formatv("pieces of at most {0} tokens", longest);
  same(y, *expected[0].tensor(), what);
  for (unsigned i = 0; i < kStates; ++i)
    for (size_t s = 0; s < lengths.size(); ++s)
      if (lengths[s]) {
        Tensor got = Tensor::zeros({1, states[i].channels()}), wanted = got;
        copy(states[i], s, 1, got, 0);
        copy(*expected[1 + i].tensor(), s, 1, wanted, 0);
        same(got, wanted, what + llvm::Twine(", state ") + llvm::Twine(i) + " of stream " + llvm::Twine(s));
      }
}

void Equivalences::flipped() {
  Lengths lengths{37, 1, 64, 5}, starts = startsOf(lengths);
  auto batch = batchOf(lengths, true);
  auto flip = [&](const Tensor &from, Tensor &to) {
    for (size_t s = 0; s < lengths.size(); ++s)
      copy(from, starts[s], lengths[s], to, starts[s], /*backwards=*/true);
  };
  Values forward = arguments("forward", batch);
  // A state holds its inputs oldest first, which reverse does not turn round: start from zeros.
  for (unsigned i = 0; i < kStates; ++i)
    llvm::fill(forward[kFirstState + i].tensor()->data, 0.0);
  Values expected = run("forward", forward), got = run("reverse", rearranged(forward, batch, flip));
  Tensor y = Tensor::zeros(got[0].tensor()->shape);
  flip(*got[0].tensor(), y);
  same(y, *expected[0].tensor(), "reverse of flipped rows");
  same(*got[2].tensor(), *expected[2].tensor(), "the scan's state of flipped rows");
}

/// In another order, and each alone.
void Equivalences::packed() {
  Lengths lengths{9, 1, 33, 1, 70, 16}, order{4, 1, 5, 0, 3, 2}, starts = startsOf(lengths), moved;
  Values whole = arguments("forward", batchOf(lengths, false));
  Tensor expected = *run("forward", whole)[0].tensor();
  for (int64_t segment : order)
    moved.push_back(lengths[segment]);
  Lengths into = startsOf(moved);
  auto batch = batchOf(moved, false);
  Tensor got = *run("forward", rearranged(whole, batch, [&](const Tensor &from, Tensor &to) {
                      for (auto [i, segment] : llvm::enumerate(order))
                        copy(from, starts[segment], lengths[segment], to, into[i]);
                    }))[0].tensor();
  Tensor back = Tensor::zeros(expected.shape), alone = back;
  for (auto [i, segment] : llvm::enumerate(order))
    copy(got, into[i], lengths[segment], back, starts[segment]);
  same(back, expected, "documents in another order");
  for (size_t s = 0; s < lengths.size(); ++s) {
    auto one = batchOf({lengths[s]}, false);
    Values single = rearranged(whole, one, [&](const Tensor &from, Tensor &to) {
      copy(from, starts[s], lengths[s], to, 0);
    });
    for (unsigned i = 0; i < kStates; ++i)
      single[kFirstState + i] = Tensor::zeros({1, whole[kFirstState + i].tensor()->channels()});
    copy(*run("forward", single)[0].tensor(), 0, lengths[s], alone, starts[s]);
  }
  same(alone, expected, "documents one by one");
}

void Equivalences::equalWeights() {
  for (int64_t tokens : {1, 2, 129, 300}) {
    auto batch = batchOf({tokens}, false);
    Values dense = arguments("dense", batch), routed(dense);
    const Tensor &one = *dense[2].tensor();
    Tensor all = Tensor::zeros({3, one.shape[0], one.shape[1]});
    for (int64_t m = 0; m < 3; ++m)
      std::copy(one.data.begin(), one.data.end(), all.data.begin() + m * int64_t(one.data.size()));
    routed[2] = std::move(all);
    same(*run("routed", routed)[0].tensor(), *run("dense", dense)[0].tensor(),
         "equal weights for " + llvm::Twine(tokens) + " tokens");
  }
}

int main(int argc, char **argv) {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  llvm::InitializeNativeTargetAsmParser();
  uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : std::random_device()();
  llvm::outs() << "seed " << seed << "\n";
  DialectRegistry registry;
  registerDialects(registry);
  MLIRContext context(registry);
  auto module = parseSourceFile<ModuleOp>(argc > 1 ? argv[1] : "-", &context);
  if (!module)
    return 1;
  int64_t failures = 0;
  auto check = [&](Execution execute, StringRef how) {
    Equivalences equivalences(*module, std::move(execute), how, seed);
    equivalences.all();
    failures += equivalences.failures;
  };
  check(reference::interpret, "interpreter");
  for (const char *order : {"position", "modality"})
    for (bool fuse : {true, false}) {
      PipelineOptions options;
      options.order = order;
      options.fuse = fuse;
      CompiledFunctions machine(options);
      check([&](func::FuncOp func, ArrayRef<reference::Value> arguments) {
        return machine.execute(func, arguments);
      }, llvm::formatv("compiled, order by {0}{1}", order, fuse ? "" : ", not fused").str());
    }
  llvm::outs() << (failures ? "differs\n" : "ok\n");
  return failures != 0;
}
