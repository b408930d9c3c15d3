// Passes that decide how kernels run.
#ifndef MOM_SCHEDULE_PASSES
#define MOM_SCHEDULE_PASSES

include "mlir/Pass/PassBase.td"

def SelectSchedulesPass : Pass<"mom-select-schedules", "::mlir::ModuleOp"> {
  let summary = "the module's schedules are those that are meant for this target and batch";
  let description = [{
    Drops from `mom.schedules` what stands `on` another target or `when` the rows
    of a training batch (streams times length; without a train block 4096) are
    others.
  }];
  let options = [Option<"target", "target", "std::string", "\"cpu\"", "cpu, or a GPU as sm_90a">];
}

def ApplySchedulesPass : Pass<"mom-apply-schedules", "::mlir::ModuleOp"> {
  let summary = "kernels have the knobs that the text's schedules give them";
  let description = [{
    Finds the kernels that the items of `mom.schedules` name, in every function
    of the layer or model, and adds their knobs to what the kernels have. A name
    without a kernel or with two, a kernel with two items, a knob that the
    kernel lacks and a value out of its range are errors.
  }];
  let options = [Option<"target", "target", "std::string", "\"cpu\"", "family of devices: cpu or gpu">];
}

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
