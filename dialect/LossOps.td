// Mixture-of-Mamba dialect: losses, and what is drawn from logits.
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

def Mom_DrawOp : Mom_Op<"draw", [AllTypesMatch<["id", "group"]>,
                                 AllTypesMatch<["place", "next"]>]> {
  let summary = "an id for each row, drawn by the logits of all ids";
  let description = [{
    The candidates of row i are the ids v with `groups[v] >= 0` and `logits[i, v]` above
    -inf, from the likeliest on, of equals the first. `limits` is [scale, share] and
    `how` is [low and high word of a seed, top]. Of the first `top` of them (0: of
    all) the shortest run stays that has `share` of their weights

        p[v] = 2^(scale * (logits[i, v] - the largest logit)),

    and of what stays `id[i]` is the least v with `sum over w <= v of p[w]` above `u *
    sum over w of p[w]`. `place` is [two words of a purpose, n], and u is number n of
    that seed and purpose: word n mod 4 of Philox4x32-10's block n / 4. `group[i] =
    groups[id[i]]`, and `next` is `place` with n + 1. A row with a logit of NaN or inf,
    or without candidates, is reported in the status record; its id is 0.

    Compiled code adds weights up as integers, p in parts of 2^-30: the order of a sum
    is nobody's concern, and every device draws the same ids from the same bits.

    (C1) all operands of rows and all results have the same rows; `id` has one channel
         and `place` three.
    (C2) `groups` has an element for each channel of `logits`, `limits` has two and
         `how` three.
  }];
  let arguments = (ins Mom_Rows:$logits, Mom_IntChannels:$place, Mom_Vector:$limits,
                       Mom_IntVector:$how, Mom_IntVector:$groups);
  let results = (outs Mom_IntRows:$id, Mom_IntRows:$group, Mom_IntChannels:$next);
  let assemblyFormat = [{
    $logits `at` $place `within` $limits `,` $how `of` $groups attr-dict `:` type($logits) `,`
    type($place) `,` type($limits) `,` type($how) `,` type($groups) `->` type($id)
  }];
}

#endif // MOM_LOSS_OPS
