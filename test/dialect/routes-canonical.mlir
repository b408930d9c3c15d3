// RUN: mom-opt %s --canonicalize --mlir-print-local-scope | FileCheck %s

!r = !mom.route<"e", 4 of 2>
!x8 = tensor<?x8xf32, #mom.rows<token>>
!x1 = tensor<?x1xf32, #mom.rows<token>>
!c8 = tensor<?x8xf32, #mom.rows<copy of 2 by "e">>
!c1 = tensor<?x1xf32, #mom.rows<copy of 2 by "e">>

// Gates multiply what comes back; nothing is left of what was sent.
// CHECK-LABEL: @gates(
// CHECK-NEXT: %[[PARTS:.*]]:2 = mom.retrieve %arg1 for %arg0
// CHECK-NEXT: %[[G:.*]] = mom.broadcast %arg2 like %[[PARTS]]#0
// CHECK-NEXT: %[[A:.*]] = arith.mulf %[[PARTS]]#0, %[[G]]
// CHECK-NEXT: %[[H:.*]] = mom.broadcast %arg3 like %[[PARTS]]#1
// CHECK-NEXT: %[[B:.*]] = arith.mulf %[[PARTS]]#1, %[[H]]
// CHECK-NEXT: return %[[A]], %[[B]]
func.func @gates(%r: !r, %y: !c8, %g: !x1, %h: !x1) -> (!x8, !x8) {
  %sent = mom.dispatch %g, %h for %r : !r, !x1, !x1 -> !c1
  %gate = mom.broadcast %sent like %y : !c1, !c8 -> !c8
  %z = arith.mulf %gate, %y : !c8
  %a, %b = mom.retrieve %z for %r : !r, !c8 -> !x8, !x8
  return %a, %b : !x8, !x8
}

// The product is read by others, or the factor was sent another way.
// CHECK-LABEL: @others(
// CHECK: mom.retrieve %{{.*}} for %arg0
// CHECK-NEXT: mom.retrieve %{{.*}} for %arg0
// CHECK-NEXT: return
func.func @others(%r: !r, %s: !r, %y: !c8, %g: !x1, %h: !x1) -> (!x8, !x8, !x8, !x8, !c8) {
  %sent = mom.dispatch %g, %h for %r : !r, !x1, !x1 -> !c1
  %gate = mom.broadcast %sent like %y : !c1, !c8 -> !c8
  %z = arith.mulf %gate, %y : !c8
  %other = mom.dispatch %g, %h for %s : !r, !x1, !x1 -> !c1
  %spread = mom.broadcast %other like %y : !c1, !c8 -> !c8
  %w = arith.mulf %spread, %y : !c8
  %a, %b = mom.retrieve %z for %r : !r, !c8 -> !x8, !x8
  %c, %d = mom.retrieve %w for %r : !r, !c8 -> !x8, !x8
  return %a, %b, %c, %d, %z : !x8, !x8, !x8, !x8, !c8
}
