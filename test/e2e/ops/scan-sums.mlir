// What the gradients of a skip and of a bias sum over rows, one of them added up as the
// scan's gradient walks: segments are packed, and of different lengths.
// RUN: mom-compare %s --compiled --tokens=0,1,129
// RUN: mom-compare %s --compiled --lengths=1,1,16,17,1,32,1,15 --streams=3 --seed=8
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=0,1,129
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --lengths=1,70,2,33 --storage=bf16 --order=modality --seed=9
// RUN: mom-compare %s --compiled --target=sm_80 --emulate --lengths=1,70,2 --storage=f16 --seed=10
// RUN: mom-opt %s --mom-form-kernels | FileCheck %s

#t = #mom.rows<token>
!x = tensor<?x40xf32, #t>
!n = tensor<?x16xf32, #t>
!a = tensor<40x16xf32>
!v = tensor<40xf32>
!s = tensor<?x640xf32, #mom.rows<chunk of 16>>

// CHECK-LABEL: func.func @skip(
// CHECK:         mom.kernel scan
// CHECK:           mom.scan_grad
// CHECK:           mom.reduce_rows
// CHECK:         mom.kernel reduce_rows
func.func @skip(%batch: !mom.batch, %u: !x, %d: !x, %a: !a, %b: !n, %c: !n, %dy: !x) -> (!x, !v, !a, !n, !n, !v, !x) {
  %delta = mom.softplus %d : !x
  %e = math.exp %a : !a
  %A = arith.negf %e : !a
  %y, %saved = mom.scan %u, %delta, %A, %b, %c in %batch : !x, !x, !a, !n, !n, !mom.batch -> !x checkpoints !s
  %du, %dd, %dA, %dB, %dC = mom.scan_grad %u, %delta, %A, %b, %c in %batch gradient %dy checkpoints %saved : !x, !x, !a, !n, !n, !mom.batch, !x, !s -> !x, !x, !a, !n, !n
  %p = arith.mulf %dy, %u : !x
  %skip = mom.reduce_rows %p : !x -> !v
  %slope = mom.sigmoid %d : !x
  %draw = arith.mulf %dd, %slope : !x
  %bias = mom.reduce_rows %draw : !x -> !v
  return %du, %skip, %dA, %dB, %dC, %bias, %draw : !x, !v, !a, !n, !n, !v, !x
}
