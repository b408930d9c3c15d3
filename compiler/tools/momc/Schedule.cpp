// momc schedule: how each kernel of a program runs, as text.
#include "compiler/Schedule/PrintSchedule.h"
#include "compiler/tools/momc/Explain.h"
#include "compiler/tools/momc/Timed.h"

using namespace mlir;
using namespace mom;
using namespace mom::tool;
namespace cl = llvm::cl;

namespace mom::tool {
cl::OptionCategory explainOptions("Explaining");
} // namespace mom::tool

static cl::opt<bool> explainOption("explain",
                                   cl::desc("say what kernels must move and compute, how long that "
                                            "takes at best, and what else could be saved"),
                                   cl::cat(explainOptions));

int mom::tool::schedule() {
  if (hasCeilings() && !explainOption)
    return fail("--ceilings is what --explain holds times against: add --explain");
  FailureOr<std::vector<std::string>> entries = entriesToKeep(Stage::Scheduled);
  if (failed(entries))
    return 1;
  ModelFile model(std::move(*entries));
  if (!model || failed(model->load()))
    return 1;
  std::string text;
  llvm::raw_string_ostream os(text);
  if (explainOption) {
    if (failed(explain(*model.operator->(), os)))
      return 1;
  } else {
    if (failed(model->runTo(Stage::Scheduled)))
      return 1;
    printSchedule(model->module(), model.target(), os);
  }
  return writeFile(output, text);
}
