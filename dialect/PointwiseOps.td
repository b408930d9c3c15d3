// Mixture-of-Mamba dialect: pointwise ops that arith and math do not have.
// They work on row tensors, static tensors and, once emitted, on vectors and
// scalars; `mom-expand-pointwise` writes them out in arith and math.
#ifndef MOM_POINTWISE_OPS
#define MOM_POINTWISE_OPS

include "OpBase.td"
include "mlir/IR/OpBase.td"

class Mom_UnaryOp<string mnemonic> : Op<Mom_Dialect, mnemonic,
    !listconcat([Pure, SameOperandsAndResultType,
                 DeclareOpInterfaceMethods<Mom_DifferentiableOpInterface>],
                ElementwiseMappable.traits)> {
  let arguments = (ins FloatLike:$x);
  let results = (outs FloatLike:$y);
  let assemblyFormat = "$x attr-dict `:` type($x)";
}

def Mom_SigmoidOp : Mom_UnaryOp<"sigmoid"> {
  let summary = "y = 1 / (1 + exp(-x))";
}
def Mom_SiluOp : Mom_UnaryOp<"silu"> {
  let summary = "y = x / (1 + exp(-x))";
}
def Mom_SoftplusOp : Mom_UnaryOp<"softplus"> {
  let summary = "y = max(x, 0) + log1p(exp(-|x|))";
  let description = "Equal to log(1 + exp(x)) without overflow for any x.";
}
def Mom_AffineOp : Mom_UnaryOp<"affine"> {
  let summary = "y = scale * x + offset, with constants";
  let description = [{
    Row tensors have a dynamic size and so no dense constants: this is how a
    constant meets one. `mom.affine %x {scale = 0.0, offset = 1.0}` fills.
  }];
  let arguments = (ins FloatLike:$x, F64Attr:$scale, F64Attr:$offset);
}

#endif // MOM_POINTWISE_OPS
