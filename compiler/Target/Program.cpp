// A compiled program as one LLVM module.
#include "compiler/Target/Program.h"

#include "compiler/Target/Cpu.h"
#include "compiler/Target/Emulator/Emulator.h"
#include "compiler/Target/Ptx.h"
#include "momrt/table.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/IR/Constants.h"
#include "llvm/Linker/Linker.h"

using namespace llvm;

std::string mom::programSymbol(StringRef model) { return ("momc_program_" + model).str(); }

/// Adds the table to `module`, and the array of the kernels whose code it has (none
/// for a GPU), exports them as a momrt_program named `symbol` and hides all else. Where
/// `other` names one, another module has the next program of the chain.
static void addProgram(Module &module, const mom::LaunchTable &table, StringRef symbol,
                       StringRef other) {
  LLVMContext &context = module.getContext();
  for (Function &function : module)
    if (!function.isDeclaration())
      function.setLinkage(GlobalValue::InternalLinkage);

  auto constant = [&](Constant *value, const Twine &name) {
    auto *global = new GlobalVariable(module, value->getType(), /*isConstant=*/true,
                                      GlobalValue::InternalLinkage, value, name);
    global->setAlignment(Align(MOMRT_ALIGNMENT));
    return global;
  };
  auto *bytes = ConstantDataArray::getString(
      context, StringRef(table.bytes.data(), table.bytes.size()), /*AddNull=*/false);
  auto *pointer = PointerType::getUnqual(context);
  // A program for a GPU has its kernels inside the table.
  Constant *kernels = ConstantPointerNull::get(pointer);
  if (!table.kernels.empty() && module.getFunction(table.kernels.front())) {
    SmallVector<Constant *> functions;
    for (const std::string &name : table.kernels)
      functions.push_back(module.getFunction(name));
    kernels = constant(ConstantArray::get(ArrayType::get(pointer, functions.size()), functions),
                       symbol + ".kernels");
  }
  Constant *next = ConstantPointerNull::get(pointer);
  if (!other.empty())
    next = new GlobalVariable(module, pointer, /*isConstant=*/true, GlobalValue::ExternalLinkage,
                              nullptr, other);
  auto *program = ConstantStruct::getAnon({constant(bytes, symbol + ".table"), kernels, next});
  constant(program, symbol)->setLinkage(GlobalValue::ExternalLinkage);
}

static SmallVector<mom::EmulatedKernel> kernelsToEmulate(mlir::ModuleOp emitted) {
  SmallVector<mom::EmulatedKernel> kernels;
  for (auto function : emitted.getOps<mlir::LLVM::LLVMFuncOp>()) {
    auto number = [&](StringRef name) {
      auto value = function->getAttrOfType<mlir::IntegerAttr>(name);
      return value ? value.getInt() : 0;
    };
    if (int64_t threads = number(mom::attr::kThreads))
      kernels.push_back({function.getSymName().str(), threads, number(mom::attr::kShared),
                         std::max<int64_t>(number(mom::attr::kCluster), 1)});
  }
  return kernels;
}

/// The program of one target, in a module of its own.
static mlir::FailureOr<std::unique_ptr<Module>>
buildProgram(const mom::TargetModule &target, StringRef symbol, StringRef other, StringRef digest,
             LLVMContext &context, function_ref<mlir::InFlightDiagnostic()> emitError) {
  const auto &[emitted, options] = target;
  auto module = std::make_unique<Module>("momc", context);
  bool gpu = options.target != "cpu" && !options.emulate;
  std::optional<mom::GpuImages> images;
  if (gpu) {
    mlir::FailureOr<mom::GpuImages> compiled =
        mom::compileImages(emitted, options.target, options.strict, emitError);
    if (failed(compiled))
      return mlir::failure();
    images = std::move(*compiled);
    for (auto &kernel : images->kernels)
      if (!options.ptx && !kernel.second.cubin.empty())
        kernel.second.ptx.clear();
  } else {
    mlir::FailureOr<std::unique_ptr<Module>> code = mom::translateToLlvm(emitted, context);
    if (failed(code))
      return mlir::failure();
    module = std::move(*code);
    if (options.emulate)
      mom::emulateKernels(*module, kernelsToEmulate(emitted));
  }
  mlir::FailureOr<mom::LaunchTable> table = mom::buildLaunchTable(
      emitted, digest, images ? &*images : nullptr, gpu ? 0 : mom::extensionsOf(options.cpu));
  if (failed(table))
    return mlir::failure();
  addProgram(*module, *table, symbol, other);
  return module;
}

mlir::LogicalResult
mom::compileProgram(ArrayRef<TargetModule> modules, StringRef symbol, StringRef digest,
                    SmallVectorImpl<char> &bytes, bool assembly,
                    function_ref<mlir::InFlightDiagnostic()> emitError) {
  auto nameOf = [&](size_t i) {
    return i < modules.size() ? i ? (symbol + "." + Twine(i)).str() : symbol.str() : "";
  };
  LLVMContext context;
  std::unique_ptr<Module> whole;
  for (auto [i, target] : enumerate(modules)) {
    auto part = buildProgram(target, nameOf(i), nameOf(i + 1), digest, context, emitError);
    if (failed(part))
      return mlir::failure();
    if (!whole)
      whole = std::move(*part);
    else if (Linker::linkModules(*whole, std::move(*part)))
      return emitError() << "the programs for " << modules.front().options.target << " and "
                         << target.options.target << " do not link";
  }
  for (size_t i = 1; i < modules.size(); ++i)
    whole->getNamedGlobal(nameOf(i))->setLinkage(GlobalValue::InternalLinkage);
  return compileObject(*whole, modules.front().options.cpu, bytes, assembly, emitError);
}
