// Every derivative against finite differences.
// RUN: mom-compare %s --pass-pipeline="builtin.module(mom-differentiate)" --gradient | FileCheck %s --implicit-check-not=differs
// RUN: mom-compare %s --pass-pipeline="builtin.module(mom-differentiate)" --gradient --seed 8 --tokens 23 --segments 3 --modalities-empty 1 | FileCheck %s --implicit-check-not=differs

!x1 = tensor<?x1xf32, #mom.rows<token>>
!x2 = tensor<?x2xf32, #mom.rows<token>>
!x4 = tensor<?x4xf32, #mom.rows<token>>
!x6 = tensor<?x6xf32, #mom.rows<token>>
!s4 = tensor<?x4xf32, #mom.rows<token by "M">>
!i = tensor<?x1xi32, #mom.rows<token>>
!v = tensor<4xf32>
!m = tensor<3x4xf32>

// CHECK: @pointwise
// CHECK: gradient of argument 0
func.func @pointwise(%x: !x4, %y: !x4 {mom.positive}, %batch: !mom.batch) -> (!x4, !x4) attributes {mom.layer, mom.export} {
  %0 = mom.sigmoid %x : !x4
  %1 = mom.silu %0 : !x4
  %2 = mom.softplus %1 : !x4
  %3 = mom.affine %2 {scale = 2.0 : f64, offset = 1.0 : f64} : !x4
  %4 = arith.addf %3, %y : !x4
  %5 = arith.subf %4, %x : !x4
  %6 = arith.mulf %5, %y : !x4
  %7 = arith.divf %6, %y : !x4
  %8 = arith.divf %3, %y : !x4
  %9 = arith.negf %8 : !x4
  %10 = arith.mulf %7, %9 : !x4
  return %10, %6 : !x4, !x4
}

// CHECK: @functions
// CHECK: gradient of argument 0
func.func @functions(%y: !x4 {mom.positive}, %x: !x4, %batch: !mom.batch) -> (!x4, !x4) attributes {mom.layer, mom.export} {
  %0 = math.exp %x : !x4
  %1 = math.log %y : !x4
  %2 = math.sqrt %y : !x4
  %3 = math.rsqrt %y : !x4
  %4 = math.tanh %x : !x4
  %5 = math.log1p %y : !x4
  %6 = math.expm1 %x : !x4
  %7 = math.sin %x : !x4
  %8 = math.cos %x : !x4
  %9 = math.absf %x : !x4
  %10 = math.erf %x : !x4
  %11 = math.powf %y, %x : !x4
  %12 = arith.maximumf %0, %1 : !x4
  %13 = arith.minimumf %2, %4 : !x4
  %14 = math.fma %12, %13, %3 : !x4
  %15 = arith.addf %5, %6 : !x4
  %16 = math.fma %7, %8, %15 : !x4
  %17 = math.fma %9, %10, %16 : !x4
  %greater = arith.cmpf ogt, %x, %y : !x4
  %18 = arith.select %greater, %11, %17 : tensor<?x4xi1, #mom.rows<token>>, !x4
  return %14, %18 : !x4, !x4
}

// CHECK: @broadcasts
// CHECK: gradient of argument 4
func.func @broadcasts(%like: !x4, %batch: !mom.batch, %x: !x1, %v: !v, %one: tensor<1xf32>, %m: !m,
    %mone: tensor<3x1xf32>) -> (!x4, !x4, !x4, !x4, !x4, !m, !v) attributes {mom.layer, mom.export} {
  %r = mom.modality_route %batch : !mom.route<"M", 3>
  %0 = mom.broadcast %x like %like : !x1, !x4 -> !x4
  %1 = mom.broadcast %v like %like : !v, !x4 -> !x4
  %2 = mom.broadcast %one like %like : tensor<1xf32>, !x4 -> !x4
  %3 = mom.broadcast %m like %like for %r : !mom.route<"M", 3>, !m, !x4 -> !x4
  %4 = mom.broadcast %mone like %like for %r : !mom.route<"M", 3>, tensor<3x1xf32>, !x4 -> !x4
  %5 = mom.broadcast %one like %m : tensor<1xf32>, !m -> !m
  %6 = mom.broadcast %one like %v : tensor<1xf32>, !v -> !v
  return %0, %1, %2, %3, %4, %5, %6 : !x4, !x4, !x4, !x4, !x4, !m, !v
}

// CHECK: @reductions
// CHECK: gradient of argument 0
func.func @reductions(%x: !x4, %m: !m, %batch: !mom.batch) -> (!x1, tensor<1xf32>, !v, !m, !x1) attributes {mom.layer, mom.export} {
  %r = mom.modality_route %batch : !mom.route<"M", 3>
  %0 = mom.reduce sum %x : !x4 -> !x1
  %1 = mom.reduce sum %m : !m -> tensor<1xf32>
  %2 = mom.reduce_rows %x : !x4 -> !v
  %3 = mom.reduce_rows %x for %r : !mom.route<"M", 3>, !x4 -> !m
  %4 = mom.reduce sum %0 : !x1 -> !x1
  return %0, %1, %2, %3, %4 : !x1, tensor<1xf32>, !v, !m, !x1
}

// CHECK: @rows
// CHECK: gradient of argument 0
func.func @rows(%x: !x4, %table: tensor<5x4xf32>, %batch: !mom.batch, %id: !i) -> (!x4, !s4, !x6, !x2, !x4) attributes {mom.layer, mom.export} {
  %r = mom.modality_route %batch : !mom.route<"M", 3>
  %0 = mom.rms_norm %x {eps = 1.0e-5 : f64} : !x4
  %1 = mom.reorder %x for %r : !x4 -> !s4, !mom.route<"M", 3>
  %2, %3 = mom.split %x : !x4 -> !x2, !x2
  %4 = mom.concat %3, %0 : !x2, !x4 -> !x6
  %unused, %5 = mom.split %x : !x4 -> !x2, !x2
  %6 = mom.embedding %id from %table : !i, tensor<5x4xf32> -> !x4
  return %0, %1, %4, %5, %6 : !x4, !s4, !x6, !x2, !x4
}

// CHECK: @products
// CHECK: gradient of argument 4
func.func @products(%x: !x4, %batch: !mom.batch, %w: tensor<6x4xf32>, %wm: tensor<3x6x4xf32>, %s: !s4)
    -> (!x6, !x4, !x6) attributes {mom.layer, mom.export} {
  %r = mom.modality_route %batch : !mom.route<"M", 3>
  %0 = mom.linear %x by %w : !x4, tensor<6x4xf32> -> !x6
  %1 = mom.linear transposed %0 by %wm for %r : !mom.route<"M", 3>, !x6, tensor<3x6x4xf32> -> !x4
  %2 = mom.linear %s by %wm for %r : !mom.route<"M", 3>, !s4, tensor<3x6x4xf32> -> tensor<?x6xf32, #mom.rows<token by "M">>
  %3 = mom.reorder %2 for %r : tensor<?x6xf32, #mom.rows<token by "M">> -> !x6, !mom.route<"M", 3>
  return %0, %1, %3 : !x6, !x4, !x6
}

// The second convolution is wider than some segments; its state comes from the
// stream and goes back to it.
// CHECK: @conv1d
// CHECK: gradient of argument 6
func.func @conv1d(%x: !x2, %batch: !mom.batch, %w: tensor<2x4xf32>, %bias: tensor<2xf32>,
    %init: tensor<?x6xf32, #mom.rows<stream>>, %wide: tensor<2x9xf32>, %s: tensor<?x2xf32, #mom.rows<token by "M">>)
    -> (!x2, !x2, tensor<?x16xf32, #mom.rows<stream>>, !x2, tensor<?x2xf32, #mom.rows<token by "M">>)
    attributes {mom.layer, mom.export} {
  %0, %final = mom.conv1d %x by %w in %batch bias %bias init %init
      : !x2, tensor<2x4xf32>, !mom.batch, tensor<2xf32>, tensor<?x6xf32, #mom.rows<stream>> -> !x2 final tensor<?x6xf32, #mom.rows<stream>>
  %1, %last = mom.conv1d %x by %wide in %batch : !x2, tensor<2x9xf32>, !mom.batch -> !x2 final tensor<?x16xf32, #mom.rows<stream>>
  %2 = mom.conv1d reverse %x by %w in %batch init %final
      : !x2, tensor<2x4xf32>, !mom.batch, tensor<?x6xf32, #mom.rows<stream>> -> !x2
  %3 = mom.conv1d %s by %w in %batch bias %bias : tensor<?x2xf32, #mom.rows<token by "M">>, tensor<2x4xf32>, !mom.batch, tensor<2xf32> -> tensor<?x2xf32, #mom.rows<token by "M">>
  return %0, %1, %last, %2, %3 : !x2, !x2, tensor<?x16xf32, #mom.rows<stream>>, !x2, tensor<?x2xf32, #mom.rows<token by "M">>
}

// CHECK: @scan
// CHECK: gradient of argument 6
func.func @scan(%u: !x4, %batch: !mom.batch, %delta: !x4 {mom.positive}, %A: tensor<4x2xf32> {mom.negative}, %B: !x2, %C: !x2,
    %init: tensor<?x8xf32, #mom.rows<stream>>) -> (!x4, tensor<?x8xf32, #mom.rows<stream>>, !x4)
    attributes {mom.layer, mom.export} {
  %0, %final = mom.scan %u, %delta, %A, %B, %C in %batch init %init
      : !x4, !x4, tensor<4x2xf32>, !x2, !x2, !mom.batch, tensor<?x8xf32, #mom.rows<stream>> -> !x4 final tensor<?x8xf32, #mom.rows<stream>>
  %1 = mom.scan reverse %0, %delta, %A, %C, %B in %batch init %final
      : !x4, !x4, tensor<4x2xf32>, !x2, !x2, !mom.batch, tensor<?x8xf32, #mom.rows<stream>> -> !x4
  return %0, %final, %1 : !x4, tensor<?x8xf32, #mom.rows<stream>>, !x4
}

// CHECK: @cross_entropy
// CHECK: gradient of argument 0
func.func @cross_entropy(%logits: !x6, %batch: !mom.batch, %id: !i) -> !x1 attributes {mom.layer, mom.export} {
  %target = mom.next %id in %batch : !i
  %nll, %lse = mom.cross_entropy %logits, %target : !x6, !i -> !x1
  return %nll : !x1
}

!d4 = tensor<?x4xf32, #mom.rows<document>>

// CHECK: @documents
// CHECK: gradient of argument 0
func.func @documents(%x: !x4, %d: !d4, %batch: !mom.batch) -> (!x4, !d4) attributes {mom.layer, mom.export} {
  %0 = mom.spread %d in %batch : !d4 -> !x4
  %1 = mom.spread mean %d in %batch : !d4 -> !x4
  %2 = arith.mulf %0, %x : !x4
  %3 = arith.mulf %1, %2 : !x4
  %4 = mom.collect %3 in %batch : !x4 -> !d4
  %5 = mom.collect mean %2 in %batch : !x4 -> !d4
  %6 = arith.mulf %4, %5 : !d4
  return %3, %6 : !x4, !d4
}

// The choice has no gradient: steps of differences are too small to change it.
// CHECK: @routes
// CHECK: gradient of argument 0
// CHECK: gradient of argument 1
// CHECK: gradient of argument 2
!r2 = !mom.route<"e", 6 of 2>
!c4 = tensor<?x4xf32, #mom.rows<copy of 2 by "e">>
!w6 = tensor<6x4x4xf32>
func.func @routes(%x: !x4, %s: !x6, %w: !w6, %batch: !mom.batch) -> (!x4, !x4, !x6) attributes {mom.layer, mom.export} {
  %p = mom.softmax %s : !x6
  %offsets, %row, %copy, %first, %second = mom.plan %p : !x6 -> tensor<7xi64>, tensor<?x2xi32, #mom.rows<token>>, tensor<?x1xi32, #mom.rows<copy of 2 by "e">>, !i, !i
  %r = mom.computed_route %offsets, %row, %copy : tensor<7xi64>, tensor<?x2xi32, #mom.rows<token>>, tensor<?x1xi32, #mom.rows<copy of 2 by "e">> -> !r2
  %z = mom.silu %x : !x4
  %y = mom.dispatch %x, %z for %r : !r2, !x4, !x4 -> !c4
  %l = mom.linear %y by %w for %r : !r2, !c4, !w6 -> !c4
  %a, %b = mom.retrieve %l for %r : !r2, !c4 -> !x4, !x4
  %m = arith.mulf %a, %b : !x4
  %again = mom.dispatch %m, %m for %r : !r2, !x4, !x4 -> !c4
  %c, %unused = mom.retrieve %again for %r : !r2, !c4 -> !x4, !x4
  return %m, %c, %p : !x4, !x4, !x6
}
