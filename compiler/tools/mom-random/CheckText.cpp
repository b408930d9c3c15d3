// One random model text.
#include "compiler/tools/mom-random/CheckText.h"

#include "compiler/Target/LaunchTable.h"
#include "compiler/api/Compiler.h"
#include "compiler/tools/mom-compare/Compiled.h"
#include "compiler/tools/mom-compare/Entry.h"
#include "compiler/tools/mom-compare/Numbers.h"
#include "compiler/tools/mom-compare/RandomKnobs.h"
#include "compiler/tools/mom-compare/Sensitivity.h"
#include "frontend/Formatter.h"
#include "frontend/Frontend.h"

#include "llvm/ADT/StringExtras.h"

#include <cmath>

using namespace mlir;
using namespace mom;
using namespace mom::random;
using namespace mom::compare;
using Tensors = std::vector<momrt::NamedTensor>;

static constexpr StringLiteral kEntry = "gradient";

namespace {
/// A text in a context of its own.
struct Text {
  Text(StringRef text, MLIRContext &context) : context(context) {
    sources.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBufferCopy(text, "random.mom"),
                               llvm::SMLoc());
  }
  std::string printed() {
    std::unique_ptr<frontend::ast::Module> module = frontend::parse(sources, &context);
    std::string result;
    llvm::raw_string_ostream os(result);
    if (module)
      frontend::printAst(*module, os);
    return result;
  }
  std::string formatted() { return frontend::format(sources, &context).value_or(""); }

  MLIRContext &context;
  llvm::SourceMgr sources;
};
} // namespace

/// What parses prints and formats as the same program does, once and again.
static bool checkForms(const std::string &text, MLIRContext &context, raw_ostream &os) {
  std::string printed = Text(text, context).printed();
  std::string formatted = Text(text, context).formatted();
  auto holds = [&](bool good, StringRef what) {
    if (!good)
      os << "does not hold: " << what << "\n";
    return good;
  };
  return holds(!printed.empty(), "a random text parses") &&
         holds(Text(printed, context).printed() == printed, "a printed text prints the same") &&
         holds(Text(formatted, context).printed() == printed,
               "a formatted text is the same program") &&
         holds(Text(formatted, context).formatted() == formatted,
               "a formatted text formats to itself");
}

static void roundAll(std::vector<double> &data) {
  for (double &x : data)
    x = static_cast<float>(x);
}

/// Rows for each input of the entry.
static bool drawInputs(func::FuncOp func, std::shared_ptr<const reference::Batch> batch,
                       momrt::Request &request, std::mt19937_64 &random) {
  for (BlockArgument argument : func.getArguments()) {
    unsigned index = argument.getArgNumber();
    auto name = func.getArgAttrOfType<StringAttr>(index, attr::kInput);
    if (!name)
      continue;
    FailureOr<reference::Value> value = randomArgument(func, index, batch, random);
    if (failed(value))
      return false;
    reference::Tensor &tensor = *value->tensor();
    roundAll(tensor.data);
    bool isFloat = isa<FloatType>(getElementTypeOrSelf(argument.getType()));
    request.tensors.push_back({name.str(), uint32_t(isFloat ? MOMRT_F32 : MOMRT_I32),
                               {tensor.shape.begin(), tensor.shape.end()},
                               std::move(tensor.data)});
  }
  return true;
}

/// How far each result moves where all numbers are turned by what rounding may do.
static FailureOr<SmallVector<double>> spreads(func::FuncOp func,
                                              ArrayRef<reference::Value> arguments,
                                              const Tensors &expected, double by,
                                              std::mt19937_64 &random) {
  SmallVector<double> result(expected.size(), 0.0);
  for (int draw = 0; draw < 2; ++draw) {
    auto moved = interpretTurned(func, arguments, by, random);
    if (failed(moved))
      return failure();
    for (auto [spread, was, is] : llvm::zip_equal(result, expected, namedResults(func, *moved))) {
      double squares = 0.0;
      for (auto [x, y] : llvm::zip_equal(was.data, is.data))
        squares += (x - y) * (x - y);
      spread = std::max(spread, std::sqrt(squares));
    }
  }
  return result;
}

static Verdict compareTensors(const Tensors &got, const Tensors &expected,
                              ArrayRef<double> spread, const std::string &storage,
                              raw_ostream &os) {
  Verdict verdict = Verdict::Good;
  for (auto [wanted, moved] : llvm::zip_equal(expected, spread)) {
    auto found = llvm::find_if(got, [&, name = &wanted.name](const momrt::NamedTensor &tensor) {
      return tensor.name == *name;
    });
    if (found == got.end() || found->data.size() != wanted.data.size()) {
      os << "compiled code gives no result " << wanted.name << " of that size\n";
      return Verdict::Bad;
    }
    double squares = 0.0, errors = 0.0;
    for (auto [x, y] : llvm::zip_equal(found->data, wanted.data)) {
      squares += y * y;
      errors += (x - y) * (x - y);
    }
    double size = std::sqrt(squares), error = std::sqrt(errors);
    double limit = relativeTolerance(storage) * size +
                   kAbsoluteTolerance * std::sqrt(double(wanted.data.size())) + kRoundings * moved;
    if (!(size < kHuge) || kRoundings * moved > kVague * size + kAbsoluteTolerance) {
      verdict = std::max(verdict, Verdict::Vague);
      continue;
    }
    if (error <= limit) // false for NaN
      continue;
    os << llvm::formatv("{0}: error {1:e2} of {2:e2}, more than {3:e2}\n", wanted.name, error,
                        size, limit);
    verdict = Verdict::Bad;
  }
  return verdict;
}

/// Its gradient, as compiled and by the interpreter.
static Verdict compareGradient(Compiler &compiler, const RandomOptions &options, uint64_t knobs,
                               std::mt19937_64 &random, raw_ostream &os) {
  if (failed(compiler.load()) || failed(compiler.runTo(Stage::Grad)))
    return Verdict::Bad;
  OwningOpRef<ModuleOp> module = compiler.module().clone();
  func::FuncOp func = entryNamed(*module, kEntry);
  auto batch = randomBatch(makeBatch(groupsOf(*module), options, random), groupsOf(*module), random);
  if (!batch) {
    os << llvm::toString(batch.takeError()) << "\n";
    return Verdict::Bad;
  }
  momrt::Request request;
  request.batch = describe(**batch);
  if (knobs) {
    if (failed(compiler.runTo(Stage::Stored)))
      return Verdict::Bad;
    drawKnobs(compiler.module(), options.how, knobs);
  }
  FailureOr<Program> program = compiler.jit();
  if (failed(program) || !drawInputs(func, *batch, request, random))
    return Verdict::Bad;
  Tensors parameters, got;
  std::string error = momrt::readParameters(program->program->table, "", random(), parameters);
  for (momrt::NamedTensor &parameter : parameters) {
    for (double &x : parameter.data)
      x += 0.1 * uniform(random) - 0.05; // zeros and ones would hide much
    roundAll(parameter.data);
  }
  momrt::SessionOptions session;
  session.threads = 2;
  session.poison = true;
  if (error.empty())
    error = momrt::runEntry(program->program, session, kEntry.str(), request, parameters, got);
  if (!error.empty()) {
    os << error << "\n";
    return Verdict::Bad;
  }
  SmallVector<reference::Value> arguments = argumentsOf(func, request, parameters);
  auto values = reference::interpret(func, arguments);
  if (failed(values))
    return Verdict::Bad;
  Tensors expected = namedResults(func, *values);
  auto moved = spreads(func, arguments, expected, roundingOf(options.how.storage), random);
  if (failed(moved))
    return Verdict::Bad;
  return compareTensors(got, expected, *moved, options.how.storage, os);
}

bool random::isLegal(const std::string &text) {
  MLIRContext context(MLIRContext::Threading::DISABLED);
  ScopedDiagnosticHandler handler(&context, [](Diagnostic &) { return success(); });
  Text source(text, context);
  return succeeded(Compiler(context, source.sources, {}).load());
}

Verdict random::checkText(const std::string &text, const RandomOptions &options, uint64_t seed,
                          uint64_t knobs, raw_ostream &os) {
  std::mt19937_64 random(seed);
  MLIRContext context(MLIRContext::Threading::DISABLED);
  bool complained = false, refused = false;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() != DiagnosticSeverity::Error)
      return success();
    complained = true;
    refused |= knobs && StringRef(diagnostic.str()).contains("knob");
    os << diagnostic.getLocation() << ": " << diagnostic << "\n";
    return success();
  });
  if (!checkForms(text, context, os))
    return Verdict::Bad;
  CompileOptions how;
  how.pipeline = options.how;
  static constexpr const char *kOrders[] = {"auto", "auto", "modality", "position"};
  how.pipeline.order = kOrders[below(4, random)];
  how.pipeline.fuse = (below(5, random) + 1) / 2; // mostly 1 or 2
  how.pipeline.recompute = below(4, random);
  how.entries = {kEntry.str()};
  Text source(text, context);
  Compiler compiler(context, source.sources, how);
  Verdict verdict = compareGradient(compiler, options, knobs, random, os);
  if (refused)
    return Verdict::Refused;
  if (verdict == Verdict::Bad)
    os << "with --order=" << how.pipeline.order << " --fuse=" << how.pipeline.fuse
       << " --recompute=" << how.pipeline.recompute << "\n";
  return complained ? Verdict::Bad : verdict;
}

std::string random::reduceText(std::string text,
                               llvm::function_ref<bool(const std::string &)> isBad) {
  auto linesOf = [](StringRef all) {
    SmallVector<StringRef> lines;
    all.split(lines, '\n');
    return lines;
  };
  for (size_t size = linesOf(text).size() / 2; size > 0; size /= 2)
    for (size_t at = 0; at < linesOf(text).size();) {
      SmallVector<StringRef> lines = linesOf(text);
      lines.erase(lines.begin() + at, lines.begin() + std::min(at + size, lines.size()));
      std::string shorter = llvm::join(lines, "\n");
      if (isBad(shorter))
        text = std::move(shorter);
      else
        at += size;
    }
  return text;
}
