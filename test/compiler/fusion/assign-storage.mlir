// RUN: mom-opt %s --mom-assign-storage=type=bf16 --mlir-print-local-scope | FileCheck %s
// RUN: mom-opt %s --mom-assign-storage='type="bf16 (gradients bf16)"' --mlir-print-local-scope | FileCheck %s --check-prefix=BACK
// RUN: mom-opt %s --mom-assign-storage='type="bf16 (gradients f16, residual bf16)"' --mlir-print-local-scope | FileCheck %s --check-prefix=BOTH
// RUN: mom-opt %s --mom-assign-storage | FileCheck %s --check-prefix=F32
// RUN: not mom-opt %s --mom-assign-storage=type=i8 2>&1 | FileCheck %s --check-prefix=BAD

// RUN: mom-opt %s --mom-assign-storage='type="bf16 (interface bf16)"' --mlir-print-local-scope | FileCheck %s --check-prefix=INTERFACE
// RUN: not mom-opt %s --mom-assign-storage='type="bf16 (interface f16)"' 2>&1 | FileCheck %s --check-prefix=MIXED
// MIXED: expected an interface of f32 or, as rows are, of bf16, but got 'f16'

// F32-NOT: bf16
// BAD: expected storage f32, bf16 or f16, but got i8
#t = #mom.rows<token>
// CHECK-LABEL: func.func @store(
// CHECK:         %[[A:.*]] = mom.kernel map "a"(%arg0) : {{.*}} -> tensor<?x8xbf16, #mom.rows<token>>
// CHECK:           %[[T:.*]] = arith.truncf
// CHECK:           mom.yield %[[T]]
// CHECK:         %[[B:.*]] = mom.kernel map "b"(%[[A]]) : {{.*}} -> tensor<?x8xf32, #mom.rows<token>>
// CHECK:           arith.extf %{{.*}} : tensor<?x8xbf16, #mom.rows<token>> to tensor<?x8xf32, #mom.rows<token>>
// CHECK:         return %[[B]]
func.func @store(%x: tensor<?x8xf32, #t>) -> tensor<?x8xf32, #t> {
  %a = mom.kernel map "a"(%x) : (tensor<?x8xf32, #t>) -> tensor<?x8xf32, #t> {
  ^bb0(%x0: tensor<?x8xf32, #t>):
    %s = mom.silu %x0 : tensor<?x8xf32, #t>
    mom.yield %s : tensor<?x8xf32, #t>
  }
  %b = mom.kernel map "b"(%a) : (tensor<?x8xf32, #t>) -> tensor<?x8xf32, #t> {
  ^bb0(%a0: tensor<?x8xf32, #t>):
    %s = mom.silu %a0 : tensor<?x8xf32, #t>
    mom.yield %s : tensor<?x8xf32, #t>
  }
  return %b : tensor<?x8xf32, #t>
}

// What a repetition keeps for its backward one is narrow in all four places, and the
// product's operands are: the weights by a copy, the carried value by a kernel.
// What layers hand on and back is narrow where the precision says so.
// BACK:          mom.repeat @kept.forward {{.*}} : (tensor<?x8xf32, {{.*}} -> (tensor<?x8xf32,
// BACK:          mom.repeat reverse @kept.backward {{.*}} -> tensor<?x8xbf16,
// BOTH:          mom.repeat @kept.forward {{.*}} : (tensor<?x8xbf16, {{.*}} -> (tensor<?x8xbf16,
// BOTH:          mom.repeat reverse @kept.backward {{.*}} -> tensor<?x8xf16,
// CHECK-LABEL: func.func @kept(
// CHECK-SAME:    !mom.stack<2 x tensor<8x8xbf16>>
// CHECK:         mom.repeat @kept.forward {{.*}} -> (tensor<?x8xf32, {{.*}}>, !mom.stack<2 x tensor<?x8xbf16, {{.*}}>>)
// CHECK:         mom.repeat reverse @kept.backward {{.*}}!mom.stack<2 x tensor<?x8xbf16, {{.*}}>>
// CHECK-LABEL: func.func private @kept.forward(
// CHECK-SAME:    tensor<8x8xbf16>) -> (tensor<?x8xf32, {{.*}}>, tensor<?x8xbf16, {{.*}}>)
// CHECK:         %[[N:.*]] = mom.kernel map "copy"(%arg0) : {{.*}} -> tensor<?x8xbf16, {{.*}}>
// CHECK:         mom.kernel product "p"({{.*}}%[[N]]){{.*}} -> tensor<?x8xbf16, {{.*}}>
// CHECK-LABEL: func.func private @kept.backward(
// CHECK-SAME:    %{{[^:]*}}: tensor<?x8xbf16, #mom.rows<token>>)
func.func @kept(%x: tensor<?x8xf32, #t>, %w: !mom.stack<2 x tensor<8x8xf32>> {mom.param = "layers.{}.w"})
    -> tensor<?x8xf32, #t> attributes {mom.entry = "gradient"} {
  %x0 = mom.kernel map "x0"(%x) : (tensor<?x8xf32, #t>) -> tensor<?x8xf32, #t> {
  ^bb0(%a: tensor<?x8xf32, #t>):
    %s = mom.silu %a : tensor<?x8xf32, #t>
    mom.yield %s : tensor<?x8xf32, #t>
  }
  %y:2 = mom.repeat @kept.forward times 2 carry(%x0) share() each(%w) : (tensor<?x8xf32, #t>, !mom.stack<2 x tensor<8x8xf32>>) -> (tensor<?x8xf32, #t>, !mom.stack<2 x tensor<?x8xf32, #t>>)
  %g = mom.kernel map "g"(%y#0) : (tensor<?x8xf32, #t>) -> tensor<?x8xf32, #t> {
  ^bb0(%a: tensor<?x8xf32, #t>):
    %s = mom.silu %a : tensor<?x8xf32, #t>
    mom.yield %s : tensor<?x8xf32, #t>
  }
  %d = mom.repeat reverse @kept.backward times 2 carry(%g) share() each(%y#1) : (tensor<?x8xf32, #t>, !mom.stack<2 x tensor<?x8xf32, #t>>) -> (tensor<?x8xf32, #t>)
  %e = mom.kernel map "e"(%d) : (tensor<?x8xf32, #t>) -> tensor<?x8xf32, #t> {
  ^bb0(%a: tensor<?x8xf32, #t>):
    %s = mom.silu %a : tensor<?x8xf32, #t>
    mom.yield %s : tensor<?x8xf32, #t>
  }
  return %e : tensor<?x8xf32, #t>
}
func.func private @kept.forward(%x: tensor<?x8xf32, #t>, %w: tensor<8x8xf32>) -> (tensor<?x8xf32, #t>, tensor<?x8xf32, #t>) {
  %p = mom.kernel product "p"(%x, %w) : (tensor<?x8xf32, #t>, tensor<8x8xf32>) -> tensor<?x8xf32, #t> {
  ^bb0(%a: tensor<?x8xf32, #t>, %b: tensor<8x8xf32>):
    %l = mom.linear %a by %b : tensor<?x8xf32, #t>, tensor<8x8xf32> -> tensor<?x8xf32, #t>
    mom.yield %l : tensor<?x8xf32, #t>
  }
  %y = mom.kernel map "y"(%p) : (tensor<?x8xf32, #t>) -> tensor<?x8xf32, #t> {
  ^bb0(%a: tensor<?x8xf32, #t>):
    %s = mom.silu %a : tensor<?x8xf32, #t>
    mom.yield %s : tensor<?x8xf32, #t>
  }
  return %y, %p : tensor<?x8xf32, #t>, tensor<?x8xf32, #t>
}
func.func private @kept.backward(%dy: tensor<?x8xf32, #t>, %p: tensor<?x8xf32, #t>) -> tensor<?x8xf32, #t> {
  %d = mom.kernel map "d"(%dy, %p) : (tensor<?x8xf32, #t>, tensor<?x8xf32, #t>) -> tensor<?x8xf32, #t> {
  ^bb0(%a: tensor<?x8xf32, #t>, %b: tensor<?x8xf32, #t>):
    %s = arith.mulf %a, %b : tensor<?x8xf32, #t>
    mom.yield %s : tensor<?x8xf32, #t>
  }
  return %d : tensor<?x8xf32, #t>
}

// What callers of an exported layer hand in and get, but not what other entries have.
// INTERFACE-LABEL: func.func @layer.entry(
// INTERFACE-SAME:    %arg0: tensor<?x8xbf16, {{.*}} %arg1: tensor<8x8xbf16> {{.*}} -> tensor<?x8xbf16,
// INTERFACE-LABEL: func.func @other(
// INTERFACE-SAME:    %arg0: tensor<?x8xf32,
func.func @layer.entry(%x: tensor<?x8xf32, #t> {mom.input = "x"}, %w: tensor<8x8xf32> {mom.input = "w"}) -> tensor<?x8xf32, #t> attributes {mom.entry = "layer"} {
  %y = mom.kernel product "y"(%x, %w) : (tensor<?x8xf32, #t>, tensor<8x8xf32>) -> tensor<?x8xf32, #t> {
  ^bb0(%a: tensor<?x8xf32, #t>, %b: tensor<8x8xf32>):
    %0 = mom.linear %a by %b : tensor<?x8xf32, #t>, tensor<8x8xf32> -> tensor<?x8xf32, #t>
    mom.yield %0 : tensor<?x8xf32, #t>
  }
  return %y : tensor<?x8xf32, #t>
}
func.func @other(%x: tensor<?x8xf32, #t> {mom.input = "x"}) -> tensor<?x8xf32, #t> attributes {mom.entry = "other"} {
  %y = mom.kernel map "y"(%x) : (tensor<?x8xf32, #t>) -> tensor<?x8xf32, #t> {
  ^bb0(%a: tensor<?x8xf32, #t>):
    %0 = mom.silu %a : tensor<?x8xf32, #t>
    mom.yield %0 : tensor<?x8xf32, #t>
  }
  return %y : tensor<?x8xf32, #t>
}

// A scan's checkpoints are bf16 where rows are; f16 might not hold them.
// RUN: mom-opt %s --mom-assign-storage=type=f16 --mlir-print-local-scope | FileCheck %s --check-prefix=F16
// CHECK-LABEL: func.func @checkpoints(
// CHECK:         mom.kernel scan "y"{{.*}} -> (tensor<?x8xbf16, #mom.rows<token>>, tensor<?x32xbf16, #mom.rows<chunk of 16>>)
// F16-LABEL:   func.func @checkpoints(
// F16:           mom.kernel scan "y"{{.*}} -> (tensor<?x8xf16, #mom.rows<token>>, tensor<?x32xf32, #mom.rows<chunk of 16>>)
func.func @checkpoints(%u: tensor<?x8xf32, #t>, %A: tensor<8x4xf32>, %B: tensor<?x4xf32, #t>, %batch: !mom.batch) -> tensor<?x8xf32, #t> {
  %y:2 = mom.kernel scan "y"(%u, %A, %B, %batch) : (tensor<?x8xf32, #t>, tensor<8x4xf32>, tensor<?x4xf32, #t>, !mom.batch) -> (tensor<?x8xf32, #t>, tensor<?x32xf32, #mom.rows<chunk of 16>>) {
  ^bb0(%u0: tensor<?x8xf32, #t>, %A0: tensor<8x4xf32>, %B0: tensor<?x4xf32, #t>, %batch0: !mom.batch):
    %h, %saved = mom.scan %u0, %u0, %A0, %B0, %B0 in %batch0 : tensor<?x8xf32, #t>, tensor<?x8xf32, #t>, tensor<8x4xf32>, tensor<?x4xf32, #t>, tensor<?x4xf32, #t>, !mom.batch -> tensor<?x8xf32, #t> checkpoints tensor<?x32xf32, #mom.rows<chunk of 16>>
    mom.yield %h, %saved : tensor<?x8xf32, #t>, tensor<?x32xf32, #mom.rows<chunk of 16>>
  }
  %du = mom.kernel scan "du"(%u, %A, %B, %batch, %y#0, %y#1) : (tensor<?x8xf32, #t>, tensor<8x4xf32>, tensor<?x4xf32, #t>, !mom.batch, tensor<?x8xf32, #t>, tensor<?x32xf32, #mom.rows<chunk of 16>>) -> tensor<?x8xf32, #t> {
  ^bb0(%u0: tensor<?x8xf32, #t>, %A0: tensor<8x4xf32>, %B0: tensor<?x4xf32, #t>, %batch0: !mom.batch, %dy: tensor<?x8xf32, #t>, %saved: tensor<?x32xf32, #mom.rows<chunk of 16>>):
    %d:5 = mom.scan_grad %u0, %u0, %A0, %B0, %B0 in %batch0 gradient %dy checkpoints %saved : tensor<?x8xf32, #t>, tensor<?x8xf32, #t>, tensor<8x4xf32>, tensor<?x4xf32, #t>, tensor<?x4xf32, #t>, !mom.batch, tensor<?x8xf32, #t>, tensor<?x32xf32, #mom.rows<chunk of 16>> -> tensor<?x8xf32, #t>, tensor<?x8xf32, #t>, tensor<8x4xf32>, tensor<?x4xf32, #t>, tensor<?x4xf32, #t>
    mom.yield %d#0 : tensor<?x8xf32, #t>
  }
  return %du : tensor<?x8xf32, #t>
}
