// Passes that decide how kernels run.
#ifndef MOM_SCHEDULE_PASSES
#define MOM_SCHEDULE_PASSES

include "mlir/Pass/PassBase.td"

def ResolveSchedulePass : Pass<"mom-resolve-schedule", "::mlir::ModuleOp"> {
  let summary = "every kernel has all knobs of its anchor";
  let description = [{
    Adds the defaults of `Knobs.def` for the target to each kernel's `schedule`
    and keeps what is there. A knob that the anchor does not have, or a value
    out of its range, is an error.
  }];
  let options = [
    Option<"target", "target", "std::string", "\"cpu\"", "family of devices whose knobs are filled in">,
    Option<"cpu", "cpu", "std::string", "\"native\"", "processor whose vector width the defaults follow">,
    Option<"architecture", "architecture", "int64_t", "90", "of a GPU: 90 for sm_90a">
  ];
}

#endif
