// A scan's gradient that gives the scan's result again, to work of its own kernel.
// RUN: mom-compare %s --compiled --tokens=0,1,3,129
// RUN: mom-compare %s --compiled --lengths=1,70,2,33 --order=modality --seed=8
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=1,45
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --lengths=1,70,2 --storage=bf16 --seed=9

#t = #mom.rows<token>
!x = tensor<?x24xf32, #t>
!n = tensor<?x12xf32, #t>
!A = tensor<24x12xf32>
!saved = tensor<?x288xf32, #mom.rows<chunk of 20>>

func.func @gated(%batch: !mom.batch, %u0: !x, %delta0: !x {mom.positive}, %A: !A {mom.negative}, %B0: !n, %C0: !n, %z: !x, %dy: !x)
    -> (!x, !x, !A, !n, !n, !x, !x) {
  %u = mom.affine %u0 {offset = 0.0 : f64, scale = 0.5 : f64} : !x
  %delta = mom.affine %delta0 {offset = 0.0 : f64, scale = 0.5 : f64} : !x
  %B = mom.affine %B0 {offset = 0.0 : f64, scale = 0.5 : f64} : !n
  %C = mom.affine %C0 {offset = 0.0 : f64, scale = 0.5 : f64} : !n
  %y, %saved = mom.scan %u, %delta, %A, %B, %C in %batch : !x, !x, !A, !n, !n, !mom.batch -> !x checkpoints !saved
  %gate = mom.silu %z : !x
  %d = arith.mulf %dy, %gate : !x
  %du, %dd, %dA, %dB, %dC, %again = mom.scan_grad %u, %delta, %A, %B, %C in %batch gradient %d checkpoints %saved
      : !x, !x, !A, !n, !n, !mom.batch, !x, !saved -> !x, !x, !A, !n, !n again !x
  %gated = arith.mulf %again, %gate : !x
  %dgate = arith.mulf %again, %dy : !x
  return %du, %dd, %dA, %dB, %dC, %gated, %dgate : !x, !x, !A, !n, !n, !x, !x
}
