// From emitted functions to PTX, in process.
#include "compiler/Target/Ptx.h"

#include "compiler/Target/Optimise.h"

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

bool mom::generatePtx(llvm::Module &module, StringRef target, std::string &ptx,
                      std::string &error) {
  llvm::Triple triple("nvptx64-nvidia-cuda");
  const llvm::Target *generator = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!generator)
    return false;
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Fast; // x * y + z in one instruction
  // PTX 9.0 is the newest version that both LLVM 22 and CUDA 13.0 know.
  std::unique_ptr<llvm::TargetMachine> machine(generator->createTargetMachine(
      triple, target, "+ptx90", options, std::nullopt, std::nullopt,
      llvm::CodeGenOptLevel::Aggressive));
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
