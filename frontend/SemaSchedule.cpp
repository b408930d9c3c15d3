// Schedules, as far as the text tells: which kernels there are is known after fusion, so
// names of values and knobs are looked at by mom-apply-schedules.
#include "frontend/Sema.h"
#include "frontend/Suggest.h"

using namespace mom::frontend;
using namespace mom::frontend::ast;

void Sema::checkSchedule(ScheduleDecl &decl) {
  StringRef base = decl.name.split('.').first;
  if (!llvm::isa_and_nonnull<FunctionDecl>(lookup(base))) {
    error(decl.name) << "unknown layer or model '" << base << "'"
                     << suggest(base, namesIf([](const Decl *d) {
                                  return llvm::isa<FunctionDecl>(d);
                                }));
    return;
  }
  StringRef digits = decl.target;
  bool known = digits.empty() || digits == "cpu" || digits == "gpu";
  unsigned architecture;
  if (!known && digits.consume_front("sm_"))
    known = !digits.consumeInteger(10, architecture) && (digits.empty() || digits == "a");
  if (!known)
    error(decl.target) << "expected the target cpu, gpu or a GPU as sm_90a, but got '"
                       << decl.target << "'";
  if (decl.rows)
    decl.rowCount = integer(decl.rows, "a number of rows", /*least=*/0).value_or(0);
  for (ScheduleDecl::Item &item : decl.items) {
    auto *function = llvm::dyn_cast_or_null<FunctionDecl>(lookup(decl.name));
    if (item.kind == "save" && (!function || function->isModel))
      error(item.names.front()) << "expected 'save' in the schedule of a layer, but '"
                                << decl.name << "' is "
                                << (function ? "a model" : "a function of one");
    for (auto [index, knob] : llvm::enumerate(item.knobs)) {
      knob.number = integer(knob.value, "a knob", /*least=*/0).value_or(0);
      for (const ScheduleDecl::Knob &other : llvm::ArrayRef(item.knobs).take_front(index))
        if (other.name == knob.name)
          error(knob.place)
                  .append("knob '", knob.name, "' is given twice")
                  .attachNote(at(other.place))
              << "first given here";
    }
  }
}
