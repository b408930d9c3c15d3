// RUN: mom-opt %s --verify-roundtrip | FileCheck %s
// RUN: mom-compare %s --lengths=3 --modality=1,0,1 | FileCheck %s --check-prefix=VALUE

!x = tensor<?x2xf32, #mom.rows<token>>
!dy = tensor<?x1xf32, #mom.rows<token>>

// Group 2 has no token: its gradient is zero.
// CHECK-LABEL: @routed
// CHECK: mom.linear_wgrad %{{.*}}, %{{.*}} for %{{.*}} : !mom.route<"M", 3>,
// VALUE-LABEL: @routed
// VALUE-NEXT: [3, 1, 2]
// VALUE-NEXT: {{^}}  30 40{{$}}
// VALUE-NEXT: {{^}}  501 602{{$}}
// VALUE-NEXT: {{^}}  0 0{{$}}
func.func @routed(%batch: !mom.batch,
    %x: !x {mom.values = dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>},
    %dy: !dy {mom.values = dense<[[1.0], [10.0], [100.0]]> : tensor<3x1xf32>}) -> tensor<3x1x2xf32> {
  %route = mom.modality_route %batch : !mom.route<"M", 3>
  %dw = mom.linear_wgrad %x, %dy for %route : !mom.route<"M", 3>, !x, !dy -> tensor<3x1x2xf32>
  return %dw : tensor<3x1x2xf32>
}

// VALUE-LABEL: @shared
// VALUE-NEXT: [1, 2]
// VALUE-NEXT: {{^}}  531 642{{$}}
func.func @shared(%batch: !mom.batch,
    %x: !x {mom.values = dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>},
    %dy: !dy {mom.values = dense<[[1.0], [10.0], [100.0]]> : tensor<3x1xf32>}) -> tensor<1x2xf32> {
  %dw = mom.linear_wgrad %x, %dy : !x, !dy -> tensor<1x2xf32>
  return %dw : tensor<1x2xf32>
}
