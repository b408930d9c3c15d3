// RUN: mom-opt %s --verify-roundtrip | FileCheck %s
// RUN: mom-compare %s --lengths=3 | FileCheck %s --check-prefix=VALUE

!logits = tensor<?x2xf32, #mom.rows<token>>
!target = tensor<?x1xi32, #mom.rows<token>>
!column = tensor<?x1xf32, #mom.rows<token>>

// Both logits equal: log(2), gradient 1/2 - 1 and 1/2. No target: nothing but lse.
// CHECK-LABEL: @loss
// CHECK: mom.cross_entropy %{{.*}}, %{{.*}} : tensor<?x2xf32, #mom.rows<token>>, tensor<?x1xi32, #mom.rows<token>> -> tensor<?x1xf32, #mom.rows<token>>
// CHECK: mom.cross_entropy_grad %{{.*}}, %{{.*}}, %{{.*}} gradient %{{.*}} :
// VALUE-LABEL: @loss
// VALUE-NEXT: result 0: [3, 1]
// VALUE-NEXT: {{^}}  0.693147{{$}}
// VALUE-NEXT: {{^}}  0{{$}}
// VALUE-NEXT: {{^}}  1000{{$}}
// VALUE-NEXT: result 1: [3, 1]
// VALUE-NEXT: {{^}}  0.693147{{$}}
// VALUE-NEXT: {{^}}  0.693147{{$}}
// VALUE-NEXT: {{^}}  1000{{$}}
// VALUE-NEXT: result 2: [3, 2]
// VALUE-NEXT: {{^}}  0.5 -0.5{{$}}
// VALUE-NEXT: {{^}}  0 0{{$}}
// VALUE-NEXT: {{^}}  -1 1{{$}}
func.func @loss(%batch: !mom.batch,
    %logits: !logits {mom.values = dense<[[0.0, 0.0], [0.0, 0.0], [0.0, 1000.0]]> : tensor<3x2xf32>},
    %target: !target {mom.values = dense<[[1], [-1], [0]]> : tensor<3x1xi32>},
    %dnll: !column {mom.values = dense<1.0> : tensor<3x1xf32>}) -> (!column, !column, !logits) {
  %nll, %lse = mom.cross_entropy %logits, %target : !logits, !target -> !column
  %dlogits = mom.cross_entropy_grad %logits, %target, %lse gradient %dnll : !logits, !target, !column
  return %nll, %lse, %dlogits : !column, !column, !logits
}
