// Scans whose segments are cut into pieces (knob piece): delta is small, so that states
// last for many pieces; pieces begin and end anywhere, or there are too few to be cut.
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --knob=piece=16 --knob=fill=1000000 --lengths=1,200,2,33,64 --streams=3
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --knob=piece=32 --knob=fill=1000000 --tokens=0,1,129
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --knob=piece=1 --knob=fill=1000000 --lengths=300,1 --storage=bf16 --fuse=0 --order=modality --seed=8
// RUN: mom-compare %s --compiled --target=sm_80 --emulate --knob=piece=40 --knob=fill=1000000 --lengths=1,200,2 --storage=f16 --fuse=0 --seed=9
// 40 channels of two segments of 70 tokens are as 80 of one.
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --knob=piece=16 --knob=fill=80 --lengths=70,70
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --knob=piece=16 --knob=fill=80 --lengths=69,70
// One channel a thread on tensor cores: a step is two tokens.
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --knob=piece=1 --knob=fill=1000000 --knob=channels=1 --lengths=200,1 --storage=bf16 --fuse=0 --function=kept_40_16,sums_24_6_reverse
// RUN: not mom-compare %s --knob=pieces=1 2>&1 | FileCheck %s
// CHECK: expected a knob and a number, but got 'pieces=1'

#t = #mom.rows<token>
#s = #mom.rows<stream>
!x40 = tensor<?x40xf32, #t>
!x24 = tensor<?x24xf32, #t>
!n16 = tensor<?x16xf32, #t>
!n6 = tensor<?x6xf32, #t>
!a40 = tensor<40x16xf32>
!a24 = tensor<24x6xf32>
!h40 = tensor<?x640xf32, #s>
!h24 = tensor<?x144xf32, #s>
!k40 = tensor<?x640xf32, #mom.rows<chunk of 16>>
!k24 = tensor<?x144xf32, #mom.rows<chunk of 7>>
!v24 = tensor<24xf32>

// Backward reads the states that the scan keeps; states come in and go out.
func.func @kept_40_16(%batch: !mom.batch, %u: !x40, %d: !x40 {mom.positive}, %A: !a40 {mom.negative}, %b: !n16, %c: !n16, %g: !x40, %init: !h40, %dfinal: !h40)
    -> (!x40, !h40, !x40, !x40, !a40, !n16, !n16, !h40) {
  %delta = mom.affine %d {offset = 0.0 : f64, scale = 0.01 : f64} : !x40
  %B = mom.affine %b {offset = 0.0 : f64, scale = 0.5 : f64} : !n16
  %C = mom.affine %c {offset = 0.0 : f64, scale = 0.5 : f64} : !n16
  %dy = mom.affine %g {offset = 0.0 : f64, scale = 0.5 : f64} : !x40
  %y, %final, %saved = mom.scan %u, %delta, %A, %B, %C in %batch init %init
      : !x40, !x40, !a40, !n16, !n16, !mom.batch, !h40 -> !x40 final !h40 checkpoints !k40
  %du, %dd, %dA, %dB, %dC, %di = mom.scan_grad %u, %delta, %A, %B, %C in %batch gradient %dy init %init checkpoints %saved dfinal %dfinal
      : !x40, !x40, !a40, !n16, !n16, !mom.batch, !x40, !h40, !k40, !h40 -> !x40, !x40, !a40, !n16, !n16 init !h40
  return %y, %final, %du, %dd, %dA, %dB, %dC, %di : !x40, !h40, !x40, !x40, !a40, !n16, !n16, !h40
}

// Backward walks to its states itself, which it then finds in pieces too.
func.func @own_40_16_reverse(%batch: !mom.batch, %u: !x40, %d: !x40 {mom.positive}, %A: !a40 {mom.negative}, %b: !n16, %c: !n16, %g: !x40, %init: !h40, %dfinal: !h40)
    -> (!x40, !h40, !x40, !x40, !a40, !n16, !n16, !h40) {
  %delta = mom.affine %d {offset = 0.0 : f64, scale = 0.01 : f64} : !x40
  %B = mom.affine %b {offset = 0.0 : f64, scale = 0.5 : f64} : !n16
  %C = mom.affine %c {offset = 0.0 : f64, scale = 0.5 : f64} : !n16
  %dy = mom.affine %g {offset = 0.0 : f64, scale = 0.5 : f64} : !x40
  %y, %final = mom.scan reverse %u, %delta, %A, %B, %C in %batch init %init
      : !x40, !x40, !a40, !n16, !n16, !mom.batch, !h40 -> !x40 final !h40
  %du, %dd, %dA, %dB, %dC, %di = mom.scan_grad reverse %u, %delta, %A, %B, %C in %batch gradient %dy init %init dfinal %dfinal
      : !x40, !x40, !a40, !n16, !n16, !mom.batch, !x40, !h40, !h40 -> !x40, !x40, !a40, !n16, !n16 init !h40
  return %y, %final, %du, %dd, %dA, %dB, %dC, %di : !x40, !h40, !x40, !x40, !a40, !n16, !n16, !h40
}

// A sum over rows beside the walk, checkpoints at no multiple of a group, padded states.
func.func @sums_24_6_reverse(%batch: !mom.batch, %u: !x24, %d: !x24 {mom.positive}, %A: !a24 {mom.negative}, %b: !n6, %c: !n6, %g: !x24, %dfinal: !h24)
    -> (!x24, !h24, !x24, !x24, !v24, !a24, !n6, !n6) {
  %delta = mom.affine %d {offset = 0.0 : f64, scale = 0.01 : f64} : !x24
  %B = mom.affine %b {offset = 0.0 : f64, scale = 0.5 : f64} : !n6
  %C = mom.affine %c {offset = 0.0 : f64, scale = 0.5 : f64} : !n6
  %dy = mom.affine %g {offset = 0.0 : f64, scale = 0.5 : f64} : !x24
  %y, %final, %saved = mom.scan reverse %u, %delta, %A, %B, %C in %batch
      : !x24, !x24, !a24, !n6, !n6, !mom.batch -> !x24 final !h24 checkpoints !k24
  %du, %dd, %dA, %dB, %dC = mom.scan_grad reverse %u, %delta, %A, %B, %C in %batch gradient %dy checkpoints %saved dfinal %dfinal
      : !x24, !x24, !a24, !n6, !n6, !mom.batch, !x24, !k24, !h24 -> !x24, !x24, !a24, !n6, !n6
  %slope = arith.mulf %dd, %d : !x24
  %sum = mom.reduce_rows %slope : !x24 -> !v24
  return %y, %final, %du, %dd, %sum, %dA, %dB, %dC : !x24, !h24, !x24, !x24, !v24, !a24, !n6, !n6
}
