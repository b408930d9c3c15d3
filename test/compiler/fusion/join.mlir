// Rows that kernels write in parts: no kernel puts them side by side.
// RUN: mom-opt %s --mom-form-kernels --mlir-print-local-scope | FileCheck %s
// RUN: mom-opt %s --mom-form-kernels --mom-assign-storage=type=bf16 --mlir-print-local-scope | FileCheck %s --check-prefix=NARROW
#t = #mom.rows<token>
!x = tensor<?x16xf32, #t>

// CHECK-LABEL: func.func @joined(
// CHECK:         %[[A:.*]] = mom.kernel product
// CHECK:         %[[B:.*]] = mom.kernel product
// CHECK:         %[[Y:.*]] = mom.concat %[[A]], %[[B]]
// CHECK:         mom.kernel product {{.*}}(%[[Y]]
// NARROW-LABEL: func.func @joined(
// NARROW:        mom.concat %{{.*}} : tensor<?x16xbf16, {{.*}}>, tensor<?x16xbf16, {{.*}}> -> tensor<?x32xbf16, {{.*}}>
func.func @joined(%x: !x, %v: tensor<16x16xf32>, %w: tensor<16x32xf32>) -> !x {
  %a = mom.linear %x by %v : !x, tensor<16x16xf32> -> !x
  %b = mom.linear transposed %x by %v : !x, tensor<16x16xf32> -> !x
  %y = mom.concat %a, %b : !x, !x -> tensor<?x32xf32, #t>
  %z = mom.linear %y by %w : tensor<?x32xf32, #t>, tensor<16x32xf32> -> !x
  return %z : !x
}

// A value lies in one place: not twice, not beside another use, not as an argument.
// CHECK-LABEL: func.func @apart(
// CHECK:         mom.kernel map
// CHECK-NEXT:    ^bb0
// CHECK-NEXT:      mom.concat
// CHECK:         mom.kernel map
// CHECK-NEXT:    ^bb0
// CHECK-NEXT:      mom.concat
func.func @apart(%x: !x, %v: tensor<16x16xf32>, %w: tensor<16x32xf32>) -> (!x, !x) {
  %a = mom.linear %x by %v : !x, tensor<16x16xf32> -> !x
  %twice = mom.concat %a, %a : !x, !x -> tensor<?x32xf32, #t>
  %y = mom.linear %twice by %w : tensor<?x32xf32, #t>, tensor<16x32xf32> -> !x
  %b = mom.linear %y by %v : !x, tensor<16x16xf32> -> !x
  %given = mom.concat %x, %b : !x, !x -> tensor<?x32xf32, #t>
  %z = mom.linear %given by %w : tensor<?x32xf32, #t>, tensor<16x32xf32> -> !x
  return %y, %z : !x, !x
}
