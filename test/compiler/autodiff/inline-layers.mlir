// RUN: mom-opt %s --mom-inline-layers --mlir-print-local-scope | FileCheck %s

// @inner is used once by @outer and disappears into it; the stack of one goes
// from the parameters of @outer and, one level down, of the model.
#t = #mom.rows<token>
module {
// CHECK-LABEL: func.func private @outer(
// CHECK-SAME:    %arg2: tensor<4xf32>)
// CHECK-NOT:     mom.repeat
// CHECK:         %[[B:.*]] = mom.broadcast %arg2
// CHECK:         return
// CHECK-LABEL: func.func @model(
// CHECK-SAME:    %arg2: !mom.stack<3 x tensor<4xf32>>)
// CHECK:         mom.repeat @outer times 3
func.func private @inner(%x: tensor<?x4xf32, #t>, %batch: !mom.batch, %w: tensor<4xf32>) -> tensor<?x4xf32, #t> attributes {mom.layer} {
  %b = mom.broadcast %w like %x : tensor<4xf32>, tensor<?x4xf32, #t> -> tensor<?x4xf32, #t>
  %y = arith.mulf %x, %b : tensor<?x4xf32, #t>
  return %y : tensor<?x4xf32, #t>
}
func.func private @outer(%x: tensor<?x4xf32, #t>, %batch: !mom.batch, %w: !mom.stack<1 x tensor<4xf32>>) -> tensor<?x4xf32, #t> attributes {mom.layer} {
  %y = mom.repeat @inner times 1 carry(%x) share(%batch) each(%w) : (tensor<?x4xf32, #t>, !mom.batch, !mom.stack<1 x tensor<4xf32>>) -> tensor<?x4xf32, #t>
  return %y : tensor<?x4xf32, #t>
}
func.func @model(%x: tensor<?x4xf32, #t>, %batch: !mom.batch, %w: !mom.stack<3 x !mom.stack<1 x tensor<4xf32>>>) -> tensor<?x4xf32, #t> {
  %y = mom.repeat @outer times 3 carry(%x) share(%batch) each(%w) : (tensor<?x4xf32, #t>, !mom.batch, !mom.stack<3 x !mom.stack<1 x tensor<4xf32>>>) -> tensor<?x4xf32, #t>
  return %y : tensor<?x4xf32, #t>
}
}
