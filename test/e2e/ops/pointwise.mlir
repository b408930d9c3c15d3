// Pointwise work, also far from 0.
// RUN: mom-compare %s --compiled --tokens=0,1,3,129
// RUN: mom-compare %s --compiled --tokens=37 --fuse=0 --seed=8
// Rounded values may compare otherwise, so no conditions here.
// RUN: mom-compare %s --compiled --tokens=4097 --storage=bf16 --seed=9 --function=unary_1,positive_1,unary_7,positive_7,unary_64,positive_64,rare,logarithm_2,far,near,huge,tiny,binary,ends
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=0,1,33
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=130 --storage=bf16 --fuse=0 --seed=8
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=17 --storage=f16 --seed=9

!x1 = tensor<?x1xf32, #mom.rows<token>>
!x7 = tensor<?x7xf32, #mom.rows<token>>
!x64 = tensor<?x64xf32, #mom.rows<token>>

func.func @unary_1(%batch: !mom.batch, %given: !x1) -> (!x1, !x1, !x1, !x1, !x1, !x1, !x1, !x1) {
  %x = mom.affine %given {scale = 1.0 : f64, offset = 0.0 : f64} : !x1
  %0 = mom.sigmoid %x : !x1
  %1 = mom.silu %x : !x1
  %2 = mom.softplus %x : !x1
  %3 = math.exp %x : !x1
  %4 = math.expm1 %x : !x1
  %5 = math.tanh %x : !x1
  %6 = math.absf %x : !x1
  %7 = arith.negf %x : !x1
  return %0, %1, %2, %3, %4, %5, %6, %7
      : !x1, !x1, !x1, !x1, !x1, !x1, !x1, !x1
}

func.func @positive_1(%batch: !mom.batch, %given: !x1 {mom.positive}) -> (!x1, !x1, !x1, !x1) {
  %x = mom.affine %given {scale = 1.0 : f64, offset = 0.0 : f64} : !x1
  %0 = math.log %x : !x1
  %1 = math.log1p %x : !x1
  %2 = math.sqrt %x : !x1
  %3 = math.rsqrt %x : !x1
  return %0, %1, %2, %3
      : !x1, !x1, !x1, !x1
}

func.func @unary_7(%batch: !mom.batch, %given: !x7) -> (!x7, !x7, !x7, !x7, !x7, !x7, !x7, !x7) {
  %x = mom.affine %given {scale = 1.0 : f64, offset = 0.0 : f64} : !x7
  %0 = mom.sigmoid %x : !x7
  %1 = mom.silu %x : !x7
  %2 = mom.softplus %x : !x7
  %3 = math.exp %x : !x7
  %4 = math.expm1 %x : !x7
  %5 = math.tanh %x : !x7
  %6 = math.absf %x : !x7
  %7 = arith.negf %x : !x7
  return %0, %1, %2, %3, %4, %5, %6, %7
      : !x7, !x7, !x7, !x7, !x7, !x7, !x7, !x7
}

func.func @positive_7(%batch: !mom.batch, %given: !x7 {mom.positive}) -> (!x7, !x7, !x7, !x7) {
  %x = mom.affine %given {scale = 1.0 : f64, offset = 0.0 : f64} : !x7
  %0 = math.log %x : !x7
  %1 = math.log1p %x : !x7
  %2 = math.sqrt %x : !x7
  %3 = math.rsqrt %x : !x7
  return %0, %1, %2, %3
      : !x7, !x7, !x7, !x7
}

func.func @unary_64(%batch: !mom.batch, %given: !x64) -> (!x64, !x64, !x64, !x64, !x64, !x64, !x64, !x64) {
  %x = mom.affine %given {scale = 1.0 : f64, offset = 0.0 : f64} : !x64
  %0 = mom.sigmoid %x : !x64
  %1 = mom.silu %x : !x64
  %2 = mom.softplus %x : !x64
  %3 = math.exp %x : !x64
  %4 = math.expm1 %x : !x64
  %5 = math.tanh %x : !x64
  %6 = math.absf %x : !x64
  %7 = arith.negf %x : !x64
  return %0, %1, %2, %3, %4, %5, %6, %7
      : !x64, !x64, !x64, !x64, !x64, !x64, !x64, !x64
}

func.func @positive_64(%batch: !mom.batch, %given: !x64 {mom.positive}) -> (!x64, !x64, !x64, !x64) {
  %x = mom.affine %given {scale = 1.0 : f64, offset = 0.0 : f64} : !x64
  %0 = math.log %x : !x64
  %1 = math.log1p %x : !x64
  %2 = math.sqrt %x : !x64
  %3 = math.rsqrt %x : !x64
  return %0, %1, %2, %3
      : !x64, !x64, !x64, !x64
}

func.func @rare(%batch: !mom.batch, %given: !x7) -> (!x7, !x7, !x7, !x7) {
  %x = mom.affine %given {scale = 1.0 : f64, offset = 0.0 : f64} : !x7
  %0 = math.sin %x : !x7
  %1 = math.cos %x : !x7
  %2 = math.erf %x : !x7
  %3 = math.exp2 %x : !x7
  return %0, %1, %2, %3
      : !x7, !x7, !x7, !x7
}

func.func @logarithm_2(%batch: !mom.batch, %given: !x7 {mom.positive}) -> (!x7) {
  %x = mom.affine %given {scale = 1.0 : f64, offset = 0.0 : f64} : !x7
  %0 = math.log2 %x : !x7
  return %0
      : !x7
}

func.func @far(%batch: !mom.batch, %given: !x7) -> (!x7, !x7, !x7, !x7, !x7, !x7) {
  %x = mom.affine %given {scale = 40.0 : f64, offset = 0.0 : f64} : !x7
  %0 = mom.sigmoid %x : !x7
  %1 = mom.silu %x : !x7
  %2 = mom.softplus %x : !x7
  %3 = math.tanh %x : !x7
  %4 = math.absf %x : !x7
  %5 = arith.negf %x : !x7
  return %0, %1, %2, %3, %4, %5
      : !x7, !x7, !x7, !x7, !x7, !x7
}

func.func @near(%batch: !mom.batch, %given: !x7) -> (!x7, !x7, !x7, !x7, !x7, !x7, !x7, !x7) {
  %x = mom.affine %given {scale = 1.0e-4 : f64, offset = 0.0 : f64} : !x7
  %0 = mom.sigmoid %x : !x7
  %1 = mom.silu %x : !x7
  %2 = mom.softplus %x : !x7
  %3 = math.exp %x : !x7
  %4 = math.expm1 %x : !x7
  %5 = math.tanh %x : !x7
  %6 = math.absf %x : !x7
  %7 = arith.negf %x : !x7
  return %0, %1, %2, %3, %4, %5, %6, %7
      : !x7, !x7, !x7, !x7, !x7, !x7, !x7, !x7
}

func.func @huge(%batch: !mom.batch, %given: !x7 {mom.positive}) -> (!x7, !x7, !x7, !x7) {
  %x = mom.affine %given {scale = 1.0e30 : f64, offset = 0.0 : f64} : !x7
  %0 = math.log %x : !x7
  %1 = math.log1p %x : !x7
  %2 = math.sqrt %x : !x7
  %3 = math.rsqrt %x : !x7
  return %0, %1, %2, %3
      : !x7, !x7, !x7, !x7
}

func.func @tiny(%batch: !mom.batch, %given: !x7 {mom.positive}) -> (!x7, !x7, !x7) {
  %x = mom.affine %given {scale = 1.0e-30 : f64, offset = 0.0 : f64} : !x7
  %0 = math.log %x : !x7
  %1 = math.log1p %x : !x7
  %2 = math.sqrt %x : !x7
  return %0, %1, %2
      : !x7, !x7, !x7
}

func.func @binary(%batch: !mom.batch, %x: !x7, %y: !x7, %p: !x7 {mom.positive})
    -> (!x7, !x7, !x7, !x7, !x7, !x7, !x7, !x7, !x7) {
  %0 = arith.addf %x, %y : !x7
  %1 = arith.subf %x, %y : !x7
  %2 = arith.mulf %x, %y : !x7
  %3 = arith.divf %x, %p : !x7
  %4 = arith.maximumf %x, %y : !x7
  %5 = arith.minimumf %x, %y : !x7
  %6 = math.fma %x, %y, %p : !x7
  %7 = math.powf %p, %y : !x7
  %less = arith.cmpf olt, %x, %y : tensor<?x7xf32, #mom.rows<token>>
  %8 = arith.select %less, %p, %y : tensor<?x7xi1, #mom.rows<token>>, !x7
  return %0, %1, %2, %3, %4, %5, %6, %7, %8 : !x7, !x7, !x7, !x7, !x7, !x7, !x7, !x7, !x7
}

// Overflow, infinity and "not a number".
func.func @ends(%x: tensor<17xf32> {mom.values = dense<[0.0, -0.0, 1.0, -1.0, 88.0, -88.0, 104.0, -104.0, 1000.0, -1000.0, 1.0e30, -1.0e30, 1.0e-30, -1.0e-30, 0x7F800000, 0xFF800000, 0x7FC00000]> : tensor<17xf32>})
    -> (tensor<17xf32>, tensor<17xf32>, tensor<17xf32>, tensor<17xf32>, tensor<17xf32>, tensor<17xf32>, tensor<17xf32>,
        tensor<17xf32>, tensor<17xf32>, tensor<17xf32>, tensor<17xf32>, tensor<17xf32>, tensor<17xf32>, tensor<17xf32>) {
  %0 = mom.sigmoid %x : tensor<17xf32>
  %1 = mom.softplus %x : tensor<17xf32>
  %2 = math.exp %x : tensor<17xf32>
  %3 = math.expm1 %x : tensor<17xf32>
  %4 = math.tanh %x : tensor<17xf32>
  %5 = math.absf %x : tensor<17xf32>
  %6 = arith.negf %x : tensor<17xf32>
  %7 = math.log %x : tensor<17xf32>
  %8 = math.log1p %x : tensor<17xf32>
  %9 = math.sqrt %x : tensor<17xf32>
  %10 = math.rsqrt %x : tensor<17xf32>
  %11 = arith.maximumf %x, %4 : tensor<17xf32>
  %12 = arith.minimumf %x, %4 : tensor<17xf32>
  %13 = mom.affine %x {scale = 0.0 : f64, offset = 3.0 : f64} : tensor<17xf32>
  return %0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13
      : tensor<17xf32>, tensor<17xf32>, tensor<17xf32>, tensor<17xf32>, tensor<17xf32>, tensor<17xf32>, tensor<17xf32>,
        tensor<17xf32>, tensor<17xf32>, tensor<17xf32>, tensor<17xf32>, tensor<17xf32>, tensor<17xf32>, tensor<17xf32>
}

// Conditions that several kernels read, and logic on them.
func.func @conditions(%batch: !mom.batch, %x: !x7, %y: !x7, %w: tensor<7x7xf32>)
    -> (!x7, !x7, !x7) attributes {mom.tolerance = 10.0} { // rounding turns a condition over
  %less = arith.cmpf olt, %x, %y : !x7
  %a = arith.select %less, %x, %y : tensor<?x7xi1, #mom.rows<token>>, !x7
  %p = mom.linear %a by %w : !x7, tensor<7x7xf32> -> !x7
  %more = arith.cmpf ogt, %p, %y : !x7
  %both = arith.andi %less, %more : tensor<?x7xi1, #mom.rows<token>>
  %one = arith.uitofp %both : tensor<?x7xi1, #mom.rows<token>> to !x7
  %b = arith.select %both, %p, %x : tensor<?x7xi1, #mom.rows<token>>, !x7
  return %a, %b, %one : !x7, !x7, !x7
}
