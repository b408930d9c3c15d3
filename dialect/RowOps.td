// Mixture-of-Mamba dialect: rows, their order, and what reads or sums them.
#ifndef MOM_ROW_OPS
#define MOM_ROW_OPS

include "OpBase.td"

def Mom_ModalityRouteOp : Mom_Op<"modality_route"> {
  let summary = "the route that groups tokens by their modality";
  let arguments = (ins Mom_BatchType:$batch);
  let results = (outs Mom_RouteType:$route);
  let assemblyFormat = "$batch attr-dict `:` type($route)";
  let hasVerifier = 0;
}

def Mom_ModalityOp : Mom_Op<"modality", [Mom_ByIndex]> {
  let summary = "the modality of each token, as i32 rows by position";
  let arguments = (ins Mom_BatchType:$batch);
  let results = (outs Mom_IntRows:$y);
  let assemblyFormat = "$batch attr-dict `:` type($y)";
}

def Mom_ReorderOp : Mom_DiffOp<"reorder", [Mom_ByIndex]> {
  let summary = "the same rows in another order";
  let description = [{
    Converts between the order by position and the order by `route`; the types
    say which way. The only op that changes an order.

    (C1) one of `x` and `y` is by position, the other by `route`.
    (C2) `x` and `y` differ in order only.
  }];
  let arguments = (ins Mom_AnyRows:$x, Mom_RouteType:$route);
  let results = (outs Mom_AnyRows:$y);
  let assemblyFormat = "$x `for` $route attr-dict `:` type($x) `->` type($y) `,` type($route)";
  let hasFolder = 1;
}

def Mom_NextOp : Mom_Op<"next", [Mom_ByIndex, AllTypesMatch<["x", "y"]>]> {
  let summary = "the value of the next token of the same segment, or -1";
  let description = [{
    `y[p] = x[p + 1]` by position; -1, which stands for absent, on a segment's
    last token.
  }];
  let arguments = (ins Mom_IntRows:$x, Mom_BatchType:$batch);
  let results = (outs Mom_IntRows:$y);
  let assemblyFormat = "$x `in` $batch attr-dict `:` type($x)";
  let hasVerifier = 0;
}

def Mom_PresentOp : Mom_Op<"present"> {
  let summary = "1 where a label is present (not negative), else 0";
  let description = [{
    (C1) `y` has one channel and the rows of `x`.
  }];
  let arguments = (ins Mom_IntRows:$x);
  let results = (outs Mom_Rows:$y);
  let assemblyFormat = "$x attr-dict `:` type($x) `->` type($y)";
}

def Mom_EqualsOp : Mom_Op<"equals"> {
  let summary = "1 where a label has a given value, else 0";
  let description = [{
    (C1) `y` has one channel and the rows of `x`.
    (C2) `value` is not negative: a label that is absent equals none.
  }];
  let arguments = (ins Mom_IntRows:$x, I64Attr:$value);
  let results = (outs Mom_Rows:$y);
  let assemblyFormat = "$x `,` $value attr-dict `:` type($x) `->` type($y)";
}

def Mom_OneHotOp : Mom_Op<"one_hot"> {
  let summary = "y[i, x[i]] = 1, else 0; all 0 where the label is absent";
  let description = [{
    (C1) `y` has the rows of `x`.
  }];
  let arguments = (ins Mom_IntRows:$x);
  let results = (outs Mom_Rows:$y);
  let assemblyFormat = "$x attr-dict `:` type($x) `->` type($y)";
}

def Mom_BroadcastOp : Mom_DiffOp<"broadcast", [Mom_Grouped]> {
  let summary = "repeats a value over the shape of another";
  let description = [{
    `x` is one of:
    - rows [rows, 1]: `y[i, c] = x[i, 0]`;
    - a vector [C], or [1], without a route: `y[.., c] = x[c]`;
    - a matrix [groups, C] with a route: `y[i, c] = x[g(i), c]`.

    (C1) `y` has the rows of `like`, or all of its shape where it is static.
    (C2) the channels of `x` equal those of `y` or are 1.
    (C3) a matrix has one row for each group of its route.
  }];
  let arguments = (ins Mom_Value:$x, Mom_Value:$like, Optional<Mom_RouteType>:$route);
  let results = (outs Mom_Value:$y);
  let assemblyFormat = [{
    $x `like` $like (`for` $route^ `:` type($route) `,`):(`:`)? type($x) `,` type($like) `->` type($y) attr-dict
  }];
}

def Mom_ReduceOp : Mom_DiffOp<"reduce"> {
  let summary = "combines the channels of each row";
  let description = [{
    Rows [rows, C] become rows [rows, 1]; a static tensor becomes a vector [1].

    (C1) `y` has the rows of `x` and one channel.
  }];
  let arguments = (ins Mom_ReductionAttr:$kind, Mom_Value:$x);
  let results = (outs Mom_Value:$y);
  let assemblyFormat = "$kind $x attr-dict `:` type($x) `->` type($y)";
}

def Mom_ReduceRowsOp : Mom_DiffOp<"reduce_rows", [Mom_Grouped]> {
  let summary = "sums rows, over the whole batch or for each group";
  let description = [{
    The derivative of a broadcast parameter. Sums run in an order fixed by the
    schedule, so the same batch gives the same bits.

    (C1) `y` is a vector [C], or with a route a matrix [groups, C].
  }];
  let arguments = (ins Mom_Rows:$x, Optional<Mom_RouteType>:$route);
  let results = (outs Mom_Static:$y);
  let assemblyFormat = [{
    $x (`for` $route^ `:` type($route) `,`):(`:`)? type($x) `->` type($y) attr-dict
  }];
}

def Mom_RmsNormOp : Mom_DiffOp<"rms_norm", [AllTypesMatch<["x", "y"]>]> {
  let summary = "y = x / sqrt(mean(x^2) + eps), over the channels of a row";
  let arguments = (ins Mom_Rows:$x, F64Attr:$eps);
  let results = (outs Mom_Rows:$y);
  let assemblyFormat = "$x attr-dict `:` type($x)";
  let hasVerifier = 0;
}

def Mom_RmsNormGradOp : Mom_Op<"rms_norm_grad", [AllTypesMatch<["x", "dy", "dx"]>]> {
  let summary = "the gradient of mom.rms_norm";
  let description = [{
    With r = 1 / sqrt(mean(x^2) + eps):
    `dx = r * dy - x * r^3 * mean(x * dy)`.
  }];
  let arguments = (ins Mom_Rows:$x, Mom_Rows:$dy, F64Attr:$eps);
  let results = (outs Mom_Rows:$dx);
  let assemblyFormat = "$x `,` $dy attr-dict `:` type($x)";
  let hasVerifier = 0;
}

def Mom_SplitOp : Mom_DiffOp<"split"> {
  let summary = "consecutive ranges of channels";
  let description = [{
    A kernel reads a range in place: no data moves.

    (C1) the results have the rows of `x`, and their channels add up to its.
  }];
  let arguments = (ins Mom_Rows:$x);
  let results = (outs Variadic<Mom_Rows>:$parts);
  let assemblyFormat = "$x attr-dict `:` type($x) `->` type($parts)";
}

def Mom_ConcatOp : Mom_DiffOp<"concat"> {
  let summary = "channels side by side: the inverse of mom.split";
  let description = [{
    Outside kernels it moves nothing: the kernels that make the parts write them
    into `y`. Only there are elements narrower than f32.

    (C1) the operands have the rows of `y`, and their channels add up to its.
    (C2) all have the elements of `y`.
  }];
  let arguments = (ins Variadic<Mom_StoredRows>:$parts);
  let results = (outs Mom_StoredRows:$y);
  let assemblyFormat = "$parts attr-dict `:` type($parts) `->` type($y)";
}

def Mom_EmbeddingOp : Mom_DiffOp<"embedding"> {
  let summary = "y[i, :] = table[ids[i], :]";
  let description = [{
    An id outside the table is reported in the status record, and its row is 0.

    (C1) `y` has the rows of `ids` and the columns of `table` as channels.
  }];
  let arguments = (ins Mom_IntRows:$ids, Mom_Matrix:$table);
  let results = (outs Mom_Rows:$y);
  let assemblyFormat = "$ids `from` $table attr-dict `:` type($ids) `,` type($table) `->` type($y)";
}

def Mom_EmbeddingGradOp : Mom_Op<"embedding_grad"> {
  let summary = "dtable[v, :] = sum of dy[i, :] over the rows with ids[i] = v";
  let description = [{
    Rows of one id are summed in the order they lie in.

    (C1) `ids` and `dy` have the same rows; `dtable` has the channels of `dy`.
  }];
  let arguments = (ins Mom_IntRows:$ids, Mom_Rows:$dy);
  let results = (outs Mom_Matrix:$dtable);
  let assemblyFormat = "$ids `,` $dy attr-dict `:` type($ids) `,` type($dy) `->` type($dtable)";
}

class Mom_DocumentOp<string mnemonic> : Mom_DiffOp<mnemonic, [Mom_ByIndex]> {
  let arguments = (ins Mom_Rows:$x, Mom_BatchType:$batch, UnitAttr:$mean);
  let results = (outs Mom_Rows:$y);
  let assemblyFormat = "(`mean` $mean^)? $x `in` $batch attr-dict `:` type($x) `->` type($y)";
}

def Mom_SpreadOp : Mom_DocumentOp<"spread"> {
  let summary = "y[i, :] = x[document of i, :]";
  let description = [{
    A batch has a document for each of its segments, in their order. With
    `mean` the value is divided by the tokens of the document, which is the
    gradient of a mean.

    (C1) `x` has document rows and `y` token rows, with the same channels.
  }];
}

def Mom_CollectOp : Mom_DocumentOp<"collect"> {
  let summary = "y[d, :] = sum of x[i, :] over the tokens of document d";
  let description = [{
    Tokens are added in the order of their positions, so the same batch gives
    the same bits. With `mean` the sum is divided by the tokens of the document.

    (C1) `x` has token rows and `y` document rows, with the same channels.
  }];
}

#endif // MOM_ROW_OPS
