// A scan makes its decays of their parameter, and the parameter's gradient of theirs.
// RUN: mom-opt %s --mom-form-kernels --mom-resolve-schedule="target=gpu architecture=90" --mom-join-decays --mlir-print-local-scope | FileCheck %s
#t = #mom.rows<token>
!x = tensor<?x24xf32, #t>
!n = tensor<?x16xf32, #t>
!A = tensor<24x16xf32>
!h = tensor<?x384xf32, #mom.rows<chunk of 16>>

// CHECK-LABEL: func.func @both(
// CHECK-SAME:      %[[LOG:[a-z0-9]+]]: tensor<24x16xf32>
// CHECK-NOT:     mom.kernel map
// CHECK:         mom.kernel scan {{.*}}%[[LOG]]
// CHECK:           math.exp
// CHECK:           mom.scan
// CHECK-NOT:     mom.kernel map
// CHECK:         mom.kernel scan {{.*}}%[[LOG]]
// CHECK:           %{{.*}}, %{{.*}}, %[[DA:.*]], %{{.*}}, %{{.*}} = mom.scan_grad
// CHECK:           arith.negf %[[DA]]
// CHECK-NOT:     mom.kernel map
// CHECK:         return
func.func @both(%batch: !mom.batch, %log: !A, %u: !x, %delta: !x, %B: !n, %C: !n, %dy: !x) -> (!x, !A) {
  %e = math.exp %log : !A
  %A = arith.negf %e : !A
  %y, %saved = mom.scan %u, %delta, %A, %B, %C in %batch : !x, !x, !A, !n, !n, !mom.batch -> !x checkpoints !h
  %du, %dd, %dA, %dB, %dC = mom.scan_grad %u, %delta, %A, %B, %C in %batch gradient %dy checkpoints %saved
      : !x, !x, !A, !n, !n, !mom.batch, !x, !h -> !x, !x, !A, !n, !n
  %minus = arith.negf %dA : !A
  %dlog = arith.mulf %minus, %e : !A
  return %y, %dlog : !x, !A
}

// What somebody else reads stays.
// CHECK-LABEL: func.func @shared(
// CHECK:         %[[A:.*]] = mom.kernel map
// CHECK:         return %{{.*}}, %[[A]]
func.func @shared(%batch: !mom.batch, %log: !A, %u: !x, %delta: !x, %B: !n, %C: !n) -> (!x, !A) {
  %e = math.exp %log : !A
  %A = arith.negf %e : !A
  %y = mom.scan %u, %delta, %A, %B, %C in %batch : !x, !x, !A, !n, !n, !mom.batch -> !x
  return %y, %A : !x, !A
}
