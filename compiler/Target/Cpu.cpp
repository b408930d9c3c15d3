// Lowering of emitted functions to the LLVM dialect, LLVM IR and objects.
#include "compiler/Target/Cpu.h"

#include "compiler/Target/Optimise.h"
#include "momrt/table.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"

using namespace mlir;
using namespace mom;

FailureOr<OwningOpRef<ModuleOp>> mom::lowerToLlvmDialect(ModuleOp emitted, bool expandBf16) {
  OwningOpRef<ModuleOp> module = ModuleOp::create(emitted.getLoc());
  OpBuilder b = OpBuilder::atBlockEnd(module->getBody());
  for (Operation &op : emitted.getBody()->getOperations())
    if (isa<LLVM::LLVMFuncOp, LLVM::GlobalOp>(op))
      b.clone(op);

  PassManager pm(emitted.getContext());
  if (expandBf16) {
    // On a CPU bf16 in integer steps: not every processor converts it, and the
    // library function that LLVM would call rounds one element at a time. Before the
    // canonicalizer, which makes conversions from integers to bf16 of two steps that
    // this knows. A GPU has instructions for what it expands.
    arith::ArithExpandOpsPassOptions expand;
    expand.includeBf16 = true;
    pm.addPass(arith::createArithExpandOpsPass(expand));
  }
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createSCFToControlFlowPass());
  ConvertMathToLLVMPassOptions math;
  math.approximateLog1p = false; // log(1 + x) is 0 for small x
  pm.addPass(createConvertMathToLLVMPass(math));
  pm.addPass(createConvertMathToLibmPass());
  pm.addPass(createConvertVectorToLLVMPass());
  pm.addPass(createConvertControlFlowToLLVMPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createConvertFuncToLLVMPass()); // declarations of libm's functions
  pm.addPass(createReconcileUnrealizedCastsPass());
  if (failed(pm.run(*module)))
    return failure();
  return module;
}

FailureOr<std::unique_ptr<llvm::Module>> mom::translateToLlvm(ModuleOp emitted,
                                                              llvm::LLVMContext &context,
                                                              bool expandBf16) {
  FailureOr<OwningOpRef<ModuleOp>> lowered = lowerToLlvmDialect(emitted, expandBf16);
  if (failed(lowered))
    return failure();
  DialectRegistry registry;
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  emitted.getContext()->appendDialectRegistry(registry);
  std::unique_ptr<llvm::Module> module = translateModuleToLLVMIR(**lowered, context, "momc");
  if (!module)
    return failure();
  return module;
}

static std::string hostFeatures() {
  std::vector<std::string> features;
  for (const auto &feature : llvm::sys::getHostCPUFeatures())
    features.push_back((StringRef(feature.second ? "+" : "-") + feature.first()).str());
  llvm::sort(features); // the map has no order of its own
  return llvm::join(features, ",");
}

std::string mom::describeCpu(StringRef cpu) {
  return cpu == "native" ? (llvm::sys::getHostCPUName() + " " + hostFeatures()).str() : cpu.str();
}

/// This machine's code generator; null after a message, into `message`.
static const llvm::Target *nativeTarget(const llvm::Triple &triple, std::string &message) {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  return llvm::TargetRegistry::lookupTarget(triple, message);
}

static bool isProcessorOf(const llvm::Target &target, const llvm::Triple &triple, StringRef cpu) {
  std::unique_ptr<llvm::MCSubtargetInfo> info(target.createMCSubtargetInfo(triple, "", ""));
  return info->isCPUStringValid(cpu);
}

bool mom::isProcessor(StringRef cpu) {
  llvm::Triple triple(llvm::sys::getDefaultTargetTriple());
  std::string message;
  const llvm::Target *target = nativeTarget(triple, message);
  return cpu == "native" || !target || isProcessorOf(*target, triple, cpu);
}

namespace {
/// A name and features, as LLVM's targets take them.
struct Processor {
  explicit Processor(StringRef cpu) : name(cpu) {
    if (cpu != "native")
      return;
    name = llvm::sys::getHostCPUName().str();
    features = hostFeatures();
  }
  std::string name, features;
};
} // namespace

uint64_t mom::extensionsOf(StringRef cpu) {
  llvm::Triple triple(llvm::sys::getDefaultTargetTriple());
  std::string message;
  const llvm::Target *target = nativeTarget(triple, message);
  if (!target || !triple.isX86())
    return 0;
  Processor processor(cpu);
  std::unique_ptr<llvm::MCSubtargetInfo> info(
      target->createMCSubtargetInfo(triple, processor.name, processor.features));
  uint64_t extensions = 0, bit = 1;
#define MOM_EXTENSION(name)                                                                        \
  if (info->checkFeatures("+" name))                                                               \
    extensions |= bit;                                                                             \
  bit <<= 1;
  MOMRT_X86_EXTENSIONS(MOM_EXTENSION)
#undef MOM_EXTENSION
  return extensions;
}

static std::unique_ptr<llvm::TargetMachine>
targetMachine(StringRef cpu, function_ref<InFlightDiagnostic()> emitError) {
  llvm::Triple triple(llvm::sys::getDefaultTargetTriple());
  std::string message;
  const llvm::Target *target = nativeTarget(triple, message);
  if (!target) {
    emitError() << "no code generator for " << triple.str() << ": " << message;
    return nullptr;
  }
  Processor processor(cpu);
  if (!isProcessorOf(*target, triple, processor.name)) {
    emitError() << "expected 'native' or a processor of " << triple.str() << ", but got '" << cpu
                << "'";
    return nullptr;
  }
  return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(
      triple, processor.name, processor.features, llvm::TargetOptions(), llvm::Reloc::PIC_,
      std::nullopt, llvm::CodeGenOptLevel::Aggressive));
}

LogicalResult mom::compileObject(llvm::Module &module, StringRef cpu, SmallVectorImpl<char> &out,
                                 bool assembly, function_ref<InFlightDiagnostic()> emitError) {
  std::unique_ptr<llvm::TargetMachine> machine = targetMachine(cpu, emitError);
  if (!machine)
    return failure();
  auto kind = assembly ? llvm::CodeGenFileType::AssemblyFile : llvm::CodeGenFileType::ObjectFile;
  std::string error;
  if (!generateCode(module, *machine, kind, out, error))
    return emitError() << error;
  return success();
}
