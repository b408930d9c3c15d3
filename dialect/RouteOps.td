// Mixture-of-Mamba dialect: routes that are computed, and the copies of tokens that they send.
#ifndef MOM_ROUTE_OPS
#define MOM_ROUTE_OPS

include "OpBase.td"

def Mom_I64Vector : Type<And<[TensorRankOf<[I64], [1]>.predicate, CPred<"::mom::isStatic($_self)">]>,
                         "vector of i64 with a static shape", "::mlir::RankedTensorType">;

def Mom_SoftmaxOp : Mom_DiffOp<"softmax", [AllTypesMatch<["x", "y"]>]> {
  let summary = "y[i, c] = exp(x[i, c]) / sum over c of exp(x[i, c])";
  let arguments = (ins Mom_Rows:$x);
  let results = (outs Mom_Rows:$y);
  let assemblyFormat = "$x attr-dict `:` type($x)";
  let hasVerifier = 0;
}

def Mom_PlanOp : Mom_Op<"plan"> {
  let summary = "chooses groups for each token, and sorts its copies by group";
  let description = [{
    `choices[j][i]` is the channel of the j-th largest of `scores[i, :]`: of equal
    scores the lower channel comes first, and NaN counts as minus infinity. So each
    token has k = #choices copies, of different groups. Copy j of token i has number
    i * k + j; copies are sorted by group, those of a group by number:

        offsets[g] = copies of the groups before g
        row[i, j]  = where copy j of token i lies
        copy[r]    = the number of the copy that lies at r

    (C1) there are as many groups as channels of `scores`, at most 32; `offsets` has
         one element more.
    (C2) there are at least one and at most as many choices as groups, each of one
         channel with the rows of `scores`.
    (C3) `row` has the rows of `scores` and a channel for each choice; `copy` has one
         channel of copy rows, as many for each token as there are choices.
  }];
  let arguments = (ins Mom_Rows:$scores);
  let results = (outs Mom_I64Vector:$offsets, Mom_IntRows:$row, Mom_IntRows:$copy,
                      Variadic<Mom_IntRows>:$choices);
  let assemblyFormat = "$scores attr-dict `:` type($scores) `->` type(results)";
  let extraClassDeclaration = [{ static constexpr int64_t kMostGroups = 32; }];
}

def Mom_ComputedRouteOp : Mom_Op<"computed_route"> {
  let summary = "the route that a plan describes";
  let description = [{
    A view of the tensors that `mom.plan` made: no work.

    (C1) `offsets` has one element more than the route has groups.
    (C2) `row` has a channel, and `copy` a row, for each copy that the route makes of
         a token; `copy` has one channel, in the order of the route.
  }];
  let arguments = (ins Mom_I64Vector:$offsets, Mom_IntRows:$row, Mom_IntRows:$copy);
  let results = (outs Mom_RouteType:$route);
  let assemblyFormat = "$offsets `,` $row `,` $copy attr-dict `:` type(operands) `->` type($route)";
}

def Mom_DispatchOp : Mom_DiffOp<"dispatch", [Mom_ByIndex]> {
  let summary = "rows of tokens as copies, sorted by the groups of their route";
  let description = [{
    Row r of the result is row i of `parts[j]`, where copy j of token i lies at r. A
    part may be given several times; its copies are then equal.

    (C1) there is a part for each copy that `route` makes of a token.
    (C2) the parts are token rows of one type; `y` has the copies of `route`, in its
         order, and the channels of the parts.
  }];
  let arguments = (ins Variadic<Mom_Rows>:$parts, Mom_RouteType:$route);
  let results = (outs Mom_Rows:$y);
  let assemblyFormat = [{
    $parts `for` $route attr-dict `:` type($route) `,` type($parts) `->` type($y)
  }];
}

def Mom_RetrieveOp : Mom_DiffOp<"retrieve", [Mom_ByIndex]> {
  let summary = "the rows of each token's copies: the inverse of mom.dispatch";
  let description = [{
    Row i of `parts[j]` is the row of `x` at which copy j of token i lies. Copies times
    what was dispatched to them, a gate, are canonically retrieved without it.

    (C1) there is a part for each copy that `route` makes of a token.
    (C2) the parts are token rows of one type; `x` has the copies of `route`, in its
         order, and the channels of the parts.
  }];
  let arguments = (ins Mom_Rows:$x, Mom_RouteType:$route);
  let results = (outs Variadic<Mom_Rows>:$parts);
  let assemblyFormat = "$x `for` $route attr-dict `:` type($route) `,` type($x) `->` type($parts)";
  let hasCanonicalizeMethod = 1;
}

#endif // MOM_ROUTE_OPS
