// momc schedule: how each kernel of a program runs, as text.
#include "compiler/Schedule/PrintSchedule.h"
#include "compiler/tools/momc/Verbs.h"

using namespace mlir;
using namespace mom;
using namespace mom::tool;

int mom::tool::schedule() {
  ModelFile model(entryNames);
  if (!model || failed(model->load()) || failed(model->runTo(Stage::Scheduled)))
    return 1;
  std::string text;
  llvm::raw_string_ostream os(text);
  printSchedule(model->module(), target, os);
  return output == "-" ? (llvm::outs() << text, 0) : writeFile(output, text);
}
