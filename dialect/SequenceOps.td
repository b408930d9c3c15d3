// Mixture-of-Mamba dialect: ops that follow the sequence, segment by segment.
#ifndef MOM_SEQUENCE_OPS
#define MOM_SEQUENCE_OPS

include "OpBase.td"

class Mom_SequenceOp<string mnemonic, list<Trait> traits = []>
    : Mom_Op<mnemonic, !listconcat([Mom_ByIndex], traits)>;

def Mom_Conv1dOp : Mom_SequenceOp<"conv1d",
    [AttrSizedOperandSegments, DeclareOpInterfaceMethods<Mom_DifferentiableOpInterface>]> {
  let summary = "causal convolution of each channel along its segment";
  let description = [{
    With W taps, `y[t, c] = bias[c] + sum over j < W of
    weights[c, W - 1 - j] * x[t - j, c]`, t counted within a segment; tokens
    before its first are those of the initial state, or 0. `reverse` walks
    from the last token: x[t + j]. A state holds the W - 1 last inputs of a
    segment, oldest first, as W - 1 runs of C channels: rows [streams,
    (W - 1) * C].

    (C1) `weights` are [channels of x, W].
    (C2) `bias`, if present, has the channels of `x`.
    (C3) states are stream rows with (W - 1) * C channels.
    (C4) `y` has the type of `x`.
  }];
  let arguments = (ins Mom_Rows:$x, Mom_Matrix:$weights, Mom_BatchType:$batch,
                       Optional<Mom_Vector>:$bias, Optional<Mom_Rows>:$init, UnitAttr:$reverse);
  let results = (outs Mom_Rows:$y, Optional<Mom_Rows>:$final);
  let assemblyFormat = [{
    (`reverse` $reverse^)? $x `by` $weights `in` $batch (`bias` $bias^)? (`init` $init^)?
    attr-dict `:` type(operands)
    `->` type($y) (`final` type($final)^)?
  }];
}

def Mom_Conv1dGradOp : Mom_SequenceOp<"conv1d_grad", [AttrSizedOperandSegments, AttrSizedResultSegments]> {
  let summary = "the gradients of mom.conv1d";
  let description = [{
    (C1) `dx` has the type of `x`, `dweights` that of `weights`; `dbias` and
         `dinit` exist where they are asked for.
    (C2) `dy` has the type of `x`.
  }];
  let arguments = (ins Mom_Rows:$x, Mom_Matrix:$weights, Mom_BatchType:$batch, Mom_Rows:$dy,
                       Optional<Mom_Rows>:$init, Optional<Mom_Rows>:$dfinal, UnitAttr:$reverse);
  let results = (outs Mom_Rows:$dx, Mom_Matrix:$dweights, Optional<Mom_Vector>:$dbias,
                      Optional<Mom_Rows>:$dinit);
  let assemblyFormat = [{
    (`reverse` $reverse^)? $x `by` $weights `in` $batch `gradient` $dy (`init` $init^)?
    (`dfinal` $dfinal^)? attr-dict `:` type(operands)
    `->` type($dx) `,` type($dweights) (`bias` type($dbias)^)? (`init` type($dinit)^)?
  }];
}

def Mom_ScanOp : Mom_SequenceOp<"scan",
    [DeclareOpInterfaceMethods<Mom_DifferentiableOpInterface>, AttrSizedResultSegments]> {
  let summary = "selective scan of each channel along its segment";
  let description = [{
    For each channel e with N states, along a segment:

        h[t, n] = exp(delta[t, e] * A[e, n]) * h[t - 1, n]
                  + delta[t, e] * u[t, e] * B[t, n]
        y[t, e] = sum over n of C[t, n] * h[t, n]

    h before the first token is the segment's initial state, or 0. `reverse`
    walks from the last token to the first. A state is [E, N] as E * N
    channels of a stream row. `checkpoints` holds h *before* the first token
    of every run of `chunk` tokens (`#mom.rows<chunk of ..>` says how its rows
    are numbered; a reversed walk counts runs from the segment's end, in the
    numbering of the mirrored segment).

    (C1) `u`, `delta` and `y` have the same type, [rows, E].
    (C2) `A` is [E, N]; `B` and `C` have the rows of `u` and N channels.
    (C3) states are stream rows with E * N channels.
    (C4) `checkpoints` are chunk rows with E * N channels.
  }];
  let arguments = (ins Mom_Rows:$u, Mom_Rows:$delta, Mom_Matrix:$A, Mom_Rows:$B, Mom_Rows:$C,
                       Mom_BatchType:$batch, Optional<Mom_Rows>:$init, UnitAttr:$reverse);
  let results = (outs Mom_Rows:$y, Optional<Mom_Rows>:$final, Optional<Mom_Rows>:$checkpoints);
  let assemblyFormat = [{
    (`reverse` $reverse^)? $u `,` $delta `,` $A `,` $B `,` $C `in` $batch (`init` $init^)?
    attr-dict `:` type(operands)
    `->` type($y) (`final` type($final)^)? (`checkpoints` type($checkpoints)^)?
  }];
}

def Mom_ScanGradOp : Mom_SequenceOp<"scan_grad", [AttrSizedOperandSegments,
                                                  AttrSizedResultSegments]> {
  let summary = "the gradients of mom.scan";
  let description = [{
    With g[t, n] the gradient of h[t, n] and a[t, n] = exp(delta[t] * A[n]),
    walking against the scan:

        g[t, n]   = C[t, n] * dy[t] + a[t + 1, n] * g[t + 1, n]
        dC[t, n]  = sum over channels of dy[t] * h[t, n]
        du[t]     = delta[t] * sum over n of g[t, n] * B[t, n]
        dB[t, n]  = sum over channels of g[t, n] * delta[t] * u[t]
        dA[n]     = sum over t of g[t, n] * delta[t] * a[t, n] * h[t - 1, n]
        ddelta[t] = sum over n of g[t, n] * (A[n] * a[t, n] * h[t - 1, n] + u[t] * B[t, n])

    On the way it meets the states again, and gives `y` as the scan did, if asked.

    (C1) each gradient has the type of what it belongs to, and `y` that of `dy`.
    (C2) `checkpoints` are those of the scan; without them the states are
         computed again from each segment's start.
  }];
  let arguments = (ins Mom_Rows:$u, Mom_Rows:$delta, Mom_Matrix:$A, Mom_Rows:$B, Mom_Rows:$C,
                       Mom_BatchType:$batch, Mom_Rows:$dy, Optional<Mom_Rows>:$init,
                       Optional<Mom_Rows>:$checkpoints, Optional<Mom_Rows>:$dfinal,
                       UnitAttr:$reverse);
  let results = (outs Mom_Rows:$du, Mom_Rows:$ddelta, Mom_Matrix:$dA, Mom_Rows:$dB, Mom_Rows:$dC,
                      Optional<Mom_Rows>:$dinit, Optional<Mom_Rows>:$y);
  let assemblyFormat = [{
    (`reverse` $reverse^)? $u `,` $delta `,` $A `,` $B `,` $C `in` $batch `gradient` $dy
    (`init` $init^)? (`checkpoints` $checkpoints^)? (`dfinal` $dfinal^)?
    attr-dict `:` type(operands)
    `->` type($du) `,` type($ddelta) `,` type($dA) `,` type($dB) `,` type($dC) (`init` type($dinit)^)?
    (`again` type($y)^)?
  }];
}

#endif // MOM_SEQUENCE_OPS
