// Computed routes: softmax, plans, dispatch and retrieve, and the products between them.
// RUN: mom-compare %s --compiled --tokens=0,1,3,129
// RUN: mom-compare %s --compiled --lengths=1,1,2,3,1,60,1 --modalities-empty=1 --fuse=0 --seed=8
// RUN: mom-compare %s --compiled --tokens=77 --storage=bf16 --order=position --function=experts_8_of_2,by_modality --seed=9
// RUN: mom-compare %s --compiled --tokens=1500 --function=plan_32_of_1,plan_5_of_2,experts_8_of_2 --seed=10
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=0,1,3,129
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --lengths=1,1,2,3,1,60,1 --modalities-empty=1 --fuse=0 --seed=8
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=0,77 --storage=bf16 --order=position --function=experts_8_of_2,experts_16_of_2,by_modality --seed=9
// RUN: mom-compare %s --compiled --target=sm_80 --emulate --tokens=140 --storage=f16 --function=experts_8_of_2,experts_16_of_2 --seed=10
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=1500 --function=plan_32_of_1,plan_5_of_2 --seed=10

!i = tensor<?x1xi32, #mom.rows<token>>
!x1 = tensor<?x1xf32, #mom.rows<token>>

!x2 = tensor<?x2xf32, #mom.rows<token>>
!x3 = tensor<?x3xf32, #mom.rows<token>>
!x4 = tensor<?x4xf32, #mom.rows<token>>
!x5 = tensor<?x5xf32, #mom.rows<token>>
!x8 = tensor<?x8xf32, #mom.rows<token>>
!x16 = tensor<?x16xf32, #mom.rows<token>>
!x32 = tensor<?x32xf32, #mom.rows<token>>

!x300 = tensor<?x300xf32, #mom.rows<token>>

func.func @softmax_1(%batch: !mom.batch, %x: !x1) -> !x1 {
  %y = mom.softmax %x : !x1
  return %y : !x1
}

func.func @softmax_5(%batch: !mom.batch, %x: !x5) -> !x5 {
  %y = mom.softmax %x : !x5
  return %y : !x5
}

func.func @softmax_32(%batch: !mom.batch, %x: !x32) -> !x32 {
  %y = mom.softmax %x : !x32
  return %y : !x32
}

func.func @softmax_300(%batch: !mom.batch, %x: !x300) -> !x300 {
  %y = mom.softmax %x : !x300
  return %y : !x300
}

// What is sent is read where it was sent to, and sent back.
func.func @plan_2_of_1(%batch: !mom.batch, %s: !x2, %x: !x4) -> (tensor<?x1xi32, #mom.rows<token>>, !i, !x4) {
  %offsets, %row, %copy, %c0 = mom.plan %s : !x2 -> tensor<3xi64>, tensor<?x1xi32, #mom.rows<token>>, tensor<?x1xi32, #mom.rows<copy of 1 by "e">>, !i
  %r = mom.computed_route %offsets, %row, %copy : tensor<3xi64>, tensor<?x1xi32, #mom.rows<token>>, tensor<?x1xi32, #mom.rows<copy of 1 by "e">> -> !mom.route<"e", 2 of 1>
  %p0 = mom.affine %x {scale = 1.0 : f64, offset = 0.5 : f64} : !x4
  %y = mom.dispatch %p0 for %r : !mom.route<"e", 2 of 1>, !x4 -> tensor<?x4xf32, #mom.rows<copy of 1 by "e">>
  %z = mom.silu %y : tensor<?x4xf32, #mom.rows<copy of 1 by "e">>
  %b0 = mom.retrieve %z for %r : !mom.route<"e", 2 of 1>, tensor<?x4xf32, #mom.rows<copy of 1 by "e">> -> !x4
  return %row, %c0, %b0 : tensor<?x1xi32, #mom.rows<token>>, !i, !x4
}

// What is sent is read where it was sent to, and sent back.
func.func @plan_5_of_2(%batch: !mom.batch, %s: !x5, %x: !x4) -> (tensor<?x2xi32, #mom.rows<token>>, !i, !i, !x4, !x4) {
  %offsets, %row, %copy, %c0, %c1 = mom.plan %s : !x5 -> tensor<6xi64>, tensor<?x2xi32, #mom.rows<token>>, tensor<?x1xi32, #mom.rows<copy of 2 by "e">>, !i, !i
  %r = mom.computed_route %offsets, %row, %copy : tensor<6xi64>, tensor<?x2xi32, #mom.rows<token>>, tensor<?x1xi32, #mom.rows<copy of 2 by "e">> -> !mom.route<"e", 5 of 2>
  %p0 = mom.affine %x {scale = 1.0 : f64, offset = 0.5 : f64} : !x4
  %p1 = mom.affine %x {scale = 2.0 : f64, offset = 1.5 : f64} : !x4
  %y = mom.dispatch %p0, %p1 for %r : !mom.route<"e", 5 of 2>, !x4, !x4 -> tensor<?x4xf32, #mom.rows<copy of 2 by "e">>
  %z = mom.silu %y : tensor<?x4xf32, #mom.rows<copy of 2 by "e">>
  %b0, %b1 = mom.retrieve %z for %r : !mom.route<"e", 5 of 2>, tensor<?x4xf32, #mom.rows<copy of 2 by "e">> -> !x4, !x4
  return %row, %c0, %c1, %b0, %b1 : tensor<?x2xi32, #mom.rows<token>>, !i, !i, !x4, !x4
}

// What is sent is read where it was sent to, and sent back.
func.func @plan_32_of_1(%batch: !mom.batch, %s: !x32, %x: !x4) -> (tensor<?x1xi32, #mom.rows<token>>, !i, !x4) {
  %offsets, %row, %copy, %c0 = mom.plan %s : !x32 -> tensor<33xi64>, tensor<?x1xi32, #mom.rows<token>>, tensor<?x1xi32, #mom.rows<copy of 1 by "e">>, !i
  %r = mom.computed_route %offsets, %row, %copy : tensor<33xi64>, tensor<?x1xi32, #mom.rows<token>>, tensor<?x1xi32, #mom.rows<copy of 1 by "e">> -> !mom.route<"e", 32 of 1>
  %p0 = mom.affine %x {scale = 1.0 : f64, offset = 0.5 : f64} : !x4
  %y = mom.dispatch %p0 for %r : !mom.route<"e", 32 of 1>, !x4 -> tensor<?x4xf32, #mom.rows<copy of 1 by "e">>
  %z = mom.silu %y : tensor<?x4xf32, #mom.rows<copy of 1 by "e">>
  %b0 = mom.retrieve %z for %r : !mom.route<"e", 32 of 1>, tensor<?x4xf32, #mom.rows<copy of 1 by "e">> -> !x4
  return %row, %c0, %b0 : tensor<?x1xi32, #mom.rows<token>>, !i, !x4
}

// What is sent is read where it was sent to, and sent back.
func.func @plan_8_of_8(%batch: !mom.batch, %s: !x8, %x: !x4) -> (tensor<?x8xi32, #mom.rows<token>>, !i, !i, !i, !i, !i, !i, !i, !i, !x4, !x4, !x4, !x4, !x4, !x4, !x4, !x4) {
  %offsets, %row, %copy, %c0, %c1, %c2, %c3, %c4, %c5, %c6, %c7 = mom.plan %s : !x8 -> tensor<9xi64>, tensor<?x8xi32, #mom.rows<token>>, tensor<?x1xi32, #mom.rows<copy of 8 by "e">>, !i, !i, !i, !i, !i, !i, !i, !i
  %r = mom.computed_route %offsets, %row, %copy : tensor<9xi64>, tensor<?x8xi32, #mom.rows<token>>, tensor<?x1xi32, #mom.rows<copy of 8 by "e">> -> !mom.route<"e", 8 of 8>
  %p0 = mom.affine %x {scale = 1.0 : f64, offset = 0.5 : f64} : !x4
  %p1 = mom.affine %x {scale = 2.0 : f64, offset = 1.5 : f64} : !x4
  %p2 = mom.affine %x {scale = 3.0 : f64, offset = 2.5 : f64} : !x4
  %p3 = mom.affine %x {scale = 4.0 : f64, offset = 3.5 : f64} : !x4
  %p4 = mom.affine %x {scale = 5.0 : f64, offset = 4.5 : f64} : !x4
  %p5 = mom.affine %x {scale = 6.0 : f64, offset = 5.5 : f64} : !x4
  %p6 = mom.affine %x {scale = 7.0 : f64, offset = 6.5 : f64} : !x4
  %p7 = mom.affine %x {scale = 8.0 : f64, offset = 7.5 : f64} : !x4
  %y = mom.dispatch %p0, %p1, %p2, %p3, %p4, %p5, %p6, %p7 for %r : !mom.route<"e", 8 of 8>, !x4, !x4, !x4, !x4, !x4, !x4, !x4, !x4 -> tensor<?x4xf32, #mom.rows<copy of 8 by "e">>
  %z = mom.silu %y : tensor<?x4xf32, #mom.rows<copy of 8 by "e">>
  %b0, %b1, %b2, %b3, %b4, %b5, %b6, %b7 = mom.retrieve %z for %r : !mom.route<"e", 8 of 8>, tensor<?x4xf32, #mom.rows<copy of 8 by "e">> -> !x4, !x4, !x4, !x4, !x4, !x4, !x4, !x4
  return %row, %c0, %c1, %c2, %c3, %c4, %c5, %c6, %c7, %b0, %b1, %b2, %b3, %b4, %b5, %b6, %b7 : tensor<?x8xi32, #mom.rows<token>>, !i, !i, !i, !i, !i, !i, !i, !i, !x4, !x4, !x4, !x4, !x4, !x4, !x4, !x4
}

// Few tokens leave experts without any.
func.func @experts_3_of_1(%batch: !mom.batch, %given: tensor<?x5xf32, #mom.rows<token>>, %s: !x3, %up: tensor<3x7x5xf32>, %bias: tensor<3x7xf32>, %down: tensor<3x5x7xf32>, %dy: tensor<?x5xf32, #mom.rows<token>>)
    -> (tensor<?x5xf32, #mom.rows<token>>, tensor<3x7x5xf32>, tensor<3x7xf32>, tensor<3x5x7xf32>, tensor<?x5xf32, #mom.rows<token>>, !x1) attributes {mom.tolerance = 5.0} { // few terms of a gate's gradient cancel
  %x = mom.affine %given {scale = 2.0 : f64, offset = 0.0 : f64} : tensor<?x5xf32, #mom.rows<token>>
  %p = mom.softmax %s : !x3
  %offsets, %row, %copy, %c0 = mom.plan %p : !x3 -> tensor<4xi64>, tensor<?x1xi32, #mom.rows<token>>, tensor<?x1xi32, #mom.rows<copy of 1 by "e">>, !i
  %r = mom.computed_route %offsets, %row, %copy : tensor<4xi64>, tensor<?x1xi32, #mom.rows<token>>, tensor<?x1xi32, #mom.rows<copy of 1 by "e">> -> !mom.route<"e", 3 of 1>
  %hot0 = mom.one_hot %c0 : !i -> !x3
  %hp0 = arith.mulf %hot0, %p : !x3
  %g0 = mom.reduce sum %hp0 : !x3 -> !x1
  %g = mom.dispatch %g0 for %r : !mom.route<"e", 3 of 1>, !x1 -> tensor<?x1xf32, #mom.rows<copy of 1 by "e">>
  %sent = mom.dispatch %x for %r : !mom.route<"e", 3 of 1>, tensor<?x5xf32, #mom.rows<token>> -> tensor<?x5xf32, #mom.rows<copy of 1 by "e">>
  %u0 = mom.linear %sent by %up for %r : !mom.route<"e", 3 of 1>, tensor<?x5xf32, #mom.rows<copy of 1 by "e">>, tensor<3x7x5xf32> -> tensor<?x7xf32, #mom.rows<copy of 1 by "e">>
  %b = mom.broadcast %bias like %u0 for %r : !mom.route<"e", 3 of 1>, tensor<3x7xf32>, tensor<?x7xf32, #mom.rows<copy of 1 by "e">> -> tensor<?x7xf32, #mom.rows<copy of 1 by "e">>
  %u = arith.addf %u0, %b : tensor<?x7xf32, #mom.rows<copy of 1 by "e">>
  %h = mom.silu %u : tensor<?x7xf32, #mom.rows<copy of 1 by "e">>
  %y0 = mom.linear %h by %down for %r : !mom.route<"e", 3 of 1>, tensor<?x7xf32, #mom.rows<copy of 1 by "e">>, tensor<3x5x7xf32> -> tensor<?x5xf32, #mom.rows<copy of 1 by "e">>
  %gs = mom.broadcast %g like %y0 : tensor<?x1xf32, #mom.rows<copy of 1 by "e">>, tensor<?x5xf32, #mom.rows<copy of 1 by "e">> -> tensor<?x5xf32, #mom.rows<copy of 1 by "e">>
  %y = arith.mulf %y0, %gs : tensor<?x5xf32, #mom.rows<copy of 1 by "e">>
  %y_0 = mom.retrieve %y for %r : !mom.route<"e", 3 of 1>, tensor<?x5xf32, #mom.rows<copy of 1 by "e">> -> tensor<?x5xf32, #mom.rows<token>>
  %out = arith.addf %y_0, %x : tensor<?x5xf32, #mom.rows<token>>
  %d = mom.dispatch %dy for %r : !mom.route<"e", 3 of 1>, tensor<?x5xf32, #mom.rows<token>> -> tensor<?x5xf32, #mom.rows<copy of 1 by "e">>
  %dh = mom.linear transposed %d by %down for %r : !mom.route<"e", 3 of 1>, tensor<?x5xf32, #mom.rows<copy of 1 by "e">>, tensor<3x5x7xf32> -> tensor<?x7xf32, #mom.rows<copy of 1 by "e">>
  %ddown = mom.linear_wgrad %h, %d for %r : !mom.route<"e", 3 of 1>, tensor<?x7xf32, #mom.rows<copy of 1 by "e">>, tensor<?x5xf32, #mom.rows<copy of 1 by "e">> -> tensor<3x5x7xf32>
  %dup = mom.linear_wgrad %sent, %dh for %r : !mom.route<"e", 3 of 1>, tensor<?x5xf32, #mom.rows<copy of 1 by "e">>, tensor<?x7xf32, #mom.rows<copy of 1 by "e">> -> tensor<3x7x5xf32>
  %dbias = mom.reduce_rows %dh for %r : !mom.route<"e", 3 of 1>, tensor<?x7xf32, #mom.rows<copy of 1 by "e">> -> tensor<3x7xf32>
  %dx = mom.linear transposed %dh by %up for %r : !mom.route<"e", 3 of 1>, tensor<?x7xf32, #mom.rows<copy of 1 by "e">>, tensor<3x7x5xf32> -> tensor<?x5xf32, #mom.rows<copy of 1 by "e">>
  %dx_0 = mom.retrieve %dx for %r : !mom.route<"e", 3 of 1>, tensor<?x5xf32, #mom.rows<copy of 1 by "e">> -> tensor<?x5xf32, #mom.rows<token>>
  %dg = arith.mulf %d, %y0 : tensor<?x5xf32, #mom.rows<copy of 1 by "e">>
  %dgs = mom.reduce sum %dg : tensor<?x5xf32, #mom.rows<copy of 1 by "e">> -> tensor<?x1xf32, #mom.rows<copy of 1 by "e">>
  %dg_0 = mom.retrieve %dgs for %r : !mom.route<"e", 3 of 1>, tensor<?x1xf32, #mom.rows<copy of 1 by "e">> -> !x1
  return %out, %dup, %dbias, %ddown, %dx_0, %dg_0 : tensor<?x5xf32, #mom.rows<token>>, tensor<3x7x5xf32>, tensor<3x7xf32>, tensor<3x5x7xf32>, tensor<?x5xf32, #mom.rows<token>>, !x1
}

func.func @experts_8_of_2(%batch: !mom.batch, %given: tensor<?x40xf32, #mom.rows<token>>, %s: !x8, %up: tensor<8x64x40xf32>, %bias: tensor<8x64xf32>, %down: tensor<8x40x64xf32>, %dy: tensor<?x40xf32, #mom.rows<token>>)
    -> (tensor<?x40xf32, #mom.rows<token>>, tensor<8x64x40xf32>, tensor<8x64xf32>, tensor<8x40x64xf32>, tensor<?x40xf32, #mom.rows<token>>, !x1) attributes {mom.tolerance = 5.0} { // few terms of a gate's gradient cancel
  %x = mom.affine %given {scale = 2.0 : f64, offset = 0.0 : f64} : tensor<?x40xf32, #mom.rows<token>>
  %p = mom.softmax %s : !x8
  %offsets, %row, %copy, %c0, %c1 = mom.plan %p : !x8 -> tensor<9xi64>, tensor<?x2xi32, #mom.rows<token>>, tensor<?x1xi32, #mom.rows<copy of 2 by "e">>, !i, !i
  %r = mom.computed_route %offsets, %row, %copy : tensor<9xi64>, tensor<?x2xi32, #mom.rows<token>>, tensor<?x1xi32, #mom.rows<copy of 2 by "e">> -> !mom.route<"e", 8 of 2>
  %hot0 = mom.one_hot %c0 : !i -> !x8
  %hp0 = arith.mulf %hot0, %p : !x8
  %g0 = mom.reduce sum %hp0 : !x8 -> !x1
  %hot1 = mom.one_hot %c1 : !i -> !x8
  %hp1 = arith.mulf %hot1, %p : !x8
  %g1 = mom.reduce sum %hp1 : !x8 -> !x1
  %g = mom.dispatch %g0, %g1 for %r : !mom.route<"e", 8 of 2>, !x1, !x1 -> tensor<?x1xf32, #mom.rows<copy of 2 by "e">>
  %sent = mom.dispatch %x, %x for %r : !mom.route<"e", 8 of 2>, tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>> -> tensor<?x40xf32, #mom.rows<copy of 2 by "e">>
  %u0 = mom.linear %sent by %up for %r : !mom.route<"e", 8 of 2>, tensor<?x40xf32, #mom.rows<copy of 2 by "e">>, tensor<8x64x40xf32> -> tensor<?x64xf32, #mom.rows<copy of 2 by "e">>
  %b = mom.broadcast %bias like %u0 for %r : !mom.route<"e", 8 of 2>, tensor<8x64xf32>, tensor<?x64xf32, #mom.rows<copy of 2 by "e">> -> tensor<?x64xf32, #mom.rows<copy of 2 by "e">>
  %u = arith.addf %u0, %b : tensor<?x64xf32, #mom.rows<copy of 2 by "e">>
  %h = mom.silu %u : tensor<?x64xf32, #mom.rows<copy of 2 by "e">>
  %y0 = mom.linear %h by %down for %r : !mom.route<"e", 8 of 2>, tensor<?x64xf32, #mom.rows<copy of 2 by "e">>, tensor<8x40x64xf32> -> tensor<?x40xf32, #mom.rows<copy of 2 by "e">>
  %gs = mom.broadcast %g like %y0 : tensor<?x1xf32, #mom.rows<copy of 2 by "e">>, tensor<?x40xf32, #mom.rows<copy of 2 by "e">> -> tensor<?x40xf32, #mom.rows<copy of 2 by "e">>
  %y = arith.mulf %y0, %gs : tensor<?x40xf32, #mom.rows<copy of 2 by "e">>
  %y_0, %y_1 = mom.retrieve %y for %r : !mom.route<"e", 8 of 2>, tensor<?x40xf32, #mom.rows<copy of 2 by "e">> -> tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>
  %sum1 = arith.addf %y_0, %y_1 : tensor<?x40xf32, #mom.rows<token>>
  %out = arith.addf %sum1, %x : tensor<?x40xf32, #mom.rows<token>>
  %d = mom.dispatch %dy, %dy for %r : !mom.route<"e", 8 of 2>, tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>> -> tensor<?x40xf32, #mom.rows<copy of 2 by "e">>
  %dh = mom.linear transposed %d by %down for %r : !mom.route<"e", 8 of 2>, tensor<?x40xf32, #mom.rows<copy of 2 by "e">>, tensor<8x40x64xf32> -> tensor<?x64xf32, #mom.rows<copy of 2 by "e">>
  %ddown = mom.linear_wgrad %h, %d for %r : !mom.route<"e", 8 of 2>, tensor<?x64xf32, #mom.rows<copy of 2 by "e">>, tensor<?x40xf32, #mom.rows<copy of 2 by "e">> -> tensor<8x40x64xf32>
  %dup = mom.linear_wgrad %sent, %dh for %r : !mom.route<"e", 8 of 2>, tensor<?x40xf32, #mom.rows<copy of 2 by "e">>, tensor<?x64xf32, #mom.rows<copy of 2 by "e">> -> tensor<8x64x40xf32>
  %dbias = mom.reduce_rows %dh for %r : !mom.route<"e", 8 of 2>, tensor<?x64xf32, #mom.rows<copy of 2 by "e">> -> tensor<8x64xf32>
  %dx = mom.linear transposed %dh by %up for %r : !mom.route<"e", 8 of 2>, tensor<?x64xf32, #mom.rows<copy of 2 by "e">>, tensor<8x64x40xf32> -> tensor<?x40xf32, #mom.rows<copy of 2 by "e">>
  %dx_0, %dx_1 = mom.retrieve %dx for %r : !mom.route<"e", 8 of 2>, tensor<?x40xf32, #mom.rows<copy of 2 by "e">> -> tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>
  %dsum1 = arith.addf %dx_0, %dx_1 : tensor<?x40xf32, #mom.rows<token>>
  %dg = arith.mulf %d, %y0 : tensor<?x40xf32, #mom.rows<copy of 2 by "e">>
  %dgs = mom.reduce sum %dg : tensor<?x40xf32, #mom.rows<copy of 2 by "e">> -> tensor<?x1xf32, #mom.rows<copy of 2 by "e">>
  %dg_0, %dg_1 = mom.retrieve %dgs for %r : !mom.route<"e", 8 of 2>, tensor<?x1xf32, #mom.rows<copy of 2 by "e">> -> !x1, !x1
  return %out, %dup, %dbias, %ddown, %dsum1, %dg_1 : tensor<?x40xf32, #mom.rows<token>>, tensor<8x64x40xf32>, tensor<8x64xf32>, tensor<8x40x64xf32>, tensor<?x40xf32, #mom.rows<token>>, !x1
}

// Products of the widths that TMA copies.
func.func @experts_16_of_2(%batch: !mom.batch, %given: tensor<?x128xf32, #mom.rows<token>>, %s: !x16, %up: tensor<16x256x128xf32>, %bias: tensor<16x256xf32>, %down: tensor<16x128x256xf32>, %dy: tensor<?x128xf32, #mom.rows<token>>)
    -> (tensor<?x128xf32, #mom.rows<token>>, tensor<16x256x128xf32>, tensor<16x256xf32>, tensor<16x128x256xf32>, tensor<?x128xf32, #mom.rows<token>>, !x1) attributes {mom.tolerance = 5.0} { // few terms of a gate's gradient cancel
  %x = mom.affine %given {scale = 2.0 : f64, offset = 0.0 : f64} : tensor<?x128xf32, #mom.rows<token>>
  %p = mom.softmax %s : !x16
  %offsets, %row, %copy, %c0, %c1 = mom.plan %p : !x16 -> tensor<17xi64>, tensor<?x2xi32, #mom.rows<token>>, tensor<?x1xi32, #mom.rows<copy of 2 by "e">>, !i, !i
  %r = mom.computed_route %offsets, %row, %copy : tensor<17xi64>, tensor<?x2xi32, #mom.rows<token>>, tensor<?x1xi32, #mom.rows<copy of 2 by "e">> -> !mom.route<"e", 16 of 2>
  %hot0 = mom.one_hot %c0 : !i -> !x16
  %hp0 = arith.mulf %hot0, %p : !x16
  %g0 = mom.reduce sum %hp0 : !x16 -> !x1
  %hot1 = mom.one_hot %c1 : !i -> !x16
  %hp1 = arith.mulf %hot1, %p : !x16
  %g1 = mom.reduce sum %hp1 : !x16 -> !x1
  %g = mom.dispatch %g0, %g1 for %r : !mom.route<"e", 16 of 2>, !x1, !x1 -> tensor<?x1xf32, #mom.rows<copy of 2 by "e">>
  %sent = mom.dispatch %x, %x for %r : !mom.route<"e", 16 of 2>, tensor<?x128xf32, #mom.rows<token>>, tensor<?x128xf32, #mom.rows<token>> -> tensor<?x128xf32, #mom.rows<copy of 2 by "e">>
  %u0 = mom.linear %sent by %up for %r : !mom.route<"e", 16 of 2>, tensor<?x128xf32, #mom.rows<copy of 2 by "e">>, tensor<16x256x128xf32> -> tensor<?x256xf32, #mom.rows<copy of 2 by "e">>
  %b = mom.broadcast %bias like %u0 for %r : !mom.route<"e", 16 of 2>, tensor<16x256xf32>, tensor<?x256xf32, #mom.rows<copy of 2 by "e">> -> tensor<?x256xf32, #mom.rows<copy of 2 by "e">>
  %u = arith.addf %u0, %b : tensor<?x256xf32, #mom.rows<copy of 2 by "e">>
  %h = mom.silu %u : tensor<?x256xf32, #mom.rows<copy of 2 by "e">>
  %y0 = mom.linear %h by %down for %r : !mom.route<"e", 16 of 2>, tensor<?x256xf32, #mom.rows<copy of 2 by "e">>, tensor<16x128x256xf32> -> tensor<?x128xf32, #mom.rows<copy of 2 by "e">>
  %gs = mom.broadcast %g like %y0 : tensor<?x1xf32, #mom.rows<copy of 2 by "e">>, tensor<?x128xf32, #mom.rows<copy of 2 by "e">> -> tensor<?x128xf32, #mom.rows<copy of 2 by "e">>
  %y = arith.mulf %y0, %gs : tensor<?x128xf32, #mom.rows<copy of 2 by "e">>
  %y_0, %y_1 = mom.retrieve %y for %r : !mom.route<"e", 16 of 2>, tensor<?x128xf32, #mom.rows<copy of 2 by "e">> -> tensor<?x128xf32, #mom.rows<token>>, tensor<?x128xf32, #mom.rows<token>>
  %sum1 = arith.addf %y_0, %y_1 : tensor<?x128xf32, #mom.rows<token>>
  %out = arith.addf %sum1, %x : tensor<?x128xf32, #mom.rows<token>>
  %d = mom.dispatch %dy, %dy for %r : !mom.route<"e", 16 of 2>, tensor<?x128xf32, #mom.rows<token>>, tensor<?x128xf32, #mom.rows<token>> -> tensor<?x128xf32, #mom.rows<copy of 2 by "e">>
  %dh = mom.linear transposed %d by %down for %r : !mom.route<"e", 16 of 2>, tensor<?x128xf32, #mom.rows<copy of 2 by "e">>, tensor<16x128x256xf32> -> tensor<?x256xf32, #mom.rows<copy of 2 by "e">>
  %ddown = mom.linear_wgrad %h, %d for %r : !mom.route<"e", 16 of 2>, tensor<?x256xf32, #mom.rows<copy of 2 by "e">>, tensor<?x128xf32, #mom.rows<copy of 2 by "e">> -> tensor<16x128x256xf32>
  %dup = mom.linear_wgrad %sent, %dh for %r : !mom.route<"e", 16 of 2>, tensor<?x128xf32, #mom.rows<copy of 2 by "e">>, tensor<?x256xf32, #mom.rows<copy of 2 by "e">> -> tensor<16x256x128xf32>
  %dbias = mom.reduce_rows %dh for %r : !mom.route<"e", 16 of 2>, tensor<?x256xf32, #mom.rows<copy of 2 by "e">> -> tensor<16x256xf32>
  %dx = mom.linear transposed %dh by %up for %r : !mom.route<"e", 16 of 2>, tensor<?x256xf32, #mom.rows<copy of 2 by "e">>, tensor<16x256x128xf32> -> tensor<?x128xf32, #mom.rows<copy of 2 by "e">>
  %dx_0, %dx_1 = mom.retrieve %dx for %r : !mom.route<"e", 16 of 2>, tensor<?x128xf32, #mom.rows<copy of 2 by "e">> -> tensor<?x128xf32, #mom.rows<token>>, tensor<?x128xf32, #mom.rows<token>>
  %dsum1 = arith.addf %dx_0, %dx_1 : tensor<?x128xf32, #mom.rows<token>>
  %dg = arith.mulf %d, %y0 : tensor<?x128xf32, #mom.rows<copy of 2 by "e">>
  %dgs = mom.reduce sum %dg : tensor<?x128xf32, #mom.rows<copy of 2 by "e">> -> tensor<?x1xf32, #mom.rows<copy of 2 by "e">>
  %dg_0, %dg_1 = mom.retrieve %dgs for %r : !mom.route<"e", 16 of 2>, tensor<?x1xf32, #mom.rows<copy of 2 by "e">> -> !x1, !x1
  return %out, %dup, %dbias, %ddown, %dsum1, %dg_1 : tensor<?x128xf32, #mom.rows<token>>, tensor<16x256x128xf32>, tensor<16x256xf32>, tensor<16x128x256xf32>, tensor<?x128xf32, #mom.rows<token>>, !x1
}

// Sorted by modality outside, by expert inside.
func.func @by_modality(%batch: !mom.batch, %given: tensor<?x32xf32, #mom.rows<token>>, %s: !x5, %up: tensor<5x40x32xf32>, %bias: tensor<5x40xf32>, %down: tensor<5x32x40xf32>, %dy: tensor<?x32xf32, #mom.rows<token>>, %m: tensor<3x32x32xf32>)
    -> (tensor<?x32xf32, #mom.rows<token>>, tensor<5x40x32xf32>, tensor<5x40xf32>, tensor<5x32x40xf32>, tensor<?x32xf32, #mom.rows<token>>, !x1) attributes {mom.tolerance = 5.0} { // few terms of a gate's gradient cancel
  %M = mom.modality_route %batch : !mom.route<"M", 3>
  %x = mom.linear %given by %m for %M : !mom.route<"M", 3>, tensor<?x32xf32, #mom.rows<token>>, tensor<3x32x32xf32> -> tensor<?x32xf32, #mom.rows<token>>
  %p = mom.softmax %s : !x5
  %offsets, %row, %copy, %c0, %c1 = mom.plan %p : !x5 -> tensor<6xi64>, tensor<?x2xi32, #mom.rows<token>>, tensor<?x1xi32, #mom.rows<copy of 2 by "e">>, !i, !i
  %r = mom.computed_route %offsets, %row, %copy : tensor<6xi64>, tensor<?x2xi32, #mom.rows<token>>, tensor<?x1xi32, #mom.rows<copy of 2 by "e">> -> !mom.route<"e", 5 of 2>
  %hot0 = mom.one_hot %c0 : !i -> !x5
  %hp0 = arith.mulf %hot0, %p : !x5
  %g0 = mom.reduce sum %hp0 : !x5 -> !x1
  %hot1 = mom.one_hot %c1 : !i -> !x5
  %hp1 = arith.mulf %hot1, %p : !x5
  %g1 = mom.reduce sum %hp1 : !x5 -> !x1
  %g = mom.dispatch %g0, %g1 for %r : !mom.route<"e", 5 of 2>, !x1, !x1 -> tensor<?x1xf32, #mom.rows<copy of 2 by "e">>
  %sent = mom.dispatch %x, %x for %r : !mom.route<"e", 5 of 2>, tensor<?x32xf32, #mom.rows<token>>, tensor<?x32xf32, #mom.rows<token>> -> tensor<?x32xf32, #mom.rows<copy of 2 by "e">>
  %u0 = mom.linear %sent by %up for %r : !mom.route<"e", 5 of 2>, tensor<?x32xf32, #mom.rows<copy of 2 by "e">>, tensor<5x40x32xf32> -> tensor<?x40xf32, #mom.rows<copy of 2 by "e">>
  %b = mom.broadcast %bias like %u0 for %r : !mom.route<"e", 5 of 2>, tensor<5x40xf32>, tensor<?x40xf32, #mom.rows<copy of 2 by "e">> -> tensor<?x40xf32, #mom.rows<copy of 2 by "e">>
  %u = arith.addf %u0, %b : tensor<?x40xf32, #mom.rows<copy of 2 by "e">>
  %h = mom.silu %u : tensor<?x40xf32, #mom.rows<copy of 2 by "e">>
  %y0 = mom.linear %h by %down for %r : !mom.route<"e", 5 of 2>, tensor<?x40xf32, #mom.rows<copy of 2 by "e">>, tensor<5x32x40xf32> -> tensor<?x32xf32, #mom.rows<copy of 2 by "e">>
  %gs = mom.broadcast %g like %y0 : tensor<?x1xf32, #mom.rows<copy of 2 by "e">>, tensor<?x32xf32, #mom.rows<copy of 2 by "e">> -> tensor<?x32xf32, #mom.rows<copy of 2 by "e">>
  %y = arith.mulf %y0, %gs : tensor<?x32xf32, #mom.rows<copy of 2 by "e">>
  %y_0, %y_1 = mom.retrieve %y for %r : !mom.route<"e", 5 of 2>, tensor<?x32xf32, #mom.rows<copy of 2 by "e">> -> tensor<?x32xf32, #mom.rows<token>>, tensor<?x32xf32, #mom.rows<token>>
  %sum1 = arith.addf %y_0, %y_1 : tensor<?x32xf32, #mom.rows<token>>
  %out = arith.addf %sum1, %x : tensor<?x32xf32, #mom.rows<token>>
  %d = mom.dispatch %dy, %dy for %r : !mom.route<"e", 5 of 2>, tensor<?x32xf32, #mom.rows<token>>, tensor<?x32xf32, #mom.rows<token>> -> tensor<?x32xf32, #mom.rows<copy of 2 by "e">>
  %dh = mom.linear transposed %d by %down for %r : !mom.route<"e", 5 of 2>, tensor<?x32xf32, #mom.rows<copy of 2 by "e">>, tensor<5x32x40xf32> -> tensor<?x40xf32, #mom.rows<copy of 2 by "e">>
  %ddown = mom.linear_wgrad %h, %d for %r : !mom.route<"e", 5 of 2>, tensor<?x40xf32, #mom.rows<copy of 2 by "e">>, tensor<?x32xf32, #mom.rows<copy of 2 by "e">> -> tensor<5x32x40xf32>
  %dup = mom.linear_wgrad %sent, %dh for %r : !mom.route<"e", 5 of 2>, tensor<?x32xf32, #mom.rows<copy of 2 by "e">>, tensor<?x40xf32, #mom.rows<copy of 2 by "e">> -> tensor<5x40x32xf32>
  %dbias = mom.reduce_rows %dh for %r : !mom.route<"e", 5 of 2>, tensor<?x40xf32, #mom.rows<copy of 2 by "e">> -> tensor<5x40xf32>
  %dx = mom.linear transposed %dh by %up for %r : !mom.route<"e", 5 of 2>, tensor<?x40xf32, #mom.rows<copy of 2 by "e">>, tensor<5x40x32xf32> -> tensor<?x32xf32, #mom.rows<copy of 2 by "e">>
  %dx_0, %dx_1 = mom.retrieve %dx for %r : !mom.route<"e", 5 of 2>, tensor<?x32xf32, #mom.rows<copy of 2 by "e">> -> tensor<?x32xf32, #mom.rows<token>>, tensor<?x32xf32, #mom.rows<token>>
  %dsum1 = arith.addf %dx_0, %dx_1 : tensor<?x32xf32, #mom.rows<token>>
  %dg = arith.mulf %d, %y0 : tensor<?x32xf32, #mom.rows<copy of 2 by "e">>
  %dgs = mom.reduce sum %dg : tensor<?x32xf32, #mom.rows<copy of 2 by "e">> -> tensor<?x1xf32, #mom.rows<copy of 2 by "e">>
  %dg_0, %dg_1 = mom.retrieve %dgs for %r : !mom.route<"e", 5 of 2>, tensor<?x1xf32, #mom.rows<copy of 2 by "e">> -> !x1, !x1
  return %out, %dup, %dbias, %ddown, %dsum1, %dg_1 : tensor<?x32xf32, #mom.rows<token>>, tensor<5x40x32xf32>, tensor<5x40xf32>, tensor<5x32x40xf32>, tensor<?x32xf32, #mom.rows<token>>, !x1
}

