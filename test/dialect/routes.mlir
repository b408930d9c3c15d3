// RUN: mom-opt %s --verify-roundtrip | FileCheck %s
// RUN: mom-compare %s --lengths=3,1 | FileCheck %s --check-prefix=VALUE

!i = tensor<?x1xi32, #mom.rows<token>>
!i2 = tensor<?x2xi32, #mom.rows<token>>
!x1 = tensor<?x1xf32, #mom.rows<token>>
!x2 = tensor<?x2xf32, #mom.rows<token>>
!x3 = tensor<?x3xf32, #mom.rows<token>>
!ic1 = tensor<?x1xi32, #mom.rows<copy of 1 by "e">>
!ic2 = tensor<?x1xi32, #mom.rows<copy of 2 by "e">>
!c1 = tensor<?x1xf32, #mom.rows<copy of 1 by "e">>
!c2 = tensor<?x1xf32, #mom.rows<copy of 2 by "e">>
!offsets = tensor<4xi64>

// CHECK-LABEL: @softmax
// CHECK: mom.softmax %{{.*}} : tensor<?x2xf32, #mom.rows<token>>
// VALUE-LABEL: @softmax
// VALUE-NEXT: [4, 2]
// VALUE-NEXT: {{^}}  0.5 0.5{{$}}
// VALUE-NEXT: {{^}}  0.8 0.2{{$}}
// VALUE-NEXT: {{^}}  0 1{{$}}
// VALUE-NEXT: {{^}}  0.5 0.5{{$}}
func.func @softmax(%batch: !mom.batch,
    %x: !x2 {mom.values = dense<[[1.0, 1.0], [1.3862943611198906, 0.0], [0.0, 2000.0], [-3000.0, -3000.0]]> : tensor<4x2xf64>}) -> !x2 {
  %y = mom.softmax %x : !x2
  return %y : !x2
}

// Of equal scores the lower channel is chosen, and NaN is less than any number. Group 1
// stays empty.
// CHECK-LABEL: @top1
// CHECK: mom.plan %{{.*}} : tensor<?x3xf32, #mom.rows<token>> -> tensor<4xi64>
// CHECK: mom.computed_route %{{.*}}, %{{.*}}, %{{.*}} : {{.*}} -> <"e", 3 of 1>
// CHECK: mom.dispatch %{{.*}} for %{{.*}} : <"e", 3 of 1>, tensor<?x1xf32, #mom.rows<token>> -> tensor<?x1xf32, #mom.rows<copy of 1 by "e">>
// CHECK: mom.retrieve %{{.*}} for %{{.*}} : <"e", 3 of 1>, tensor<?x1xf32, #mom.rows<copy of 1 by "e">> -> tensor<?x1xf32, #mom.rows<token>>
// VALUE-LABEL: @top1
// VALUE-NEXT: result 0: [4]
// VALUE-NEXT: {{^}}  0 2 2 4{{$}}
// VALUE-NEXT: result 1: [4, 1]
// VALUE-NEXT: {{^}}  2{{$}}
// VALUE-NEXT: {{^}}  0{{$}}
// VALUE-NEXT: {{^}}  2{{$}}
// VALUE-NEXT: {{^}}  0{{$}}
// VALUE-NEXT: result 2: [4, 1]
// VALUE-NEXT: {{^}}  2{{$}}
// VALUE-NEXT: {{^}}  0{{$}}
// VALUE-NEXT: {{^}}  3{{$}}
// VALUE-NEXT: {{^}}  1{{$}}
// VALUE-NEXT: result 3: [4, 1]
// VALUE-NEXT: {{^}}  1{{$}}
// VALUE-NEXT: {{^}}  3{{$}}
// VALUE-NEXT: {{^}}  0{{$}}
// VALUE-NEXT: {{^}}  2{{$}}
// VALUE-NEXT: result 4: [4, 1]
// VALUE-NEXT: {{^}}  20{{$}}
// VALUE-NEXT: {{^}}  40{{$}}
// VALUE-NEXT: {{^}}  10{{$}}
// VALUE-NEXT: {{^}}  30{{$}}
// VALUE-NEXT: result 5: [4, 1]
// VALUE-NEXT: {{^}}  10{{$}}
// VALUE-NEXT: {{^}}  20{{$}}
// VALUE-NEXT: {{^}}  30{{$}}
// VALUE-NEXT: {{^}}  40{{$}}
func.func @top1(%batch: !mom.batch,
    %s: !x3 {mom.values = dense<[[0.0, 0.5, 1.0], [2.0, 2.0, 2.0], [-3.0, 0x7FF8000000000000, -1.0], [0x7FF8000000000000, 0x7FF8000000000000, 0x7FF8000000000000]]> : tensor<4x3xf64>},
    %x: !x1 {mom.values = dense<[[10.0], [20.0], [30.0], [40.0]]> : tensor<4x1xf64>})
    -> (!offsets, !i, !i, !ic1, !c1, !x1) {
  %offsets, %row, %copy, %choice = mom.plan %s : !x3 -> !offsets, !i, !ic1, !i
  %route = mom.computed_route %offsets, %row, %copy : !offsets, !i, !ic1 -> !mom.route<"e", 3 of 1>
  %y = mom.dispatch %x for %route : !mom.route<"e", 3 of 1>, !x1 -> !c1
  %z = mom.retrieve %y for %route : !mom.route<"e", 3 of 1>, !c1 -> !x1
  return %offsets, %choice, %row, %copy, %y, %z : !offsets, !i, !i, !ic1, !c1, !x1
}

// Tokens choose 2, 1 / 0, 1 / 2, 0 / 0, 2.
// CHECK-LABEL: @top2
// CHECK: mom.dispatch %{{.*}}, %{{.*}} for
// VALUE-LABEL: @top2
// VALUE-NEXT: result 0: [4]
// VALUE-NEXT: {{^}}  0 3 5 8{{$}}
// VALUE-NEXT: result 1: [4, 2]
// VALUE-NEXT: {{^}}  5 3{{$}}
// VALUE-NEXT: {{^}}  0 4{{$}}
// VALUE-NEXT: {{^}}  6 1{{$}}
// VALUE-NEXT: {{^}}  2 7{{$}}
// VALUE-NEXT: result 2: [8, 1]
// VALUE-NEXT: {{^}}  2{{$}}
// VALUE-NEXT: {{^}}  5{{$}}
// VALUE-NEXT: {{^}}  6{{$}}
// VALUE-NEXT: {{^}}  1{{$}}
// VALUE-NEXT: {{^}}  3{{$}}
// VALUE-NEXT: {{^}}  0{{$}}
// VALUE-NEXT: {{^}}  4{{$}}
// VALUE-NEXT: {{^}}  7{{$}}
// VALUE-NEXT: result 3: [8, 1]
// VALUE-NEXT: {{^}}  20{{$}}
// VALUE-NEXT: {{^}}  -30{{$}}
// VALUE-NEXT: {{^}}  40{{$}}
// VALUE-NEXT: {{^}}  -10{{$}}
// VALUE-NEXT: {{^}}  -20{{$}}
// VALUE-NEXT: {{^}}  10{{$}}
// VALUE-NEXT: {{^}}  30{{$}}
// VALUE-NEXT: {{^}}  -40{{$}}
// VALUE-NEXT: result 4: [4, 1]
// VALUE-NEXT: {{^}}  10{{$}}
// VALUE-NEXT: {{^}}  20{{$}}
// VALUE-NEXT: {{^}}  30{{$}}
// VALUE-NEXT: {{^}}  40{{$}}
// VALUE-NEXT: result 5: [4, 1]
// VALUE-NEXT: {{^}}  -10{{$}}
// VALUE-NEXT: {{^}}  -20{{$}}
// VALUE-NEXT: {{^}}  -30{{$}}
// VALUE-NEXT: {{^}}  -40{{$}}
func.func @top2(%batch: !mom.batch,
    %s: !x3 {mom.values = dense<[[0.0, 0.5, 1.0], [2.0, 2.0, 2.0], [-3.0, 0x7FF8000000000000, -1.0], [1.0, -1.0, 0.0]]> : tensor<4x3xf64>},
    %x: !x1 {mom.values = dense<[[10.0], [20.0], [30.0], [40.0]]> : tensor<4x1xf64>})
    -> (!offsets, !i2, !ic2, !c2, !x1, !x1) {
  %offsets, %row, %copy, %first, %second = mom.plan %s : !x3 -> !offsets, !i2, !ic2, !i, !i
  %route = mom.computed_route %offsets, %row, %copy : !offsets, !i2, !ic2 -> !mom.route<"e", 3 of 2>
  %minus = arith.negf %x : !x1
  %y = mom.dispatch %x, %minus for %route : !mom.route<"e", 3 of 2>, !x1, !x1 -> !c2
  %z:2 = mom.retrieve %y for %route : !mom.route<"e", 3 of 2>, !c2 -> !x1, !x1
  return %offsets, %row, %copy, %y, %z#0, %z#1 : !offsets, !i2, !ic2, !c2, !x1, !x1
}
