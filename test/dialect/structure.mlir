// RUN: mom-opt %s --verify-roundtrip | FileCheck %s
// RUN: mom-compare %s --lengths=2 | FileCheck %s --check-prefix=VALUE

!x = tensor<?x1xf32, #mom.rows<token>>
!w = tensor<1xf32>

// One round: y = 2 x + w, and x is returned to be stacked.
func.func private @round(%x: !x, %batch: !mom.batch, %w: !w) -> (!x, !x) {
  %b = mom.broadcast %w like %x : !w, !x -> !x
  %d = mom.affine %x {scale = 2.0 : f64, offset = 0.0 : f64} : !x
  %y = arith.addf %d, %b : !x
  return %y, %x : !x, !x
}

// CHECK-LABEL: @forward
// CHECK: mom.repeat @round times 2 carry(%{{.*}}) share(%{{.*}}) each(%{{.*}}) :
// VALUE-LABEL: @forward
// VALUE-NEXT: result 0: [2, 1]
// VALUE-NEXT: {{^}}  24{{$}}
// VALUE-NEXT: {{^}}  28{{$}}
// VALUE-NEXT: result 1: round 0: [2, 1]
// VALUE-NEXT: {{^}}  1{{$}}
// VALUE-NEXT: {{^}}  2{{$}}
// VALUE-NEXT: round 1: [2, 1]
// VALUE-NEXT: {{^}}  7{{$}}
// VALUE-NEXT: {{^}}  9{{$}}
func.func @forward(%batch: !mom.batch,
    %x: !x {mom.values = dense<[[1.0], [2.0]]> : tensor<2x1xf32>}) -> (!x, !mom.stack<2 x !x>) {
  %w = call @weights() : () -> !mom.stack<2 x !w>
  %y, %s = mom.repeat @round times 2 carry(%x) share(%batch) each(%w)
      : (!x, !mom.batch, !mom.stack<2 x !w>) -> (!x, !mom.stack<2 x !x>)
  return %y, %s : !x, !mom.stack<2 x !x>
}

// Weights 5, 10 for rounds 0, 1: each round passes on 2 c and stacks c.
func.func private @weights() -> !mom.stack<2 x !w> {
  %five = arith.constant dense<5.0> : !w
  %last, %w = mom.repeat @double times 2 carry(%five) share() each() : (!w) -> (!w, !mom.stack<2 x !w>)
  return %w : !mom.stack<2 x !w>
}
func.func private @double(%c: !w) -> (!w, !w) {
  %d = arith.addf %c, %c : !w
  return %d, %c : !w, !w
}

// The last round first: (x * 2 + 10) * 2 + 5.
// CHECK-LABEL: @backward
// CHECK: mom.repeat reverse @round
// VALUE-LABEL: @backward
// VALUE-NEXT: result 0: [2, 1]
// VALUE-NEXT: {{^}}  29{{$}}
// VALUE-NEXT: {{^}}  33{{$}}
func.func @backward(%batch: !mom.batch,
    %x: !x {mom.values = dense<[[1.0], [2.0]]> : tensor<2x1xf32>}) -> !x {
  %w = call @weights() : () -> !mom.stack<2 x !w>
  %y, %s = mom.repeat reverse @round times 2 carry(%x) share(%batch) each(%w)
      : (!x, !mom.batch, !mom.stack<2 x !w>) -> (!x, !mom.stack<2 x !x>)
  return %y : !x
}

// CHECK-LABEL: @kernel
// CHECK: mom.kernel map "y"(%{{.*}})
// VALUE-LABEL: @kernel
// VALUE-NEXT: result 0: [2, 1]
// VALUE-NEXT: {{^}}  2{{$}}
// VALUE-NEXT: {{^}}  4{{$}}
func.func @kernel(%batch: !mom.batch,
    %x: !x {mom.values = dense<[[1.0], [2.0]]> : tensor<2x1xf32>}) -> !x {
  %y = mom.kernel map "y"(%x) : (!x) -> !x {
  ^bb0(%in: !x):
    %sum = arith.addf %in, %in : !x
    mom.yield %sum : !x
  }
  return %y : !x
}

// w' = w x over two rounds, forward and backward in one function. The gradient
// of x is d * w0 * w1, that of w0 is d * x * w1, summed over rows.
func.func private @scale.joint(%x: !x, %batch: !mom.batch, %w: !w, %dy: !x) -> (!x, !x, !w) {
  %b = mom.broadcast %w like %x : !w, !x -> !x
  %y = arith.mulf %x, %b : !x
  %dx = arith.mulf %dy, %b : !x
  %p = arith.mulf %dy, %x : !x
  %dw = mom.reduce_rows %p : !x -> !w
  return %y, %dx, %dw : !x, !x, !w
}
// CHECK-LABEL: @tape
// CHECK: mom.forward @scale.joint times 2
// CHECK: mom.backward @scale.joint times 2
// VALUE-LABEL: @tape
// VALUE-NEXT: result 0: [2, 1]
// VALUE-NEXT: {{^}}  50{{$}}
// VALUE-NEXT: {{^}}  100{{$}}
// VALUE-NEXT: result 1: [2, 1]
// VALUE-NEXT: {{^}}  50{{$}}
// VALUE-NEXT: {{^}}  500{{$}}
// VALUE-NEXT: result 2: round 0: [1]
// VALUE-NEXT: {{^}}  210{{$}}
// VALUE-NEXT: round 1: [1]
// VALUE-NEXT: {{^}}  105{{$}}
func.func @tape(%batch: !mom.batch,
    %x: !x {mom.values = dense<[[1.0], [2.0]]> : tensor<2x1xf32>},
    %dy: !x {mom.values = dense<[[1.0], [10.0]]> : tensor<2x1xf32>}) -> (!x, !x, !mom.stack<2 x !w>) {
  %w = call @weights() : () -> !mom.stack<2 x !w>
  %y, %tape = mom.forward @scale.joint times 2 carry(%x) share(%batch) each(%w)
      : (!x, !mom.batch, !mom.stack<2 x !w>) -> (!x, !mom.tape)
  %dx, %dw = mom.backward @scale.joint times 2 gradient(%dy) share(%batch) each(%w) tape %tape
      : (!x, !mom.batch, !mom.stack<2 x !w>, !mom.tape) -> (!x, !mom.stack<2 x !w>)
  return %y, %dx, %dw : !x, !x, !mom.stack<2 x !w>
}
