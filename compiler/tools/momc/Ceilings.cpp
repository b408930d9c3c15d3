// How fast the device copies and multiplies: from a file, or measured.
#include "compiler/tools/momc/Timed.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"

using namespace mlir;
using namespace mom;
using namespace mom::tool;
namespace cl = llvm::cl;

static cl::opt<std::string>
    ceilingsFile("ceilings",
                 cl::desc("JSON with the device's \"copy\" in GB/s, \"product\" in TFLOP/s and "
                          "\"exps\" in Gexp/s; measured if not given, and written if there is no "
                          "such file"),
                 cl::value_desc("file"), cl::cat(verbOptions));

/// Columns of the programs below: C.
static constexpr StringLiteral kCopy = R"mlir(
!x = tensor<?xCxf32, #mom.rows<token>>
module {
  func.func @copy(%batch: !mom.batch, %x: !x {mom.input = "x"}) -> (!x {mom.output = "y"})
      attributes {mom.entry = "copy"} {
    %y = mom.affine %x {scale = -1.0 : f64, offset = 0.0 : f64} : !x
    return %y : !x
  }
}
)mlir";
static constexpr StringLiteral kProduct = R"mlir(
!x = tensor<?xCxf32, #mom.rows<token>>
!w = tensor<CxCxf32>
module {
  func.func @product(%batch: !mom.batch, %x: !x {mom.input = "x"}, %w: !w {mom.input = "w"})
      -> (!x {mom.output = "y"}) attributes {mom.entry = "product"} {
    %a = mom.affine %x {scale = 0.02 : f64, offset = 0.0 : f64} : !x
    %y = mom.linear %a by %w : !x, !w -> !x
    return %y : !x
  }
}
)mlir";

/// As many exponentials an element as make bytes cheap.
static constexpr int kExpsOfElement = 24;

/// None waits for another one: a chain of them would take a processor's latency.
static std::string expsProgram() {
  std::string body, sum;
  for (int i = 0; i < kExpsOfElement; ++i) {
    std::string n = std::to_string(i), scale = llvm::formatv("{0:F6}", -0.5 - 0.01 * i).str();
    body += "    %a" + n + " = mom.affine %x {scale = " + scale +
            " : f64, offset = 0.25 : f64} : !x\n    %e" + n + " = math.exp %a" + n + " : !x\n";
    if (i)
      body += "    %s" + n + " = arith.addf %" + sum + ", %e" + n + " : !x\n";
    sum = (i ? "s" : "e") + n;
  }
  return "!x = tensor<?xCxf32, #mom.rows<token>>\nmodule {\n  func.func @exps(%batch: !mom.batch, "
         "%x: !x {mom.input = \"x\"}) -> (!x {mom.output = \"y\"})\n      attributes {mom.entry = "
         "\"exps\"} {\n" +
         body + "    return %" + sum + " : !x\n  }\n}\n";
}

/// The same with operands that a GPU's tensor cores take as they lie in memory.
static constexpr StringLiteral kNarrowProduct = R"mlir(
!x = tensor<?xCxf32, #mom.rows<token>>
!w = tensor<CxCxf32>
!xn = tensor<?xCxbf16, #mom.rows<token>>
!wn = tensor<CxCxbf16>
module {
  func.func @product(%batch: !mom.batch, %x: !x {mom.input = "x"}, %w: !w {mom.input = "w"})
      -> (!x {mom.output = "y"}) attributes {mom.entry = "product"} {
    %a = mom.kernel map "a"(%x) : (!x) -> !xn {
    ^bb0(%0: !x):
      %1 = mom.affine %0 {scale = 0.02 : f64, offset = 0.0 : f64} : !x
      %2 = arith.truncf %1 : !x to !xn
      mom.yield %2 : !xn
    }
    %b = mom.kernel map "b"(%w) : (!w) -> !wn {
    ^bb0(%0: !w):
      %1 = arith.truncf %0 : !w to !wn
      mom.yield %1 : !wn
    }
    %c = mom.kernel product "c"(%a, %b) : (!xn, !wn) -> !xn {
    ^bb0(%0: !xn, %1: !wn):
      %2 = arith.extf %0 : !xn to !x
      %3 = arith.extf %1 : !wn to !w
      %4 = mom.linear %2 by %3 : !x, !w -> !x
      %5 = arith.truncf %4 : !x to !xn
      mom.yield %5 : !xn
    }
    %y = mom.kernel map "y"(%c) : (!xn) -> !x {
    ^bb0(%0: !xn):
      %1 = arith.extf %0 : !xn to !x
      mom.yield %1 : !x
    }
    return %y : !x
  }
}
)mlir";

/// The fastest of a program's kernels, by `speed`.
static FailureOr<double> measure(StringRef text, StringRef entry, int64_t rows, int64_t columns,
                                 StringRef storage,
                                 function_ref<double(const TimedKernel &)> speed) {
  std::string program = text.str();
  for (StringRef pattern : {"?xCx", "<CxCx"})
    for (size_t at; (at = program.find(pattern.str())) != std::string::npos;) {
      std::string size = std::to_string(columns);
      program.replace(at, pattern.size(),
                      pattern[0] == '?' ? "?x" + size + "x" : "<" + size + "x" + size + "x");
    }
  MLIRContext context;
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBufferCopy(program, "ceilings.mlir"),
                             SMLoc());
  SourceMgrDiagnosticHandler handler(sources, &context);
  CompileOptions options = compileOptionsFromCommandLine();
  options.settings.clear();
  options.dumpDirectory.clear();
  options.startFrom = Stage::Grad;
  options.pipeline.storage = storage.str();
  Compiler compiler(context, sources, options);
  momrt::TimingOptions timing;
  timing.entries = {entry.str()};
  timing.streams = 1;
  timing.length = rows;
  timing.repeats = 5;
  if (failed(compiler.load()))
    return failure();
  FailureOr<TimedModel> model = timeModel(compiler, timing);
  if (failed(model))
    return failure();
  double best = 0;
  for (const TimedKernel &kernel : model->kernels(0))
    best = std::max(best, speed(kernel));
  return best;
}

bool mom::tool::hasCeilings() { return !ceilingsFile.empty(); }

static FailureOr<Ceilings> readCeilings() {
  auto buffer = llvm::MemoryBuffer::getFile(ceilingsFile);
  if (!buffer) {
    fail("cannot read " + ceilingsFile + ": " + buffer.getError().message());
    return failure();
  }
  llvm::Expected<llvm::json::Value> value = llvm::json::parse((*buffer)->getBuffer());
  if (!value) {
    fail(ceilingsFile + ": " + llvm::toString(value.takeError()));
    return failure();
  }
  const llvm::json::Object *object = value->getAsObject();
  if (!object) {
    fail(ceilingsFile + ": expected an object with \"copy\", \"product\" and \"exps\"");
    return failure();
  }
  return Ceilings{object->getNumber("copy").value_or(0), object->getNumber("product").value_or(0),
                  object->getNumber("exps").value_or(0), "from " + ceilingsFile};
}

static FailureOr<Ceilings> measureCeilings() {
  bool gpu = compileOptionsFromCommandLine().pipeline.target != "cpu";
  int64_t columns = gpu ? 4096 : 512, copied = 16384, rows = gpu ? 8192 : 512;
  FailureOr<double> copy =
      measure(kCopy, "copy", copied, columns, "f32",
              [](const TimedKernel &kernel) { return kernel.gigabytesPerSecond(); });
  FailureOr<double> product =
      measure(gpu ? kNarrowProduct : kProduct, "product", rows, columns, "f32",
              [](const TimedKernel &kernel) { return kernel.teraflops(); });
  FailureOr<double> exps =
      measure(expsProgram(), "exps", rows, columns, "f32",
              [](const TimedKernel &kernel) { return kernel.gigaexps(); });
  if (failed(copy) || failed(product) || failed(exps))
    return failure();
  return Ceilings{*copy, *product, *exps,
                  llvm::formatv("measured here with momc's own kernels: a map that reads and "
                                "writes {0} MB, a linear of {1} x {2} x {2} in {3}, {4} "
                                "exponentials an element",
                                copied * columns * 4 >> 20, rows, columns, gpu ? "bf16" : "f32",
                                kExpsOfElement)
                      .str()};
}

static LogicalResult writeCeilings(const Ceilings &ceilings) {
  llvm::json::Object object{{"copy", ceilings.copy},
                            {"product", ceilings.product},
                            {"exps", ceilings.exps},
                            {"origin", ceilings.origin}};
  std::string text = llvm::formatv("{0:2}\n", llvm::json::Value(std::move(object))).str();
  return success(!writeFile(ceilingsFile, text));
}

FailureOr<Ceilings> mom::tool::findCeilings() {
  if (hasCeilings() && llvm::sys::fs::exists(ceilingsFile))
    return readCeilings();
  FailureOr<Ceilings> measured = measureCeilings();
  if (succeeded(measured) && hasCeilings() && failed(writeCeilings(*measured)))
    return failure();
  return measured;
}
