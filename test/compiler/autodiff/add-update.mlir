// RUN: mom-opt %s --mom-add-update --mlir-print-local-scope | FileCheck %s

// One flat vector for each value of decay, padded to cache lines: 3 * 2 = 6
// elements take 16, and so do 5.
module attributes {mom.model = @m, mom.train = {loss = "l"}} {
func.func @m(%a: !mom.stack<3 x tensor<2xf32>> {mom.param = "a.{}.w", mom.decay = 0.1}, %b: tensor<5xf32> {mom.param = "b", mom.decay = 0.0}) { return }
}
// CHECK-LABEL: func.func @m.update(
// CHECK-SAME:    tensor<1xf32> {mom.offset = 0 : i64, mom.state = "hyper"}
// CHECK-SAME:    tensor<16xf32> {mom.offset = 0 : i64, mom.state = "gradients"}
// CHECK-SAME:    tensor<16xf32> {mom.offset = 16 : i64, mom.state = "gradients"}
// CHECK-SAME:    tensor<16xf32> {mom.offset = 0 : i64, mom.state = "parameters"}
// CHECK-SAME:    -> (tensor<16xf32> {mom.offset = 0 : i64, mom.state = "parameters"}
// CHECK-SAME:    tensor<1xf32> {mom.output = "grad_norm"})
// CHECK-SAME:    mom.entry = "update"
// CHECK:         mom.reduce sum
// CHECK:         scale = 1.000000e-01
