// RUN: mom-opt %s --mom-differentiate --split-input-file --mlir-print-local-scope | FileCheck %s

// A joint function returns what the layer returns, then a gradient for each
// float argument; its scan keeps checkpoints. The model's gradient function
// runs the repetition forward, then backward along the tape.

#t = #mom.rows<token>
module attributes {mom.model = @model} {
// CHECK-LABEL: func.func private @layer(
// CHECK-LABEL: func.func @model(
// CHECK-SAME:  mom.entry = "loss"
// CHECK-LABEL: func.func @model.gradient(
// CHECK-SAME:  -> (tensor<1xf32> {mom.loss = "l"}, !mom.stack<3 x tensor<8x2xf32>> {mom.gradient = "layers.{}.A"})
// CHECK-SAME:  mom.entry = "gradient"
// CHECK:         %[[Y:.*]], %[[TAPE:.*]] = mom.forward @layer.joint times 3
// CHECK:         %[[DY:.*]] = mom.broadcast
// CHECK:         mom.backward @layer.joint times 3 gradient(%{{.*}}) share(%arg0) each(%arg2) tape %[[TAPE]]
// CHECK-LABEL: func.func private @layer.joint(
// CHECK-SAME:  %arg3: tensor<?x8xf32, #mom.rows<token>>) -> (tensor<?x8xf32, #mom.rows<token>>, tensor<?x8xf32, #mom.rows<token>>, tensor<8x2xf32>)
// CHECK:         %{{.*}}, %[[C:.*]] = mom.scan {{.*}} checkpoints tensor<?x16xf32, #mom.rows<chunk of 16>>
// CHECK:         mom.scan_grad {{.*}} gradient %arg3 checkpoints %[[C]]
func.func private @layer(%x: tensor<?x8xf32, #t>, %batch: !mom.batch, %A: tensor<8x2xf32>) -> tensor<?x8xf32, #t> attributes {mom.layer} {
  %B, %rest = mom.split %x : tensor<?x8xf32, #t> -> tensor<?x2xf32, #t>, tensor<?x6xf32, #t>
  %h = mom.scan %x, %x, %A, %B, %B in %batch : tensor<?x8xf32, #t>, tensor<?x8xf32, #t>, tensor<8x2xf32>, tensor<?x2xf32, #t>, tensor<?x2xf32, #t>, !mom.batch -> tensor<?x8xf32, #t>
  return %h : tensor<?x8xf32, #t>
}
func.func @model(%batch: !mom.batch, %x: tensor<?x8xf32, #t> {mom.input = "x"}, %A: !mom.stack<3 x tensor<8x2xf32>> {mom.param = "layers.{}.A"}) -> (tensor<1xf32> {mom.loss = "l"}) {
  %y = mom.repeat @layer times 3 carry(%x) share(%batch) each(%A) : (tensor<?x8xf32, #t>, !mom.batch, !mom.stack<3 x tensor<8x2xf32>>) -> tensor<?x8xf32, #t>
  %s = mom.reduce sum %y : tensor<?x8xf32, #t> -> tensor<?x1xf32, #t>
  %l = mom.reduce_rows %s : tensor<?x1xf32, #t> -> tensor<1xf32>
  return %l : tensor<1xf32>
}
}

// -----

// A repetition's parameters that another one reads, too: what each gives of a round is added up.
#t = #mom.rows<token>
!x = tensor<?x8xf32, #t>
!w = tensor<8x8xf32>
module attributes {mom.model = @twice} {
// CHECK-LABEL: func.func @twice.gradient(
// CHECK:         %[[SECOND:.*]]:2 = mom.backward @f.joint times 3
// CHECK:         %[[FIRST:.*]]:2 = mom.backward @f.joint times 3
// CHECK:         %[[SUM:.*]] = mom.repeat @twice.gradient.sum times 3 carry() share() each(%[[SECOND]]#1, %[[FIRST]]#1)
// CHECK:         return %{{.*}}, %[[SUM]] : tensor<1xf32>, !mom.stack<3 x tensor<8x8xf32>>
// CHECK-LABEL: func.func private @twice.gradient.sum(%arg0: tensor<8x8xf32>, %arg1: tensor<8x8xf32>) -> tensor<8x8xf32>
// CHECK:         %[[SUM:.*]] = arith.addf %arg0, %arg1
// CHECK:         return %[[SUM]]
func.func private @f(%x: !x, %batch: !mom.batch, %w: !w) -> !x attributes {mom.layer} {
  %y = mom.linear %x by %w : !x, !w -> !x
  return %y : !x
}
func.func @twice(%batch: !mom.batch, %x: !x {mom.input = "x"}, %w: !mom.stack<3 x !w> {mom.param = "layers.{}.w"}) -> (tensor<1xf32> {mom.loss = "l"}) {
  %a = mom.repeat @f times 3 carry(%x) share(%batch) each(%w) : (!x, !mom.batch, !mom.stack<3 x !w>) -> !x
  %b = mom.repeat @f times 3 carry(%a) share(%batch) each(%w) : (!x, !mom.batch, !mom.stack<3 x !w>) -> !x
  %s = mom.reduce sum %b : !x -> tensor<?x1xf32, #t>
  %l = mom.reduce_rows %s : tensor<?x1xf32, #t> -> tensor<1xf32>
  return %l : tensor<1xf32>
}
}

// -----

// An exported layer that does not need what it repeats: zeros.
#t = #mom.rows<token>
!x = tensor<?x8xf32, #t>
!w = tensor<8x8xf32>
module {
// CHECK-LABEL: func.func private @unused.joint.sum() -> tensor<8x8xf32>
// CHECK:         arith.constant dense<0.000000e+00>
// CHECK-LABEL: func.func @unused.vjp.entry(
// CHECK:         %[[ZERO:.*]] = mom.repeat @unused.joint.sum times 2 carry() share() each()
// CHECK:         return %{{.*}}, %{{.*}}, %[[ZERO]] :
func.func private @unused(%x: !x, %batch: !mom.batch, %w: !mom.stack<2 x !w> {mom.param = "b.{}.w"}) -> !x attributes {mom.layer, mom.export} {
  return %x : !x
}
}
