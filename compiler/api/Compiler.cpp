// Model text or IR to a running program.
#include "compiler/api/Compiler.h"

#include "compiler/Schedule/Knobs.h"
#include "compiler/Target/Program.h"
#include "compiler/Target/Ptx.h"
#include "compiler/api/Cache.h"
#include "dialect/Mom.h"
#include "frontend/Frontend.h"
#include "runtime/Files.h"
#include "runtime/PrintTable.h"

#include "mlir/Parser/Parser.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SHA256.h"

using namespace mlir;
using namespace mom;

Compiler::Compiler(MLIRContext &context, llvm::SourceMgr &sources, CompileOptions options)
    : context(context), sources(sources), options(std::move(options)) {
  wantNext();
  this->options.pipeline.target = compiledTarget(this->options.pipeline.target).str();
  DialectRegistry registry;
  registerDialects(registry);
  context.appendDialectRegistry(registry);
  context.printOpOnDiagnostic(false); // a model's author wants the line of the model
}

/// The entry is made where it is asked for.
void Compiler::wantNext() {
  options.pipeline.next |= llvm::is_contained(options.entries, "next");
}

CodeOptions mom::codeOptions(const PipelineOptions &options) {
  return {options.target, options.cpu, options.emulate, options.strict};
}

std::string Compiler::symbol() { return programSymbol(name.empty() ? modelName(*ir) : name); }

StringRef mom::modelName(ModuleOp module) {
  auto name = module->getAttrOfType<FlatSymbolRefAttr>(attr::kModel);
  return name ? name.getValue() : "program";
}

Location Compiler::start() {
  StringRef name = sources.getMemoryBuffer(sources.getMainFileID())->getBufferIdentifier();
  return FileLineColLoc::get(&context, name, 1, 1);
}

LogicalResult Compiler::load() {
  StringRef target = options.pipeline.target;
  if (isGpu(options.pipeline) && !(architectureOf(target) && isKnownGpu(target)))
    return error() << "expected cpu or a GPU as target, such as sm_80 or sm_90a, but got "
                   << target;
  StringRef name = sources.getMemoryBuffer(sources.getMainFileID())->getBufferIdentifier();
  if (options.startFrom || name.ends_with(".mlir")) {
    stage = options.startFrom.value_or(Stage::Mom);
    if (sources.getNumBuffers() > 1)
      return error() << "the input is IR: schedules are for a model's text";
    if (stage == Stage::Ast || stage >= Stage::Asm)
      return error() << "cannot start from stage " << nameOf(stage) << ": it is not IR";
    ir = parseSourceFile<ModuleOp>(sources, ParserConfig(&context));
    return success(static_cast<bool>(ir));
  }
  std::unique_ptr<frontend::ast::Module> ast = frontend::parse(sources, &context);
  for (unsigned buffer = sources.getMainFileID() + 1; ast && buffer <= sources.getNumBuffers();
       ++buffer) // further buffers are schedules
    if (failed(frontend::parseSchedules(*ast, buffer, &context)))
      return failure();
  if (!ast || failed(frontend::check(*ast, {options.settings}, &context)))
    return failure();
  llvm::raw_string_ostream os(text);
  frontend::printAst(*ast, os);
  if (failed(dump(Stage::Ast)))
    return failure();
  ir = frontend::generate(*ast, &context);
  if (!ir || failed(verify(*ir)))
    return failure();
  return dump(Stage::Mom);
}

/// Machine code is most of a compilation, so what the caller will not run is not
/// compiled. The loss stays: its function says which parameters there are.
LogicalResult Compiler::keepEntries() {
  llvm::MapVector<StringRef, func::FuncOp> all;
  for (auto func : ir->getOps<func::FuncOp>())
    if (auto name = func->getAttrOfType<StringAttr>(attr::kEntry))
      all[name.getValue()] = func;
  for (const std::string &wanted : options.entries)
    if (!all.contains(wanted)) {
      InFlightDiagnostic report = error();
      report << "the program has no entry '" << wanted << "', only ";
      llvm::interleaveComma(llvm::make_first_range(all), report);
      if (wanted == "update")
        report.attachNote() << "a train block makes it";
      return failure();
    }
  for (auto [name, func] : all)
    if (name != "loss" && !llvm::is_contained(options.entries, name) &&
        !(name == "accumulate" && llvm::is_contained(options.entries, "update")) &&
        !(name == "draw" && llvm::is_contained(options.entries, "next")))
      func.erase();
  return success();
}

LogicalResult Compiler::runTo(Stage until) {
  until = std::min(until, Stage::Lowered);
  if (options.pipeline.memory && until >= Stage::Grad && failed(fitMemory()))
    return failure();
  while (stage < until) {
    stage = static_cast<Stage>(static_cast<unsigned>(stage) + 1);
    PassManager passes(&context);
    if (options.configure)
      options.configure(passes);
    // Before the stage that erases what nothing calls.
    if (stage == Stage::Split && !options.entries.empty() && failed(keepEntries()))
      return failure();
    addStage(stage, passes, options.pipeline);
    if (failed(passes.run(*ir)) || failed(dump(stage)))
      return failure();
  }
  return success();
}

LogicalResult Compiler::emit(Stage wanted, llvm::raw_ostream &os) {
  if (wanted == Stage::Ast) {
    if (text.empty())
      return error() << "the input is IR: it has no stage ast";
    os << text;
    return success();
  }
  if (wanted < stage)
    return error() << "stage " << nameOf(wanted) << " comes before the input's, " << nameOf(stage);
  if (failed(runTo(wanted)))
    return failure();
  if (wanted == Stage::Table)
    return printTable(os);
  if (wanted == Stage::Ptx) {
    FailureOr<std::string> kernels = ptx();
    if (failed(kernels))
      return failure();
    os << *kernels;
    return success();
  }
  if (wanted == Stage::Asm) {
    SmallVector<char> bytes;
    if (failed(object(bytes, /*assembly=*/true)))
      return failure();
    os << StringRef(bytes.data(), bytes.size());
    return success();
  }
  printIr(os, /*locations=*/false);
  return success();
}

/// Values are printed by their names in the model's text. With locations the IR
/// can be read back and continued from with nothing lost.
void Compiler::printIr(llvm::raw_ostream &os, bool locations) {
  OpPrintingFlags flags;
  flags.printNameLocAsPrefix();
  if (locations)
    flags.enableDebugInfo(true);
  ir->print(os, flags);
  os << "\n";
}

LogicalResult Compiler::dump(Stage dumped) {
  if (options.dumpDirectory.empty())
    return success();
  if (std::error_code code = llvm::sys::fs::create_directories(options.dumpDirectory))
    return error() << "cannot create " << options.dumpDirectory << ": " << code.message();
  SmallString<128> path(options.dumpDirectory);
  llvm::sys::path::append(path, llvm::formatv("{0:02}-{1}.{2}", static_cast<unsigned>(dumped),
                                              nameOf(dumped), dumped == Stage::Ast ? "mom" : "mlir")
                                    .str());
  std::string content;
  llvm::raw_string_ostream os(content);
  if (dumped == Stage::Ast)
    os << text;
  else
    printIr(os, /*locations=*/true);
  // LLVM's own files end the process where the disk is full.
  std::string problem =
      momrt::writeWhole(path.str().str(), content.data(), int64_t(content.size()));
  if (!problem.empty())
    return error() << problem;
  return success();
}

std::string Compiler::digest() {
  // What the checkpoint belongs to is the model, not how it is compiled; the
  // settings are in the text's place where the input is IR.
  std::string material = text;
  if (material.empty())
    llvm::raw_string_ostream(material) << (*ir)->getAttrDictionary();
  for (const auto &key : llvm::to_vector(options.settings.keys()))
    material += (" " + key + "=" + options.settings[key]).str();
  auto hash = llvm::SHA256::hash(llvm::arrayRefFromStringRef(material));
  return llvm::toHex(hash, /*LowerCase=*/true).substr(0, 32);
}

LogicalResult Compiler::printTable(llvm::raw_ostream &os) {
  FailureOr<LaunchTable> table = buildLaunchTable(*ir, digest());
  if (failed(table))
    return failure();
  os << momrt::printTable(*reinterpret_cast<const momrt_table *>(table->bytes.data()));
  return success();
}

FailureOr<std::string> Compiler::ptx() {
  if (!isGpu(options.pipeline))
    return error() << "expected a GPU as target, such as sm_90a, but got "
                   << options.pipeline.target;
  llvm::LLVMContext llvmContext;
  FailureOr<std::unique_ptr<llvm::Module>> code =
      translateToLlvm(*ir, llvmContext, /*expandBf16=*/false);
  if (failed(code))
    return failure();
  return compilePtx(**code, options.pipeline.target, [&] { return error(); });
}

LogicalResult Compiler::object(SmallVectorImpl<char> &bytes, bool assembly) {
  return objectOf({this}, bytes, assembly);
}

LogicalResult Compiler::objectOf(ArrayRef<Compiler *> targets, SmallVectorImpl<char> &bytes,
                                 bool assembly) {
  SmallVector<TargetModule> modules;
  for (Compiler *target : targets) {
    if (failed(target->runTo(Stage::Lowered)))
      return failure();
    modules.push_back({*target->ir, codeOptions(target->options.pipeline)});
  }
  Compiler &first = *targets.front();
  return compileProgram(modules, first.symbol(), first.digest(), bytes, assembly,
                        [&] { return first.error(); });
}

/// Everything that the program depends on; empty if it is not to be cached. The IR holds
/// what settings and schedules made of the text, and the places that messages name.
std::string Compiler::cacheKey() {
  // A new option must be thought of here.
  const auto &[how, settings, startFrom, entries, memoryOf, dumpDirectory, cacheDirectory,
               configure] = options;
  if (cacheDirectory.empty() || !dumpDirectory.empty() || buildId().empty())
    return "";
  std::string material;
  llvm::raw_string_ostream os(material);
  auto add = [&](const auto &value) { os << value << '\0'; };
  add(buildId());
  add(symbol());
  add(digest());
  forEachOption(how, add);
  add(describeCpu(how.cpu));
  if (isGpu(how) && !how.emulate)
    add(ptxasVersion());
  for (const std::string &entry : entries)
    add(entry);
  add(nameOf(stage));
  printIr(os, /*locations=*/true);
  return Cache::key(material);
}

FailureOr<Program> Compiler::jit(function_ref<std::string(ModuleOp)> describe) {
  SmallVector<char> bytes;
  Cache cache(options.cacheDirectory);
  std::string key = cacheKey(), aside = Cache::key(key + " description"), description;
  std::optional<SmallVector<char>> found, told;
  if (!key.empty())
    found = cache.find(key);
  if (found && describe && !(told = cache.find(aside)))
    found.reset(); // compiled for somebody who did not ask
  if (found) {
    bytes = std::move(*found);
    if (told)
      description.assign(told->begin(), told->end());
  } else {
    if (failed(object(bytes)))
      return failure();
    if (describe)
      description = describe(*ir);
    if (!key.empty()) { // without it the next run compiles again
      (void)cache.store(key, bytes);
      if (describe)
        (void)cache.store(aside, ArrayRef(description.data(), description.size()));
    }
  }
  auto report = [&] { return error(); };
  FailureOr<std::unique_ptr<Jit>> jit = Jit::create(report);
  if (failed(jit) || failed((*jit)->load(bytes, report)))
    return failure();
  auto *program = static_cast<const momrt_program *>((*jit)->lookup(symbol()));
  if (!program)
    return error() << "the compiled program has no symbol " << symbol();
  return Program{std::move(*jit), program, found.has_value(), std::move(description)};
}
