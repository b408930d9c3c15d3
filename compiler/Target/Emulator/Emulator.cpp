// From GPU functions to CPU kernels.
#include "compiler/Target/Emulator/Instructions.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/ReplaceConstant.h"

using namespace llvm;
using namespace mom;

static constexpr StringLiteral kPrefix = "momc_emulate_";

/// The name of the function that does what `call` asks of a GPU; empty: an ordinary call.
static std::string emulatedName(const CallInst &call) {
  std::string name;
  if (const Function *callee = call.getCalledFunction()) {
    StringRef intrinsic = callee->getName();
    if (!intrinsic.consume_front("llvm.nvvm."))
      return "";
    name = intrinsic.str();
  } else if (const auto *assembly = dyn_cast<InlineAsm>(call.getCalledOperand())) {
    StringRef text = assembly->getAsmString();
    if (!text.consume_front("// momc."))
      return "";
    name = "asm_" + text.take_until([](char c) { return c == '\n'; }).str();
  }
  for (char &c : name)
    if (!isAlnum(c))
      c = '_';
  return name.empty() ? "" : (kPrefix + name).str();
}

/// A call of C: bits and pairs of halves as 32 bits, results of several registers
/// through memory.
static void replaceCall(CallInst &call, StringRef name) {
  Module &module = *call.getModule();
  IRBuilder<> b(&call);
  SmallVector<Value *> arguments;
  Type *result = call.getType();
  bool inMemory = result->isAggregateType();
  AllocaInst *place = nullptr;
  if (inMemory) {
    IRBuilder<> entry(&call.getFunction()->getEntryBlock().front());
    place = entry.CreateAlloca(result);
    arguments.push_back(place);
  }
  for (Value *argument : call.args()) {
    Type *type = argument->getType();
    if (type->isIntegerTy(1))
      argument = b.CreateZExt(argument, b.getInt32Ty());
    else if (type->isVectorTy() && type->getPrimitiveSizeInBits() == 32)
      argument = b.CreateBitCast(argument, b.getInt32Ty());
    else if (type->isPointerTy() && type->getPointerAddressSpace())
      argument = b.CreateAddrSpaceCast(argument, b.getPtrTy());
    arguments.push_back(argument);
  }
  SmallVector<Type *> types;
  for (Value *argument : arguments)
    types.push_back(argument->getType());
  Type *returned = inMemory ? b.getVoidTy() : result->isIntegerTy(1) ? b.getInt32Ty() : result;
  FunctionCallee callee =
      module.getOrInsertFunction(name, FunctionType::get(returned, types, /*isVarArg=*/false));
  Value *value = b.CreateCall(callee, arguments);
  if (inMemory)
    value = b.CreateLoad(result, place);
  else if (result->isIntegerTy(1))
    value = b.CreateICmpNE(value, b.getInt32(0));
  if (!result->isVoidTy())
    call.replaceAllUsesWith(value);
  call.eraseFromParent();
}

/// Shared memory is the running block's.
static void replaceShared(Module &module) {
  GlobalVariable *shared = module.getNamedGlobal("momc_shared");
  if (!shared)
    return;
  convertUsersOfConstantsToInstructions({shared});
  FunctionCallee get = module.getOrInsertFunction((kPrefix + "shared").str(),
                                                  PointerType::getUnqual(module.getContext()));
  DenseMap<Function *, Value *> bases;
  for (Use &use : make_early_inc_range(shared->uses())) {
    auto *user = cast<Instruction>(use.getUser());
    Value *&base = bases[user->getFunction()];
    if (!base) {
      IRBuilder<> b(&user->getFunction()->getEntryBlock().front());
      base = b.CreateAddrSpaceCast(b.CreateCall(get), shared->getType());
    }
    use.set(base);
  }
  shared->eraseFromParent();
}

/// void(buffers, block, scratch): runs the threads of one block, or where it is the first of a
/// cluster, those of its blocks.
static void addKernel(Module &module, Function &thread, const EmulatedKernel &kernel) {
  LLVMContext &context = module.getContext();
  auto *pointer = PointerType::getUnqual(context);
  auto *nothing = Type::getVoidTy(context);
  auto *i64 = Type::getInt64Ty(context);
  thread.setName(kernel.name + "$thread");
  thread.setCallingConv(CallingConv::C);
  thread.setAttributes({});

  auto *unpack = Function::Create(FunctionType::get(nothing, {pointer}, false),
                                  Function::InternalLinkage, kernel.name + "$unpack", module);
  IRBuilder<> b(BasicBlock::Create(context, "", unpack));
  SmallVector<Value *> arguments;
  for (unsigned i = 0; i < thread.arg_size(); ++i)
    arguments.push_back(
        b.CreateLoad(pointer, b.CreateConstGEP1_32(pointer, unpack->getArg(0), i)));
  b.CreateCall(&thread, arguments);
  b.CreateRetVoid();

  auto *whole = Function::Create(FunctionType::get(nothing, {pointer, i64, pointer}, false),
                                 Function::ExternalLinkage, kernel.name, module);
  b.SetInsertPoint(BasicBlock::Create(context, "", whole));
  FunctionCallee run = module.getOrInsertFunction(
      (kPrefix + "run").str(),
      FunctionType::get(nothing, {pointer, pointer, i64, i64, i64, i64}, false));
  b.CreateCall(run, {unpack, whole->getArg(0), whole->getArg(1), b.getInt64(kernel.threads),
                     b.getInt64(kernel.shared), b.getInt64(kernel.cluster)});
  b.CreateRetVoid();
}

void mom::emulateKernels(Module &module, ArrayRef<EmulatedKernel> kernels) {
  for (Function &function : module) {
    SmallVector<CallInst *> calls;
    for (Instruction &instruction : instructions(function))
      if (auto *call = dyn_cast<CallInst>(&instruction))
        calls.push_back(call);
    for (CallInst *call : calls)
      if (std::string name = emulatedName(*call); !name.empty())
        replaceCall(*call, name);
  }
  replaceShared(module);
  for (const EmulatedKernel &kernel : kernels)
    if (Function *thread = module.getFunction(kernel.name))
      addKernel(module, *thread, kernel);
}

SmallVector<EmulatorSymbol> mom::emulatorSymbols() {
  SmallVector<EmulatorSymbol> symbols(emulator::instructionSymbols());
  llvm::append_range(symbols, emulator::tileSymbols());
  return symbols;
}
