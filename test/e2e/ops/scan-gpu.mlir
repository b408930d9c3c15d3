// Scans on a GPU: what its runs and threads make special. Rows are narrow where an
// affine op of its own kernel stands before the scan; checkpoints lie further apart
// than a run is long, or serve no run, or do not exist; states have padding; kernels
// formed by hand divide the work otherwise than by default.
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=0,70 --streams=3
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=129 --storage=bf16 --fuse=0 --function=narrow_40_16,narrow_24_3_reverse --order=modality --seed=8
// RUN: mom-compare %s --compiled --target=sm_80 --emulate --lengths=1,70,2 --storage=f16 --fuse=0 --function=narrow_40_16 --seed=9

!x24 = tensor<?x24xf32, #mom.rows<token>>
!n16 = tensor<?x16xf32, #mom.rows<token>>

func.func @narrow_40_16(%batch: !mom.batch, %u: tensor<?x40xf32, #mom.rows<token>>, %delta: tensor<?x40xf32, #mom.rows<token>> {mom.positive}, %A: tensor<40x16xf32> {mom.negative}, %B: tensor<?x16xf32, #mom.rows<token>>, %C: tensor<?x16xf32, #mom.rows<token>>, %dy: tensor<?x40xf32, #mom.rows<token>>, %init: tensor<?x640xf32, #mom.rows<stream>>, %dfinal: tensor<?x640xf32, #mom.rows<stream>>)
    -> (tensor<?x40xf32, #mom.rows<token>>, tensor<?x640xf32, #mom.rows<stream>>, tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x640xf32, #mom.rows<stream>>) {
  %u2 = mom.affine %u {offset = 0.0 : f64, scale = 0.5 : f64} : tensor<?x40xf32, #mom.rows<token>>
  %delta2 = mom.affine %delta {offset = 0.0 : f64, scale = 0.5 : f64} : tensor<?x40xf32, #mom.rows<token>>
  %B2 = mom.affine %B {offset = 0.0 : f64, scale = 0.5 : f64} : tensor<?x16xf32, #mom.rows<token>>
  %C2 = mom.affine %C {offset = 0.0 : f64, scale = 0.5 : f64} : tensor<?x16xf32, #mom.rows<token>>
  %dy2 = mom.affine %dy {offset = 0.0 : f64, scale = 0.5 : f64} : tensor<?x40xf32, #mom.rows<token>>
  %y, %final, %saved = mom.scan %u2, %delta2, %A, %B2, %C2 in %batch init %init
      : tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, !mom.batch, tensor<?x640xf32, #mom.rows<stream>> -> tensor<?x40xf32, #mom.rows<token>> final tensor<?x640xf32, #mom.rows<stream>> checkpoints tensor<?x640xf32, #mom.rows<chunk of 64>>
  %du, %dd, %dA, %dB, %dC, %di = mom.scan_grad %u2, %delta2, %A, %B2, %C2 in %batch gradient %dy2 init %init checkpoints %saved dfinal %dfinal
      : tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, !mom.batch, tensor<?x40xf32, #mom.rows<token>>, tensor<?x640xf32, #mom.rows<stream>>, tensor<?x640xf32, #mom.rows<chunk of 64>>, tensor<?x640xf32, #mom.rows<stream>> -> tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>> init tensor<?x640xf32, #mom.rows<stream>>
  return %y, %final, %du, %dd, %dA, %dB, %dC, %di : tensor<?x40xf32, #mom.rows<token>>, tensor<?x640xf32, #mom.rows<stream>>, tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x640xf32, #mom.rows<stream>>
}

func.func @narrow_24_3_reverse(%batch: !mom.batch, %u: tensor<?x24xf32, #mom.rows<token>>, %delta: tensor<?x24xf32, #mom.rows<token>> {mom.positive}, %A: tensor<24x3xf32> {mom.negative}, %B: tensor<?x3xf32, #mom.rows<token>>, %C: tensor<?x3xf32, #mom.rows<token>>, %dy: tensor<?x24xf32, #mom.rows<token>>)
    -> (tensor<?x24xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>, tensor<24x3xf32>, tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>) {
  %u2 = mom.affine %u {offset = 0.0 : f64, scale = 0.5 : f64} : tensor<?x24xf32, #mom.rows<token>>
  %delta2 = mom.affine %delta {offset = 0.0 : f64, scale = 0.5 : f64} : tensor<?x24xf32, #mom.rows<token>>
  %B2 = mom.affine %B {offset = 0.0 : f64, scale = 0.5 : f64} : tensor<?x3xf32, #mom.rows<token>>
  %C2 = mom.affine %C {offset = 0.0 : f64, scale = 0.5 : f64} : tensor<?x3xf32, #mom.rows<token>>
  %dy2 = mom.affine %dy {offset = 0.0 : f64, scale = 0.5 : f64} : tensor<?x24xf32, #mom.rows<token>>
  %y, %saved = mom.scan reverse %u2, %delta2, %A, %B2, %C2 in %batch
      : tensor<?x24xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>, tensor<24x3xf32>, tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, !mom.batch -> tensor<?x24xf32, #mom.rows<token>> checkpoints tensor<?x72xf32, #mom.rows<chunk of 5>>
  %du, %dd, %dA, %dB, %dC = mom.scan_grad reverse %u2, %delta2, %A, %B2, %C2 in %batch gradient %dy2 checkpoints %saved
      : tensor<?x24xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>, tensor<24x3xf32>, tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, !mom.batch, tensor<?x24xf32, #mom.rows<token>>, tensor<?x72xf32, #mom.rows<chunk of 5>> -> tensor<?x24xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>, tensor<24x3xf32>, tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>
  return %y, %du, %dd, %dA, %dB, %dC : tensor<?x24xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>, tensor<24x3xf32>, tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>
}

func.func @far_24_4_reverse(%batch: !mom.batch, %u: tensor<?x24xf32, #mom.rows<token>>, %delta: tensor<?x24xf32, #mom.rows<token>> {mom.positive}, %A: tensor<24x4xf32> {mom.negative}, %B: tensor<?x4xf32, #mom.rows<token>>, %C: tensor<?x4xf32, #mom.rows<token>>, %dy: tensor<?x24xf32, #mom.rows<token>>)
    -> (tensor<?x24xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>, tensor<24x4xf32>, tensor<?x4xf32, #mom.rows<token>>, tensor<?x4xf32, #mom.rows<token>>) {
  %y, %saved = mom.scan reverse %u, %delta, %A, %B, %C in %batch
      : tensor<?x24xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>, tensor<24x4xf32>, tensor<?x4xf32, #mom.rows<token>>, tensor<?x4xf32, #mom.rows<token>>, !mom.batch -> tensor<?x24xf32, #mom.rows<token>> checkpoints tensor<?x96xf32, #mom.rows<chunk of 96>>
  %du, %dd, %dA, %dB, %dC = mom.scan_grad reverse %u, %delta, %A, %B, %C in %batch gradient %dy checkpoints %saved
      : tensor<?x24xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>, tensor<24x4xf32>, tensor<?x4xf32, #mom.rows<token>>, tensor<?x4xf32, #mom.rows<token>>, !mom.batch, tensor<?x24xf32, #mom.rows<token>>, tensor<?x96xf32, #mom.rows<chunk of 96>> -> tensor<?x24xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>, tensor<24x4xf32>, tensor<?x4xf32, #mom.rows<token>>, tensor<?x4xf32, #mom.rows<token>>
  return %y, %du, %dd, %dA, %dB, %dC : tensor<?x24xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>, tensor<24x4xf32>, tensor<?x4xf32, #mom.rows<token>>, tensor<?x4xf32, #mom.rows<token>>
}

func.func @prime_8_16(%batch: !mom.batch, %u: tensor<?x8xf32, #mom.rows<token>>, %delta: tensor<?x8xf32, #mom.rows<token>> {mom.positive}, %A: tensor<8x16xf32> {mom.negative}, %B: tensor<?x16xf32, #mom.rows<token>>, %C: tensor<?x16xf32, #mom.rows<token>>, %dy: tensor<?x8xf32, #mom.rows<token>>)
    -> (tensor<?x8xf32, #mom.rows<token>>, tensor<?x8xf32, #mom.rows<token>>, tensor<?x8xf32, #mom.rows<token>>, tensor<8x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>) {
  %y, %saved = mom.scan %u, %delta, %A, %B, %C in %batch
      : tensor<?x8xf32, #mom.rows<token>>, tensor<?x8xf32, #mom.rows<token>>, tensor<8x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, !mom.batch -> tensor<?x8xf32, #mom.rows<token>> checkpoints tensor<?x128xf32, #mom.rows<chunk of 97>>
  %du, %dd, %dA, %dB, %dC = mom.scan_grad %u, %delta, %A, %B, %C in %batch gradient %dy checkpoints %saved
      : tensor<?x8xf32, #mom.rows<token>>, tensor<?x8xf32, #mom.rows<token>>, tensor<8x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, !mom.batch, tensor<?x8xf32, #mom.rows<token>>, tensor<?x128xf32, #mom.rows<chunk of 97>> -> tensor<?x8xf32, #mom.rows<token>>, tensor<?x8xf32, #mom.rows<token>>, tensor<8x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>
  return %y, %du, %dd, %dA, %dB, %dC : tensor<?x8xf32, #mom.rows<token>>, tensor<?x8xf32, #mom.rows<token>>, tensor<?x8xf32, #mom.rows<token>>, tensor<8x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>
}

func.func @none_40_16(%batch: !mom.batch, %u: tensor<?x40xf32, #mom.rows<token>>, %delta: tensor<?x40xf32, #mom.rows<token>> {mom.positive}, %A: tensor<40x16xf32> {mom.negative}, %B: tensor<?x16xf32, #mom.rows<token>>, %C: tensor<?x16xf32, #mom.rows<token>>, %dy: tensor<?x40xf32, #mom.rows<token>>, %init: tensor<?x640xf32, #mom.rows<stream>>, %dfinal: tensor<?x640xf32, #mom.rows<stream>>)
    -> (tensor<?x40xf32, #mom.rows<token>>, tensor<?x640xf32, #mom.rows<stream>>, tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x640xf32, #mom.rows<stream>>) {
  %y, %final = mom.scan %u, %delta, %A, %B, %C in %batch init %init
      : tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, !mom.batch, tensor<?x640xf32, #mom.rows<stream>> -> tensor<?x40xf32, #mom.rows<token>> final tensor<?x640xf32, #mom.rows<stream>>
  %du, %dd, %dA, %dB, %dC, %di = mom.scan_grad %u, %delta, %A, %B, %C in %batch gradient %dy init %init dfinal %dfinal
      : tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, !mom.batch, tensor<?x40xf32, #mom.rows<token>>, tensor<?x640xf32, #mom.rows<stream>>, tensor<?x640xf32, #mom.rows<stream>> -> tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>> init tensor<?x640xf32, #mom.rows<stream>>
  return %y, %final, %du, %dd, %dA, %dB, %dC, %di : tensor<?x40xf32, #mom.rows<token>>, tensor<?x640xf32, #mom.rows<stream>>, tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x640xf32, #mom.rows<stream>>
}

func.func @none_3_5_reverse(%batch: !mom.batch, %u: tensor<?x3xf32, #mom.rows<token>>, %delta: tensor<?x3xf32, #mom.rows<token>> {mom.positive}, %A: tensor<3x5xf32> {mom.negative}, %B: tensor<?x5xf32, #mom.rows<token>>, %C: tensor<?x5xf32, #mom.rows<token>>, %dy: tensor<?x3xf32, #mom.rows<token>>, %dfinal: tensor<?x15xf32, #mom.rows<stream>>)
    -> (tensor<?x3xf32, #mom.rows<token>>, tensor<?x15xf32, #mom.rows<stream>>, tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<3x5xf32>, tensor<?x5xf32, #mom.rows<token>>, tensor<?x5xf32, #mom.rows<token>>) {
  %y, %final = mom.scan reverse %u, %delta, %A, %B, %C in %batch
      : tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<3x5xf32>, tensor<?x5xf32, #mom.rows<token>>, tensor<?x5xf32, #mom.rows<token>>, !mom.batch -> tensor<?x3xf32, #mom.rows<token>> final tensor<?x15xf32, #mom.rows<stream>>
  %du, %dd, %dA, %dB, %dC = mom.scan_grad reverse %u, %delta, %A, %B, %C in %batch gradient %dy dfinal %dfinal
      : tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<3x5xf32>, tensor<?x5xf32, #mom.rows<token>>, tensor<?x5xf32, #mom.rows<token>>, !mom.batch, tensor<?x3xf32, #mom.rows<token>>, tensor<?x15xf32, #mom.rows<stream>> -> tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<3x5xf32>, tensor<?x5xf32, #mom.rows<token>>, tensor<?x5xf32, #mom.rows<token>>
  return %y, %final, %du, %dd, %dA, %dB, %dC : tensor<?x3xf32, #mom.rows<token>>, tensor<?x15xf32, #mom.rows<stream>>, tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<3x5xf32>, tensor<?x5xf32, #mom.rows<token>>, tensor<?x5xf32, #mom.rows<token>>
}

func.func @wide_3_200(%batch: !mom.batch, %u: tensor<?x3xf32, #mom.rows<token>>, %delta: tensor<?x3xf32, #mom.rows<token>> {mom.positive}, %A: tensor<3x200xf32> {mom.negative}, %B: tensor<?x200xf32, #mom.rows<token>>, %C: tensor<?x200xf32, #mom.rows<token>>, %dy: tensor<?x3xf32, #mom.rows<token>>)
    -> (tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<3x200xf32>, tensor<?x200xf32, #mom.rows<token>>, tensor<?x200xf32, #mom.rows<token>>) {
  %y, %saved = mom.scan %u, %delta, %A, %B, %C in %batch
      : tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<3x200xf32>, tensor<?x200xf32, #mom.rows<token>>, tensor<?x200xf32, #mom.rows<token>>, !mom.batch -> tensor<?x3xf32, #mom.rows<token>> checkpoints tensor<?x600xf32, #mom.rows<chunk of 16>>
  %du, %dd, %dA, %dB, %dC = mom.scan_grad %u, %delta, %A, %B, %C in %batch gradient %dy checkpoints %saved
      : tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<3x200xf32>, tensor<?x200xf32, #mom.rows<token>>, tensor<?x200xf32, #mom.rows<token>>, !mom.batch, tensor<?x3xf32, #mom.rows<token>>, tensor<?x600xf32, #mom.rows<chunk of 16>> -> tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<3x200xf32>, tensor<?x200xf32, #mom.rows<token>>, tensor<?x200xf32, #mom.rows<token>>
  return %y, %du, %dd, %dA, %dB, %dC : tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<3x200xf32>, tensor<?x200xf32, #mom.rows<token>>, tensor<?x200xf32, #mom.rows<token>>
}

func.func @one_130_1(%batch: !mom.batch, %u: tensor<?x130xf32, #mom.rows<token>>, %delta: tensor<?x130xf32, #mom.rows<token>> {mom.positive}, %A: tensor<130x1xf32> {mom.negative}, %B: tensor<?x1xf32, #mom.rows<token>>, %C: tensor<?x1xf32, #mom.rows<token>>, %dy: tensor<?x130xf32, #mom.rows<token>>)
    -> (tensor<?x130xf32, #mom.rows<token>>, tensor<?x130xf32, #mom.rows<token>>, tensor<?x130xf32, #mom.rows<token>>, tensor<130x1xf32>, tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>>) {
  %y, %saved = mom.scan %u, %delta, %A, %B, %C in %batch
      : tensor<?x130xf32, #mom.rows<token>>, tensor<?x130xf32, #mom.rows<token>>, tensor<130x1xf32>, tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>>, !mom.batch -> tensor<?x130xf32, #mom.rows<token>> checkpoints tensor<?x130xf32, #mom.rows<chunk of 32>>
  %du, %dd, %dA, %dB, %dC = mom.scan_grad %u, %delta, %A, %B, %C in %batch gradient %dy checkpoints %saved
      : tensor<?x130xf32, #mom.rows<token>>, tensor<?x130xf32, #mom.rows<token>>, tensor<130x1xf32>, tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>>, !mom.batch, tensor<?x130xf32, #mom.rows<token>>, tensor<?x130xf32, #mom.rows<chunk of 32>> -> tensor<?x130xf32, #mom.rows<token>>, tensor<?x130xf32, #mom.rows<token>>, tensor<130x1xf32>, tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>>
  return %y, %du, %dd, %dA, %dB, %dC : tensor<?x130xf32, #mom.rows<token>>, tensor<?x130xf32, #mom.rows<token>>, tensor<?x130xf32, #mom.rows<token>>, tensor<130x1xf32>, tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>>
}

func.func @two_channels_a_thread(%batch: !mom.batch, %u: !x24, %delta: !x24 {mom.positive}, %A: tensor<24x16xf32> {mom.negative}, %B: !n16, %C: !n16, %dy: !x24)
    -> (!x24, !x24, !x24, tensor<24x16xf32>, !n16, !n16) {
  %0:2 = mom.kernel scan "y" (%u, %delta, %A, %B, %C, %batch) schedule {threads = 64 : i64, lanes = 8 : i64, channels = 2 : i64, tokens = 32 : i64, group = 8 : i64, exact = 1 : i64, sum_rows = 5 : i64}
      : (!x24, !x24, tensor<24x16xf32>, !n16, !n16, !mom.batch) -> (!x24, tensor<?x384xf32, #mom.rows<chunk of 16>>) {
  ^bb0(%u_: !x24, %delta_: !x24, %A_: tensor<24x16xf32>, %B_: !n16, %C_: !n16, %batch_: !mom.batch):
    %y, %ck = mom.scan %u_, %delta_, %A_, %B_, %C_ in %batch_ : !x24, !x24, tensor<24x16xf32>, !n16, !n16, !mom.batch -> !x24 checkpoints tensor<?x384xf32, #mom.rows<chunk of 16>>
    mom.yield %y, %ck : !x24, tensor<?x384xf32, #mom.rows<chunk of 16>>
  }
  %1:5 = mom.kernel scan "du" (%u, %delta, %A, %B, %C, %batch, %dy, %0#1) schedule {threads = 64 : i64, lanes = 8 : i64, channels = 2 : i64, tokens = 32 : i64, group = 8 : i64, exact = 1 : i64, sum_rows = 5 : i64}
      : (!x24, !x24, tensor<24x16xf32>, !n16, !n16, !mom.batch, !x24, tensor<?x384xf32, #mom.rows<chunk of 16>>) -> (!x24, !x24, tensor<24x16xf32>, !n16, !n16) {
  ^bb0(%u_: !x24, %delta_: !x24, %A_: tensor<24x16xf32>, %B_: !n16, %C_: !n16, %batch_: !mom.batch, %dy_: !x24, %ck_: tensor<?x384xf32, #mom.rows<chunk of 16>>):
    %du, %dd, %dA, %dB, %dC = mom.scan_grad %u_, %delta_, %A_, %B_, %C_ in %batch_ gradient %dy_ checkpoints %ck_
        : !x24, !x24, tensor<24x16xf32>, !n16, !n16, !mom.batch, !x24, tensor<?x384xf32, #mom.rows<chunk of 16>> -> !x24, !x24, tensor<24x16xf32>, !n16, !n16
    mom.yield %du, %dd, %dA, %dB, %dC : !x24, !x24, tensor<24x16xf32>, !n16, !n16
  }
  return %0#0, %1#0, %1#1, %1#2, %1#3, %1#4 : !x24, !x24, !x24, tensor<24x16xf32>, !n16, !n16
}

func.func @one_lane_reverse(%batch: !mom.batch, %u: !x24, %delta: !x24 {mom.positive}, %A: tensor<24x16xf32> {mom.negative}, %B: !n16, %C: !n16, %dy: !x24)
    -> (!x24, !x24, !x24, tensor<24x16xf32>, !n16, !n16) {
  %0:2 = mom.kernel scan "y" (%u, %delta, %A, %B, %C, %batch) schedule {threads = 32 : i64, lanes = 1 : i64, channels = 1 : i64, tokens = 8 : i64, group = 4 : i64, exact = 1 : i64}
      : (!x24, !x24, tensor<24x16xf32>, !n16, !n16, !mom.batch) -> (!x24, tensor<?x384xf32, #mom.rows<chunk of 12>>) {
  ^bb0(%u_: !x24, %delta_: !x24, %A_: tensor<24x16xf32>, %B_: !n16, %C_: !n16, %batch_: !mom.batch):
    %y, %ck = mom.scan reverse %u_, %delta_, %A_, %B_, %C_ in %batch_ : !x24, !x24, tensor<24x16xf32>, !n16, !n16, !mom.batch -> !x24 checkpoints tensor<?x384xf32, #mom.rows<chunk of 12>>
    mom.yield %y, %ck : !x24, tensor<?x384xf32, #mom.rows<chunk of 12>>
  }
  %1:5 = mom.kernel scan "du" (%u, %delta, %A, %B, %C, %batch, %dy, %0#1) schedule {threads = 32 : i64, lanes = 1 : i64, channels = 1 : i64, tokens = 8 : i64, group = 4 : i64, exact = 1 : i64}
      : (!x24, !x24, tensor<24x16xf32>, !n16, !n16, !mom.batch, !x24, tensor<?x384xf32, #mom.rows<chunk of 12>>) -> (!x24, !x24, tensor<24x16xf32>, !n16, !n16) {
  ^bb0(%u_: !x24, %delta_: !x24, %A_: tensor<24x16xf32>, %B_: !n16, %C_: !n16, %batch_: !mom.batch, %dy_: !x24, %ck_: tensor<?x384xf32, #mom.rows<chunk of 12>>):
    %du, %dd, %dA, %dB, %dC = mom.scan_grad reverse %u_, %delta_, %A_, %B_, %C_ in %batch_ gradient %dy_ checkpoints %ck_
        : !x24, !x24, tensor<24x16xf32>, !n16, !n16, !mom.batch, !x24, tensor<?x384xf32, #mom.rows<chunk of 12>> -> !x24, !x24, tensor<24x16xf32>, !n16, !n16
    mom.yield %du, %dd, %dA, %dB, %dC : !x24, !x24, tensor<24x16xf32>, !n16, !n16
  }
  return %0#0, %1#0, %1#1, %1#2, %1#3, %1#4 : !x24, !x24, !x24, tensor<24x16xf32>, !n16, !n16
}

func.func @more_lanes(%batch: !mom.batch, %u: !x24, %delta: !x24 {mom.positive}, %A: tensor<24x16xf32> {mom.negative}, %B: !n16, %C: !n16, %dy: !x24)
    -> (!x24, !x24, !x24, tensor<24x16xf32>, !n16, !n16) {
  %0:2 = mom.kernel scan "y" (%u, %delta, %A, %B, %C, %batch) schedule {threads = 96 : i64, lanes = 32 : i64, channels = 4 : i64, tokens = 16 : i64, group = 2 : i64, exact = 0 : i64}
      : (!x24, !x24, tensor<24x16xf32>, !n16, !n16, !mom.batch) -> (!x24, tensor<?x384xf32, #mom.rows<chunk of 64>>) {
  ^bb0(%u_: !x24, %delta_: !x24, %A_: tensor<24x16xf32>, %B_: !n16, %C_: !n16, %batch_: !mom.batch):
    %y, %ck = mom.scan %u_, %delta_, %A_, %B_, %C_ in %batch_ : !x24, !x24, tensor<24x16xf32>, !n16, !n16, !mom.batch -> !x24 checkpoints tensor<?x384xf32, #mom.rows<chunk of 64>>
    mom.yield %y, %ck : !x24, tensor<?x384xf32, #mom.rows<chunk of 64>>
  }
  %1:5 = mom.kernel scan "du" (%u, %delta, %A, %B, %C, %batch, %dy, %0#1) schedule {threads = 96 : i64, lanes = 32 : i64, channels = 4 : i64, tokens = 16 : i64, group = 2 : i64, exact = 0 : i64}
      : (!x24, !x24, tensor<24x16xf32>, !n16, !n16, !mom.batch, !x24, tensor<?x384xf32, #mom.rows<chunk of 64>>) -> (!x24, !x24, tensor<24x16xf32>, !n16, !n16) {
  ^bb0(%u_: !x24, %delta_: !x24, %A_: tensor<24x16xf32>, %B_: !n16, %C_: !n16, %batch_: !mom.batch, %dy_: !x24, %ck_: tensor<?x384xf32, #mom.rows<chunk of 64>>):
    %du, %dd, %dA, %dB, %dC = mom.scan_grad %u_, %delta_, %A_, %B_, %C_ in %batch_ gradient %dy_ checkpoints %ck_
        : !x24, !x24, tensor<24x16xf32>, !n16, !n16, !mom.batch, !x24, tensor<?x384xf32, #mom.rows<chunk of 64>> -> !x24, !x24, tensor<24x16xf32>, !n16, !n16
    mom.yield %du, %dd, %dA, %dB, %dC : !x24, !x24, tensor<24x16xf32>, !n16, !n16
  }
  return %0#0, %1#0, %1#1, %1#2, %1#3, %1#4 : !x24, !x24, !x24, tensor<24x16xf32>, !n16, !n16
}

