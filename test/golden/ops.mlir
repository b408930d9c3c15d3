// Ops and all their gradients against PyTorch in float64 (make.py): the interpreter
// to 1e-9, compiled code to what f32 allows.
// RUN: mom-compare %s --pass-pipeline="builtin.module(mom-differentiate)" --given=%S/ops.safetensors --tolerance=1e-9 --function=scan.joint,scan_states.joint,scan_reverse.joint,gated.joint,conv.joint,conv_states.joint,conv_reverse.joint,norm.joint,routed.joint,loss.joint,embed.joint,functions.joint
// RUN: mom-compare %s --pass-pipeline="builtin.module(mom-differentiate)" --given=%S/ops.safetensors --compiled --function=scan.joint,scan_states.joint,scan_reverse.joint,gated.joint,conv.joint,conv_states.joint,conv_reverse.joint,norm.joint,routed.joint,loss.joint,embed.joint,functions.joint

!E = tensor<?x3xf32, #mom.rows<token>>
!N = tensor<?x2xf32, #mom.rows<token>>
!A = tensor<3x2xf32>
!states = tensor<?x6xf32, #mom.rows<stream>>
!taps = tensor<?x9xf32, #mom.rows<stream>>
!one = tensor<?x1xf32, #mom.rows<token>>
!id = tensor<?x1xi32, #mom.rows<token>>

func.func @scan(%u: !E, %delta: !E, %A: !A, %B: !N, %C: !N, %batch: !mom.batch) -> !E
    attributes {mom.layer, mom.export} {
  %y = mom.scan %u, %delta, %A, %B, %C in %batch : !E, !E, !A, !N, !N, !mom.batch -> !E
  return %y : !E
}

func.func @scan_states(%u: !E, %delta: !E, %A: !A, %B: !N, %C: !N, %init: !states, %batch: !mom.batch)
    -> (!E, !states) attributes {mom.layer, mom.export} {
  %y, %final = mom.scan %u, %delta, %A, %B, %C in %batch init %init
      : !E, !E, !A, !N, !N, !mom.batch, !states -> !E final !states
  return %y, %final : !E, !states
}

func.func @scan_reverse(%u: !E, %delta: !E, %A: !A, %B: !N, %C: !N, %init: !states, %batch: !mom.batch)
    -> (!E, !states) attributes {mom.layer, mom.export} {
  %y, %final = mom.scan reverse %u, %delta, %A, %B, %C in %batch init %init
      : !E, !E, !A, !N, !N, !mom.batch, !states -> !E final !states
  return %y, %final : !E, !states
}

// selective_scan_ref with D, z, delta_bias and delta_softplus.
func.func @gated(%u: !E, %raw: !E, %A: !A, %B: !N, %C: !N, %D: tensor<3xf32>, %z: !E,
    %delta_bias: tensor<3xf32>, %batch: !mom.batch) -> !E attributes {mom.layer, mom.export} {
  %bias = mom.broadcast %delta_bias like %raw : tensor<3xf32>, !E -> !E
  %biased = arith.addf %raw, %bias : !E
  %delta = mom.softplus %biased : !E
  %h = mom.scan %u, %delta, %A, %B, %C in %batch : !E, !E, !A, !N, !N, !mom.batch -> !E
  %skip = mom.broadcast %D like %u : tensor<3xf32>, !E -> !E
  %through = arith.mulf %skip, %u : !E
  %sum = arith.addf %h, %through : !E
  %gate = mom.silu %z : !E
  %y = arith.mulf %sum, %gate : !E
  return %y : !E
}

func.func @conv(%x: !E, %w: tensor<3x4xf32>, %bias: tensor<3xf32>, %batch: !mom.batch) -> !E
    attributes {mom.layer, mom.export} {
  %y = mom.conv1d %x by %w in %batch bias %bias : !E, tensor<3x4xf32>, !mom.batch, tensor<3xf32> -> !E
  return %y : !E
}

func.func @conv_states(%x: !E, %w: tensor<3x4xf32>, %bias: tensor<3xf32>, %init: !taps, %batch: !mom.batch)
    -> (!E, !taps) attributes {mom.layer, mom.export} {
  %y, %final = mom.conv1d %x by %w in %batch bias %bias init %init
      : !E, tensor<3x4xf32>, !mom.batch, tensor<3xf32>, !taps -> !E final !taps
  return %y, %final : !E, !taps
}

func.func @conv_reverse(%x: !E, %w: tensor<3x4xf32>, %batch: !mom.batch) -> !E
    attributes {mom.layer, mom.export} {
  %y = mom.conv1d reverse %x by %w in %batch : !E, tensor<3x4xf32>, !mom.batch -> !E
  return %y : !E
}

func.func @norm(%x: !E, %scale: tensor<3xf32>, %batch: !mom.batch) -> !E attributes {mom.layer, mom.export} {
  %n = mom.rms_norm %x {eps = 1.0e-5 : f64} : !E
  %s = mom.broadcast %scale like %n : tensor<3xf32>, !E -> !E
  %y = arith.mulf %n, %s : !E
  return %y : !E
}

// A linear of each modality with its bias, then one for all.
func.func @routed(%x: !E, %w: tensor<3x2x3xf32>, %bias: tensor<3x2xf32>, %v: tensor<3x2xf32>, %batch: !mom.batch) -> !E
    attributes {mom.layer, mom.export} {
  %r = mom.modality_route %batch : !mom.route<"M", 3>
  %product = mom.linear %x by %w for %r : !mom.route<"M", 3>, !E, tensor<3x2x3xf32> -> !N
  %b = mom.broadcast %bias like %product for %r : !mom.route<"M", 3>, tensor<3x2xf32>, !N -> !N
  %sum = arith.addf %product, %b : !N
  %y = mom.linear %sum by %v : !N, tensor<3x2xf32> -> !E
  return %y : !E
}

func.func @loss(%logits: !E, %target: !id, %batch: !mom.batch) -> !one attributes {mom.layer, mom.export} {
  %nll, %lse = mom.cross_entropy %logits, %target : !E, !id -> !one
  return %nll : !one
}

func.func @embed(%table: tensor<5x3xf32>, %id: !id, %batch: !mom.batch) -> !E attributes {mom.layer, mom.export} {
  %y = mom.embedding %id from %table : !id, tensor<5x3xf32> -> !E
  return %y : !E
}

func.func @functions(%x: !E, %p: !E, %batch: !mom.batch) -> (!E, !E, !E, !E, !E, !E, !E, !E, !E)
    attributes {mom.layer, mom.export} {
  %0 = mom.silu %x : !E
  %1 = mom.softplus %x : !E
  %2 = mom.sigmoid %x : !E
  %3 = math.exp %x : !E
  %4 = math.log %p : !E
  %5 = math.sqrt %p : !E
  %6 = math.tanh %x : !E
  %7 = math.absf %x : !E
  %8 = arith.divf %x, %p : !E
  return %0, %1, %2, %3, %4, %5, %6, %7, %8 : !E, !E, !E, !E, !E, !E, !E, !E, !E
}
