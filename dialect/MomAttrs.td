// Mixture-of-Mamba dialect: enums and attributes.
#ifndef MOM_ATTRS
#define MOM_ATTRS

include "Mom.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

class Mom_I32Enum<string name, string summary, list<I32EnumCase> cases>
    : I32Enum<name, summary, cases> {
  let cppNamespace = "::mom";
}

class Mom_Attr<string name, string attrMnemonic> : AttrDef<Mom_Dialect, name> {
  let mnemonic = attrMnemonic;
}

// What a row of a tensor stands for.
def Mom_RowSpace : Mom_I32Enum<"RowSpace", "what a row stands for", [
  I32EnumCase<"token", 0>,     // one token of the batch
  I32EnumCase<"stream", 1>,    // one sequence slot; carried states live here
  I32EnumCase<"document", 2>,  // one document
  I32EnumCase<"copy", 3>,      // one copy of a token that a computed route sends
  I32EnumCase<"chunk", 4>      // one run of at most `chunk` tokens of a segment
]>;

def Mom_RowsAttr : Mom_Attr<"Rows", "rows"> {
  let summary = "row space and row order of a tensor [rows, channels]";
  let description = [{
    The encoding of every row tensor: which space its rows belong to and in
    which order they lie. Without `by` the order is by position, as the data
    came; `by "M"` means sorted by the groups of route "M", stable by position.
    Two spaces or orders never mix unseen, because `arith` and `math` refuse
    operands whose encodings differ; only `mom.reorder` converts.

    `chunk` rows hold the states a scan saves every `chunk` tokens: the run
    that begins at position p of segment s has row p / chunk + s, so that no
    two runs share a row and there are at most tokens / chunk + segments.

    `copy` rows are what a computed route sends: `of` says how many copies of each
    token, `by` which route.

    Examples: `#mom.rows<token>`, `#mom.rows<token by "M">`,
    `#mom.rows<chunk of 16>`, `#mom.rows<copy of 2 by "e">`.
  }];
  let parameters = (ins EnumParameter<Mom_RowSpace>:$space,
                        OptionalParameter<"int64_t">:$chunk,
                        OptionalParameter<"::mlir::StringAttr">:$route);
  let assemblyFormat = "`<` $space (`of` $chunk^)? (`by` $route^)? `>`";
  let builders = [
    AttrBuilder<(ins "RowSpace":$space), [{ return $_get($_ctxt, space, 0, ::mlir::StringAttr()); }]>,
    AttrBuilder<(ins "RowSpace":$space, "::mlir::StringAttr":$route), [{ return $_get($_ctxt, space, 0, route); }]>
  ];
  let genVerifyDecl = 1;
}

// How a parameter's values begin. `a` and `b` are the arguments, if any.
def Mom_InitKind : Mom_I32Enum<"InitKind", "initial values of a parameter", [
  I32EnumCase<"constant", 0>,  // a
  I32EnumCase<"uniform", 1>,   // uniform in [a, b]
  I32EnumCase<"normal", 2>,    // mean a, standard deviation b
  I32EnumCase<"log_iota", 3>,  // log(a + index in the last axis): A_log
  I32EnumCase<"dt", 4>         // x with softplus(x) log-uniform in [a, b]
]>;

def Mom_InitAttr : Mom_Attr<"Init", "init"> {
  let summary = "initial values of a parameter";
  let parameters = (ins EnumParameter<Mom_InitKind>:$kind, "::mlir::FloatAttr":$a, "::mlir::FloatAttr":$b);
  let assemblyFormat = "`<` $kind `(` $a `,` $b `)` `>`";
  let builders = [AttrBuilder<(ins "InitKind":$kind, "double":$a, "double":$b), [{
    auto f64 = ::mlir::Float64Type::get($_ctxt);
    return $_get($_ctxt, kind, ::mlir::FloatAttr::get(f64, a), ::mlir::FloatAttr::get(f64, b));
  }]>];
}

def Mom_Reduction : Mom_I32Enum<"Reduction", "combining operation of a reduction", [
  I32EnumCase<"sum", 0>, I32EnumCase<"max", 1>
]>;
def Mom_ReductionAttr : EnumAttr<Mom_Dialect, Mom_Reduction, "reduction"> {
  let assemblyFormat = "$value";
}

// What a kernel is built round; the emitters are one folder per anchor.
def Mom_Anchor : Mom_I32Enum<"Anchor", "the operation a kernel is built round", [
  I32EnumCase<"map", 0>,          // row-local work: pointwise, over channels, gathers
  I32EnumCase<"product", 1>,      // mom.linear, mom.linear_wgrad
  I32EnumCase<"scan", 2>,         // mom.scan, mom.scan_grad
  I32EnumCase<"conv", 3>,         // mom.conv1d, mom.conv1d_grad
  I32EnumCase<"reduce_rows", 4>,  // mom.reduce_rows, mom.embedding_grad
  I32EnumCase<"draw", 5>,         // mom.draw
  I32EnumCase<"plan", 6>          // mom.plan
]>;
def Mom_AnchorAttr : EnumAttr<Mom_Dialect, Mom_Anchor, "anchor"> {
  let assemblyFormat = "$value";
}

def Mom_GridAttr : Mom_Attr<"Grid", "grid"> {
  let summary = "number of blocks of a launch, from the counts of its class";
  let description = [{
    `(ceil(count(space) / tile) + extra) * factor` blocks; `count` is the
    capacity of the shape class, or 1 where `space` is absent. Over "chunk", the
    rows of `#mom.rows<chunk of tile>`: `ceil(tokens / tile) + segments`. There
    is no launch for classes of at most `above` tokens. A kernel reads the true
    counts on the device and leaves at once from a block past them.
  }];
  let parameters = (ins OptionalParameter<"::mlir::StringAttr">:$space,
                        "int64_t":$tile, "int64_t":$extra, "int64_t":$factor,
                        DefaultValuedParameter<"int64_t", "0">:$above);
  let builders = [AttrBuilder<(ins "::mlir::StringAttr":$space, "int64_t":$tile, "int64_t":$extra,
                                   "int64_t":$factor),
                              [{ return $_get($_ctxt, space, tile, extra, factor, 0); }]>];
  let assemblyFormat = [{
    `<` (`over` $space^ ` `)? `tile` $tile `extra` $extra `factor` $factor (`above` $above^)? `>`
  }];
}

#endif // MOM_ATTRS
