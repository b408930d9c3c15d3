// RUN: mom-opt %s --verify-roundtrip | FileCheck %s
// RUN: mom-compare %s --streams=1 --lengths=5,2 --modality=1,0,1,0,0,1,1 | FileCheck %s --check-prefix=VALUE

!x = tensor<?x1xf32, #mom.rows<token>>
!sorted = tensor<?x1xf32, #mom.rows<token by "M">>
!state = tensor<?x1xf32, #mom.rows<stream>>
!chunk = tensor<?x1xf32, #mom.rows<chunk of 2>>
!A = tensor<1x1xf32>

// With A = log(2) and delta = B = C = 1 a step is h = 2 h + u.
// CHECK-LABEL: @forward
// CHECK: mom.scan %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} in %{{.*}} : {{.*}} -> tensor<?x1xf32, #mom.rows<token>>
// VALUE-LABEL: @forward
// VALUE-NEXT: [7, 1]
// VALUE-NEXT: {{^}}  1{{$}}
// VALUE-NEXT: {{^}}  3{{$}}
// VALUE-NEXT: {{^}}  7{{$}}
// VALUE-NEXT: {{^}}  15{{$}}
// VALUE-NEXT: {{^}}  31{{$}}
// VALUE-NEXT: {{^}}  10{{$}}
// VALUE-NEXT: {{^}}  30{{$}}
func.func @forward(%batch: !mom.batch,
    %u: !x {mom.values = dense<[[1.0], [1.0], [1.0], [1.0], [1.0], [10.0], [10.0]]> : tensor<7x1xf32>},
    %one: !x {mom.values = dense<1.0> : tensor<7x1xf32>},
    %two: !A {mom.values = dense<2.0> : tensor<1x1xf32>}) -> !x {
  %A = math.log %two : !A
  %y = mom.scan %u, %one, %A, %one, %one in %batch : !x, !x, !A, !x, !x, !mom.batch -> !x
  return %y : !x
}

// CHECK-LABEL: @reverse
// CHECK: mom.scan reverse
// VALUE-LABEL: @reverse
// VALUE-NEXT: [7, 1]
// VALUE-NEXT: {{^}}  31{{$}}
// VALUE-NEXT: {{^}}  15{{$}}
// VALUE-NEXT: {{^}}  7{{$}}
// VALUE-NEXT: {{^}}  3{{$}}
// VALUE-NEXT: {{^}}  1{{$}}
// VALUE-NEXT: {{^}}  30{{$}}
// VALUE-NEXT: {{^}}  10{{$}}
func.func @reverse(%batch: !mom.batch,
    %u: !x {mom.values = dense<[[1.0], [1.0], [1.0], [1.0], [1.0], [10.0], [10.0]]> : tensor<7x1xf32>},
    %one: !x {mom.values = dense<1.0> : tensor<7x1xf32>},
    %two: !A {mom.values = dense<2.0> : tensor<1x1xf32>}) -> !x {
  %A = math.log %two : !A
  %y = mom.scan reverse %u, %one, %A, %one, %one in %batch : !x, !x, !A, !x, !x, !mom.batch -> !x
  return %y : !x
}

// The rows are those of positions 1, 3, 4 | 0, 2, 5, 6.
// VALUE-LABEL: @sorted
// VALUE-NEXT: [7, 1]
// VALUE-NEXT: {{^}}  3{{$}}
// VALUE-NEXT: {{^}}  15{{$}}
// VALUE-NEXT: {{^}}  31{{$}}
// VALUE-NEXT: {{^}}  1{{$}}
// VALUE-NEXT: {{^}}  7{{$}}
// VALUE-NEXT: {{^}}  10{{$}}
// VALUE-NEXT: {{^}}  30{{$}}
func.func @sorted(%batch: !mom.batch,
    %u: !sorted {mom.values = dense<[[1.0], [1.0], [1.0], [1.0], [1.0], [10.0], [10.0]]> : tensor<7x1xf32>},
    %one: !sorted {mom.values = dense<1.0> : tensor<7x1xf32>},
    %two: !A {mom.values = dense<2.0> : tensor<1x1xf32>}) -> !sorted {
  %A = math.log %two : !A
  %y = mom.scan %u, %one, %A, %one, %one in %batch : !sorted, !sorted, !A, !sorted, !sorted, !mom.batch -> !sorted
  return %y : !sorted
}

// The state is 100 before the first token. Runs of two tokens begin at
// positions 0, 2, 4 (rows 0, 1, 2) and 5 (row 5 / 2 + 1 = 3); row 4 is unused.
// CHECK-LABEL: @states
// CHECK: mom.scan {{.*}} init %{{.*}} : {{.*}} final tensor<?x1xf32, #mom.rows<stream>> checkpoints tensor<?x1xf32, #mom.rows<chunk of 2>>
// VALUE-LABEL: @states
// VALUE-NEXT: result 0: [7, 1]
// VALUE-NEXT: {{^}}  201{{$}}
// VALUE-NEXT: {{^}}  403{{$}}
// VALUE-NEXT: {{^}}  807{{$}}
// VALUE-NEXT: {{^}}  1615{{$}}
// VALUE-NEXT: {{^}}  3231{{$}}
// VALUE-NEXT: {{^}}  10{{$}}
// VALUE-NEXT: {{^}}  30{{$}}
// VALUE-NEXT: result 1: [1, 1]
// VALUE-NEXT: {{^}}  30{{$}}
// VALUE-NEXT: result 2: [5, 1]
// VALUE-NEXT: {{^}}  100{{$}}
// VALUE-NEXT: {{^}}  403{{$}}
// VALUE-NEXT: {{^}}  1615{{$}}
// VALUE-NEXT: {{^}}  0{{$}}
// VALUE-NEXT: {{^}}  0{{$}}
func.func @states(%batch: !mom.batch,
    %u: !x {mom.values = dense<[[1.0], [1.0], [1.0], [1.0], [1.0], [10.0], [10.0]]> : tensor<7x1xf32>},
    %one: !x {mom.values = dense<1.0> : tensor<7x1xf32>},
    %two: !A {mom.values = dense<2.0> : tensor<1x1xf32>},
    %init: !state {mom.values = dense<100.0> : tensor<1x1xf32>}) -> (!x, !state, !chunk) {
  %A = math.log %two : !A
  %y, %final, %saved = mom.scan %u, %one, %A, %one, %one in %batch init %init
      : !x, !x, !A, !x, !x, !mom.batch, !state -> !x final !state checkpoints !chunk
  return %y, %final, %saved : !x, !state, !chunk
}

// CHECK-LABEL: @gradients
// CHECK: mom.scan_grad reverse %{{.*}} in %{{.*}} gradient %{{.*}} init %{{.*}} checkpoints %{{.*}} dfinal %{{.*}} : {{.*}} init tensor<?x1xf32, #mom.rows<stream>>
func.func @gradients(%batch: !mom.batch, %u: !x, %delta: !x, %A: !A, %B: !x, %C: !x, %dy: !x,
    %init: !state, %saved: !chunk, %dfinal: !state) -> !state {
  %du, %dd, %dA, %dB, %dC, %di = mom.scan_grad reverse %u, %delta, %A, %B, %C in %batch gradient %dy
      init %init checkpoints %saved dfinal %dfinal
      : !x, !x, !A, !x, !x, !mom.batch, !x, !state, !chunk, !state -> !x, !x, !A, !x, !x init !state
  return %di : !state
}
