// RUN: mom-opt %s --mom-form-kernels --split-input-file --mlir-print-local-scope | FileCheck %s
// RUN: mom-opt %s --mom-form-kernels=fuse=false --split-input-file --mlir-print-local-scope | FileCheck %s --check-prefix=SINGLE

#t = #mom.rows<token>

// A product takes the bias and the activation after it; the view of its operand
// moves into the kernel.
// CHECK-LABEL: func.func @epilogue(
// CHECK:         %[[Y:.*]] = mom.kernel product "y"(%arg0, %arg1, %arg2)
// CHECK:           mom.split
// CHECK:           mom.linear
// CHECK:           mom.broadcast
// CHECK:           arith.addf
// CHECK:           mom.silu
// CHECK-NOT:     mom.kernel
// CHECK:         return %[[Y]]
// SINGLE-LABEL: func.func @epilogue(
// SINGLE-COUNT-4: mom.kernel
func.func @epilogue(%x: tensor<?x8xf32, #t>, %w: tensor<16x4xf32>, %b: tensor<16xf32>) -> tensor<?x16xf32, #t> {
  %a, %rest = mom.split %x : tensor<?x8xf32, #t> -> tensor<?x4xf32, #t>, tensor<?x4xf32, #t>
  %p = mom.linear %a by %w : tensor<?x4xf32, #t>, tensor<16x4xf32> -> tensor<?x16xf32, #t>
  %bias = mom.broadcast %b like %p : tensor<16xf32>, tensor<?x16xf32, #t> -> tensor<?x16xf32, #t>
  %s = arith.addf %p, %bias : tensor<?x16xf32, #t>
  %y = mom.silu %s : tensor<?x16xf32, #t> loc("y")
  return %y : tensor<?x16xf32, #t>
}

// -----

#t = #mom.rows<token>

// Work that feeds a product stays outside: a tile of x is read many times.
// CHECK-LABEL: func.func @no_prologue(
// CHECK:         mom.kernel map
// CHECK:         mom.kernel product
func.func @no_prologue(%x: tensor<?x8xf32, #t>, %w: tensor<16x8xf32>) -> tensor<?x16xf32, #t> {
  %s = mom.silu %x : tensor<?x8xf32, #t>
  %p = mom.linear %s by %w : tensor<?x8xf32, #t>, tensor<16x8xf32> -> tensor<?x16xf32, #t>
  return %p : tensor<?x16xf32, #t>
}

// -----

#t = #mom.rows<token>

// Rows that are stored and summed: one kernel does both. By group they are summed apart.
// CHECK-LABEL: func.func @rows_and_sum(
// CHECK:         mom.kernel map {{.*}} -> (tensor<?x8xf32, #mom.rows<token>>, tensor<8xf32>) {
// CHECK:           mom.rms_norm
// CHECK:           mom.reduce_rows
// CHECK:         mom.kernel reduce_rows {{.*}} -> tensor<2x8xf32> {
// CHECK-NOT:     mom.kernel
func.func @rows_and_sum(%x: tensor<?x8xf32, #t>, %r: !mom.route<"M", 2>) -> (tensor<?x8xf32, #t>, tensor<8xf32>, tensor<2x8xf32>) {
  %n = mom.rms_norm %x {eps = 1.0e-5 : f64} : tensor<?x8xf32, #t>
  %s = mom.reduce_rows %n : tensor<?x8xf32, #t> -> tensor<8xf32>
  %g = mom.reduce_rows %n for %r : !mom.route<"M", 2>, tensor<?x8xf32, #t> -> tensor<2x8xf32>
  return %n, %s, %g : tensor<?x8xf32, #t>, tensor<8xf32>, tensor<2x8xf32>
}

// -----

#t = #mom.rows<token>

// A sum over rows takes the pointwise work before it, and stores no rows.
// CHECK-LABEL: func.func @prologue(
// CHECK:         mom.kernel reduce_rows {{.*}} -> tensor<8xf32> {
// CHECK:           arith.mulf
// CHECK:           mom.reduce_rows
// CHECK-NOT:     mom.kernel
func.func @prologue(%x: tensor<?x8xf32, #t>, %y: tensor<?x8xf32, #t>) -> tensor<8xf32> {
  %m = arith.mulf %x, %y : tensor<?x8xf32, #t>
  %s = mom.reduce_rows %m : tensor<?x8xf32, #t> -> tensor<8xf32>
  return %s : tensor<8xf32>
}

// -----

#t = #mom.rows<token>

// Two products that a value joins in a circle must not share a kernel: b needs
// c, and c needs a.
// CHECK-LABEL: func.func @no_circle(
// CHECK:         %[[A:.*]] = mom.kernel product "a"
// CHECK:         %[[C:.*]] = mom.kernel product
// CHECK:         return %[[A]], %[[C]]
func.func @no_circle(%x: tensor<?x8xf32, #t>, %w: tensor<8x8xf32>) -> (tensor<?x8xf32, #t>, tensor<?x8xf32, #t>) {
  %a = mom.linear %x by %w : tensor<?x8xf32, #t>, tensor<8x8xf32> -> tensor<?x8xf32, #t> loc("a")
  %c = mom.linear %a by %w : tensor<?x8xf32, #t>, tensor<8x8xf32> -> tensor<?x8xf32, #t>
  %b = arith.mulf %a, %c : tensor<?x8xf32, #t>
  return %a, %b : tensor<?x8xf32, #t>, tensor<?x8xf32, #t>
}

// -----

#t = #mom.rows<token>

// A view that leaves the function is copied by a kernel.
// CHECK-LABEL: func.func @materialise(
// CHECK:         %[[Y:.*]] = mom.kernel map
// CHECK:           mom.split
// CHECK:         return %[[Y]]
func.func @materialise(%x: tensor<?x8xf32, #t>) -> tensor<?x4xf32, #t> {
  %a, %b = mom.split %x : tensor<?x8xf32, #t> -> tensor<?x4xf32, #t>, tensor<?x4xf32, #t>
  return %b : tensor<?x4xf32, #t>
}

// -----

#t = #mom.rows<token>

// A comparison is in every kernel that reads it: bits do not cross kernels.
// CHECK-LABEL: func.func @conditions(
// CHECK-NOT:     mom.kernel {{.*}}i1
// SINGLE-LABEL: func.func @conditions(
// SINGLE:         mom.kernel map
// SINGLE:           arith.cmpf
// SINGLE:           arith.select
// SINGLE:         mom.kernel product
// SINGLE:         mom.kernel map
// SINGLE:           arith.cmpf
// SINGLE:           arith.select
func.func @conditions(%x: tensor<?x8xf32, #t>, %y: tensor<?x8xf32, #t>, %w: tensor<8x8xf32>) -> tensor<?x8xf32, #t> {
  %c = arith.cmpf olt, %x, %y : tensor<?x8xf32, #t>
  %a = arith.select %c, %x, %y : tensor<?x8xi1, #t>, tensor<?x8xf32, #t>
  %p = mom.linear %a by %w : tensor<?x8xf32, #t>, tensor<8x8xf32> -> tensor<?x8xf32, #t>
  %b = arith.select %c, %p, %x : tensor<?x8xi1, #t>, tensor<?x8xf32, #t>
  return %b : tensor<?x8xf32, #t>
}

// -----

#t = #mom.rows<token>

// The gradient of a mean over an embedding is spread over the rows of its ids, which are
// no floats: the broadcast keeps the rows it is like.
// CHECK-LABEL: func.func @spread_beside_ids(
// CHECK:         mom.broadcast %{{.*}} like %{{.*}} : tensor<4xf32>, tensor<?x4xf32, #mom.rows<token>>
// CHECK:         mom.embedding_grad
func.func @spread_beside_ids(%id: tensor<?x1xi32, #t>, %x: tensor<?x4xf32, #t>, %g: tensor<4xf32>) -> tensor<9x4xf32> {
  %dy = mom.broadcast %g like %x : tensor<4xf32>, tensor<?x4xf32, #t> -> tensor<?x4xf32, #t>
  %d = mom.embedding_grad %id, %dy : tensor<?x1xi32, #t>, tensor<?x4xf32, #t> -> tensor<9x4xf32>
  return %d : tensor<9x4xf32>
}

// -----

#t = #mom.rows<token>
#c = #mom.rows<copy of 2 by "e">
!r = !mom.route<"e", 4 of 2>

// A plan is a kernel of its own, and so is what reads other rows; the view of the plan
// stands between. Gates join the product that makes what they scale.
// CHECK-LABEL: func.func @experts(
// CHECK:         %[[P:.*]]:5 = mom.kernel plan
// CHECK:         %[[R:.*]] = mom.computed_route %[[P]]#0, %[[P]]#1, %[[P]]#2
// CHECK:         mom.kernel map {{.*}}%[[R]]
// CHECK:           mom.dispatch
// CHECK:         mom.kernel product {{.*}}%[[R]]
// CHECK:           mom.linear
// CHECK:           arith.mulf
// CHECK:         mom.kernel map {{.*}}%[[R]]
// CHECK:           mom.retrieve
// CHECK-NEXT:      arith.addf
// CHECK-NEXT:      arith.addf
// CHECK-NOT:     mom.kernel
// CHECK:         return
// SINGLE-LABEL: func.func @experts(
// SINGLE:         mom.kernel plan
// SINGLE:           mom.plan
func.func @experts(%x: tensor<?x8xf32, #t>, %p: tensor<?x4xf32, #t>, %w: tensor<4x8x8xf32>, %g: tensor<?x1xf32, #c>) -> tensor<?x8xf32, #t> {
  %offsets, %row, %copy, %a, %b = mom.plan %p : tensor<?x4xf32, #t> -> tensor<5xi64>, tensor<?x2xi32, #t>, tensor<?x1xi32, #c>, tensor<?x1xi32, #t>, tensor<?x1xi32, #t>
  %r = mom.computed_route %offsets, %row, %copy : tensor<5xi64>, tensor<?x2xi32, #t>, tensor<?x1xi32, #c> -> !r
  %s = mom.dispatch %x, %x for %r : !r, tensor<?x8xf32, #t>, tensor<?x8xf32, #t> -> tensor<?x8xf32, #c>
  %y = mom.linear %s by %w for %r : !r, tensor<?x8xf32, #c>, tensor<4x8x8xf32> -> tensor<?x8xf32, #c>
  %gate = mom.broadcast %g like %y : tensor<?x1xf32, #c>, tensor<?x8xf32, #c> -> tensor<?x8xf32, #c>
  %z = arith.mulf %y, %gate : tensor<?x8xf32, #c>
  %m, %n = mom.retrieve %z for %r : !r, tensor<?x8xf32, #c> -> tensor<?x8xf32, #t>, tensor<?x8xf32, #t>
  %sum = arith.addf %m, %n : tensor<?x8xf32, #t>
  %out = arith.addf %sum, %x : tensor<?x8xf32, #t>
  return %out : tensor<?x8xf32, #t>
}
