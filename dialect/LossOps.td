// Mixture-of-Mamba dialect: losses.
#ifndef MOM_LOSS_OPS
#define MOM_LOSS_OPS

include "OpBase.td"

def Mom_CrossEntropyOp : Mom_DiffOp<"cross_entropy", [AllTypesMatch<["nll", "lse"]>]> {
  let summary = "nll[i] = log(sum over v of exp(logits[i, v])) - logits[i, target[i]]";
  let description = [{
    0 where the target is absent (negative). `lse` is the first term, kept for
    the gradient; it is computed for every row. A target past the last channel
    is reported in the status record.

    (C1) all operands and results have the same rows; `nll` and `lse` have one
         channel.
  }];
  let arguments = (ins Mom_Rows:$logits, Mom_IntRows:$target);
  let results = (outs Mom_Rows:$nll, Mom_Rows:$lse);
  let assemblyFormat = "$logits `,` $target attr-dict `:` type($logits) `,` type($target) `->` type($nll)";
}

def Mom_CrossEntropyGradOp : Mom_Op<"cross_entropy_grad", [AllTypesMatch<["logits", "dlogits"]>,
                                                            AllTypesMatch<["lse", "dnll"]>]> {
  let summary = "dlogits[i, v] = dnll[i] * (exp(logits[i, v] - lse[i]) - [v = target[i]])";
  let description = [{
    0 where the target is absent.

    (C1) all operands have the same rows; `lse` and `dnll` have one channel.
  }];
  let arguments = (ins Mom_Rows:$logits, Mom_IntRows:$target, Mom_Rows:$lse, Mom_Rows:$dnll);
  let results = (outs Mom_Rows:$dlogits);
  let assemblyFormat = [{
    $logits `,` $target `,` $lse `gradient` $dnll attr-dict `:` type($logits) `,` type($target) `,` type($lse)
  }];
}

#endif // MOM_LOSS_OPS
