// Passes that gather ops into kernels and choose what kernels store.
#ifndef MOM_FUSION_PASSES
#define MOM_FUSION_PASSES

include "mlir/Pass/PassBase.td"

def WindowRowsPass : Pass<"mom-window-rows", "::mlir::ModuleOp"> {
  let summary = "logits exist a window of rows at a time";
  let description = [{
    In an entry, the ops that read or write rows as wide as a cross entropy's logits
    become the body of a `mom.repeat windows`: the head's product, the losses, their
    gradient, and the products of that. It takes place where all of them work row by
    row, or sum over rows without a route, and where no loss is needed before the
    gradient that arrives at it; otherwise a remark says why not. The number of
    windows is that of the module's `mom.windows`, or else as many as leave at
    most `elements` logits in one for the train block's batch; with less than two
    nothing changes.
  }];
  let dependentDialects = ["::mom::MomDialect"];
  let options = [Option<"elements", "elements", "int64_t", "1 << 26", "logits in a window">];
}

def FormKernelsPass : Pass<"mom-form-kernels", "::mlir::ModuleOp"> {
  let summary = "all work is inside mom.kernel ops";
  let description = [{
    Begins with one kernel an op and merges kernels, and moves single ops
    between them, as long as that lowers the bytes that cross kernel boundaries
    and `Anchors.cpp` finds each kernel legal for an emitter. Views
    (`mom.split`), constants and comparisons are repeated in each kernel that
    reads them.
  }];
  let dependentDialects = ["::mom::MomDialect"];
  let options = [Option<"fuse", "fuse", "bool", "true", "merge kernels; else one an op">];
}

def AssignStoragePass : Pass<"mom-assign-storage", "::mlir::ModuleOp"> {
  let summary = "values between kernels have a storage type";
  let description = [{
    Rows that kernels write for other kernels are stored in the first type of
    `type`, also where a repetition keeps them for its backward one; kernels
    convert at their boundary and compute in f32. Rows of one channel (norms,
    losses) stay f32, and so do carried values unless the line says `gradients` (what
    layers hand back) or `residual` (what they hand on). Where rows are narrow the operands of
    products are too: weights have a copy of that type, which the update writes and
    an entry "copies" makes anew. The module's `mom.storage` says what parameters,
    gradients, moments and copies are stored in.
  }];
  let options = [Option<"type", "type", "std::string", "\"f32\"",
                        "a precision line: f32, bf16 (weights f32 + bf16 copy, moments f32) ...; "
                        "model: the train block's">];
}

def JoinConvolutionsPass : Pass<"mom-join-convolutions", "::mlir::ModuleOp"> {
  let summary = "a product makes of a convolution what it multiplies";
  let description = [{
    A kernel that makes one narrow result of a convolution becomes part of the product that
    reads it, where that has at most 160 columns, which are one tile's, and weights of the same
    type; the product writes the rows for their other readers, which all come after it. For
    GPUs with tensor cores.
  }];
  let dependentDialects = ["::mom::MomDialect"];
}

#endif
