// A compiled program as one LLVM module.
#include "compiler/Target/Program.h"

#include "compiler/Target/Cpu.h"
#include "compiler/Target/Emulator/Emulator.h"
#include "compiler/Target/Ptx.h"
#include "momrt/table.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/IR/Constants.h"

using namespace llvm;

std::string mom::programSymbol(StringRef model) { return ("momc_program_" + model).str(); }

/// Adds the table to `module`, and the array of the kernels whose code it has (none
/// for a GPU), exports them as a momrt_program named `symbol` and hides all else.
static void addProgram(Module &module, const mom::LaunchTable &table, StringRef symbol) {
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
  auto *program = ConstantStruct::getAnon({constant(bytes, symbol + ".table"), kernels});
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
      kernels.push_back({function.getSymName().str(), threads, number(mom::attr::kShared)});
  }
  return kernels;
}

mlir::LogicalResult
mom::compileProgram(mlir::ModuleOp emitted, const CodeOptions &options, StringRef symbol,
                    StringRef digest, SmallVectorImpl<char> &bytes, bool assembly,
                    function_ref<mlir::InFlightDiagnostic()> emitError) {
  LLVMContext context;
  auto module = std::make_unique<Module>("momc", context);
  bool gpu = options.target != "cpu" && !options.emulate;
  std::optional<GpuImages> images;
  if (gpu) {
    mlir::FailureOr<GpuImages> compiled =
        compileImages(emitted, options.target, options.strict, emitError);
    if (failed(compiled))
      return mlir::failure();
    images = std::move(*compiled);
    for (auto &kernel : images->kernels)
      if (!options.ptx && !kernel.second.cubin.empty())
        kernel.second.ptx.clear();
  } else {
    mlir::FailureOr<std::unique_ptr<Module>> code = translateToLlvm(emitted, context);
    if (failed(code))
      return mlir::failure();
    module = std::move(*code);
    if (options.emulate)
      emulateKernels(*module, kernelsToEmulate(emitted));
  }
  mlir::FailureOr<LaunchTable> table = buildLaunchTable(emitted, digest, images ? &*images : nullptr);
  if (failed(table))
    return mlir::failure();
  addProgram(*module, *table, symbol);
  return compileObject(*module, options.cpu, bytes, assembly, emitError);
}
