// Gradients of convolutions that make an activation's gradient for themselves: of the convolution,
// made again from the inputs that a token had. Wider than a chunk, reversed, in another order, with
// gradients of final states; one convolution is left to its own kernel by a state.
// RUN: mom-opt %s --mom-form-kernels | FileCheck %s
// RUN: mom-compare %s --compiled --tokens=0,1,3,129
// RUN: mom-compare %s --compiled --lengths=1,1,2,3,4,1,64,65 --streams=3 --seed=8
// RUN: mom-compare %s --compiled --tokens=60 --storage=bf16 --streams=7 --segments=4 --seed=12
// RUN: mom-compare %s --compiled --tokens=4097 --seed=10
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=0,1,3,129
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --lengths=1,1,2,3,4,1,64,65 --streams=3 --seed=8
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --storage=bf16 --lengths=5,3,300,2,65 --streams=3 --seed=9 --knob=parts=16 --knob=ahead=2
// RUN: mom-compare %s --compiled --target=sm_80 --emulate --storage=f16 --tokens=60 --streams=7 --segments=4 --seed=12

// CHECK-LABEL: func.func @act_40_4
// CHECK: mom.kernel conv
// CHECK-NOT: mom.conv1d_grad
// CHECK: mom.kernel conv
// CHECK: mom.conv1d
// CHECK: mom.conv1d_grad
func.func @act_40_4(%batch: !mom.batch, %x: tensor<?x40xf32, #mom.rows<token>>, %w: tensor<40x4xf32>, %g: tensor<?x40xf32, #mom.rows<token>>, %bias: tensor<40xf32>)
    -> (tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x4xf32>, tensor<40xf32>) {
  %y = mom.conv1d %x by %w in %batch bias %bias
      : tensor<?x40xf32, #mom.rows<token>>, tensor<40x4xf32>, !mom.batch, tensor<40xf32>
      -> tensor<?x40xf32, #mom.rows<token>>
  %u = mom.silu %y : tensor<?x40xf32, #mom.rows<token>>
  %s = mom.sigmoid %y : tensor<?x40xf32, #mom.rows<token>>
  %n = mom.affine %s {offset = 1.0 : f64, scale = -1.0 : f64} : tensor<?x40xf32, #mom.rows<token>>
  %m = arith.mulf %u, %n : tensor<?x40xf32, #mom.rows<token>>
  %a = arith.addf %s, %m : tensor<?x40xf32, #mom.rows<token>>
  %dy = arith.mulf %g, %a : tensor<?x40xf32, #mom.rows<token>>
  %dx, %dw, %db = mom.conv1d_grad %x by %w in %batch gradient %dy
      : tensor<?x40xf32, #mom.rows<token>>, tensor<40x4xf32>, !mom.batch, tensor<?x40xf32, #mom.rows<token>>
      -> tensor<?x40xf32, #mom.rows<token>>, tensor<40x4xf32> bias tensor<40xf32>
  return %u, %dx, %dw, %db : tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x4xf32>, tensor<40xf32>
}

// CHECK-LABEL: func.func @reverse_48_3
// CHECK: mom.kernel conv
// CHECK-NOT: mom.conv1d_grad
// CHECK: mom.kernel conv
// CHECK: mom.conv1d
// CHECK: mom.conv1d_grad
func.func @reverse_48_3(%batch: !mom.batch, %given: tensor<?x48xf32, #mom.rows<token>>, %w: tensor<48x3xf32>, %g: tensor<?x48xf32, #mom.rows<token>>, %bias: tensor<48xf32>, %p: tensor<3x48x48xf32>)
    -> (tensor<?x48xf32, #mom.rows<token>>, tensor<?x48xf32, #mom.rows<token>>, tensor<48x3xf32>, tensor<48xf32>) {
  %route = mom.modality_route %batch : !mom.route<"M", 3>
  %x = mom.linear %given by %p for %route : !mom.route<"M", 3>, tensor<?x48xf32, #mom.rows<token>>, tensor<3x48x48xf32> -> tensor<?x48xf32, #mom.rows<token>>
  %y = mom.conv1d reverse %x by %w in %batch bias %bias
      : tensor<?x48xf32, #mom.rows<token>>, tensor<48x3xf32>, !mom.batch, tensor<48xf32>
      -> tensor<?x48xf32, #mom.rows<token>>
  %u = mom.silu %y : tensor<?x48xf32, #mom.rows<token>>
  %s = mom.sigmoid %y : tensor<?x48xf32, #mom.rows<token>>
  %a = arith.mulf %s, %s : tensor<?x48xf32, #mom.rows<token>>
  %dy = arith.mulf %g, %a : tensor<?x48xf32, #mom.rows<token>>
  %dx, %dw, %db = mom.conv1d_grad reverse %x by %w in %batch gradient %dy
      : tensor<?x48xf32, #mom.rows<token>>, tensor<48x3xf32>, !mom.batch, tensor<?x48xf32, #mom.rows<token>>
      -> tensor<?x48xf32, #mom.rows<token>>, tensor<48x3xf32> bias tensor<48xf32>
  return %u, %dx, %dw, %db : tensor<?x48xf32, #mom.rows<token>>, tensor<?x48xf32, #mom.rows<token>>, tensor<48x3xf32>, tensor<48xf32>
}

// CHECK-LABEL: func.func @wide_5_7
// CHECK: mom.kernel conv
// CHECK-NOT: mom.conv1d_grad
// CHECK: mom.kernel conv
// CHECK: mom.conv1d
// CHECK: mom.conv1d_grad
func.func @wide_5_7(%batch: !mom.batch, %given: tensor<?x5xf32, #mom.rows<token>>, %w: tensor<5x7xf32>, %g: tensor<?x5xf32, #mom.rows<token>>, %p: tensor<3x5x5xf32>)
    -> (tensor<?x5xf32, #mom.rows<token>>, tensor<?x5xf32, #mom.rows<token>>, tensor<5x7xf32>) {
  %route = mom.modality_route %batch : !mom.route<"M", 3>
  %x = mom.linear %given by %p for %route : !mom.route<"M", 3>, tensor<?x5xf32, #mom.rows<token>>, tensor<3x5x5xf32> -> tensor<?x5xf32, #mom.rows<token>>
  %y = mom.conv1d %x by %w in %batch
      : tensor<?x5xf32, #mom.rows<token>>, tensor<5x7xf32>, !mom.batch
      -> tensor<?x5xf32, #mom.rows<token>>
  %u = mom.silu %y : tensor<?x5xf32, #mom.rows<token>>
  %s = mom.sigmoid %y : tensor<?x5xf32, #mom.rows<token>>
  %n = mom.affine %s {offset = 1.0 : f64, scale = -1.0 : f64} : tensor<?x5xf32, #mom.rows<token>>
  %m = arith.mulf %u, %n : tensor<?x5xf32, #mom.rows<token>>
  %a = arith.addf %s, %m : tensor<?x5xf32, #mom.rows<token>>
  %dy = arith.mulf %g, %a : tensor<?x5xf32, #mom.rows<token>>
  %dx, %dw = mom.conv1d_grad %x by %w in %batch gradient %dy
      : tensor<?x5xf32, #mom.rows<token>>, tensor<5x7xf32>, !mom.batch, tensor<?x5xf32, #mom.rows<token>>
      -> tensor<?x5xf32, #mom.rows<token>>, tensor<5x7xf32>
  return %u, %dx, %dw : tensor<?x5xf32, #mom.rows<token>>, tensor<?x5xf32, #mom.rows<token>>, tensor<5x7xf32>
}

// CHECK-LABEL: func.func @final_16_4
// CHECK: mom.kernel conv
// CHECK-NOT: mom.conv1d_grad
// CHECK: mom.kernel conv
// CHECK: mom.conv1d
// CHECK: mom.conv1d_grad
func.func @final_16_4(%batch: !mom.batch, %x: tensor<?x16xf32, #mom.rows<token>>, %w: tensor<16x4xf32>, %g: tensor<?x16xf32, #mom.rows<token>>, %bias: tensor<16xf32>, %dfinal: tensor<?x48xf32, #mom.rows<stream>>)
    -> (tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, tensor<16x4xf32>, tensor<16xf32>) {
  %y = mom.conv1d %x by %w in %batch bias %bias
      : tensor<?x16xf32, #mom.rows<token>>, tensor<16x4xf32>, !mom.batch, tensor<16xf32>
      -> tensor<?x16xf32, #mom.rows<token>>
  %u = mom.silu %y : tensor<?x16xf32, #mom.rows<token>>
  %s = mom.sigmoid %y : tensor<?x16xf32, #mom.rows<token>>
  %n = mom.affine %s {offset = 1.0 : f64, scale = -1.0 : f64} : tensor<?x16xf32, #mom.rows<token>>
  %m = arith.mulf %u, %n : tensor<?x16xf32, #mom.rows<token>>
  %a = arith.addf %s, %m : tensor<?x16xf32, #mom.rows<token>>
  %dy = arith.mulf %g, %a : tensor<?x16xf32, #mom.rows<token>>
  %dx, %dw, %db = mom.conv1d_grad %x by %w in %batch gradient %dy dfinal %dfinal
      : tensor<?x16xf32, #mom.rows<token>>, tensor<16x4xf32>, !mom.batch, tensor<?x16xf32, #mom.rows<token>>, tensor<?x48xf32, #mom.rows<stream>>
      -> tensor<?x16xf32, #mom.rows<token>>, tensor<16x4xf32> bias tensor<16xf32>
  return %u, %dx, %dw, %db : tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, tensor<16x4xf32>, tensor<16xf32>
}
