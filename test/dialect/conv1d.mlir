// RUN: mom-opt %s --verify-roundtrip | FileCheck %s
// RUN: mom-compare %s --streams=1 --lengths=3,2 --modality=1,0,1,0,0 | FileCheck %s --check-prefix=VALUE

!x = tensor<?x1xf32, #mom.rows<token>>
!sorted = tensor<?x1xf32, #mom.rows<token by "M">>
!state = tensor<?x2xf32, #mom.rows<stream>>
!w = tensor<1x3xf32>

// Taps 100, 10, 1 from the oldest to the newest input; the second segment does
// not see the first.
// CHECK-LABEL: @segments
// CHECK: mom.conv1d %{{.*}} by %{{.*}} in %{{.*}} bias %{{.*}} :
// VALUE-LABEL: @segments
// VALUE-NEXT: [5, 1]
// VALUE-NEXT: {{^}}  1.5{{$}}
// VALUE-NEXT: {{^}}  12.5{{$}}
// VALUE-NEXT: {{^}}  123.5{{$}}
// VALUE-NEXT: {{^}}  4.5{{$}}
// VALUE-NEXT: {{^}}  45.5{{$}}
func.func @segments(%batch: !mom.batch,
    %x: !x {mom.values = dense<[[1.0], [2.0], [3.0], [4.0], [5.0]]> : tensor<5x1xf32>},
    %w: !w {mom.values = dense<[[100.0, 10.0, 1.0]]> : tensor<1x3xf32>},
    %bias: tensor<1xf32> {mom.values = dense<0.5> : tensor<1xf32>}) -> !x {
  %y = mom.conv1d %x by %w in %batch bias %bias : !x, !w, !mom.batch, tensor<1xf32> -> !x
  return %y : !x
}

// CHECK-LABEL: @reverse
// CHECK: mom.conv1d reverse
// VALUE-LABEL: @reverse
// VALUE-NEXT: [5, 1]
// VALUE-NEXT: {{^}}  321{{$}}
// VALUE-NEXT: {{^}}  32{{$}}
// VALUE-NEXT: {{^}}  3{{$}}
// VALUE-NEXT: {{^}}  54{{$}}
// VALUE-NEXT: {{^}}  5{{$}}
func.func @reverse(%batch: !mom.batch,
    %x: !x {mom.values = dense<[[1.0], [2.0], [3.0], [4.0], [5.0]]> : tensor<5x1xf32>},
    %w: !w {mom.values = dense<[[100.0, 10.0, 1.0]]> : tensor<1x3xf32>}) -> !x {
  %y = mom.conv1d reverse %x by %w in %batch : !x, !w, !mom.batch -> !x
  return %y : !x
}

// The rows are those of positions 1, 3, 4 | 0, 2.
// VALUE-LABEL: @sorted
// VALUE-NEXT: [5, 1]
// VALUE-NEXT: {{^}}  12{{$}}
// VALUE-NEXT: {{^}}  4{{$}}
// VALUE-NEXT: {{^}}  45{{$}}
// VALUE-NEXT: {{^}}  1{{$}}
// VALUE-NEXT: {{^}}  123{{$}}
func.func @sorted(%batch: !mom.batch,
    %x: !sorted {mom.values = dense<[[2.0], [4.0], [5.0], [1.0], [3.0]]> : tensor<5x1xf32>},
    %w: !w {mom.values = dense<[[100.0, 10.0, 1.0]]> : tensor<1x3xf32>}) -> !sorted {
  %y = mom.conv1d %x by %w in %batch : !sorted, !w, !mom.batch -> !sorted
  return %y : !sorted
}

// One stream: its first segment starts from the state (inputs 8, 9), its last
// one ends in it.
// CHECK-LABEL: @states
// CHECK: mom.conv1d %{{.*}} by %{{.*}} in %{{.*}} init %{{.*}} : {{.*}} final tensor<?x2xf32, #mom.rows<stream>>
// VALUE-LABEL: @states
// VALUE-NEXT: result 0: [5, 1]
// VALUE-NEXT: {{^}}  891{{$}}
// VALUE-NEXT: {{^}}  912{{$}}
// VALUE-NEXT: {{^}}  123{{$}}
// VALUE-NEXT: {{^}}  4{{$}}
// VALUE-NEXT: {{^}}  45{{$}}
// VALUE-NEXT: result 1: [1, 2]
// VALUE-NEXT: {{^}}  4 5{{$}}
func.func @states(%batch: !mom.batch,
    %x: !x {mom.values = dense<[[1.0], [2.0], [3.0], [4.0], [5.0]]> : tensor<5x1xf32>},
    %w: !w {mom.values = dense<[[100.0, 10.0, 1.0]]> : tensor<1x3xf32>},
    %init: !state {mom.values = dense<[[8.0, 9.0]]> : tensor<1x2xf32>}) -> (!x, !state) {
  %y, %final = mom.conv1d %x by %w in %batch init %init : !x, !w, !mom.batch, !state -> !x final !state
  return %y, %final : !x, !state
}

// CHECK-LABEL: @gradients
// CHECK: mom.conv1d_grad %{{.*}} by %{{.*}} in %{{.*}} gradient %{{.*}} init %{{.*}} dfinal %{{.*}} : {{.*}} bias tensor<1xf32> init tensor<?x2xf32, #mom.rows<stream>>
func.func @gradients(%batch: !mom.batch, %x: !x, %w: !w, %dy: !x, %init: !state, %dfinal: !state)
    -> (!x, !w, tensor<1xf32>, !state) {
  %dx, %dw, %db, %di = mom.conv1d_grad %x by %w in %batch gradient %dy init %init dfinal %dfinal
      : !x, !w, !mom.batch, !x, !state, !state -> !x, !w bias tensor<1xf32> init !state
  return %dx, %dw, %db, %di : !x, !w, tensor<1xf32>, !state
}
