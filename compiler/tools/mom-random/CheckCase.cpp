// One random program: compiled code against the interpreter.
#include "compiler/tools/mom-random/CheckCase.h"

#include "compiler/Passes.h"
#include "compiler/tools/mom-compare/Compiled.h"
#include "compiler/tools/mom-compare/Gradients.h"
#include "compiler/tools/mom-compare/Sensitivity.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Pass/PassManager.h"

#include <cmath>

using namespace mlir;
using namespace mom;
using namespace mom::random;
using namespace mom::compare;
using Values = SmallVector<reference::Value>;

// Beyond this the differences of results are too coarse for derivatives.
static constexpr double kLargest = 1e3;

/// Compares results by the tolerance of the storage type, widened by what its rounding
/// of all values does to them.
static Verdict compareAll(func::FuncOp func, const RandomCase &how, const CheckOptions &options,
                          ArrayRef<reference::Value> arguments, const bool &refused,
                          std::mt19937_64 &random, raw_ostream &os) {
  FailureOr<Values> expected = reference::interpret(func, arguments);
  CompiledFunctions machine(how.how, options.knobs);
  FailureOr<Values> got = failure();
  if (succeeded(expected))
    got = machine.execute(func, arguments);
  if (failed(got))
    return refused ? Verdict::Refused : Verdict::Bad;
  FailureOr<SmallVector<double>> spread =
      spreadsOf(func, arguments, *expected, roundingOf(how.how.storage), random);
  if (failed(spread))
    return Verdict::Bad;
  Verdict verdict = Verdict::Good;
  for (auto [i, pair] : llvm::enumerate(llvm::zip(*got, *expected))) {
    const reference::Tensor &computed = *std::get<0>(pair).tensor();
    const reference::Tensor &wanted = *std::get<1>(pair).tensor();
    double size = norm(wanted), error = norm(computed, &wanted);
    double limit = relativeTolerance(how.how.storage) * size +
                   kAbsoluteTolerance * std::sqrt(double(wanted.data.size())) +
                   kRoundings * (*spread)[i];
    if (!(size < kHuge) || kRoundings * (*spread)[i] > kVague * size + kAbsoluteTolerance) {
      verdict = std::max(verdict, Verdict::Vague);
      continue;
    }
    if (error <= limit) // false for NaN
      continue;
    os << llvm::formatv("result {0}: error {1:e2} of {2:e2}, more than {3:e2}\n", i, error, size,
                        limit);
    verdict = Verdict::Bad;
  }
  return verdict;
}

static bool isSmooth(func::FuncOp func) {
  return !func.walk([](Operation *op) {
                return isa<math::AbsFOp, arith::MaximumFOp, arith::MinimumFOp, arith::CmpFOp>(op)
                           ? WalkResult::interrupt()
                           : WalkResult::advance();
              }).wasInterrupted();
}

Verdict random::checkCase(ModuleOp module, const RandomCase &how, const CheckOptions &options,
                          raw_ostream &os) {
  bool refused = false;
  ScopedDiagnosticHandler handler(module.getContext(), [&](Diagnostic &diagnostic) {
    refused |= options.knobs && StringRef(diagnostic.str()).contains("knob");
    os << diagnostic << "\n";
    return success();
  });
  OwningOpRef<ModuleOp> copy = module.clone();
  PassManager passes(module.getContext());
  passes.addPass(createDifferentiatePass({how.scanCheckpoint, true}));
  if (failed(passes.run(*copy)))
    return Verdict::Bad;
  auto plain = copy->lookupSymbol<func::FuncOp>("f");
  auto joint = copy->lookupSymbol<func::FuncOp>("f.joint");
  func::FuncOp func = options.forward ? plain : joint;
  std::mt19937_64 random(options.seed);
  auto batch = randomBatch(how.batch, countGroups(func), random);
  if (!batch) {
    os << llvm::toString(batch.takeError()) << "\n";
    return Verdict::Bad;
  }
  FailureOr<Values> arguments = randomArguments(func, *batch, random);
  if (failed(arguments))
    return Verdict::Bad;
  roundToFloat(*arguments);
  Verdict verdict = compareAll(func, how, options, *arguments, refused, random, os);
  // A difference across a kink is no derivative.
  if (verdict != Verdict::Good || !options.elements || !isSmooth(plain))
    return verdict;
  arguments->truncate(plain.getNumArguments());
  // One of large numbers is their rounding.
  FailureOr<Values> results = reference::interpret(plain, *arguments);
  if (failed(results) || llvm::any_of(*results, [](const reference::Value &value) {
        return !(norm(*value.tensor()) < kLargest);
      }))
    return verdict;
  std::string text;
  llvm::raw_string_ostream report(text);
  FailureOr<bool> same = checkGradients(plain, *arguments, {"f.joint", options.elements, 1e-5},
                                        reference::interpret, random, report);
  if (succeeded(same) && *same)
    return verdict;
  os << "gradients differ from finite differences:\n" << text;
  return Verdict::BadGradient;
}

std::string random::commandFor(const RandomCase &how, const CheckOptions &options, StringRef path) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "mom-compare " << path << " --pass-pipeline='builtin.module(mom-differentiate{checkpoint="
     << how.scanCheckpoint << "})' --compiled --function=" << (options.forward ? "f" : "f.joint")
     << " --order=" << how.how.order << " --fuse=" << how.how.fuse << " --target=" << how.how.target
     << " --storage=" << how.how.storage << " --seed=" << options.seed
     << " --streams=" << how.batch.streams;
  if (how.how.emulate)
    os << " --emulate";
  if (options.knobs)
    os << " --knobs=" << options.knobs;
  if (how.batch.lengths.empty())
    return text + " --tokens=0";
  os << " --lengths=";
  llvm::interleave(how.batch.lengths, os, ",");
  os << " --modality=";
  llvm::interleave(how.batch.modality, os, ",");
  return text;
}
