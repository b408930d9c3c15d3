// RUN: mom-opt %s --verify-roundtrip | FileCheck %s
// RUN: mom-compare %s --lengths=3 --modality=1,0,1 | FileCheck %s --check-prefix=VALUE

!x = tensor<?x2xf32, #mom.rows<token>>
!y = tensor<?x1xf32, #mom.rows<token>>
!sorted = tensor<?x2xf32, #mom.rows<token by "M">>
!ysorted = tensor<?x1xf32, #mom.rows<token by "M">>

// CHECK-LABEL: @shared
// CHECK: mom.linear %{{.*}} by %{{.*}} : tensor<?x2xf32, #mom.rows<token>>, tensor<1x2xf32> -> tensor<?x1xf32, #mom.rows<token>>
// VALUE-LABEL: @shared
// VALUE-NEXT: [3, 1]
// VALUE-NEXT: {{^}}  50{{$}}
// VALUE-NEXT: {{^}}  110{{$}}
// VALUE-NEXT: {{^}}  170{{$}}
func.func @shared(%batch: !mom.batch,
    %x: !x {mom.values = dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>},
    %w: tensor<1x2xf32> {mom.values = dense<[[10.0, 20.0]]> : tensor<1x2xf32>}) -> !y {
  %y = mom.linear %x by %w : !x, tensor<1x2xf32> -> !y
  return %y : !y
}

// A row by position reads the weight of its token's modality: 1, 0, 1.
// CHECK-LABEL: @routed
// CHECK: mom.linear %{{.*}} by %{{.*}} for %{{.*}} : !mom.route<"M", 2>,
// VALUE-LABEL: @routed
// VALUE-NEXT: [3, 1]
// VALUE-NEXT: {{^}}  500{{$}}
// VALUE-NEXT: {{^}}  11{{$}}
// VALUE-NEXT: {{^}}  1700{{$}}
func.func @routed(%batch: !mom.batch,
    %x: !x {mom.values = dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>},
    %w: tensor<2x1x2xf32> {mom.values = dense<[[[1.0, 2.0]], [[100.0, 200.0]]]> : tensor<2x1x2xf32>}) -> !y {
  %route = mom.modality_route %batch : !mom.route<"M", 2>
  %y = mom.linear %x by %w for %route : !mom.route<"M", 2>, !x, tensor<2x1x2xf32> -> !y
  return %y : !y
}

// Sorted rows: the token of modality 0 comes first.
// VALUE-LABEL: @sorted
// VALUE-NEXT: [3, 1]
// VALUE-NEXT: {{^}}  5{{$}}
// VALUE-NEXT: {{^}}  1100{{$}}
// VALUE-NEXT: {{^}}  1700{{$}}
func.func @sorted(%batch: !mom.batch,
    %x: !sorted {mom.values = dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>},
    %w: tensor<2x1x2xf32> {mom.values = dense<[[[1.0, 2.0]], [[100.0, 200.0]]]> : tensor<2x1x2xf32>}) -> !ysorted {
  %route = mom.modality_route %batch : !mom.route<"M", 2>
  %y = mom.linear %x by %w for %route : !mom.route<"M", 2>, !sorted, tensor<2x1x2xf32> -> !ysorted
  return %y : !ysorted
}

// CHECK-LABEL: @transposed
// CHECK: mom.linear transposed
// VALUE-LABEL: @transposed
// VALUE-NEXT: [3, 2]
// VALUE-NEXT: {{^}}  1 2{{$}}
// VALUE-NEXT: {{^}}  2 4{{$}}
// VALUE-NEXT: {{^}}  3 6{{$}}
func.func @transposed(%batch: !mom.batch,
    %x: !y {mom.values = dense<[[1.0], [2.0], [3.0]]> : tensor<3x1xf32>},
    %w: tensor<1x2xf32> {mom.values = dense<[[1.0, 2.0]]> : tensor<1x2xf32>}) -> !x {
  %y = mom.linear transposed %x by %w : !y, tensor<1x2xf32> -> !x
  return %y : !x
}
