// Mixture-of-Mamba dialect: products with one weight per group of rows.
#ifndef MOM_PRODUCT_OPS
#define MOM_PRODUCT_OPS

include "OpBase.td"

def Mom_LinearOp : Mom_DiffOp<"linear", [Mom_Grouped]> {
  let summary = "linear projection with one weight per group of rows";
  let description = [{
    `y[i, o] = sum over c of weights[g(i), o, c] * x[i, c]`: a row reads the
    weight of its group only. Without a route there is one weight [out, in] for
    all rows. With `transposed`, `y[i, c] = sum over o of weights[g(i), o, c] *
    x[i, o]`, which is the gradient of the input.

    (C1) the rows of `x` are in the order of `route` (from stage `ordered` on).
    (C2) the inner size of `weights` equals the channels of `x`.
    (C3) weights are [groups, out, in] with the groups of `route`, or [out, in]
         without a route.
    (C4) `y` has the rows of `x` and the outer size of `weights` as channels.
  }];
  let arguments = (ins Mom_Rows:$x, Mom_Weights:$weights, Optional<Mom_RouteType>:$route,
                       UnitAttr:$transposed);
  let results = (outs Mom_Rows:$y);
  let assemblyFormat = [{
    (`transposed` $transposed^)? $x `by` $weights (`for` $route^ `:` type($route) `,`):(`:`)?
    type($x) `,` type($weights) `->` type($y) attr-dict
  }];
}

def Mom_LinearWgradOp : Mom_Op<"linear_wgrad", [Mom_Grouped]> {
  let summary = "dweights[g, o, c] = sum of dy[i, o] * x[i, c] over the rows of g";
  let description = [{
    The gradient of the weights of `mom.linear`; an empty group gives zeros.

    (C1) the rows of `x` are in the order of `route` (from stage `ordered` on).
    (C2) `dweights` is [groups, channels of dy, channels of x], without the
         group axis where there is no route.
  }];
  let arguments = (ins Mom_Rows:$x, Mom_Rows:$dy, Optional<Mom_RouteType>:$route);
  let results = (outs Mom_Weights:$dweights);
  let assemblyFormat = [{
    $x `,` $dy (`for` $route^ `:` type($route) `,`):(`:`)?
    type($x) `,` type($dy) `->` type($dweights) attr-dict
  }];
}

#endif // MOM_PRODUCT_OPS
