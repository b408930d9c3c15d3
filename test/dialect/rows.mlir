// RUN: mom-opt %s --verify-roundtrip | FileCheck %s
// RUN: mom-compare %s --lengths=3,1 --modality=1,0,1,0 | FileCheck %s --check-prefix=VALUE

!i = tensor<?x1xi32, #mom.rows<token>>
!x1 = tensor<?x1xf32, #mom.rows<token>>
!x2 = tensor<?x2xf32, #mom.rows<token>>
!x3 = tensor<?x3xf32, #mom.rows<token>>
!s1 = tensor<?x1xf32, #mom.rows<token by "M">>
!si = tensor<?x1xi32, #mom.rows<token by "M">>
!s2 = tensor<?x2xf32, #mom.rows<token by "M">>

// CHECK-LABEL: @modality
// CHECK: mom.modality %{{.*}} : tensor<?x1xi32, #mom.rows<token>>
// VALUE-LABEL: @modality
// VALUE-NEXT: [4, 1]
// VALUE-NEXT: {{^}}  1{{$}}
// VALUE-NEXT: {{^}}  0{{$}}
// VALUE-NEXT: {{^}}  1{{$}}
// VALUE-NEXT: {{^}}  0{{$}}
func.func @modality(%batch: !mom.batch) -> !i {
  %y = mom.modality %batch : !i
  return %y : !i
}

// Positions 1, 3 have modality 0; 0, 2 have modality 1.
// CHECK-LABEL: @reorder
// CHECK: mom.reorder %{{.*}} for %{{.*}} : tensor<?x1xf32, #mom.rows<token>> -> tensor<?x1xf32, #mom.rows<token by "M">>, <"M", 2>
// VALUE-LABEL: @reorder
// VALUE-NEXT: [4, 1]
// VALUE-NEXT: {{^}}  20{{$}}
// VALUE-NEXT: {{^}}  40{{$}}
// VALUE-NEXT: {{^}}  10{{$}}
// VALUE-NEXT: {{^}}  30{{$}}
// VALUE-NEXT: result 1: [4, 1]
// VALUE-NEXT: {{^}}  30{{$}}
// VALUE-NEXT: {{^}}  10{{$}}
// VALUE-NEXT: {{^}}  40{{$}}
// VALUE-NEXT: {{^}}  20{{$}}
func.func @reorder(%batch: !mom.batch,
    %x: !x1 {mom.values = dense<[[10.0], [20.0], [30.0], [40.0]]> : tensor<4x1xf32>},
    %s: !s1 {mom.values = dense<[[10.0], [20.0], [30.0], [40.0]]> : tensor<4x1xf32>}) -> (!s1, !x1) {
  %route = mom.modality_route %batch : !mom.route<"M", 2>
  %y = mom.reorder %x for %route : !x1 -> !s1, !mom.route<"M", 2>
  %z = mom.reorder %s for %route : !s1 -> !x1, !mom.route<"M", 2>
  return %y, %z : !s1, !x1
}

// CHECK-LABEL: @next
// CHECK: mom.next %{{.*}} in %{{.*}} : tensor<?x1xi32, #mom.rows<token>>
// VALUE-LABEL: @next
// VALUE-NEXT: result 0: [4, 1]
// VALUE-NEXT: {{^}}  20{{$}}
// VALUE-NEXT: {{^}}  30{{$}}
// VALUE-NEXT: {{^}}  -1{{$}}
// VALUE-NEXT: {{^}}  -1{{$}}
// Rows 20, 40, 10, 30 in sorted order.
// VALUE-NEXT: result 1: [4, 1]
// VALUE-NEXT: {{^}}  30{{$}}
// VALUE-NEXT: {{^}}  -1{{$}}
// VALUE-NEXT: {{^}}  20{{$}}
// VALUE-NEXT: {{^}}  -1{{$}}
func.func @next(%batch: !mom.batch,
    %x: !i {mom.values = dense<[[10], [20], [30], [40]]> : tensor<4x1xi32>},
    %s: !si {mom.values = dense<[[20], [40], [10], [30]]> : tensor<4x1xi32>}) -> (!i, !si) {
  %y = mom.next %x in %batch : !i
  %z = mom.next %s in %batch : !si
  return %y, %z : !i, !si
}

// CHECK-LABEL: @labels
// CHECK: mom.present %{{.*}} : tensor<?x1xi32, #mom.rows<token>> -> tensor<?x1xf32, #mom.rows<token>>
// CHECK: mom.one_hot %{{.*}} : tensor<?x1xi32, #mom.rows<token>> -> tensor<?x3xf32, #mom.rows<token>>
// VALUE-LABEL: @labels
// VALUE-NEXT: result 0: [4, 1]
// VALUE-NEXT: {{^}}  1{{$}}
// VALUE-NEXT: {{^}}  0{{$}}
// VALUE-NEXT: {{^}}  1{{$}}
// VALUE-NEXT: {{^}}  1{{$}}
// VALUE-NEXT: result 1: [4, 3]
// VALUE-NEXT: {{^}}  1 0 0{{$}}
// VALUE-NEXT: {{^}}  0 0 0{{$}}
// VALUE-NEXT: {{^}}  0 0 1{{$}}
// VALUE-NEXT: {{^}}  0 0 0{{$}}
func.func @labels(%batch: !mom.batch,
    %x: !i {mom.values = dense<[[0], [-1], [2], [3]]> : tensor<4x1xi32>}) -> (!x1, !x3) {
  %y = mom.present %x : !i -> !x1
  %z = mom.one_hot %x : !i -> !x3
  return %y, %z : !x1, !x3
}

// CHECK-LABEL: @broadcast
// CHECK: mom.broadcast %{{.*}} like %{{.*}} : tensor<?x1xf32, #mom.rows<token>>, tensor<?x2xf32, #mom.rows<token>> -> tensor<?x2xf32, #mom.rows<token>>
// CHECK: mom.broadcast %{{.*}} like %{{.*}} : tensor<2xf32>,
// CHECK: mom.broadcast %{{.*}} like %{{.*}} : tensor<1xf32>,
// CHECK: mom.broadcast %{{.*}} like %{{.*}} for %{{.*}} : !mom.route<"M", 2>, tensor<2x2xf32>,
// CHECK: mom.broadcast %{{.*}} like %{{.*}} : tensor<2xf32>, tensor<2x2xf32> -> tensor<2x2xf32>
// VALUE-LABEL: @broadcast
// VALUE-NEXT: result 0: [4, 2]
// VALUE-NEXT: {{^}}  10 10{{$}}
// VALUE-NEXT: {{^}}  20 20{{$}}
// VALUE-NEXT: {{^}}  30 30{{$}}
// VALUE-NEXT: {{^}}  40 40{{$}}
// VALUE-NEXT: result 1: [4, 2]
// VALUE-NEXT: {{^}}  5 6{{$}}
// VALUE:      result 2: [4, 2]
// VALUE-NEXT: {{^}}  7 7{{$}}
// VALUE:      result 3: [4, 2]
// VALUE-NEXT: {{^}}  3 4{{$}}
// VALUE-NEXT: {{^}}  1 2{{$}}
// VALUE-NEXT: {{^}}  3 4{{$}}
// VALUE-NEXT: {{^}}  1 2{{$}}
// VALUE-NEXT: result 4: [2, 2]
// VALUE-NEXT: {{^}}  5 6{{$}}
// VALUE-NEXT: {{^}}  5 6{{$}}
func.func @broadcast(%batch: !mom.batch, %like: !x2,
    %x: !x1 {mom.values = dense<[[10.0], [20.0], [30.0], [40.0]]> : tensor<4x1xf32>},
    %v: tensor<2xf32> {mom.values = dense<[5.0, 6.0]> : tensor<2xf32>},
    %one: tensor<1xf32> {mom.values = dense<7.0> : tensor<1xf32>},
    %m: tensor<2x2xf32> {mom.values = dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>})
    -> (!x2, !x2, !x2, !x2, tensor<2x2xf32>) {
  %route = mom.modality_route %batch : !mom.route<"M", 2>
  %0 = mom.broadcast %x like %like : !x1, !x2 -> !x2
  %1 = mom.broadcast %v like %like : tensor<2xf32>, !x2 -> !x2
  %2 = mom.broadcast %one like %like : tensor<1xf32>, !x2 -> !x2
  %3 = mom.broadcast %m like %like for %route : !mom.route<"M", 2>, tensor<2x2xf32>, !x2 -> !x2
  %4 = mom.broadcast %v like %m : tensor<2xf32>, tensor<2x2xf32> -> tensor<2x2xf32>
  return %0, %1, %2, %3, %4 : !x2, !x2, !x2, !x2, tensor<2x2xf32>
}

// CHECK-LABEL: @reduce
// CHECK: mom.reduce sum %{{.*}} : tensor<?x2xf32, #mom.rows<token>> -> tensor<?x1xf32, #mom.rows<token>>
// CHECK: mom.reduce max
// CHECK: mom.reduce sum %{{.*}} : tensor<2x2xf32> -> tensor<1xf32>
// CHECK: mom.reduce_rows %{{.*}} : tensor<?x2xf32, #mom.rows<token>> -> tensor<2xf32>
// CHECK: mom.reduce_rows %{{.*}} for %{{.*}} : !mom.route<"M", 3>, tensor<?x2xf32, #mom.rows<token>> -> tensor<3x2xf32>
// VALUE-LABEL: @reduce
// VALUE-NEXT: result 0: [4, 1]
// VALUE-NEXT: {{^}}  -1{{$}}
// VALUE-NEXT: {{^}}  7{{$}}
// VALUE-NEXT: {{^}}  11{{$}}
// VALUE-NEXT: {{^}}  15{{$}}
// VALUE-NEXT: result 1: [4, 1]
// VALUE-NEXT: {{^}}  1{{$}}
// VALUE-NEXT: {{^}}  4{{$}}
// VALUE-NEXT: {{^}}  6{{$}}
// VALUE-NEXT: {{^}}  8{{$}}
// VALUE-NEXT: result 2: [1]
// VALUE-NEXT: {{^}}  10{{$}}
// VALUE-NEXT: result 3: [2]
// VALUE-NEXT: {{^}}  16 16{{$}}
// VALUE-NEXT: result 4: [3, 2]
// VALUE-NEXT: {{^}}  10 12{{$}}
// VALUE-NEXT: {{^}}  6 4{{$}}
// VALUE-NEXT: {{^}}  0 0{{$}}
func.func @reduce(%batch: !mom.batch,
    %x: !x2 {mom.values = dense<[[1.0, -2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]> : tensor<4x2xf32>},
    %m: tensor<2x2xf32> {mom.values = dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>})
    -> (!x1, !x1, tensor<1xf32>, tensor<2xf32>, tensor<3x2xf32>) {
  %route = mom.modality_route %batch : !mom.route<"M", 3>
  %0 = mom.reduce sum %x : !x2 -> !x1
  %1 = mom.reduce max %x : !x2 -> !x1
  %2 = mom.reduce sum %m : tensor<2x2xf32> -> tensor<1xf32>
  %3 = mom.reduce_rows %x : !x2 -> tensor<2xf32>
  %4 = mom.reduce_rows %x for %route : !mom.route<"M", 3>, !x2 -> tensor<3x2xf32>
  return %0, %1, %2, %3, %4 : !x1, !x1, tensor<1xf32>, tensor<2xf32>, tensor<3x2xf32>
}

// r = 1 / sqrt((9 + 16) / 2) = 0.282843, and 1 / sqrt(4) = 0.5.
// CHECK-LABEL: @rms_norm
// CHECK: mom.rms_norm %{{.*}} {eps = 0.000000e+00 : f64} : tensor<?x2xf32, #mom.rows<token>>
// CHECK: mom.rms_norm_grad
// VALUE-LABEL: @rms_norm
// VALUE-NEXT: result 0: [4, 2]
// VALUE-NEXT: {{^}}  0.848528 1.13137{{$}}
// VALUE-NEXT: {{^}}  1 1{{$}}
// VALUE-NEXT: {{^}}  1 -1{{$}}
// VALUE-NEXT: {{^}}  1 -1{{$}}
// dx = r dy - x r^3 mean(x dy), with dy = (1, 0)
// VALUE-NEXT: result 1: [4, 2]
// VALUE-NEXT: {{^}}  0.181019 -0.135765{{$}}
// VALUE-NEXT: {{^}}  0.25 -0.25{{$}}
// VALUE-NEXT: {{^}}  0.25 0.25{{$}}
// VALUE-NEXT: {{^}}  0.125 0.125{{$}}
func.func @rms_norm(%batch: !mom.batch,
    %x: !x2 {mom.values = dense<[[3.0, 4.0], [2.0, 2.0], [2.0, -2.0], [4.0, -4.0]]> : tensor<4x2xf32>},
    %dy: !x2 {mom.values = dense<[[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]> : tensor<4x2xf32>}) -> (!x2, !x2) {
  %y = mom.rms_norm %x {eps = 0.0 : f64} : !x2
  %dx = mom.rms_norm_grad %x, %dy {eps = 0.0 : f64} : !x2
  return %y, %dx : !x2, !x2
}

// CHECK-LABEL: @split
// CHECK: mom.split %{{.*}} : tensor<?x3xf32, #mom.rows<token>> -> tensor<?x1xf32, #mom.rows<token>>, tensor<?x2xf32, #mom.rows<token>>
// CHECK: mom.concat %{{.*}}, %{{.*}} : tensor<?x2xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>> -> tensor<?x3xf32, #mom.rows<token>>
// VALUE-LABEL: @split
// VALUE-NEXT: result 0: [4, 3]
// VALUE-NEXT: {{^}}  2 3 1{{$}}
// VALUE-NEXT: {{^}}  5 6 4{{$}}
func.func @split(%batch: !mom.batch,
    %x: !x3 {mom.values = dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0], [0.0, 0.0, 0.0]]> : tensor<4x3xf32>}) -> !x3 {
  %a, %b = mom.split %x : !x3 -> !x1, !x2
  %y = mom.concat %b, %a : !x2, !x1 -> !x3
  return %y : !x3
}

// An id outside the table reads zeros, and its gradient goes nowhere.
// CHECK-LABEL: @embedding
// CHECK: mom.embedding %{{.*}} from %{{.*}} : tensor<?x1xi32, #mom.rows<token>>, tensor<3x2xf32> -> tensor<?x2xf32, #mom.rows<token>>
// CHECK: mom.embedding_grad %{{.*}}, %{{.*}} : tensor<?x1xi32, #mom.rows<token>>, tensor<?x2xf32, #mom.rows<token>> -> tensor<3x2xf32>
// VALUE-LABEL: @embedding
// VALUE-NEXT: result 0: [4, 2]
// VALUE-NEXT: {{^}}  5 6{{$}}
// VALUE-NEXT: {{^}}  1 2{{$}}
// VALUE-NEXT: {{^}}  5 6{{$}}
// VALUE-NEXT: {{^}}  0 0{{$}}
// VALUE-NEXT: result 1: [3, 2]
// VALUE-NEXT: {{^}}  1 2{{$}}
// VALUE-NEXT: {{^}}  0 0{{$}}
// VALUE-NEXT: {{^}}  10 12{{$}}
func.func @embedding(%batch: !mom.batch,
    %ids: !i {mom.values = dense<[[2], [0], [2], [3]]> : tensor<4x1xi32>},
    %table: tensor<3x2xf32> {mom.values = dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>})
    -> (!x2, tensor<3x2xf32>) {
  %y = mom.embedding %ids from %table : !i, tensor<3x2xf32> -> !x2
  %d = mom.embedding_grad %ids, %y : !i, !x2 -> tensor<3x2xf32>
  return %y, %d : !x2, tensor<3x2xf32>
}

!d2 = tensor<?x2xf32, #mom.rows<document>>

// CHECK-LABEL: @equals
// CHECK: mom.equals %{{.*}}, 3 : tensor<?x1xi32, #mom.rows<token>> -> tensor<?x1xf32, #mom.rows<token>>
// VALUE-LABEL: @equals
// VALUE-NEXT: [4, 1]
// VALUE-NEXT: {{^}}  0{{$}}
// VALUE-NEXT: {{^}}  1{{$}}
// VALUE-NEXT: {{^}}  0{{$}}
// VALUE-NEXT: {{^}}  1{{$}}
func.func @equals(%batch: !mom.batch,
    %x: !i {mom.values = dense<[[-1], [3], [2], [3]]> : tensor<4x1xi32>}) -> !x1 {
  %y = mom.equals %x, 3 : !i -> !x1
  return %y : !x1
}

// Documents of 3 and 1 tokens.
// CHECK-LABEL: @spread
// CHECK: mom.spread %{{.*}} in %{{.*}} : tensor<?x2xf32, #mom.rows<document>> -> tensor<?x2xf32, #mom.rows<token>>
// CHECK: mom.spread mean %{{.*}} in
// VALUE-LABEL: @spread
// VALUE-NEXT: result 0: [4, 2]
// VALUE-NEXT: {{^}}  3 6{{$}}
// VALUE-NEXT: {{^}}  3 6{{$}}
// VALUE-NEXT: {{^}}  3 6{{$}}
// VALUE-NEXT: {{^}}  9 12{{$}}
// VALUE-NEXT: result 1: [4, 2]
// VALUE-NEXT: {{^}}  1 2{{$}}
// VALUE-NEXT: {{^}}  1 2{{$}}
// VALUE-NEXT: {{^}}  1 2{{$}}
// VALUE-NEXT: {{^}}  9 12{{$}}
func.func @spread(%batch: !mom.batch,
    %x: !d2 {mom.values = dense<[[3.0, 6.0], [9.0, 12.0]]> : tensor<2x2xf32>}) -> (!x2, !x2) {
  %y = mom.spread %x in %batch : !d2 -> !x2
  %z = mom.spread mean %x in %batch : !d2 -> !x2
  return %y, %z : !x2, !x2
}

// CHECK-LABEL: @collect
// CHECK: mom.collect %{{.*}} in %{{.*}} : tensor<?x2xf32, #mom.rows<token>> -> tensor<?x2xf32, #mom.rows<document>>
// CHECK: mom.collect mean %{{.*}} in
// VALUE-LABEL: @collect
// VALUE-NEXT: result 0: [2, 2]
// VALUE-NEXT: {{^}}  9 12{{$}}
// VALUE-NEXT: {{^}}  7 8{{$}}
// VALUE-NEXT: result 1: [2, 2]
// VALUE-NEXT: {{^}}  3 4{{$}}
// VALUE-NEXT: {{^}}  7 8{{$}}
func.func @collect(%batch: !mom.batch,
    %x: !x2 {mom.values = dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]> : tensor<4x2xf32>}) -> (!d2, !d2) {
  %y = mom.collect %x in %batch : !x2 -> !d2
  %z = mom.collect mean %x in %batch : !x2 -> !d2
  return %y, %z : !d2, !d2
}
