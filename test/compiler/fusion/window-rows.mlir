// RUN: mom-opt %s --split-input-file --mom-window-rows --mlir-print-local-scope | FileCheck %s
// RUN: mom-opt %s --split-input-file --mom-window-rows 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: sed 's/mom.windows = 3 : i64/mom.train = {streams = 4 : i64, length = 512 : i64}/' %s | mom-opt --split-input-file --mom-window-rows=elements=100000 --mlir-print-local-scope 2>&1 | FileCheck %s --check-prefix=FEWER

// 4 x 512 rows of 200 logits by at most 100000: five windows. The sum of the loss,
// which stood before the gradient, reads what the repetition returns.
// CHECK:       module attributes {{.*}}mom.windows = 3
// CHECK-LABEL: func.func @gradient(
// CHECK-NOT:     linear
// CHECK:         %[[ZERO:.*]] = arith.constant dense<0.0
// CHECK:         %[[R:.*]]:3 = mom.repeat windows @gradient.window times 3 carry(%[[ZERO]]) share(%arg2) each(
// CHECK:         mom.reduce_rows %[[R]]#1
// CHECK:         return %{{.*}}, %[[R]]#2, %[[R]]#0
// CHECK-LABEL: func.func private @gradient.window(%arg0: tensor<200x24xf32>, %arg1: tensor<200x24xf32>
// CHECK:         mom.cross_entropy
// CHECK:         %[[DW:.*]] = mom.linear_wgrad
// CHECK:         %[[SUM:.*]] = arith.addf %arg0, %[[DW]]
// CHECK:         return %[[SUM]], %{{.*}}, %{{.*}} : tensor<200x24xf32>, tensor<?x1xf32, #mom.rows<token>>, tensor<?x24xf32, #mom.rows<token>>
// FEWER:       mom.windows = 5
// FEWER:         mom.repeat windows @gradient.window times 5
#t = #mom.rows<token>
module attributes {mom.windows = 3 : i64} {
func.func @gradient(%batch: !mom.batch, %x: tensor<?x24xf32, #t>, %w: tensor<200x24xf32>, %target: tensor<?x1xi32, #t>)
    -> (tensor<1xf32>, tensor<?x24xf32, #t>, tensor<200x24xf32>) attributes {mom.entry = "gradient"} {
  %logits = mom.linear %x by %w : tensor<?x24xf32, #t>, tensor<200x24xf32> -> tensor<?x200xf32, #t>
  %nll, %lse = mom.cross_entropy %logits, %target : tensor<?x200xf32, #t>, tensor<?x1xi32, #t> -> tensor<?x1xf32, #t>
  %loss = mom.reduce_rows %nll : tensor<?x1xf32, #t> -> tensor<1xf32>
  %dnll = mom.present %target : tensor<?x1xi32, #t> -> tensor<?x1xf32, #t>
  %d = mom.cross_entropy_grad %logits, %target, %lse gradient %dnll : tensor<?x200xf32, #t>, tensor<?x1xi32, #t>, tensor<?x1xf32, #t>
  %dx = mom.linear transposed %d by %w : tensor<?x200xf32, #t>, tensor<200x24xf32> -> tensor<?x24xf32, #t>
  %dw = mom.linear_wgrad %x, %d : tensor<?x24xf32, #t>, tensor<?x200xf32, #t> -> tensor<200x24xf32>
  return %loss, %dx, %dw : tensor<1xf32>, tensor<?x24xf32, #t>, tensor<200x24xf32>
}
}

// -----

// The gradient that arrives at a loss depends on that loss, and in the other function
// on all of them.
// CHECK-LABEL: func.func @squared(
// CHECK-NEXT:    mom.repeat windows
// CHECK-LABEL: func.func @normalised(
// CHECK-NOT:     mom.repeat
// CHECK:         return
// REMARK: remark: logits are stored whole: what arrives at it depends on all losses
#t = #mom.rows<token>
module attributes {mom.windows = 3 : i64} {
func.func @squared(%batch: !mom.batch, %x: tensor<?x24xf32, #t>, %w: tensor<200x24xf32>, %target: tensor<?x1xi32, #t>)
    -> (tensor<?x24xf32, #t>) attributes {mom.entry = "gradient"} {
  %logits = mom.linear %x by %w : tensor<?x24xf32, #t>, tensor<200x24xf32> -> tensor<?x200xf32, #t>
  %nll, %lse = mom.cross_entropy %logits, %target : tensor<?x200xf32, #t>, tensor<?x1xi32, #t> -> tensor<?x1xf32, #t>
  %twice = arith.addf %nll, %nll : tensor<?x1xf32, #t>
  %d = mom.cross_entropy_grad %logits, %target, %lse gradient %twice : tensor<?x200xf32, #t>, tensor<?x1xi32, #t>, tensor<?x1xf32, #t>
  %dx = mom.linear transposed %d by %w : tensor<?x200xf32, #t>, tensor<200x24xf32> -> tensor<?x24xf32, #t>
  return %dx : tensor<?x24xf32, #t>
}

func.func @normalised(%batch: !mom.batch, %x: tensor<?x24xf32, #t>, %w: tensor<200x24xf32>, %target: tensor<?x1xi32, #t>)
    -> (tensor<?x24xf32, #t>) attributes {mom.entry = "gradient"} {
  %logits = mom.linear %x by %w : tensor<?x24xf32, #t>, tensor<200x24xf32> -> tensor<?x200xf32, #t>
  %nll, %lse = mom.cross_entropy %logits, %target : tensor<?x200xf32, #t>, tensor<?x1xi32, #t> -> tensor<?x1xf32, #t>
  %sum = mom.reduce_rows %nll : tensor<?x1xf32, #t> -> tensor<1xf32>
  %all = mom.broadcast %sum like %nll : tensor<1xf32>, tensor<?x1xf32, #t> -> tensor<?x1xf32, #t>
  %d = mom.cross_entropy_grad %logits, %target, %lse gradient %all : tensor<?x200xf32, #t>, tensor<?x1xi32, #t>, tensor<?x1xf32, #t>
  %dx = mom.linear transposed %d by %w : tensor<?x200xf32, #t>, tensor<200x24xf32> -> tensor<?x24xf32, #t>
  return %dx : tensor<?x24xf32, #t>
}

// A head for each modality: a window has no route of its own.
// CHECK-LABEL: func.func @routed(
// CHECK-NOT:     mom.repeat
// CHECK:         return
// REMARK: remark: logits are stored whole: it does not work row by row
func.func @routed(%batch: !mom.batch, %x: tensor<?x24xf32, #mom.rows<token by "M">>, %w: tensor<3x200x24xf32>,
                  %target: tensor<?x1xi32, #mom.rows<token by "M">>)
    -> (tensor<?x1xf32, #mom.rows<token by "M">>) attributes {mom.entry = "loss"} {
  %route = mom.modality_route %batch : !mom.route<"M", 3>
  %logits = mom.linear %x by %w for %route : !mom.route<"M", 3>, tensor<?x24xf32, #mom.rows<token by "M">>, tensor<3x200x24xf32> -> tensor<?x200xf32, #mom.rows<token by "M">>
  %nll, %lse = mom.cross_entropy %logits, %target : tensor<?x200xf32, #mom.rows<token by "M">>, tensor<?x1xi32, #mom.rows<token by "M">> -> tensor<?x1xf32, #mom.rows<token by "M">>
  return %nll : tensor<?x1xf32, #mom.rows<token by "M">>
}
}

// -----

// Two losses of the same logits share their windows.
// CHECK-LABEL: func.func @two(
// CHECK-COUNT-1: mom.repeat windows
// CHECK-NOT:     mom.repeat
// CHECK:         return
// CHECK-LABEL: func.func private @two.window(
// CHECK:         mom.linear
// CHECK-COUNT-2: mom.cross_entropy
// CHECK:         return
#t = #mom.rows<token>
module attributes {mom.windows = 3 : i64} {
func.func @two(%batch: !mom.batch, %x: tensor<?x24xf32, #t>, %w: tensor<200x24xf32>, %target: tensor<?x1xi32, #t>, %given: tensor<?x1xi32, #t>)
    -> (tensor<?x1xf32, #t>, tensor<?x1xf32, #t>) attributes {mom.entry = "loss"} {
  %logits = mom.linear %x by %w : tensor<?x24xf32, #t>, tensor<200x24xf32> -> tensor<?x200xf32, #t>
  %nll, %lse = mom.cross_entropy %logits, %target : tensor<?x200xf32, #t>, tensor<?x1xi32, #t> -> tensor<?x1xf32, #t>
  %other, %lse2 = mom.cross_entropy %logits, %given : tensor<?x200xf32, #t>, tensor<?x1xi32, #t> -> tensor<?x1xf32, #t>
  return %nll, %other : tensor<?x1xf32, #t>, tensor<?x1xf32, #t>
}
}
