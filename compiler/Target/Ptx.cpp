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

FailureOr<std::string> mom::compilePtx(llvm::Module &module, StringRef target,
                                       function_ref<InFlightDiagnostic()> emitError) {
  LLVMInitializeNVPTXTargetInfo();
  LLVMInitializeNVPTXTarget();
  LLVMInitializeNVPTXTargetMC();
  LLVMInitializeNVPTXAsmPrinter();
  llvm::Triple triple("nvptx64-nvidia-cuda");
  std::string message;
  const llvm::Target *generator = llvm::TargetRegistry::lookupTarget(triple, message);
  if (!generator)
    return emitError() << "no code generator for " << triple.str() << ": " << message;
  // PTX 9.0 is the newest version that both LLVM 22 and CUDA 13.0 know.
  std::unique_ptr<llvm::TargetMachine> machine(generator->createTargetMachine(
      triple, target, "+ptx90", llvm::TargetOptions(), std::nullopt, std::nullopt,
      llvm::CodeGenOptLevel::Aggressive));
  SmallVector<char> text;
  if (failed(generateCode(module, *machine, llvm::CodeGenFileType::AssemblyFile, text, emitError)))
    return failure();
  return std::string(text.begin(), text.end());
}
