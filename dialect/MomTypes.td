// Mixture-of-Mamba dialect: types and named type constraints. A constraint's
// summary is both the verifier's message and the table in the generated page.
#ifndef MOM_TYPES
#define MOM_TYPES

include "MomAttrs.td"

class Mom_Type<string name, string typeMnemonic> : TypeDef<Mom_Dialect, name> {
  let mnemonic = typeMnemonic;
}

def Mom_BatchType : Mom_Type<"Batch", "batch"> {
  let summary = "streams, segments, modality of each token and true counts";
  let description = [{
    What the data says about a batch beside its values. Conv and scan follow
    its segment table (start, length, row of the initial state or -1, row of
    the final state or -1) and never cross a segment.
  }];
}

def Mom_RouteType : Mom_Type<"Route", "route"> {
  let summary = "offsets and index of one routing decision";
  let description = [{
    `offsets[groups + 1]` says where each group's rows begin in the order
    `by "name"`; `index` maps rows of that order to positions and back. A
    group may be empty, and nothing is aligned.

    A route that is computed sends `copies` of each token, which are rows of a space
    of their own: `!mom.route<"e", 8 of 2>`.
  }];
  let parameters = (ins "::mlir::StringAttr":$name, "int64_t":$groups,
                        OptionalParameter<"int64_t">:$copies);
  let assemblyFormat = "`<` $name `,` $groups (`of` $copies^)? `>`";
  let builders = [TypeBuilder<(ins "::mlir::StringAttr":$name, "int64_t":$groups), [{
    return $_get($_ctxt, name, groups, 0);
  }]>];
}

def Mom_StackType : Mom_Type<"Stack", "stack"> {
  let summary = "one value for each round of a repetition";
  let parameters = (ins "int64_t":$count, "::mlir::Type":$element);
  let assemblyFormat = "`<` $count `x` $element `>`";
}

def Mom_TapeType : Mom_Type<"Tape", "tape"> {
  let summary = "what a forward repetition keeps for its backward one";
  let description = [{
    Opaque until `mom-partition` cuts the joint function and replaces the tape
    by the values it saves.
  }];
}

class Mom_RowsOf<Type element, string summary>
    : Type<And<[TensorRankOf<[element], [2]>.predicate,
                CPred<"::mom::isRows($_self)">]>, summary, "::mlir::RankedTensorType">;

def Mom_Rows : Mom_RowsOf<F32, "rows [rows, channels] of f32">;
def Mom_IntRows : Mom_RowsOf<I32, "rows [rows, 1] of i32">;
def Mom_IntChannels : Mom_RowsOf<I32, "rows [rows, channels] of i32">;
def Mom_StoredRows : Mom_RowsOf<AnyTypeOf<[F32, BF16, F16]>, "rows [rows, channels] of f32, bf16 or f16">;
def Mom_AnyRows : Mom_RowsOf<AnyType, "rows [rows, channels]">;
def Mom_Static : Type<And<[TensorOf<[F32]>.predicate, CPred<"::mom::isStatic($_self)">]>,
                      "tensor of f32 with a static shape", "::mlir::RankedTensorType">;
def Mom_Weights : Type<And<[TensorRankOf<[F32], [2, 3]>.predicate, CPred<"::mom::isStatic($_self)">]>,
                       "weights [out, in] or [groups, out, in]", "::mlir::RankedTensorType">;
def Mom_Matrix : Type<And<[TensorRankOf<[F32], [2]>.predicate, CPred<"::mom::isStatic($_self)">]>,
                      "matrix of f32 with a static shape", "::mlir::RankedTensorType">;
def Mom_Vector : Type<And<[TensorRankOf<[F32], [1]>.predicate, CPred<"::mom::isStatic($_self)">]>,
                      "vector of f32 with a static shape", "::mlir::RankedTensorType">;
def Mom_IntVector : Type<And<[TensorRankOf<[I32], [1]>.predicate, CPred<"::mom::isStatic($_self)">]>,
                         "vector of i32 with a static shape", "::mlir::RankedTensorType">;
def Mom_Value : AnyTypeOf<[Mom_Rows, Mom_Static]>;

#endif // MOM_TYPES
