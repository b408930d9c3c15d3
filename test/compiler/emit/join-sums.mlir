// The gradient of a bias joins that of its weights where that is a product by TMA.
// RUN: mom-opt %s --mom-assign-order --mom-form-kernels --mom-assign-storage=type=bf16 --mom-resolve-schedule="target=gpu architecture=90" --mom-join-sums --mlir-print-local-scope | FileCheck %s
// RUN: mom-opt %s --mom-assign-order --mom-form-kernels --mom-assign-storage=type=bf16 --mom-resolve-schedule="target=gpu architecture=80" --mom-join-sums | FileCheck %s --check-prefix=APART
// RUN: mom-opt %s --mom-assign-order --mom-form-kernels --mom-assign-storage=type=bf16 --mom-resolve-schedule --mom-join-sums | FileCheck %s --check-prefix=APART
#t = #mom.rows<token>
!M = !mom.route<"M", 3>
!x = tensor<?x64xf32, #t>
!y = tensor<?x128xf32, #t>

// CHECK-LABEL: func.func @joined(
// CHECK:         %[[GRADIENTS:.*]]:2 = mom.kernel product
// CHECK:           mom.linear_wgrad %{{.*}}, %[[DY:.*]] for
// CHECK-NEXT:      %[[SUM:.*]] = mom.reduce_rows %[[DY]] for
// CHECK-NEXT:      mom.yield %{{.*}}, %[[SUM]]
// CHECK-NOT:     mom.kernel
// CHECK:         return %[[GRADIENTS]]#0, %[[GRADIENTS]]#1
// APART-LABEL: func.func @joined(
// APART:         mom.kernel product
// APART:         mom.kernel reduce_rows
func.func @joined(%batch: !mom.batch, %x: !x, %a: !y, %b: !y) -> (tensor<3x128x64xf32>, tensor<3x128xf32>) {
  %route = mom.modality_route %batch : !M
  %dy = arith.mulf %a, %b : !y
  %dw = mom.linear_wgrad %x, %dy for %route : !M, !x, !y -> tensor<3x128x64xf32>
  %db = mom.reduce_rows %dy for %route : !M, !y -> tensor<3x128xf32>
  return %dw, %db : tensor<3x128x64xf32>, tensor<3x128xf32>
}

// A sum over all rows is no group's.
// CHECK-LABEL: func.func @of_all(
// CHECK:         %{{[0-9]+}} = mom.kernel product
func.func @of_all(%batch: !mom.batch, %x: !x, %a: !y, %b: !y) -> (tensor<3x128x64xf32>, tensor<128xf32>) {
  %route = mom.modality_route %batch : !M
  %dy = arith.mulf %a, %b : !y
  %dw = mom.linear_wgrad %x, %dy for %route : !M, !x, !y -> tensor<3x128x64xf32>
  %db = mom.reduce_rows %dy : !y -> tensor<128xf32>
  return %dw, %db : tensor<3x128x64xf32>, tensor<128xf32>
}
