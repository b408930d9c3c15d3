// From emitted functions to PTX, in process.
#include "compiler/Target/Ptx.h"

#include "compiler/Target/Optimise.h"

#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/TargetParser/Triple.h"

using namespace mlir;

extern "C" {
void LLVMInitializeNVPTXTargetInfo();
void LLVMInitializeNVPTXTarget();
void LLVMInitializeNVPTXTargetMC();
void LLVMInitializeNVPTXAsmPrinter();
}

void mom::initialisePtx() {
  LLVMInitializeNVPTXTargetInfo();
  LLVMInitializeNVPTXTarget();
  LLVMInitializeNVPTXTargetMC();
  LLVMInitializeNVPTXAsmPrinter();
}

static const llvm::Triple &gpuTriple() {
  static const llvm::Triple triple("nvptx64-nvidia-cuda");
  return triple;
}

bool mom::isKnownGpu(StringRef target) {
  initialisePtx();
  std::string error;
  const llvm::Target *generator = llvm::TargetRegistry::lookupTarget(gpuTriple(), error);
  std::unique_ptr<llvm::MCSubtargetInfo> info(
      generator ? generator->createMCSubtargetInfo(gpuTriple(), "", "") : nullptr);
  return info && info->isCPUStringValid(target);
}

bool mom::generatePtx(llvm::Module &module, StringRef target, std::string &ptx,
                      std::string &error) {
  const llvm::Target *generator = llvm::TargetRegistry::lookupTarget(gpuTriple(), error);
  if (!generator)
    return false;
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Fast; // x * y + z in one instruction
  // PTX 9.0 is the newest version that both LLVM 22 and CUDA 13.0 know.
  std::unique_ptr<llvm::TargetMachine> machine(
      generator->createTargetMachine(gpuTriple(), target, "+ptx90", options, std::nullopt,
                                     std::nullopt, llvm::CodeGenOptLevel::Aggressive));
  SmallVector<char> text;
  if (!generateCode(module, *machine, llvm::CodeGenFileType::AssemblyFile, text, error))
    return false;
  ptx.assign(text.begin(), text.end());
  return true;
}

FailureOr<std::string> mom::compilePtx(llvm::Module &module, StringRef target,
                                       function_ref<InFlightDiagnostic()> emitError) {
  initialisePtx();
  std::string ptx, error;
  if (!generatePtx(module, target, ptx, error))
    return emitError() << error;
  return ptx;
}
