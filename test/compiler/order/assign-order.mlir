// RUN: mom-opt %s --mom-assign-order --mom-verify-order --mlir-print-local-scope | FileCheck %s
// RUN: mom-opt %s --mom-assign-order=order=position --mom-verify-order --canonicalize --mlir-print-local-scope | FileCheck %s --check-prefix=POSITION

// What the data brings by position is reordered once; the linear and all after
// it lie by modality, and an entry's rows go back by position.
#t = #mom.rows<token>
module {
// CHECK-LABEL: func.func @entry(
// CHECK:         %[[R:.*]] = mom.modality_route
// CHECK:         %[[X:.*]] = mom.reorder %arg1 for %[[R]] : {{.*}}<token>> -> {{.*}}<token by "M">>
// CHECK:         %[[Y:.*]] = mom.linear %[[X]] {{.*}} -> tensor<?x4xf32, #mom.rows<token by "M">>
// CHECK:         %[[Z:.*]] = mom.conv1d %[[Y]]
// CHECK:         %[[B:.*]] = mom.reorder %[[Z]] for %[[R]] : {{.*}}<token by "M">> -> {{.*}}<token>>
// CHECK:         return %[[B]]
// POSITION-LABEL: func.func @entry(
// POSITION:         mom.reorder
// POSITION:         mom.linear
// POSITION:         %[[Y:.*]] = mom.reorder {{.*}}<token by "M">> -> {{.*}}<token>>
// POSITION:         %[[Z:.*]] = mom.conv1d %[[Y]]
// POSITION:         return %[[Z]]
func.func @entry(%batch: !mom.batch, %x: tensor<?x4xf32, #t> {mom.input = "x"}, %w: tensor<3x4x4xf32>, %c: tensor<4x2xf32>) -> (tensor<?x4xf32, #t> {mom.output = "y"}) attributes {mom.entry = "entry"} {
  %r = mom.modality_route %batch : !mom.route<"M", 3>
  %y = mom.linear %x by %w for %r : !mom.route<"M", 3>, tensor<?x4xf32, #t>, tensor<3x4x4xf32> -> tensor<?x4xf32, #t>
  %z = mom.conv1d %y by %c in %batch : tensor<?x4xf32, #t>, tensor<4x2xf32>, !mom.batch -> tensor<?x4xf32, #t>
  return %z : tensor<?x4xf32, #t>
}
// A layer's own arguments and results lie by modality already.
// CHECK-LABEL: func.func private @layer(
// CHECK-SAME:    %arg1: tensor<?x4xf32, #mom.rows<token by "M">>) -> tensor<?x4xf32, #mom.rows<token by "M">>
// CHECK-NOT:     mom.reorder
// CHECK:         return
func.func private @layer(%batch: !mom.batch, %x: tensor<?x4xf32, #t>) -> tensor<?x4xf32, #t> {
  %y = mom.silu %x : tensor<?x4xf32, #t>
  return %y : tensor<?x4xf32, #t>
}
// A reorder that was there falls away where everything lies by modality.
// CHECK-LABEL: func.func private @reordered(
// CHECK-NOT:     mom.reorder
// CHECK:         %[[Y:.*]] = mom.silu %arg1 : tensor<?x4xf32, #mom.rows<token by "M">>
// CHECK:         return %[[Y]]
func.func private @reordered(%batch: !mom.batch, %x: tensor<?x4xf32, #t>) -> tensor<?x4xf32, #t> {
  %r = mom.modality_route %batch : !mom.route<"M", 3>
  %s = mom.reorder %x for %r : tensor<?x4xf32, #t> -> tensor<?x4xf32, #mom.rows<token by "M">>, !mom.route<"M", 3>
  %y = mom.silu %s : tensor<?x4xf32, #mom.rows<token by "M">>
  %z = mom.reorder %y for %r : tensor<?x4xf32, #mom.rows<token by "M">> -> tensor<?x4xf32, #t>, !mom.route<"M", 3>
  return %z : tensor<?x4xf32, #t>
}
// Copies lie by their expert from the start; their plan follows the order of tokens.
// CHECK-LABEL: func.func private @experts(
// CHECK:         mom.plan %arg2 : tensor<?x2xf32, #mom.rows<token by "M">> -> tensor<3xi64>, tensor<?x1xi32, #mom.rows<token by "M">>, tensor<?x1xi32, #mom.rows<copy of 1 by "e">>
// CHECK:         mom.dispatch %arg1 {{.*}}#mom.rows<token by "M">> -> tensor<?x4xf32, #mom.rows<copy of 1 by "e">>
// CHECK:         mom.linear {{.*}} -> tensor<?x4xf32, #mom.rows<copy of 1 by "e">>
// CHECK:         mom.retrieve {{.*}} -> tensor<?x4xf32, #mom.rows<token by "M">>
// POSITION-LABEL: func.func private @experts(
// POSITION-NOT:     mom.reorder
// POSITION:         return
func.func private @experts(%batch: !mom.batch, %x: tensor<?x4xf32, #t>, %p: tensor<?x2xf32, #t>, %w: tensor<2x4x4xf32>) -> tensor<?x4xf32, #t> {
  %offsets, %row, %copy, %choice = mom.plan %p : tensor<?x2xf32, #t> -> tensor<3xi64>, tensor<?x1xi32, #t>, tensor<?x1xi32, #mom.rows<copy of 1 by "e">>, tensor<?x1xi32, #t>
  %r = mom.computed_route %offsets, %row, %copy : tensor<3xi64>, tensor<?x1xi32, #t>, tensor<?x1xi32, #mom.rows<copy of 1 by "e">> -> !mom.route<"e", 2 of 1>
  %s = mom.dispatch %x for %r : !mom.route<"e", 2 of 1>, tensor<?x4xf32, #t> -> tensor<?x4xf32, #mom.rows<copy of 1 by "e">>
  %y = mom.linear %s by %w for %r : !mom.route<"e", 2 of 1>, tensor<?x4xf32, #mom.rows<copy of 1 by "e">>, tensor<2x4x4xf32> -> tensor<?x4xf32, #mom.rows<copy of 1 by "e">>
  %z = mom.retrieve %y for %r : !mom.route<"e", 2 of 1>, tensor<?x4xf32, #mom.rows<copy of 1 by "e">> -> tensor<?x4xf32, #t>
  return %z : tensor<?x4xf32, #t>
}
}
