// RUN: mom-opt %s --verify-roundtrip | FileCheck %s
// RUN: mom-compare %s --lengths=4 | FileCheck %s --check-prefix=VALUE

!logits = tensor<?x3xf32, #mom.rows<token>>
!place = tensor<?x3xi32, #mom.rows<token>>
!one = tensor<?x1xi32, #mom.rows<token>>

// The likeliest, of equals the first, of those that are allowed; a place counts on.
// CHECK-LABEL: @likeliest
// CHECK: mom.draw %{{.*}} at %{{.*}} within %{{.*}}, %{{.*}} of %{{.*}} : tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xi32, #mom.rows<token>>, tensor<2xf32>, tensor<3xi32>, tensor<3xi32> -> tensor<?x1xi32, #mom.rows<token>>
// VALUE-LABEL: @likeliest
// VALUE-NEXT: result 0: [4, 1]
// VALUE-NEXT: {{^}}  1{{$}}
// VALUE-NEXT: {{^}}  0{{$}}
// VALUE-NEXT: {{^}}  0{{$}}
// VALUE-NEXT: {{^}}  1{{$}}
// VALUE-NEXT: result 1: [4, 1]
// VALUE-NEXT: {{^}}  5{{$}}
// VALUE-NEXT: {{^}}  2{{$}}
// VALUE-NEXT: {{^}}  2{{$}}
// VALUE-NEXT: {{^}}  5{{$}}
// VALUE-NEXT: result 2: [4, 3]
// VALUE-NEXT: {{^}}  1 2 4{{$}}
func.func @likeliest(%batch: !mom.batch,
    %x: !logits {mom.values = dense<[[0.0, 1.0, 2.0], [3.0, 3.0, 9.0], [-1.0, -2.0, 0.0],
                                     [0xFF800000, -7.0, 8.0]]> : tensor<4x3xf32>},
    %at: !place {mom.values = dense<[[1, 2, 3], [1, 2, 3], [1, 2, 3], [1, 2, 3]]> : tensor<4x3xi32>},
    %limits: tensor<2xf32> {mom.values = dense<1.0> : tensor<2xf32>},
    %how: tensor<3xi32> {mom.values = dense<[0, 0, 1]> : tensor<3xi32>},
    %groups: tensor<3xi32> {mom.values = dense<[2, 5, -1]> : tensor<3xi32>}) -> (!one, !one, !place) {
  %id, %group, %next = mom.draw %x at %at within %limits, %how of %groups
      : !logits, !place, tensor<2xf32>, tensor<3xi32>, tensor<3xi32> -> !one
  return %id, %group, %next : !one, !one, !place
}
