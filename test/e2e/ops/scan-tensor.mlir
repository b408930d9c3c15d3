// Scans on tensor cores (knob unit 1), as gradients of bf16 rows are by default: more and
// fewer states than two tiles, padding among states, channels and tokens, checkpoints
// that lie at no multiple of eight tokens; kernels formed by hand divide states among
// fewer warps, and walk forward that way too.
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=133 --storage=bf16 --fuse=0 --function=narrow_24_12_reverse,narrow_20_64,narrow_40_6 --order=modality --streams=3
// RUN: mom-compare %s --compiled --target=sm_80 --emulate --rtol=1e-2 --lengths=1,70,2 --function=hand_40_16,hand_24_64_reverse --seed=9
// The same with stmatrix.
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --rtol=1e-2 --lengths=1,70,2 --function=hand_40_16,hand_24_64_reverse --seed=9
// The same by fma: lanes that share a channel, polynomials among the exponentials.
// RUN: sed "s/channels = 2 : i64/channels = 1 : i64/; s/lanes = 4 : i64/lanes = 2 : i64/; s/unit = 1/unit = 0/" %s > %t.fma.mlir
// RUN: mom-compare %t.fma.mlir --compiled --target=sm_80 --emulate --rtol=1e-2 --lengths=1,70,2 --function=hand_40_16,hand_24_64_reverse --seed=9
// Gradients walk along by 16 tokens at a time, and what is left of a run by eight.
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --lengths=100,64,1 --knob=group=16 --storage=bf16 --fuse=0 --function=narrow_20_64
// The closer checkpoints are, the more states a thread has.
// RUN: sed 's/chunk of 64/chunk of 32/' %s > %t.32.mlir
// RUN: mom-compare %t.32.mlir --compiled --target=sm_90a --emulate --lengths=100,64,1 --storage=bf16 --fuse=0 --function=narrow_20_64
// RUN: sed 's/chunk of 64/chunk of 16/' %s > %t.16.mlir
// RUN: mom-compare %t.16.mlir --compiled --target=sm_90a --emulate --lengths=1,70,2 --storage=bf16 --fuse=0 --function=narrow_20_64
// One channel a thread, forward: a step is two tokens.
// RUN: sed '/scan "y"/s/channels = 2 : i64/channels = 1 : i64/' %s > %t.mlir
// RUN: mom-compare %t.mlir --compiled --target=sm_80 --emulate --rtol=1e-2 --lengths=1,70,2 --function=hand_40_16,hand_24_64_reverse --seed=9

func.func @narrow_24_12_reverse(%batch: !mom.batch, %u: tensor<?x24xf32, #mom.rows<token>>, %delta: tensor<?x24xf32, #mom.rows<token>> {mom.positive}, %A: tensor<24x12xf32> {mom.negative}, %B: tensor<?x12xf32, #mom.rows<token>>, %C: tensor<?x12xf32, #mom.rows<token>>, %dy: tensor<?x24xf32, #mom.rows<token>>)
    -> (tensor<?x24xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>, tensor<24x12xf32>, tensor<?x12xf32, #mom.rows<token>>, tensor<?x12xf32, #mom.rows<token>>) {
  %u2 = mom.affine %u {offset = 0.0 : f64, scale = 0.5 : f64} : tensor<?x24xf32, #mom.rows<token>>
  %delta2 = mom.affine %delta {offset = 0.0 : f64, scale = 0.5 : f64} : tensor<?x24xf32, #mom.rows<token>>
  %B2 = mom.affine %B {offset = 0.0 : f64, scale = 0.5 : f64} : tensor<?x12xf32, #mom.rows<token>>
  %C2 = mom.affine %C {offset = 0.0 : f64, scale = 0.5 : f64} : tensor<?x12xf32, #mom.rows<token>>
  %dy2 = mom.affine %dy {offset = 0.0 : f64, scale = 0.5 : f64} : tensor<?x24xf32, #mom.rows<token>>
  %y, %saved = mom.scan reverse %u2, %delta2, %A, %B2, %C2 in %batch
      : tensor<?x24xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>, tensor<24x12xf32>, tensor<?x12xf32, #mom.rows<token>>, tensor<?x12xf32, #mom.rows<token>>, !mom.batch -> tensor<?x24xf32, #mom.rows<token>> checkpoints tensor<?x288xf32, #mom.rows<chunk of 5>>
  %du, %dd, %dA, %dB, %dC = mom.scan_grad reverse %u2, %delta2, %A, %B2, %C2 in %batch gradient %dy2 checkpoints %saved
      : tensor<?x24xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>, tensor<24x12xf32>, tensor<?x12xf32, #mom.rows<token>>, tensor<?x12xf32, #mom.rows<token>>, !mom.batch, tensor<?x24xf32, #mom.rows<token>>, tensor<?x288xf32, #mom.rows<chunk of 5>> -> tensor<?x24xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>, tensor<24x12xf32>, tensor<?x12xf32, #mom.rows<token>>, tensor<?x12xf32, #mom.rows<token>>
  return %y, %du, %dd, %dA, %dB, %dC : tensor<?x24xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>, tensor<24x12xf32>, tensor<?x12xf32, #mom.rows<token>>, tensor<?x12xf32, #mom.rows<token>>
}

func.func @narrow_20_64(%batch: !mom.batch, %u: tensor<?x20xf32, #mom.rows<token>>, %delta: tensor<?x20xf32, #mom.rows<token>> {mom.positive}, %A: tensor<20x64xf32> {mom.negative}, %B: tensor<?x64xf32, #mom.rows<token>>, %C: tensor<?x64xf32, #mom.rows<token>>, %dy: tensor<?x20xf32, #mom.rows<token>>, %init: tensor<?x1280xf32, #mom.rows<stream>>, %dfinal: tensor<?x1280xf32, #mom.rows<stream>>)
    -> (tensor<?x20xf32, #mom.rows<token>>, tensor<?x20xf32, #mom.rows<token>>, tensor<?x20xf32, #mom.rows<token>>, tensor<20x64xf32>, tensor<?x64xf32, #mom.rows<token>>, tensor<?x64xf32, #mom.rows<token>>, tensor<?x1280xf32, #mom.rows<stream>>, tensor<?x1280xf32, #mom.rows<stream>>) {
  %u2 = mom.affine %u {offset = 0.0 : f64, scale = 0.5 : f64} : tensor<?x20xf32, #mom.rows<token>>
  %delta2 = mom.affine %delta {offset = 0.0 : f64, scale = 0.5 : f64} : tensor<?x20xf32, #mom.rows<token>>
  %B2 = mom.affine %B {offset = 0.0 : f64, scale = 0.5 : f64} : tensor<?x64xf32, #mom.rows<token>>
  %C2 = mom.affine %C {offset = 0.0 : f64, scale = 0.5 : f64} : tensor<?x64xf32, #mom.rows<token>>
  %dy2 = mom.affine %dy {offset = 0.0 : f64, scale = 0.5 : f64} : tensor<?x20xf32, #mom.rows<token>>
  %y, %final, %saved = mom.scan %u2, %delta2, %A, %B2, %C2 in %batch init %init
      : tensor<?x20xf32, #mom.rows<token>>, tensor<?x20xf32, #mom.rows<token>>, tensor<20x64xf32>, tensor<?x64xf32, #mom.rows<token>>, tensor<?x64xf32, #mom.rows<token>>, !mom.batch, tensor<?x1280xf32, #mom.rows<stream>> -> tensor<?x20xf32, #mom.rows<token>> final tensor<?x1280xf32, #mom.rows<stream>> checkpoints tensor<?x1280xf32, #mom.rows<chunk of 64>>
  %du, %dd, %dA, %dB, %dC, %di = mom.scan_grad %u2, %delta2, %A, %B2, %C2 in %batch gradient %dy2 init %init checkpoints %saved dfinal %dfinal
      : tensor<?x20xf32, #mom.rows<token>>, tensor<?x20xf32, #mom.rows<token>>, tensor<20x64xf32>, tensor<?x64xf32, #mom.rows<token>>, tensor<?x64xf32, #mom.rows<token>>, !mom.batch, tensor<?x20xf32, #mom.rows<token>>, tensor<?x1280xf32, #mom.rows<stream>>, tensor<?x1280xf32, #mom.rows<chunk of 64>>, tensor<?x1280xf32, #mom.rows<stream>> -> tensor<?x20xf32, #mom.rows<token>>, tensor<?x20xf32, #mom.rows<token>>, tensor<20x64xf32>, tensor<?x64xf32, #mom.rows<token>>, tensor<?x64xf32, #mom.rows<token>> init tensor<?x1280xf32, #mom.rows<stream>>
  return %y, %du, %dd, %dA, %dB, %dC, %final, %di : tensor<?x20xf32, #mom.rows<token>>, tensor<?x20xf32, #mom.rows<token>>, tensor<?x20xf32, #mom.rows<token>>, tensor<20x64xf32>, tensor<?x64xf32, #mom.rows<token>>, tensor<?x64xf32, #mom.rows<token>>, tensor<?x1280xf32, #mom.rows<stream>>, tensor<?x1280xf32, #mom.rows<stream>>
}

func.func @narrow_40_6(%batch: !mom.batch, %u: tensor<?x40xf32, #mom.rows<token>>, %delta: tensor<?x40xf32, #mom.rows<token>> {mom.positive}, %A: tensor<40x6xf32> {mom.negative}, %B: tensor<?x6xf32, #mom.rows<token>>, %C: tensor<?x6xf32, #mom.rows<token>>, %dy: tensor<?x40xf32, #mom.rows<token>>)
    -> (tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x6xf32>, tensor<?x6xf32, #mom.rows<token>>, tensor<?x6xf32, #mom.rows<token>>) {
  %u2 = mom.affine %u {offset = 0.0 : f64, scale = 0.5 : f64} : tensor<?x40xf32, #mom.rows<token>>
  %delta2 = mom.affine %delta {offset = 0.0 : f64, scale = 0.5 : f64} : tensor<?x40xf32, #mom.rows<token>>
  %B2 = mom.affine %B {offset = 0.0 : f64, scale = 0.5 : f64} : tensor<?x6xf32, #mom.rows<token>>
  %C2 = mom.affine %C {offset = 0.0 : f64, scale = 0.5 : f64} : tensor<?x6xf32, #mom.rows<token>>
  %dy2 = mom.affine %dy {offset = 0.0 : f64, scale = 0.5 : f64} : tensor<?x40xf32, #mom.rows<token>>
  %y, %saved = mom.scan %u2, %delta2, %A, %B2, %C2 in %batch
      : tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x6xf32>, tensor<?x6xf32, #mom.rows<token>>, tensor<?x6xf32, #mom.rows<token>>, !mom.batch -> tensor<?x40xf32, #mom.rows<token>> checkpoints tensor<?x240xf32, #mom.rows<chunk of 24>>
  %du, %dd, %dA, %dB, %dC = mom.scan_grad %u2, %delta2, %A, %B2, %C2 in %batch gradient %dy2 checkpoints %saved
      : tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x6xf32>, tensor<?x6xf32, #mom.rows<token>>, tensor<?x6xf32, #mom.rows<token>>, !mom.batch, tensor<?x40xf32, #mom.rows<token>>, tensor<?x240xf32, #mom.rows<chunk of 24>> -> tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x6xf32>, tensor<?x6xf32, #mom.rows<token>>, tensor<?x6xf32, #mom.rows<token>>
  return %y, %du, %dd, %dA, %dB, %dC : tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x6xf32>, tensor<?x6xf32, #mom.rows<token>>, tensor<?x6xf32, #mom.rows<token>>
}

func.func @hand_40_16(%batch: !mom.batch, %u: tensor<?x40xf32, #mom.rows<token>>, %delta: tensor<?x40xf32, #mom.rows<token>> {mom.positive}, %A: tensor<40x16xf32> {mom.negative}, %B: tensor<?x16xf32, #mom.rows<token>>, %C: tensor<?x16xf32, #mom.rows<token>>, %dy: tensor<?x40xf32, #mom.rows<token>>)
    -> (tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>) {
  %x:3 = mom.kernel map "x" (%u, %delta, %dy) schedule {} : (tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>) -> (tensor<?x40xbf16, #mom.rows<token>>, tensor<?x40xbf16, #mom.rows<token>>, tensor<?x40xbf16, #mom.rows<token>>) {
  ^bb0(%u_: tensor<?x40xf32, #mom.rows<token>>, %d_: tensor<?x40xf32, #mom.rows<token>>, %dy_: tensor<?x40xf32, #mom.rows<token>>):
    %un = arith.truncf %u_ : tensor<?x40xf32, #mom.rows<token>> to tensor<?x40xbf16, #mom.rows<token>>
    %dn = arith.truncf %d_ : tensor<?x40xf32, #mom.rows<token>> to tensor<?x40xbf16, #mom.rows<token>>
    %dyn = arith.truncf %dy_ : tensor<?x40xf32, #mom.rows<token>> to tensor<?x40xbf16, #mom.rows<token>>
    mom.yield %un, %dn, %dyn : tensor<?x40xbf16, #mom.rows<token>>, tensor<?x40xbf16, #mom.rows<token>>, tensor<?x40xbf16, #mom.rows<token>>
  }
  %n:2 = mom.kernel map "n" (%B, %C) schedule {} : (tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>) -> (tensor<?x16xbf16, #mom.rows<token>>, tensor<?x16xbf16, #mom.rows<token>>) {
  ^bb0(%B_: tensor<?x16xf32, #mom.rows<token>>, %C_: tensor<?x16xf32, #mom.rows<token>>):
    %Bn = arith.truncf %B_ : tensor<?x16xf32, #mom.rows<token>> to tensor<?x16xbf16, #mom.rows<token>>
    %Cn = arith.truncf %C_ : tensor<?x16xf32, #mom.rows<token>> to tensor<?x16xbf16, #mom.rows<token>>
    mom.yield %Bn, %Cn : tensor<?x16xbf16, #mom.rows<token>>, tensor<?x16xbf16, #mom.rows<token>>
  }
  %0:2 = mom.kernel scan "y" (%x#0, %x#1, %A, %n#0, %n#1, %batch) schedule {threads = 64 : i64, lanes = 4 : i64, tokens = 16 : i64, exp2_fma = 5 : i64, unit = 1 : i64, channels = 2 : i64, group = 8 : i64, exact = 0 : i64}
      : (tensor<?x40xbf16, #mom.rows<token>>, tensor<?x40xbf16, #mom.rows<token>>, tensor<40x16xf32>, tensor<?x16xbf16, #mom.rows<token>>, tensor<?x16xbf16, #mom.rows<token>>, !mom.batch) -> (tensor<?x40xf32, #mom.rows<token>>, tensor<?x640xf32, #mom.rows<chunk of 64>>) {
  ^bb0(%u_: tensor<?x40xbf16, #mom.rows<token>>, %d_: tensor<?x40xbf16, #mom.rows<token>>, %A_: tensor<40x16xf32>, %B_: tensor<?x16xbf16, #mom.rows<token>>, %C_: tensor<?x16xbf16, #mom.rows<token>>, %batch_: !mom.batch):
    %uw = arith.extf %u_ : tensor<?x40xbf16, #mom.rows<token>> to tensor<?x40xf32, #mom.rows<token>>
    %dw = arith.extf %d_ : tensor<?x40xbf16, #mom.rows<token>> to tensor<?x40xf32, #mom.rows<token>>
    %Bw = arith.extf %B_ : tensor<?x16xbf16, #mom.rows<token>> to tensor<?x16xf32, #mom.rows<token>>
    %Cw = arith.extf %C_ : tensor<?x16xbf16, #mom.rows<token>> to tensor<?x16xf32, #mom.rows<token>>
    %y, %ck = mom.scan %uw, %dw, %A_, %Bw, %Cw in %batch_ : tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, !mom.batch -> tensor<?x40xf32, #mom.rows<token>> checkpoints tensor<?x640xf32, #mom.rows<chunk of 64>>
    mom.yield %y, %ck : tensor<?x40xf32, #mom.rows<token>>, tensor<?x640xf32, #mom.rows<chunk of 64>>
  }
  %1:5 = mom.kernel scan "du" (%x#0, %x#1, %A, %n#0, %n#1, %batch, %x#2, %0#1) schedule {threads = 64 : i64, lanes = 4 : i64, tokens = 32 : i64, unit = 1 : i64, channels = 2 : i64, group = 8 : i64, exact = 0 : i64}
      : (tensor<?x40xbf16, #mom.rows<token>>, tensor<?x40xbf16, #mom.rows<token>>, tensor<40x16xf32>, tensor<?x16xbf16, #mom.rows<token>>, tensor<?x16xbf16, #mom.rows<token>>, !mom.batch, tensor<?x40xbf16, #mom.rows<token>>, tensor<?x640xf32, #mom.rows<chunk of 64>>) -> (tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>) {
  ^bb0(%u_: tensor<?x40xbf16, #mom.rows<token>>, %d_: tensor<?x40xbf16, #mom.rows<token>>, %A_: tensor<40x16xf32>, %B_: tensor<?x16xbf16, #mom.rows<token>>, %C_: tensor<?x16xbf16, #mom.rows<token>>, %batch_: !mom.batch, %dy_: tensor<?x40xbf16, #mom.rows<token>>, %ck_: tensor<?x640xf32, #mom.rows<chunk of 64>>):
    %uw = arith.extf %u_ : tensor<?x40xbf16, #mom.rows<token>> to tensor<?x40xf32, #mom.rows<token>>
    %dw = arith.extf %d_ : tensor<?x40xbf16, #mom.rows<token>> to tensor<?x40xf32, #mom.rows<token>>
    %Bw = arith.extf %B_ : tensor<?x16xbf16, #mom.rows<token>> to tensor<?x16xf32, #mom.rows<token>>
    %Cw = arith.extf %C_ : tensor<?x16xbf16, #mom.rows<token>> to tensor<?x16xf32, #mom.rows<token>>
    %dyw = arith.extf %dy_ : tensor<?x40xbf16, #mom.rows<token>> to tensor<?x40xf32, #mom.rows<token>>
    %du, %dd, %dA, %dB, %dC = mom.scan_grad %uw, %dw, %A_, %Bw, %Cw in %batch_ gradient %dyw checkpoints %ck_
        : tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, !mom.batch, tensor<?x40xf32, #mom.rows<token>>, tensor<?x640xf32, #mom.rows<chunk of 64>> -> tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>
    mom.yield %du, %dd, %dA, %dB, %dC : tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>
  }
  return %0#0, %1#0, %1#1, %1#2, %1#3, %1#4 : tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>
}

func.func @hand_24_64_reverse(%batch: !mom.batch, %u: tensor<?x24xf32, #mom.rows<token>>, %delta: tensor<?x24xf32, #mom.rows<token>> {mom.positive}, %A: tensor<24x64xf32> {mom.negative}, %B: tensor<?x64xf32, #mom.rows<token>>, %C: tensor<?x64xf32, #mom.rows<token>>, %dy: tensor<?x24xf32, #mom.rows<token>>)
    -> (tensor<?x24xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>, tensor<24x64xf32>, tensor<?x64xf32, #mom.rows<token>>, tensor<?x64xf32, #mom.rows<token>>) attributes {mom.tolerance = 3.0} { // sums of 64 states cancel; those of one token all at once
  %x:3 = mom.kernel map "x" (%u, %delta, %dy) schedule {} : (tensor<?x24xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>) -> (tensor<?x24xbf16, #mom.rows<token>>, tensor<?x24xbf16, #mom.rows<token>>, tensor<?x24xbf16, #mom.rows<token>>) {
  ^bb0(%u_: tensor<?x24xf32, #mom.rows<token>>, %d_: tensor<?x24xf32, #mom.rows<token>>, %dy_: tensor<?x24xf32, #mom.rows<token>>):
    %un = arith.truncf %u_ : tensor<?x24xf32, #mom.rows<token>> to tensor<?x24xbf16, #mom.rows<token>>
    %dn = arith.truncf %d_ : tensor<?x24xf32, #mom.rows<token>> to tensor<?x24xbf16, #mom.rows<token>>
    %dyn = arith.truncf %dy_ : tensor<?x24xf32, #mom.rows<token>> to tensor<?x24xbf16, #mom.rows<token>>
    mom.yield %un, %dn, %dyn : tensor<?x24xbf16, #mom.rows<token>>, tensor<?x24xbf16, #mom.rows<token>>, tensor<?x24xbf16, #mom.rows<token>>
  }
  %n:2 = mom.kernel map "n" (%B, %C) schedule {} : (tensor<?x64xf32, #mom.rows<token>>, tensor<?x64xf32, #mom.rows<token>>) -> (tensor<?x64xbf16, #mom.rows<token>>, tensor<?x64xbf16, #mom.rows<token>>) {
  ^bb0(%B_: tensor<?x64xf32, #mom.rows<token>>, %C_: tensor<?x64xf32, #mom.rows<token>>):
    %Bn = arith.truncf %B_ : tensor<?x64xf32, #mom.rows<token>> to tensor<?x64xbf16, #mom.rows<token>>
    %Cn = arith.truncf %C_ : tensor<?x64xf32, #mom.rows<token>> to tensor<?x64xbf16, #mom.rows<token>>
    mom.yield %Bn, %Cn : tensor<?x64xbf16, #mom.rows<token>>, tensor<?x64xbf16, #mom.rows<token>>
  }
  %0:2 = mom.kernel scan "y" (%x#0, %x#1, %A, %n#0, %n#1, %batch) schedule {threads = 256 : i64, lanes = 32 : i64, tokens = 24 : i64, unit = 1 : i64, channels = 2 : i64, group = 8 : i64, exact = 0 : i64}
      : (tensor<?x24xbf16, #mom.rows<token>>, tensor<?x24xbf16, #mom.rows<token>>, tensor<24x64xf32>, tensor<?x64xbf16, #mom.rows<token>>, tensor<?x64xbf16, #mom.rows<token>>, !mom.batch) -> (tensor<?x24xf32, #mom.rows<token>>, tensor<?x1536xf32, #mom.rows<chunk of 16>>) {
  ^bb0(%u_: tensor<?x24xbf16, #mom.rows<token>>, %d_: tensor<?x24xbf16, #mom.rows<token>>, %A_: tensor<24x64xf32>, %B_: tensor<?x64xbf16, #mom.rows<token>>, %C_: tensor<?x64xbf16, #mom.rows<token>>, %batch_: !mom.batch):
    %uw = arith.extf %u_ : tensor<?x24xbf16, #mom.rows<token>> to tensor<?x24xf32, #mom.rows<token>>
    %dw = arith.extf %d_ : tensor<?x24xbf16, #mom.rows<token>> to tensor<?x24xf32, #mom.rows<token>>
    %Bw = arith.extf %B_ : tensor<?x64xbf16, #mom.rows<token>> to tensor<?x64xf32, #mom.rows<token>>
    %Cw = arith.extf %C_ : tensor<?x64xbf16, #mom.rows<token>> to tensor<?x64xf32, #mom.rows<token>>
    %y, %ck = mom.scan reverse %uw, %dw, %A_, %Bw, %Cw in %batch_ : tensor<?x24xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>, tensor<24x64xf32>, tensor<?x64xf32, #mom.rows<token>>, tensor<?x64xf32, #mom.rows<token>>, !mom.batch -> tensor<?x24xf32, #mom.rows<token>> checkpoints tensor<?x1536xf32, #mom.rows<chunk of 16>>
    mom.yield %y, %ck : tensor<?x24xf32, #mom.rows<token>>, tensor<?x1536xf32, #mom.rows<chunk of 16>>
  }
  %1:5 = mom.kernel scan "du" (%x#0, %x#1, %A, %n#0, %n#1, %batch, %x#2, %0#1) schedule {threads = 128 : i64, lanes = 16 : i64, tokens = 16 : i64, unit = 1 : i64, channels = 2 : i64, group = 8 : i64, exact = 0 : i64}
      : (tensor<?x24xbf16, #mom.rows<token>>, tensor<?x24xbf16, #mom.rows<token>>, tensor<24x64xf32>, tensor<?x64xbf16, #mom.rows<token>>, tensor<?x64xbf16, #mom.rows<token>>, !mom.batch, tensor<?x24xbf16, #mom.rows<token>>, tensor<?x1536xf32, #mom.rows<chunk of 16>>) -> (tensor<?x24xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>, tensor<24x64xf32>, tensor<?x64xf32, #mom.rows<token>>, tensor<?x64xf32, #mom.rows<token>>) {
  ^bb0(%u_: tensor<?x24xbf16, #mom.rows<token>>, %d_: tensor<?x24xbf16, #mom.rows<token>>, %A_: tensor<24x64xf32>, %B_: tensor<?x64xbf16, #mom.rows<token>>, %C_: tensor<?x64xbf16, #mom.rows<token>>, %batch_: !mom.batch, %dy_: tensor<?x24xbf16, #mom.rows<token>>, %ck_: tensor<?x1536xf32, #mom.rows<chunk of 16>>):
    %uw = arith.extf %u_ : tensor<?x24xbf16, #mom.rows<token>> to tensor<?x24xf32, #mom.rows<token>>
    %dw = arith.extf %d_ : tensor<?x24xbf16, #mom.rows<token>> to tensor<?x24xf32, #mom.rows<token>>
    %Bw = arith.extf %B_ : tensor<?x64xbf16, #mom.rows<token>> to tensor<?x64xf32, #mom.rows<token>>
    %Cw = arith.extf %C_ : tensor<?x64xbf16, #mom.rows<token>> to tensor<?x64xf32, #mom.rows<token>>
    %dyw = arith.extf %dy_ : tensor<?x24xbf16, #mom.rows<token>> to tensor<?x24xf32, #mom.rows<token>>
    %du, %dd, %dA, %dB, %dC = mom.scan_grad reverse %uw, %dw, %A_, %Bw, %Cw in %batch_ gradient %dyw checkpoints %ck_
        : tensor<?x24xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>, tensor<24x64xf32>, tensor<?x64xf32, #mom.rows<token>>, tensor<?x64xf32, #mom.rows<token>>, !mom.batch, tensor<?x24xf32, #mom.rows<token>>, tensor<?x1536xf32, #mom.rows<chunk of 16>> -> tensor<?x24xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>, tensor<24x64xf32>, tensor<?x64xf32, #mom.rows<token>>, tensor<?x64xf32, #mom.rows<token>>
    mom.yield %du, %dd, %dA, %dB, %dC : tensor<?x24xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>, tensor<24x64xf32>, tensor<?x64xf32, #mom.rows<token>>, tensor<?x64xf32, #mom.rows<token>>
  }
  return %0#0, %1#0, %1#1, %1#2, %1#3, %1#4 : tensor<?x24xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>, tensor<24x64xf32>, tensor<?x64xf32, #mom.rows<token>>, tensor<?x64xf32, #mom.rows<token>>
}
