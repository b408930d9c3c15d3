// Passes that differentiate a program and cut the result in two.
#ifndef MOM_AUTODIFF_PASSES
#define MOM_AUTODIFF_PASSES

include "mlir/Pass/PassBase.td"

def InlineLayersPass : Pass<"mom-inline-layers", "::mlir::ModuleOp"> {
  let summary = "one level of repetition is left";
  let description = [{
    A layer that another uses once (`mom.repeat .. times 1` in a layer) is
    inlined there, and so is one that the model uses once if it repeats others.
    Its parameters lose their stack of one. Pointer recipes of the launch table
    count the innermost repetition only, so what is then still nested is an
    error.
  }];
}

def DifferentiatePass : Pass<"mom-differentiate", "::mlir::ModuleOp"> {
  let summary = "every layer has a joint function, and the model a gradient function";
  let description = [{
    For a layer `@f(carried..., batch, params...) -> carried'...` makes
    `@f.joint(carried..., batch, params..., dcarried'...) -> (carried'...,
    dcarried..., dparams...)`: forward and backward in one function, so that
    what to save is a later choice. For the model `@m` makes `@m.gradient`,
    which returns the model's results and the gradient of the minimised loss
    for each parameter. A `mom.repeat` becomes a `mom.forward` and, against it,
    a `mom.backward`.

    Scans in joint functions keep checkpoints every `checkpoint` tokens. A
    layer marked `mom.export` becomes the entries `@f` and `@f.vjp`.
  }];
  let options = [Option<"checkpoint", "checkpoint", "int64_t", "16",
                        "tokens between two saved states of a scan; 0: by its states, "
                        "for a GPU">,
                 Option<"training", "training", "bool", "true",
                        "make the model's gradient function">];
}

def AddUpdatePass : Pass<"mom-add-update", "::mlir::ModuleOp"> {
  let summary = "a trained model has an update function";
  let description = [{
    Adds `@m.update`: AdamW with decoupled decay and clipping by the global norm
    of the gradient, over the parameters as flat vectors, one for each value of
    `mom.decay`. Its results replace its arguments in place; the step's scalars
    (rate, bias corrections ...) are arguments of one element.
  }];
}

def AddNextPass : Pass<"mom-add-next", "::mlir::ModuleOp"> {
  let summary = "a model that predicts tokens has a function that goes on with sequences";
  let description = [{
    For the model `@m` makes the entry `@m.next`: what leads to the logits of each
    cross entropy whose target is `mom.next` of an input, which names the result. Each
    `mom.conv1d` and `mom.scan` on the way begins with a state that is an argument and
    gives the one that it ends with, in repeated layers (`@f.next`) by way of stacks;
    these arguments and results lie in the table's states. What depends on
    tokens that come later is an error.

    `@m.draw` is `mom.draw` as an entry, for batches of one token a stream: it replaces
    the ids and the modalities of the batch by those that it draws.
  }];
}

def PartitionPass : Pass<"mom-partition", "::mlir::ModuleOp"> {
  let summary = "no joint function is left: forward saves what backward reads";
  let description = [{
    Cuts each joint function into `@f.forward`, which also returns the values to
    save, and `@f.backward`, which takes them. A value that backward reads is
    computed again from saved ones where that takes cheap work only and fewer bytes
    are kept, and is saved otherwise. With `recompute` 1 what forward multiplies is
    saved as well, which it stores anyway; with 3 thin products are cheap too, and a
    scan's result is given again by its gradient to work that follows it. Cheap are
    pointwise work and norms, and convolutions where `sequence` is set. `mom.forward`
    and `mom.backward` become `mom.repeat`; tapes become stacks.
  }];
  let options = [Option<"recompute", "recompute", "int64_t", "1",
                        "values computed again instead of saved: 0 none, 1 cheap ones that forward "
                        "does not multiply, 2 all cheap ones, 3 more">,
                 Option<"sequence", "sequence", "bool", "false",
                        "a convolution is cheap">];
}

#endif
