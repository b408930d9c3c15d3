// RUN: mom-opt %s --verify-roundtrip | FileCheck %s
// RUN: mom-compare %s --lengths=4 | FileCheck %s --check-prefix=VALUE

!x = tensor<?x2xf32, #mom.rows<token>>

// Numbers that are far from 0 neither overflow nor turn into NaN.
// CHECK-LABEL: @activations
// CHECK: mom.sigmoid %{{.*}} : tensor<?x2xf32, #mom.rows<token>>
// CHECK: mom.silu
// CHECK: mom.softplus
// CHECK: mom.affine %{{.*}} {offset = 1.000000e+00 : f64, scale = 2.000000e+00 : f64}
// VALUE-LABEL: @activations
// VALUE-NEXT: result 0: [4, 2]
// VALUE-NEXT: {{^}}  0.5 0.731059{{$}}
// VALUE-NEXT: {{^}}  0.268941 1{{$}}
// VALUE-NEXT: {{^}}  0 0.982014{{$}}
// VALUE-NEXT: {{^}}  0.5 0.5{{$}}
// VALUE-NEXT: result 1: [4, 2]
// VALUE-NEXT: {{^}}  0 0.731059{{$}}
// VALUE-NEXT: {{^}}  -0.268941 1000{{$}}
// VALUE-NEXT: {{^}}  0 3.92806{{$}}
// VALUE-NEXT: {{^}}  0 0{{$}}
// VALUE-NEXT: result 2: [4, 2]
// VALUE-NEXT: {{^}}  0.693147 1.31326{{$}}
// VALUE-NEXT: {{^}}  0.313262 1000{{$}}
// VALUE-NEXT: {{^}}  0 4.01815{{$}}
// VALUE-NEXT: {{^}}  0.693147 0.693147{{$}}
// VALUE-NEXT: result 3: [4, 2]
// VALUE-NEXT: {{^}}  1 3{{$}}
// VALUE-NEXT: {{^}}  -1 2001{{$}}
// VALUE-NEXT: {{^}}  -1999 9{{$}}
// VALUE-NEXT: {{^}}  1 1{{$}}
func.func @activations(%batch: !mom.batch,
    %x: !x {mom.values = dense<[[0.0, 1.0], [-1.0, 1000.0], [-1000.0, 4.0], [0.0, 0.0]]> : tensor<4x2xf32>})
    -> (!x, !x, !x, !x) {
  %0 = mom.sigmoid %x : !x
  %1 = mom.silu %x : !x
  %2 = mom.softplus %x : !x
  %3 = mom.affine %x {scale = 2.0 : f64, offset = 1.0 : f64} : !x
  return %0, %1, %2, %3 : !x, !x, !x, !x
}

// A scale of 0 fills, even where x is infinite.
// VALUE-LABEL: @fill
// VALUE-NEXT: [2]
// VALUE-NEXT: {{^}}  3 3{{$}}
func.func @fill() -> tensor<2xf32> {
  %x = arith.constant dense<[0x7F800000, 1.0]> : tensor<2xf32>
  %y = mom.affine %x {scale = 0.0 : f64, offset = 3.0 : f64} : tensor<2xf32>
  return %y : tensor<2xf32>
}

// VALUE-LABEL: @arithmetic
// VALUE-NEXT: result 0: [3]
// VALUE-NEXT: {{^}}  5 -1 2{{$}}
// VALUE-NEXT: result 1: [3]
// VALUE-NEXT: {{^}}  -3 -3 -4{{$}}
// VALUE-NEXT: result 2: [3]
// VALUE-NEXT: {{^}}  4 -2 -3{{$}}
// VALUE-NEXT: result 3: [3]
// VALUE-NEXT: {{^}}  0.25 -2 -0.333333{{$}}
// VALUE-NEXT: result 4: [3]
// VALUE-NEXT: {{^}}  4 1 3{{$}}
// VALUE-NEXT: result 5: [3]
// VALUE-NEXT: {{^}}  1 -2 -1{{$}}
// VALUE-NEXT: result 6: [3]
// VALUE-NEXT: {{^}}  1 2 1{{$}}
// VALUE-NEXT: result 7: [3]
// VALUE-NEXT: {{^}}  5 -4 -4{{$}}
func.func @arithmetic() -> (tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>,
                            tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) {
  %a = arith.constant dense<[1.0, -2.0, -1.0]> : tensor<3xf32>
  %b = arith.constant dense<[4.0, 1.0, 3.0]> : tensor<3xf32>
  %zero = arith.constant dense<0.0> : tensor<3xf32>
  %0 = arith.addf %a, %b : tensor<3xf32>
  %1 = arith.subf %a, %b : tensor<3xf32>
  %2 = arith.mulf %a, %b : tensor<3xf32>
  %3 = arith.divf %a, %b : tensor<3xf32>
  %4 = arith.maximumf %a, %b : tensor<3xf32>
  %5 = arith.minimumf %a, %b : tensor<3xf32>
  %negative = arith.cmpf olt, %a, %zero : tensor<3xf32>
  %minus = arith.negf %a : tensor<3xf32>
  %6 = arith.select %negative, %minus, %a : tensor<3xi1>, tensor<3xf32>
  %7 = math.fma %a, %b, %a : tensor<3xf32>
  return %0, %1, %2, %3, %4, %5, %6, %7 : tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>,
                                          tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>
}

// At 1 and 4.
// VALUE-LABEL: @functions
// VALUE-NEXT: result 0: [2]
// VALUE-NEXT: {{^}}  2.71828 54.5982{{$}}
// VALUE-NEXT: result 1: [2]
// VALUE-NEXT: {{^}}  0 1.38629{{$}}
// VALUE-NEXT: result 2: [2]
// VALUE-NEXT: {{^}}  1 2{{$}}
// VALUE-NEXT: result 3: [2]
// VALUE-NEXT: {{^}}  1 0.5{{$}}
// VALUE-NEXT: result 4: [2]
// VALUE-NEXT: {{^}}  0.761594 0.999329{{$}}
// VALUE-NEXT: result 5: [2]
// VALUE-NEXT: {{^}}  0.693147 1.60944{{$}}
// VALUE-NEXT: result 6: [2]
// VALUE-NEXT: {{^}}  1.71828 53.5982{{$}}
// VALUE-NEXT: result 7: [2]
// VALUE-NEXT: {{^}}  1 256{{$}}
func.func @functions() -> (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>,
                           tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) {
  %x = arith.constant dense<[1.0, 4.0]> : tensor<2xf32>
  %0 = math.exp %x : tensor<2xf32>
  %1 = math.log %x : tensor<2xf32>
  %2 = math.sqrt %x : tensor<2xf32>
  %3 = math.rsqrt %x : tensor<2xf32>
  %4 = math.tanh %x : tensor<2xf32>
  %5 = math.log1p %x : tensor<2xf32>
  %6 = math.expm1 %x : tensor<2xf32>
  %7 = math.powf %x, %x : tensor<2xf32>
  return %0, %1, %2, %3, %4, %5, %6, %7 : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>,
                                          tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>
}

// CHECK-LABEL: @integers
// VALUE-LABEL: @integers
// VALUE-NEXT: [3]
// VALUE-NEXT: {{^}}  0 1 1{{$}}
func.func @integers() -> tensor<3xf32> {
  %a = arith.constant dense<[-1, 0, 7]> : tensor<3xi32>
  %zero = arith.constant dense<0> : tensor<3xi32>
  %is = arith.cmpi sge, %a, %zero : tensor<3xi32>
  %y = arith.uitofp %is : tensor<3xi1> to tensor<3xf32>
  return %y : tensor<3xf32>
}
