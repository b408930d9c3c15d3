// A product stores rows at their positions where only a reorder would read them.
// RUN: mom-opt %s --mom-assign-order --mom-form-kernels --mom-assign-storage=type=f32 --mom-resolve-schedule --mom-join-reorders --mlir-print-local-scope | FileCheck %s
#t = #mom.rows<token>
!M = !mom.route<"M", 3>
!x = tensor<?x64xf32, #t>
!y = tensor<?x128xf32, #t>

// CHECK-LABEL: func.func @joined(
// CHECK:         mom.kernel map "reorder"
// CHECK:         %[[Y:.*]] = mom.kernel product {{.*}} -> tensor<?x128xf32, #mom.rows<token>>
// CHECK:           %[[SILU:.*]] = mom.silu
// CHECK-NEXT:      %[[BACK:.*]] = mom.reorder %[[SILU]]
// CHECK-NEXT:      mom.yield %[[BACK]]
// CHECK-NOT:     mom.kernel
// CHECK:         return %[[Y]]
func.func @joined(%batch: !mom.batch, %x: !x, %w: tensor<3x128x64xf32>) -> !y attributes {mom.entry = "f"} {
  %route = mom.modality_route %batch : !M
  %a = mom.linear %x by %w for %route : !M, !x, tensor<3x128x64xf32> -> !y
  %y = mom.silu %a : !y
  return %y : !y
}

// Of two results one goes back; the other is multiplied in the groups' order.
// CHECK-LABEL: func.func @one_of_two(
// CHECK:         %[[YS:.*]]:2 = mom.kernel product {{.*}} -> (tensor<?x128xf32, #mom.rows<token>>, tensor<?x128xf32, #mom.rows<token by "M">>)
// CHECK:         mom.kernel product {{.*}}(%[[YS]]#1
// CHECK-NOT:     mom.kernel
// CHECK:         return %[[YS]]#0
func.func @one_of_two(%batch: !mom.batch, %x: !x, %w: tensor<3x128x64xf32>, %v: tensor<3x64x128xf32>) -> (!y, !x) attributes {mom.entry = "f"} {
  %route = mom.modality_route %batch : !M
  %a = mom.linear %x by %w for %route : !M, !x, tensor<3x128x64xf32> -> !y
  %y = mom.silu %a : !y
  %z = mom.sigmoid %a : !y
  %b = mom.linear %z by %v for %route : !M, !y, tensor<3x64x128xf32> -> !x
  return %y, %b : !y, !x
}

// Another product reads what would be reordered: it lies twice.
// CHECK-LABEL: func.func @read_twice(
// CHECK:         mom.kernel product
// CHECK:         mom.kernel product
// CHECK:         mom.kernel map
// CHECK:           mom.reorder
func.func @read_twice(%batch: !mom.batch, %x: !x, %w: tensor<3x128x64xf32>, %v: tensor<3x64x128xf32>) -> (!y, !x) attributes {mom.entry = "f"} {
  %route = mom.modality_route %batch : !M
  %a = mom.linear %x by %w for %route : !M, !x, tensor<3x128x64xf32> -> !y
  %b = mom.linear %a by %v for %route : !M, !y, tensor<3x64x128xf32> -> !x
  return %a, %b : !y, !x
}
