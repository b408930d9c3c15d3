// Object files loaded into this process.
#include "compiler/Target/Cpu.h"

#include "compiler/Target/Emulator/Emulator.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/TargetSelect.h"

using namespace mlir;
using namespace mom;

Jit::Jit(std::unique_ptr<llvm::orc::LLJIT> jit) : jit(std::move(jit)) {}
Jit::~Jit() = default;

FailureOr<std::unique_ptr<Jit>> Jit::create(function_ref<InFlightDiagnostic()> emitError) {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  llvm::Expected<std::unique_ptr<llvm::orc::LLJIT>> jit = llvm::orc::LLJITBuilder().create();
  if (!jit)
    return emitError() << llvm::toString(jit.takeError());
  // Kernels may call the host's libm.
  auto process = llvm::orc::DynamicLibrarySearchGenerator::GetForCurrentProcess(
      (*jit)->getDataLayout().getGlobalPrefix());
  if (!process)
    return emitError() << llvm::toString(process.takeError());
  (*jit)->getMainJITDylib().addGenerator(std::move(*process));
  llvm::orc::SymbolMap emulator;
  for (const EmulatorSymbol &symbol : emulatorSymbols())
    emulator[(*jit)->mangleAndIntern(symbol.name)] = {llvm::orc::ExecutorAddr::fromPtr(symbol.address),
                                                      llvm::JITSymbolFlags::Exported};
  llvm::cantFail((*jit)->getMainJITDylib().define(llvm::orc::absoluteSymbols(std::move(emulator))));
  return std::unique_ptr<Jit>(new Jit(std::move(*jit)));
}

LogicalResult Jit::load(ArrayRef<char> object, function_ref<InFlightDiagnostic()> emitError) {
  auto buffer =
      llvm::MemoryBuffer::getMemBufferCopy(StringRef(object.data(), object.size()), "momc");
  if (llvm::Error error = jit->addObjectFile(std::move(buffer)))
    return emitError() << llvm::toString(std::move(error));
  return success();
}

void *Jit::lookup(StringRef symbol) {
  llvm::Expected<llvm::orc::ExecutorAddr> address = jit->lookup(symbol);
  if (address)
    return address->toPtr<void *>();
  llvm::consumeError(address.takeError());
  return nullptr;
}
