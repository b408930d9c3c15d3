// RUN: mom-opt %s --mom-differentiate --mlir-print-local-scope | FileCheck %s

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
