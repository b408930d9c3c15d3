// What dies is read by a view that dies, and reads one (found by mom-random).
// RUN: mom-opt %s --mom-form-kernels | FileCheck %s
!x = tensor<?x24xf32, #mom.rows<token>>
!one = tensor<?x1xf32, #mom.rows<token>>
// CHECK-LABEL: @view_of_concat
// CHECK: mom.kernel
// CHECK: mom.yield
// CHECK-NOT: mom.concat
// CHECK-NOT: mom.split
// CHECK: return
func.func @view_of_concat(%batch: !mom.batch, %x: !x, %y: !one) -> !one {
  %0 = mom.concat %x, %y : !x, !one -> tensor<?x25xf32, #mom.rows<token>>
  %1:2 = mom.split %0 : tensor<?x25xf32, #mom.rows<token>> -> !one, !x
  %2 = mom.silu %1#0 : !one
  return %2 : !one
}
