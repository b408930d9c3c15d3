// Mixture-of-Mamba dialect: repetition of layers, kernels and launches.
#ifndef MOM_STRUCTURE_OPS
#define MOM_STRUCTURE_OPS

include "OpBase.td"
include "mlir/IR/SymbolInterfaces.td"

class Mom_CallOp<string mnemonic>
    : Op<Mom_Dialect, mnemonic, [Pure, AttrSizedOperandSegments,
                                 DeclareOpInterfaceMethods<SymbolUserOpInterface>]>;

def Mom_RepeatOp : Mom_CallOp<"repeat"> {
  let summary = "applies a layer `count` times";
  let description = [{
    Round i calls `callee(carried..., shared..., each[i]...)`, which returns
    the next carried values and then one element for each stack among the
    results. `reverse` runs the rounds from the last to the first. `each`
    operands and `stacked` results are `!mom.stack<count x T>`.

    With `windows` the rounds share out the tokens: `each` and what stands for
    stacks among the results are rows, of which round i has window i, some
    hundreds of rows that follow one another. Only in windows may rows be as wide
    as a vocabulary and no more memory be needed. The carried values are sums,
    which a round may update in place, element by element.

    (C1) the callee's type is that of one round.
    (C2) every stack has `count` elements; in windows, each is rows of tokens.
  }];
  let arguments = (ins FlatSymbolRefAttr:$callee, I64Attr:$count, Variadic<AnyType>:$carried,
                       Variadic<AnyType>:$shared, Variadic<AnyType>:$each, UnitAttr:$reverse,
                       UnitAttr:$windows);
  let results = (outs Variadic<AnyType>:$outputs);
  let assemblyFormat = [{
    (`reverse` $reverse^)? (`windows` $windows^)? $callee `times` $count `carry` `(` $carried `)` `share` `(` $shared `)`
    `each` `(` $each `)` attr-dict `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    ::mlir::ResultRange getCarriedResults() { return getOutputs().take_front(getCarried().size()); }
    ::mlir::ResultRange getStackedResults() { return getOutputs().drop_front(getCarried().size()); }
  }];
}

def Mom_ForwardOp : Mom_CallOp<"forward"> {
  let summary = "the forward half of a repeated joint function";
  let description = [{
    Between `grad` and `split`: applies the forward part of the joint function
    `callee` and keeps on the tape what its `mom.backward` needs. The joint
    function takes `(carried..., shared..., each..., gradients of carried
    results...)` and returns `(carried results..., gradients of carried...,
    gradients of each...)`.
  }];
  let arguments = (ins FlatSymbolRefAttr:$callee, I64Attr:$count, Variadic<AnyType>:$carried,
                       Variadic<AnyType>:$shared, Variadic<Mom_StackType>:$each);
  let results = (outs Variadic<AnyType>:$outputs, Mom_TapeType:$tape);
  let assemblyFormat = [{
    $callee `times` $count `carry` `(` $carried `)` `share` `(` $shared `)`
    `each` `(` $each `)` attr-dict `:` functional-type(operands, results)
  }];
}

def Mom_BackwardOp : Mom_CallOp<"backward"> {
  let summary = "the backward half of a repeated joint function";
  let description = [{
    Runs the rounds of `tape` from the last to the first. The results are the
    gradients of the carried operands, then one stack of gradients for each
    `each` operand.
  }];
  let arguments = (ins FlatSymbolRefAttr:$callee, I64Attr:$count, Variadic<AnyType>:$gradients,
                       Variadic<AnyType>:$shared, Variadic<Mom_StackType>:$each, Mom_TapeType:$tape);
  let results = (outs Variadic<AnyType>:$outputs);
  let assemblyFormat = [{
    $callee `times` $count `gradient` `(` $gradients `)` `share` `(` $shared `)`
    `each` `(` $each `)` `tape` $tape attr-dict `:` functional-type(operands, results)
  }];
}

def Mom_KernelOp : Op<Mom_Dialect, "kernel",
    [Pure, IsolatedFromAbove, SingleBlockImplicitTerminator<"::mom::YieldOp">]> {
  let summary = "work that becomes one launch";
  let description = [{
    One anchor with the pointwise work before and after it. The body's block
    arguments are the inputs, in order; their types, and those of the results,
    are storage types. `name` lists the values the kernel defines, as a
    schedule names it; `schedule` holds its knobs once they are resolved.

    (C1) block arguments have the types of the inputs.
    (C2) the yielded values have the types of the results.
    (C3) no input or result has elements of type i1: nothing stores bits.
  }];
  let arguments = (ins Mom_AnchorAttr:$anchor, StrAttr:$name, Variadic<AnyType>:$inputs,
                       OptionalAttr<DictionaryAttr>:$schedule);
  let results = (outs Variadic<AnyType>:$outputs);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $anchor $name `(` $inputs `)` (`schedule` $schedule^)? attr-dict
    `:` functional-type($inputs, $outputs) $body
  }];
  let extraClassDeclaration = [{
    /// The input that the body knows as `value`; null if it is none.
    ::mlir::Value inputOf(::mlir::Value value);
    /// What the body knows another input as.
    ::mlir::BlockArgument addInput(::mlir::Value input);
    /// What the body knows these inputs as; those it has not yet come behind the others.
    ::llvm::SmallVector<::mlir::Value> addInputs(::mlir::ValueRange inputs);
    /// Where `maker` makes an input, the body makes it for itself. Returns what the body knows
    /// the values as that `maker` yields.
    ::llvm::SmallVector<::mlir::Value> makeInputs(KernelOp maker);
    /// Of an input that the body does not use.
    void eraseInput(unsigned index);
    /// The kernel with another result, which is `value` of its body. This op is erased.
    KernelOp addResult(::mlir::Value value);
  }];
  let hasVerifier = 1;
}

def Mom_YieldOp : Op<Mom_Dialect, "yield", [Pure, Terminator, HasParent<"::mom::KernelOp">]> {
  let summary = "the results of a kernel";
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
  let builders = [OpBuilder<(ins), [{ build($_builder, $_state, ::mlir::ValueRange()); }]>];
}

def Mom_LaunchOp : Op<Mom_Dialect, "launch",
    [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "runs an emitted kernel";
  let description = [{
    `callee` is the emitted function; its buffers are the inputs, then the
    results, which the launch table places in the arena. A result without a
    user is workspace. `other`, launched after it with the same buffers, does the
    rest of the work: each of the two sees from the batch which blocks of it are
    its own.
  }];
  let arguments = (ins FlatSymbolRefAttr:$callee, Mom_GridAttr:$grid, Variadic<AnyType>:$inputs,
                       OptionalAttr<FlatSymbolRefAttr>:$other, OptionalAttr<Mom_GridAttr>:$otherGrid);
  let results = (outs Variadic<AnyType>:$outputs);
  let builders = [OpBuilder<(ins "::mlir::TypeRange":$outputs, "::mlir::FlatSymbolRefAttr":$callee,
                                 "::mom::GridAttr":$grid, "::mlir::ValueRange":$inputs),
                            [{ build($_builder, $_state, outputs, callee, grid, inputs, {}, {}); }]>];
  let assemblyFormat = [{
    $callee $grid (`or` $other^ $otherGrid)? `(` $inputs `)` attr-dict `:` functional-type($inputs, $outputs)
  }];
}

#endif // MOM_STRUCTURE_OPS
