// LLVM's optimiser and code generator, for any target machine.
#include "compiler/Target/Optimise.h"

#include "llvm/IR/LegacyPassManager.h"
#include "llvm/Passes/PassBuilder.h"

using namespace mlir;

bool mom::generateCode(llvm::Module &module, llvm::TargetMachine &machine,
                       llvm::CodeGenFileType kind, SmallVectorImpl<char> &out, std::string &error) {
  module.setTargetTriple(machine.getTargetTriple());
  module.setDataLayout(machine.createDataLayout());

  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager graph;
  llvm::ModuleAnalysisManager modules;
  // Emitted loops are vector code with as many sums as registers: unrolling
  // and vectorising them again only costs time.
  llvm::PipelineTuningOptions tuning;
  tuning.LoopUnrolling = tuning.LoopVectorization = tuning.SLPVectorization = false;
  llvm::PassBuilder builder(&machine, tuning);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(graph);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, graph, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3).run(module, modules);

  llvm::raw_svector_ostream stream(out);
  llvm::legacy::PassManager codegen;
  if (machine.addPassesToEmitFile(codegen, stream, nullptr, kind)) {
    error = "the code generator of " + machine.getTargetTriple().str() + " writes no such file";
    return false;
  }
  codegen.run(module);
  return true;
}
