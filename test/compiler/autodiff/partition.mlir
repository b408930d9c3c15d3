// RUN: mom-opt %s --mom-partition=recompute=2 --split-input-file --mlir-print-local-scope | FileCheck %s
// RUN: mom-opt %s --mom-partition=recompute=3 --split-input-file --mlir-print-local-scope | FileCheck %s --check-prefix=MORE
// RUN: mom-opt %s --mom-partition=recompute=0 --split-input-file --mlir-print-local-scope | FileCheck %s --check-prefix=SAVE
// RUN: mom-opt %s --mom-partition --split-input-file --mlir-print-local-scope | FileCheck %s --check-prefix=USUAL

// y = silu(W x): backward reads the product and its sigmoid, and computes the latter
// again; without recomputing it would save both. A value that takes as many bytes as
// what it is made of is saved itself, unless that serves another one too.
#t = #mom.rows<token>
module {
// CHECK-LABEL: func.func @top(
// CHECK:         %[[F:.*]]:3 = mom.repeat @f.forward times 2 carry(%arg0) share(%arg1) each(%arg2)
// CHECK-SAME:      -> (tensor<?x4xf32, {{.*}}>, !mom.stack<2 x tensor<?x4xf32, {{.*}}>>, !mom.stack<2 x tensor<?x4xf32, {{.*}}>>)
// CHECK:         mom.repeat reverse @f.backward times 2 carry(%arg3) share(%arg1) each(%arg2, %[[F]]#1, %[[F]]#2)
// CHECK-NOT:   @f.joint
// CHECK-LABEL: func.func private @f.forward(
// CHECK:         %[[P:.*]] = mom.linear %arg0 by %arg2
// CHECK:         return %{{.*}}, %[[P]], %arg0 :
// CHECK-LABEL: func.func private @f.backward(
// CHECK-SAME:    %arg0: {{.*}}, %arg1: !mom.batch, %arg2: tensor<4x4xf32>, %[[P:.*]]: tensor<?x4xf32, {{.*}}>, %[[X:.*]]: tensor<?x4xf32, {{.*}}>)
// CHECK:         mom.sigmoid %[[P]]
// CHECK:         mom.linear_wgrad %[[X]]
// SAVE-LABEL:  func.func private @f.backward(
// SAVE-NOT:      mom.sigmoid
// SAVE:          return
// CHECK-LABEL: func.func private @g.backward(
// CHECK-NOT:     mom.sigmoid
// CHECK:         return
func.func private @f.joint(%x: tensor<?x4xf32, #t>, %batch: !mom.batch, %w: tensor<4x4xf32>, %dy: tensor<?x4xf32, #t>)
    -> (tensor<?x4xf32, #t>, tensor<?x4xf32, #t>, tensor<4x4xf32>) attributes {mom.joint, mom.carried = 1 : i64} {
  %p = mom.linear %x by %w : tensor<?x4xf32, #t>, tensor<4x4xf32> -> tensor<?x4xf32, #t>
  %s = mom.sigmoid %p : tensor<?x4xf32, #t>
  %y = arith.mulf %p, %s : tensor<?x4xf32, #t>
  %p2 = arith.mulf %dy, %p : tensor<?x4xf32, #t>
  %d = arith.mulf %p2, %s : tensor<?x4xf32, #t>
  %dx = mom.linear transposed %d by %w : tensor<?x4xf32, #t>, tensor<4x4xf32> -> tensor<?x4xf32, #t>
  %dw = mom.linear_wgrad %x, %d : tensor<?x4xf32, #t>, tensor<?x4xf32, #t> -> tensor<4x4xf32>
  return %y, %dx, %dw : tensor<?x4xf32, #t>, tensor<?x4xf32, #t>, tensor<4x4xf32>
}
func.func private @g.joint(%x: tensor<?x4xf32, #t>, %batch: !mom.batch, %w: tensor<4x4xf32>, %dy: tensor<?x4xf32, #t>)
    -> (tensor<?x4xf32, #t>, tensor<?x4xf32, #t>, tensor<4x4xf32>) attributes {mom.joint, mom.carried = 1 : i64} {
  %p = mom.linear %x by %w : tensor<?x4xf32, #t>, tensor<4x4xf32> -> tensor<?x4xf32, #t>
  %s = mom.sigmoid %p : tensor<?x4xf32, #t>
  %d = arith.mulf %dy, %s : tensor<?x4xf32, #t>
  %dw = mom.linear_wgrad %x, %d : tensor<?x4xf32, #t>, tensor<?x4xf32, #t> -> tensor<4x4xf32>
  return %s, %d, %dw : tensor<?x4xf32, #t>, tensor<?x4xf32, #t>, tensor<4x4xf32>
}
func.func @other(%x: tensor<?x4xf32, #t>, %batch: !mom.batch, %w: !mom.stack<2 x tensor<4x4xf32>>, %dy: tensor<?x4xf32, #t>)
    -> (tensor<?x4xf32, #t>, !mom.stack<2 x tensor<4x4xf32>>) {
  %y, %tape = mom.forward @g.joint times 2 carry(%x) share(%batch) each(%w) : (tensor<?x4xf32, #t>, !mom.batch, !mom.stack<2 x tensor<4x4xf32>>) -> (tensor<?x4xf32, #t>, !mom.tape)
  %dx, %dw = mom.backward @g.joint times 2 gradient(%dy) share(%batch) each(%w) tape %tape : (tensor<?x4xf32, #t>, !mom.batch, !mom.stack<2 x tensor<4x4xf32>>, !mom.tape) -> (tensor<?x4xf32, #t>, !mom.stack<2 x tensor<4x4xf32>>)
  return %dx, %dw : tensor<?x4xf32, #t>, !mom.stack<2 x tensor<4x4xf32>>
}
func.func @top(%x: tensor<?x4xf32, #t>, %batch: !mom.batch, %w: !mom.stack<2 x tensor<4x4xf32>>, %dy: tensor<?x4xf32, #t>)
    -> (tensor<?x4xf32, #t>, tensor<?x4xf32, #t>, !mom.stack<2 x tensor<4x4xf32>>) {
  %y, %tape = mom.forward @f.joint times 2 carry(%x) share(%batch) each(%w) : (tensor<?x4xf32, #t>, !mom.batch, !mom.stack<2 x tensor<4x4xf32>>) -> (tensor<?x4xf32, #t>, !mom.tape)
  %dx, %dw = mom.backward @f.joint times 2 gradient(%dy) share(%batch) each(%w) tape %tape : (tensor<?x4xf32, #t>, !mom.batch, !mom.stack<2 x tensor<4x4xf32>>, !mom.tape) -> (tensor<?x4xf32, #t>, !mom.stack<2 x tensor<4x4xf32>>)
  return %y, %dx, %dw : tensor<?x4xf32, #t>, tensor<?x4xf32, #t>, !mom.stack<2 x tensor<4x4xf32>>
}
}

// -----

// A comparison is made again, even where nothing else is: bits are not stored.
#t = #mom.rows<token>
module {
// CHECK-LABEL: func.func private @f.backward(
// CHECK:         arith.cmpf
// SAVE-LABEL:  func.func private @f.backward(
// SAVE:          arith.cmpf
func.func private @f.joint(%x: tensor<?x4xf32, #t>, %batch: !mom.batch, %w: tensor<4x4xf32>, %dy: tensor<?x4xf32, #t>)
    -> (tensor<?x4xf32, #t>, tensor<?x4xf32, #t>, tensor<4x4xf32>) attributes {mom.joint, mom.carried = 1 : i64} {
  %p = mom.linear %x by %w : tensor<?x4xf32, #t>, tensor<4x4xf32> -> tensor<?x4xf32, #t>
  %c = arith.cmpf ogt, %p, %x : tensor<?x4xf32, #t>
  %y = arith.select %c, %p, %x : tensor<?x4xi1, #t>, tensor<?x4xf32, #t>
  %d = arith.select %c, %dy, %x : tensor<?x4xi1, #t>, tensor<?x4xf32, #t>
  %dw = mom.linear_wgrad %x, %d : tensor<?x4xf32, #t>, tensor<?x4xf32, #t> -> tensor<4x4xf32>
  return %y, %d, %dw : tensor<?x4xf32, #t>, tensor<?x4xf32, #t>, tensor<4x4xf32>
}
func.func @top(%x: tensor<?x4xf32, #t>, %batch: !mom.batch, %w: !mom.stack<2 x tensor<4x4xf32>>, %dy: tensor<?x4xf32, #t>)
    -> (tensor<?x4xf32, #t>, tensor<?x4xf32, #t>, !mom.stack<2 x tensor<4x4xf32>>) {
  %y, %tape = mom.forward @f.joint times 2 carry(%x) share(%batch) each(%w) : (tensor<?x4xf32, #t>, !mom.batch, !mom.stack<2 x tensor<4x4xf32>>) -> (tensor<?x4xf32, #t>, !mom.tape)
  %dx, %dw = mom.backward @f.joint times 2 gradient(%dy) share(%batch) each(%w) tape %tape : (tensor<?x4xf32, #t>, !mom.batch, !mom.stack<2 x tensor<4x4xf32>>, !mom.tape) -> (tensor<?x4xf32, #t>, !mom.stack<2 x tensor<4x4xf32>>)
  return %y, %dx, %dw : tensor<?x4xf32, #t>, tensor<?x4xf32, #t>, !mom.stack<2 x tensor<4x4xf32>>
}
}

// -----

// Level 3: the scan's result is given again by its gradient, as what needs it comes
// after; a thin product is made again.
// MORE-LABEL:  func.func private @s.forward(
// MORE:          return %{{.*}}, %arg0, %{{.*}} : tensor<?x4xf32, {{.*}}>, tensor<?x4xf32, {{.*}}>, tensor<?x8xf32, #mom.rows<chunk of 16>>
// MORE-LABEL:  func.func private @s.backward(
// MORE:          mom.linear %
// MORE:          mom.scan_grad {{.*}} again tensor<?x4xf32
#t = #mom.rows<token>
!x = tensor<?x4xf32, #t>
!n = tensor<?x2xf32, #t>
module {
func.func private @s.joint(%x: !x, %batch: !mom.batch, %w: tensor<4x4xf32>, %v: tensor<2x4xf32>, %A: tensor<4x2xf32>, %dy: !x)
    -> (!x, !x) attributes {mom.joint, mom.carried = 1 : i64} {
  %u = mom.linear %x by %w : !x, tensor<4x4xf32> -> !x
  %b = mom.linear %x by %v : !x, tensor<2x4xf32> -> !n
  %y, %saved = mom.scan %u, %x, %A, %b, %b in %batch : !x, !x, tensor<4x2xf32>, !n, !n, !mom.batch -> !x checkpoints tensor<?x8xf32, #mom.rows<chunk of 16>>
  %g = arith.mulf %y, %x : !x
  %d = arith.mulf %dy, %x : !x
  %du, %dd, %dA, %dB, %dC = mom.scan_grad %u, %x, %A, %b, %b in %batch gradient %d checkpoints %saved
      : !x, !x, tensor<4x2xf32>, !n, !n, !mom.batch, !x, tensor<?x8xf32, #mom.rows<chunk of 16>> -> !x, !x, tensor<4x2xf32>, !n, !n
  %direct = arith.mulf %dy, %y : !x
  %dx = arith.addf %direct, %dd : !x
  %more = mom.linear transposed %du by %w : !x, tensor<4x4xf32> -> !x
  %all = arith.addf %dx, %more : !x
  return %g, %all : !x, !x
}
func.func @top2(%x: !x, %batch: !mom.batch, %w: tensor<4x4xf32>, %v: tensor<2x4xf32>, %A: tensor<4x2xf32>, %dy: !x) -> (!x, !x) {
  %y, %tape = mom.forward @s.joint times 2 carry(%x) share(%batch, %w, %v, %A) each() : (!x, !mom.batch, tensor<4x4xf32>, tensor<2x4xf32>, tensor<4x2xf32>) -> (!x, !mom.tape)
  %dx = mom.backward @s.joint times 2 gradient(%dy) share(%batch, %w, %v, %A) each() tape %tape : (!x, !mom.batch, tensor<4x4xf32>, tensor<2x4xf32>, tensor<4x2xf32>, !mom.tape) -> !x
  return %y, %dx : !x, !x
}
}

// -----

// What forward multiplies it stores, so level 1 saves it; level 2 computes it again.
// USUAL-LABEL: func.func private @p.backward(
// USUAL-NOT:     mom.sigmoid
// USUAL:         return
// CHECK-LABEL: func.func private @p.backward(
// CHECK:         mom.sigmoid
#t = #mom.rows<token>
!x = tensor<?x4xf32, #t>
!w = tensor<4x4xf32>
module {
func.func private @p.joint(%x: !x, %batch: !mom.batch, %w: !w, %dy: !x) -> (!x, !x, !w) attributes {mom.joint, mom.carried = 1 : i64} {
  %s = mom.sigmoid %x : !x
  %y = mom.linear %s by %w : !x, !w -> !x
  %d = arith.mulf %dy, %x : !x
  %dw = mom.linear_wgrad %s, %d : !x, !x -> !w
  return %y, %d, %dw : !x, !x, !w
}
func.func @top3(%x: !x, %batch: !mom.batch, %w: !mom.stack<2 x !w>, %dy: !x) -> (!x, !mom.stack<2 x !w>) {
  %y, %tape = mom.forward @p.joint times 2 carry(%x) share(%batch) each(%w) : (!x, !mom.batch, !mom.stack<2 x !w>) -> (!x, !mom.tape)
  %dx, %dw = mom.backward @p.joint times 2 gradient(%dy) share(%batch) each(%w) tape %tape : (!x, !mom.batch, !mom.stack<2 x !w>, !mom.tape) -> (!x, !mom.stack<2 x !w>)
  return %dx, %dw : !x, !mom.stack<2 x !w>
}
}

// -----

// The scan's gradient waits for a broadcast of the shape of a product of the scan's
// result: it takes that of a gradient.
// MORE-LABEL:  func.func private @l.forward(
// MORE:          return %{{.*}}, %arg0, %{{.*}} : tensor<?x4xf32, {{.*}}>, tensor<?x4xf32, {{.*}}>, tensor<?x8xf32, #mom.rows<chunk of 16>>
// MORE-LABEL:  func.func private @l.backward(
// MORE-SAME:     %[[DY:[^:]+]]: tensor<?x4xf32
// MORE:          mom.broadcast %{{.*}} like %[[DY]]
// MORE:          %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %[[Y:.*]] = mom.scan_grad {{.*}} again tensor<?x4xf32
// MORE:          mom.linear %[[Y]]
#t = #mom.rows<token>
!x = tensor<?x4xf32, #t>
!n = tensor<?x2xf32, #t>
!c = tensor<?x8xf32, #mom.rows<chunk of 16>>
module {
func.func private @l.joint(%x: !x, %batch: !mom.batch, %w: tensor<4x4xf32>, %v: tensor<2x4xf32>, %A: tensor<4x2xf32>, %scale: tensor<4xf32>, %dy: !x)
    -> (!x, !x, tensor<4xf32>) attributes {mom.joint, mom.carried = 1 : i64} {
  %b = mom.linear %x by %v : !x, tensor<2x4xf32> -> !n
  %y, %saved = mom.scan %x, %x, %A, %b, %b in %batch : !x, !x, tensor<4x2xf32>, !n, !n, !mom.batch -> !x checkpoints !c
  %p = mom.linear %y by %w : !x, tensor<4x4xf32> -> !x
  %spread = mom.broadcast %scale like %p : tensor<4xf32>, !x -> !x
  %g = arith.mulf %p, %spread : !x
  %dspread = arith.mulf %dy, %p : !x
  %dscale = mom.reduce_rows %dspread : !x -> tensor<4xf32>
  %dp = arith.mulf %dy, %spread : !x
  %d = mom.linear transposed %dp by %w : !x, tensor<4x4xf32> -> !x
  %du, %dd, %dA, %dB, %dC = mom.scan_grad %x, %x, %A, %b, %b in %batch gradient %d checkpoints %saved
      : !x, !x, tensor<4x2xf32>, !n, !n, !mom.batch, !x, !c -> !x, !x, tensor<4x2xf32>, !n, !n
  return %g, %du, %dscale : !x, !x, tensor<4xf32>
}
func.func @top4(%x: !x, %batch: !mom.batch, %w: tensor<4x4xf32>, %v: tensor<2x4xf32>, %A: tensor<4x2xf32>, %scale: !mom.stack<1 x tensor<4xf32>>, %dy: !x)
    -> (!x, !x, !mom.stack<1 x tensor<4xf32>>) {
  %y, %tape = mom.forward @l.joint times 1 carry(%x) share(%batch, %w, %v, %A) each(%scale)
      : (!x, !mom.batch, tensor<4x4xf32>, tensor<2x4xf32>, tensor<4x2xf32>, !mom.stack<1 x tensor<4xf32>>) -> (!x, !mom.tape)
  %dx, %ds = mom.backward @l.joint times 1 gradient(%dy) share(%batch, %w, %v, %A) each(%scale) tape %tape
      : (!x, !mom.batch, tensor<4x4xf32>, tensor<2x4xf32>, tensor<4x2xf32>, !mom.stack<1 x tensor<4xf32>>, !mom.tape) -> (!x, !mom.stack<1 x tensor<4xf32>>)
  return %y, %dx, %ds : !x, !x, !mom.stack<1 x tensor<4xf32>>
}
}

// -----

// Each of two scans' gradients needs the other one's result: one of them is saved.
// MORE-LABEL:  func.func private @two.forward(
// MORE:          %[[FIRST:[^,]*]], %[[C:.*]] = mom.scan %arg0, %arg0, %arg2
// MORE:          %{{.*}}, %[[D:.*]] = mom.scan %arg0, %arg0, %arg3
// MORE:          return %{{.*}}, %arg0, %[[C]], %[[FIRST]], %[[D]] :
// MORE-LABEL:  func.func private @two.backward(
// MORE-COUNT-1:  again tensor<?x4xf32
// MORE-NOT:      again tensor<?x4xf32
#t = #mom.rows<token>
!x = tensor<?x4xf32, #t>
!n = tensor<?x2xf32, #t>
!a = tensor<4x2xf32>
!c = tensor<?x8xf32, #mom.rows<chunk of 16>>
module {
func.func private @two.joint(%x: !x, %batch: !mom.batch, %A: !a, %D: !a, %v: tensor<2x4xf32>, %dy: !x)
    -> (!x, !x) attributes {mom.joint, mom.carried = 1 : i64} {
  %b = mom.linear %x by %v : !x, tensor<2x4xf32> -> !n
  %y, %saved = mom.scan %x, %x, %A, %b, %b in %batch : !x, !x, !a, !n, !n, !mom.batch -> !x checkpoints !c
  %z, %more = mom.scan %x, %x, %D, %b, %b in %batch : !x, !x, !a, !n, !n, !mom.batch -> !x checkpoints !c
  %g = arith.mulf %y, %z : !x
  %d = arith.mulf %dy, %z : !x
  %e = arith.mulf %dy, %y : !x
  %du, %dd, %dA, %dB, %dC = mom.scan_grad %x, %x, %A, %b, %b in %batch gradient %d checkpoints %saved
      : !x, !x, !a, !n, !n, !mom.batch, !x, !c -> !x, !x, !a, !n, !n
  %eu, %ed, %eA, %eB, %eC = mom.scan_grad %x, %x, %D, %b, %b in %batch gradient %e checkpoints %more
      : !x, !x, !a, !n, !n, !mom.batch, !x, !c -> !x, !x, !a, !n, !n
  %dx = arith.addf %du, %eu : !x
  return %g, %dx : !x, !x
}
func.func @top5(%x: !x, %batch: !mom.batch, %A: !a, %D: !a, %v: tensor<2x4xf32>, %dy: !x) -> (!x, !x) {
  %y, %tape = mom.forward @two.joint times 2 carry(%x) share(%batch, %A, %D, %v) each() : (!x, !mom.batch, !a, !a, tensor<2x4xf32>) -> (!x, !mom.tape)
  %dx = mom.backward @two.joint times 2 gradient(%dy) share(%batch, %A, %D, %v) each() tape %tape : (!x, !mom.batch, !a, !a, tensor<2x4xf32>, !mom.tape) -> !x
  return %y, %dx : !x, !x
}
}
