// Convolutions with their gradients.
// RUN: mom-compare %s --compiled --tokens=0,1,3,129
// RUN: mom-compare %s --compiled --lengths=1,1,2,3,4,1,64,65 --streams=3 --fuse=0 --seed=8
// RUN: mom-compare %s --compiled --tokens=60 --storage=bf16 --streams=7 --segments=4 --seed=12
// RUN: mom-compare %s --compiled --tokens=4097 --function=states_17_4,plain_40_4 --seed=10
// RUN: mom-compare %s --compiled --tokens=7 --streams=0
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=0,1,3,129
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=7 --streams=0
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --storage=bf16 --lengths=1,1,2,3,4,1,64,65 --streams=3 --seed=8
// RUN: mom-compare %s --compiled --target=sm_80 --emulate --storage=f16 --tokens=60 --streams=7 --segments=4 --seed=12

func.func @states_1_2(%batch: !mom.batch, %x: tensor<?x1xf32, #mom.rows<token>>, %w: tensor<1x2xf32>,
    %dy: tensor<?x1xf32, #mom.rows<token>>, %bias: tensor<1xf32>,
    %init: tensor<?x1xf32, #mom.rows<stream>>, %dfinal: tensor<?x1xf32, #mom.rows<stream>>)
    -> (tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<stream>>, tensor<?x1xf32, #mom.rows<token>>, tensor<1x2xf32>, tensor<1xf32>, tensor<?x1xf32, #mom.rows<stream>>) {
  %y, %final = mom.conv1d %x by %w in %batch bias %bias init %init
      : tensor<?x1xf32, #mom.rows<token>>, tensor<1x2xf32>, !mom.batch, tensor<1xf32>, tensor<?x1xf32, #mom.rows<stream>>
      -> tensor<?x1xf32, #mom.rows<token>> final tensor<?x1xf32, #mom.rows<stream>>
  %dx, %dw, %db, %di = mom.conv1d_grad %x by %w in %batch gradient %dy init %init dfinal %dfinal
      : tensor<?x1xf32, #mom.rows<token>>, tensor<1x2xf32>, !mom.batch, tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<stream>>, tensor<?x1xf32, #mom.rows<stream>>
      -> tensor<?x1xf32, #mom.rows<token>>, tensor<1x2xf32> bias tensor<1xf32> init tensor<?x1xf32, #mom.rows<stream>>
  return %y, %final, %dx, %dw, %db, %di
      : tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<stream>>, tensor<?x1xf32, #mom.rows<token>>, tensor<1x2xf32>, tensor<1xf32>, tensor<?x1xf32, #mom.rows<stream>>
}

func.func @plain_3_1(%batch: !mom.batch, %x: tensor<?x3xf32, #mom.rows<token>>, %w: tensor<3x1xf32>,
    %dy: tensor<?x3xf32, #mom.rows<token>>, %bias: tensor<3xf32>)
    -> (tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<3x1xf32>, tensor<3xf32>) {
  %y = mom.conv1d %x by %w in %batch bias %bias
      : tensor<?x3xf32, #mom.rows<token>>, tensor<3x1xf32>, !mom.batch, tensor<3xf32>
      -> tensor<?x3xf32, #mom.rows<token>>
  %dx, %dw, %db = mom.conv1d_grad %x by %w in %batch gradient %dy
      : tensor<?x3xf32, #mom.rows<token>>, tensor<3x1xf32>, !mom.batch, tensor<?x3xf32, #mom.rows<token>>
      -> tensor<?x3xf32, #mom.rows<token>>, tensor<3x1xf32> bias tensor<3xf32>
  return %y, %dx, %dw, %db
      : tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<3x1xf32>, tensor<3xf32>
}

func.func @states_17_4(%batch: !mom.batch, %x: tensor<?x17xf32, #mom.rows<token>>, %w: tensor<17x4xf32>,
    %dy: tensor<?x17xf32, #mom.rows<token>>, %bias: tensor<17xf32>,
    %init: tensor<?x51xf32, #mom.rows<stream>>, %dfinal: tensor<?x51xf32, #mom.rows<stream>>)
    -> (tensor<?x17xf32, #mom.rows<token>>, tensor<?x51xf32, #mom.rows<stream>>, tensor<?x17xf32, #mom.rows<token>>, tensor<17x4xf32>, tensor<17xf32>, tensor<?x51xf32, #mom.rows<stream>>) {
  %y, %final = mom.conv1d %x by %w in %batch bias %bias init %init
      : tensor<?x17xf32, #mom.rows<token>>, tensor<17x4xf32>, !mom.batch, tensor<17xf32>, tensor<?x51xf32, #mom.rows<stream>>
      -> tensor<?x17xf32, #mom.rows<token>> final tensor<?x51xf32, #mom.rows<stream>>
  %dx, %dw, %db, %di = mom.conv1d_grad %x by %w in %batch gradient %dy init %init dfinal %dfinal
      : tensor<?x17xf32, #mom.rows<token>>, tensor<17x4xf32>, !mom.batch, tensor<?x17xf32, #mom.rows<token>>, tensor<?x51xf32, #mom.rows<stream>>, tensor<?x51xf32, #mom.rows<stream>>
      -> tensor<?x17xf32, #mom.rows<token>>, tensor<17x4xf32> bias tensor<17xf32> init tensor<?x51xf32, #mom.rows<stream>>
  return %y, %final, %dx, %dw, %db, %di
      : tensor<?x17xf32, #mom.rows<token>>, tensor<?x51xf32, #mom.rows<stream>>, tensor<?x17xf32, #mom.rows<token>>, tensor<17x4xf32>, tensor<17xf32>, tensor<?x51xf32, #mom.rows<stream>>
}

func.func @plain_40_4(%batch: !mom.batch, %x: tensor<?x40xf32, #mom.rows<token>>, %w: tensor<40x4xf32>,
    %dy: tensor<?x40xf32, #mom.rows<token>>)
    -> (tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x4xf32>) {
  %y = mom.conv1d %x by %w in %batch
      : tensor<?x40xf32, #mom.rows<token>>, tensor<40x4xf32>, !mom.batch
      -> tensor<?x40xf32, #mom.rows<token>>
  %dx, %dw = mom.conv1d_grad %x by %w in %batch gradient %dy
      : tensor<?x40xf32, #mom.rows<token>>, tensor<40x4xf32>, !mom.batch, tensor<?x40xf32, #mom.rows<token>>
      -> tensor<?x40xf32, #mom.rows<token>>, tensor<40x4xf32>
  return %y, %dx, %dw
      : tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x4xf32>
}

func.func @states_40_4_reverse(%batch: !mom.batch, %x: tensor<?x40xf32, #mom.rows<token>>, %w: tensor<40x4xf32>,
    %dy: tensor<?x40xf32, #mom.rows<token>>, %bias: tensor<40xf32>,
    %init: tensor<?x120xf32, #mom.rows<stream>>, %dfinal: tensor<?x120xf32, #mom.rows<stream>>)
    -> (tensor<?x40xf32, #mom.rows<token>>, tensor<?x120xf32, #mom.rows<stream>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x4xf32>, tensor<40xf32>, tensor<?x120xf32, #mom.rows<stream>>) {
  %y, %final = mom.conv1d reverse %x by %w in %batch bias %bias init %init
      : tensor<?x40xf32, #mom.rows<token>>, tensor<40x4xf32>, !mom.batch, tensor<40xf32>, tensor<?x120xf32, #mom.rows<stream>>
      -> tensor<?x40xf32, #mom.rows<token>> final tensor<?x120xf32, #mom.rows<stream>>
  %dx, %dw, %db, %di = mom.conv1d_grad reverse %x by %w in %batch gradient %dy init %init dfinal %dfinal
      : tensor<?x40xf32, #mom.rows<token>>, tensor<40x4xf32>, !mom.batch, tensor<?x40xf32, #mom.rows<token>>, tensor<?x120xf32, #mom.rows<stream>>, tensor<?x120xf32, #mom.rows<stream>>
      -> tensor<?x40xf32, #mom.rows<token>>, tensor<40x4xf32> bias tensor<40xf32> init tensor<?x120xf32, #mom.rows<stream>>
  return %y, %final, %dx, %dw, %db, %di
      : tensor<?x40xf32, #mom.rows<token>>, tensor<?x120xf32, #mom.rows<stream>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x4xf32>, tensor<40xf32>, tensor<?x120xf32, #mom.rows<stream>>
}

func.func @states_17_3(%batch: !mom.batch, %x: tensor<?x17xf32, #mom.rows<token>>, %w: tensor<17x3xf32>,
    %dy: tensor<?x17xf32, #mom.rows<token>>,
    %init: tensor<?x34xf32, #mom.rows<stream>>, %dfinal: tensor<?x34xf32, #mom.rows<stream>>)
    -> (tensor<?x17xf32, #mom.rows<token>>, tensor<?x34xf32, #mom.rows<stream>>, tensor<?x17xf32, #mom.rows<token>>, tensor<17x3xf32>, tensor<?x34xf32, #mom.rows<stream>>) {
  %y, %final = mom.conv1d %x by %w in %batch init %init
      : tensor<?x17xf32, #mom.rows<token>>, tensor<17x3xf32>, !mom.batch, tensor<?x34xf32, #mom.rows<stream>>
      -> tensor<?x17xf32, #mom.rows<token>> final tensor<?x34xf32, #mom.rows<stream>>
  %dx, %dw, %di = mom.conv1d_grad %x by %w in %batch gradient %dy init %init dfinal %dfinal
      : tensor<?x17xf32, #mom.rows<token>>, tensor<17x3xf32>, !mom.batch, tensor<?x17xf32, #mom.rows<token>>, tensor<?x34xf32, #mom.rows<stream>>, tensor<?x34xf32, #mom.rows<stream>>
      -> tensor<?x17xf32, #mom.rows<token>>, tensor<17x3xf32> init tensor<?x34xf32, #mom.rows<stream>>
  return %y, %final, %dx, %dw, %di
      : tensor<?x17xf32, #mom.rows<token>>, tensor<?x34xf32, #mom.rows<stream>>, tensor<?x17xf32, #mom.rows<token>>, tensor<17x3xf32>, tensor<?x34xf32, #mom.rows<stream>>
}

func.func @plain_16_2_reverse(%batch: !mom.batch, %x: tensor<?x16xf32, #mom.rows<token>>, %w: tensor<16x2xf32>,
    %dy: tensor<?x16xf32, #mom.rows<token>>, %bias: tensor<16xf32>)
    -> (tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, tensor<16x2xf32>, tensor<16xf32>) {
  %y = mom.conv1d reverse %x by %w in %batch bias %bias
      : tensor<?x16xf32, #mom.rows<token>>, tensor<16x2xf32>, !mom.batch, tensor<16xf32>
      -> tensor<?x16xf32, #mom.rows<token>>
  %dx, %dw, %db = mom.conv1d_grad reverse %x by %w in %batch gradient %dy
      : tensor<?x16xf32, #mom.rows<token>>, tensor<16x2xf32>, !mom.batch, tensor<?x16xf32, #mom.rows<token>>
      -> tensor<?x16xf32, #mom.rows<token>>, tensor<16x2xf32> bias tensor<16xf32>
  return %y, %dx, %dw, %db
      : tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, tensor<16x2xf32>, tensor<16xf32>
}

!x = tensor<?x24xf32, #mom.rows<token>>

// Pointwise work after a convolution, in rows sorted by modality.
func.func @sorted(%batch: !mom.batch, %x: !x, %p: tensor<3x24x24xf32>, %w: tensor<24x4xf32>,
    %bias: tensor<24xf32>) -> !x {
  %route = mom.modality_route %batch : !mom.route<"M", 3>
  %a = mom.linear %x by %p for %route : !mom.route<"M", 3>, !x, tensor<3x24x24xf32> -> !x
  %y = mom.conv1d %a by %w in %batch bias %bias : !x, tensor<24x4xf32>, !mom.batch, tensor<24xf32> -> !x
  %z = mom.silu %y : !x
  return %z : !x
}

func.func @sorted_gradient(%batch: !mom.batch, %x: !x, %p: tensor<3x24x24xf32>, %w: tensor<24x4xf32>,
    %dy: !x) -> (!x, tensor<24x4xf32>, tensor<24xf32>) {
  %route = mom.modality_route %batch : !mom.route<"M", 3>
  %a = mom.linear %x by %p for %route : !mom.route<"M", 3>, !x, tensor<3x24x24xf32> -> !x
  %d = mom.linear %dy by %p for %route : !mom.route<"M", 3>, !x, tensor<3x24x24xf32> -> !x
  %dx, %dw, %db = mom.conv1d_grad reverse %a by %w in %batch gradient %d
      : !x, tensor<24x4xf32>, !mom.batch, !x -> !x, tensor<24x4xf32> bias tensor<24xf32>
  %z = mom.silu %dx : !x
  return %z, %dw, %db : !x, tensor<24x4xf32>, tensor<24xf32>
}

// Eight taps, x a range of wider rows, and two results of one convolution.
func.func @range_24_8(%batch: !mom.batch, %wide: tensor<?x48xf32, #mom.rows<token>>, %w: tensor<24x8xf32>,
    %dy: !x) -> (!x, !x, !x, tensor<24x8xf32>) {
  %other, %a = mom.split %wide : tensor<?x48xf32, #mom.rows<token>> -> !x, !x
  %y = mom.conv1d %a by %w in %batch : !x, tensor<24x8xf32>, !mom.batch -> !x
  %z = mom.silu %y : !x
  %g = arith.mulf %z, %other : !x
  %dx, %dw = mom.conv1d_grad %a by %w in %batch gradient %dy
      : !x, tensor<24x8xf32>, !mom.batch, !x -> !x, tensor<24x8xf32>
  %s = arith.mulf %dx, %dy : !x
  return %y, %g, %s, %dw : !x, !x, !x, tensor<24x8xf32>
}
