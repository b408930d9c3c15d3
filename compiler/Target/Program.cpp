// A compiled program as one LLVM module.
#include "compiler/Target/Program.h"

#include "momrt/table.h"

#include "llvm/IR/Constants.h"

using namespace llvm;

std::string mom::programSymbol(StringRef model) { return ("momc_program_" + model).str(); }

void mom::addProgram(Module &module, const LaunchTable &table, StringRef symbol) {
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
