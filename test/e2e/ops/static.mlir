// Work on parameters and on scalars: what an optimizer does.
// RUN: mom-compare %s --compiled
// RUN: mom-compare %s --compiled --fuse=0 --seed=8
// RUN: mom-compare %s --compiled --cpu=x86-64-v2 --seed=9
// RUN: mom-compare %s --compiled --target=sm_90a --emulate
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --fuse=0 --seed=8
// Chunks are whole vectors, whatever the knob says.
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --fuse=0 --knob=chunk=65

!p = tensor<40001xf32>
!s = tensor<1xf32>

// AdamW with clipping by the norm of all gradients.
func.func @adamw(%rate: !s {mom.positive}, %clip: !s {mom.positive}, %eps: !s {mom.positive},
    %w: !p, %g0: !p, %m: !p, %v: !p {mom.positive}, %h: tensor<37xf32>) -> (!p, !p, !p, !s) {
  %gg = arith.mulf %g0, %g0 : !p
  %hh = arith.mulf %h, %h : tensor<37xf32>
  %sg = mom.reduce sum %gg : !p -> !s
  %sh = mom.reduce sum %hh : tensor<37xf32> -> !s
  %squares = arith.addf %sg, %sh : !s
  %norm = math.sqrt %squares : !s
  %ratio = arith.divf %clip, %norm : !s
  %one = mom.affine %norm {scale = 0.0 : f64, offset = 1.0 : f64} : !s
  %factor = arith.minimumf %one, %ratio : !s
  %fs = mom.broadcast %factor like %g0 : !s, !p -> !p
  %g = arith.mulf %fs, %g0 : !p
  %dm = arith.subf %g, %m : !p
  %dm1 = mom.affine %dm {scale = 0.1 : f64, offset = 0.0 : f64} : !p
  %m2 = arith.addf %m, %dm1 : !p
  %g2 = arith.mulf %g, %g : !p
  %dv = arith.subf %g2, %v : !p
  %dv1 = mom.affine %dv {scale = 0.05 : f64, offset = 0.0 : f64} : !p
  %v2 = arith.addf %v, %dv1 : !p
  %root = math.sqrt %v2 : !p
  %es = mom.broadcast %eps like %w : !s, !p -> !p
  %below = arith.addf %root, %es : !p
  %change = arith.divf %m2, %below : !p
  %decay = mom.affine %w {scale = 0.1 : f64, offset = 0.0 : f64} : !p
  %all = arith.addf %change, %decay : !p
  %rs = mom.broadcast %rate like %w : !s, !p -> !p
  %step = arith.mulf %rs, %all : !p
  %w2 = arith.subf %w, %step : !p
  return %w2, %m2, %v2, %norm : !p, !p, !p, !s
}

func.func @reductions(%x: !p, %m: tensor<33x65xf32>, %one: !s, %t: tensor<3x5x7xf32>)
    -> (!s, !s, !s, !s, !s, !s) {
  %0 = mom.reduce sum %x : !p -> !s
  %1 = mom.reduce max %x : !p -> !s
  %2 = mom.reduce sum %m : tensor<33x65xf32> -> !s
  %3 = mom.reduce max %m : tensor<33x65xf32> -> !s
  %4 = mom.reduce sum %one : !s -> !s
  %5 = mom.reduce sum %t : tensor<3x5x7xf32> -> !s
  return %0, %1, %2, %3, %4, %5 : !s, !s, !s, !s, !s, !s
}

func.func @spread(%like: tensor<33x65xf32>, %v: tensor<65xf32>, %one: !s)
    -> (tensor<33x65xf32>, tensor<33x65xf32>) {
  %0 = mom.broadcast %v like %like : tensor<65xf32>, tensor<33x65xf32> -> tensor<33x65xf32>
  %1 = mom.broadcast %one like %like : !s, tensor<33x65xf32> -> tensor<33x65xf32>
  return %0, %1 : tensor<33x65xf32>, tensor<33x65xf32>
}

func.func @constants(%x: tensor<5xf32>) -> (tensor<5xf32>, tensor<5xf32>) {
  %c = arith.constant dense<2.5> : tensor<5xf32>
  %y = arith.mulf %x, %c : tensor<5xf32>
  return %y, %c : tensor<5xf32>, tensor<5xf32>
}

// No op of the dialect at all.
func.func @plain(%x: tensor<7xf32>) -> tensor<7xf32> {
  %y = math.tanh %x : tensor<7xf32>
  return %y : tensor<7xf32>
}
