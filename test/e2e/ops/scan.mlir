// Scans with their gradients, which read the states that the scan saved.
// RUN: mom-compare %s --compiled --tokens=0,1,3,129
// RUN: mom-compare %s --compiled --lengths=1,1,16,17,1,32,1,15 --streams=3 --fuse=0 --seed=8
// RUN: mom-compare %s --compiled --tokens=60 --storage=bf16 --streams=7 --segments=4 --seed=9
// RUN: mom-compare %s --compiled --tokens=4097 --function=states_3_2,gradients_3_2 --seed=10
// RUN: mom-compare %s --compiled --tokens=7 --streams=0
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=0,1,33
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=7 --streams=0
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --lengths=1,1,16,17,1,8 --streams=3 --function=states_1_1,states_3_33_reverse,sorted,prefill --seed=8
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=60 --storage=bf16 --streams=7 --segments=4 --function=block,sorted --seed=9
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --lengths=100,1 --function=decays --knob=piece=16 --knob=fill=1000000 --seed=2
// RUN: mom-compare %s --compiled --target=sm_80 --emulate --tokens=40 --storage=f16 --fuse=0 --function=block,sorted --seed=10

func.func @states_1_1(%batch: !mom.batch, %u: tensor<?x1xf32, #mom.rows<token>>,
    %delta: tensor<?x1xf32, #mom.rows<token>> {mom.positive}, %A: tensor<1x1xf32> {mom.negative},
    %B: tensor<?x1xf32, #mom.rows<token>>, %C: tensor<?x1xf32, #mom.rows<token>>,
    %dy: tensor<?x1xf32, #mom.rows<token>>,
    %init: tensor<?x1xf32, #mom.rows<stream>>, %dfinal: tensor<?x1xf32, #mom.rows<stream>>)
    -> (tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<stream>>, tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>>, tensor<1x1xf32>, tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<stream>>) {
  %y, %final, %saved = mom.scan %u, %delta, %A, %B, %C in %batch init %init
      : tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>>, tensor<1x1xf32>, tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>>, !mom.batch, tensor<?x1xf32, #mom.rows<stream>>
      -> tensor<?x1xf32, #mom.rows<token>> final tensor<?x1xf32, #mom.rows<stream>> checkpoints tensor<?x1xf32, #mom.rows<chunk of 16>>
  %du, %dd, %dA, %dB, %dC, %di = mom.scan_grad %u, %delta, %A, %B, %C in %batch gradient %dy
      init %init checkpoints %saved dfinal %dfinal
      : tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>>, tensor<1x1xf32>, tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>>, !mom.batch, tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<stream>>, tensor<?x1xf32, #mom.rows<chunk of 16>>, tensor<?x1xf32, #mom.rows<stream>>
      -> tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>>, tensor<1x1xf32>, tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>> init tensor<?x1xf32, #mom.rows<stream>>
  return %y, %final, %du, %dd, %dA, %dB, %dC, %di
      : tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<stream>>, tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>>, tensor<1x1xf32>, tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<stream>>
}

func.func @states_3_2(%batch: !mom.batch, %u: tensor<?x3xf32, #mom.rows<token>>,
    %delta: tensor<?x3xf32, #mom.rows<token>> {mom.positive}, %A: tensor<3x2xf32> {mom.negative},
    %B: tensor<?x2xf32, #mom.rows<token>>, %C: tensor<?x2xf32, #mom.rows<token>>,
    %dy: tensor<?x3xf32, #mom.rows<token>>,
    %init: tensor<?x6xf32, #mom.rows<stream>>, %dfinal: tensor<?x6xf32, #mom.rows<stream>>)
    -> (tensor<?x3xf32, #mom.rows<token>>, tensor<?x6xf32, #mom.rows<stream>>, tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<3x2xf32>, tensor<?x2xf32, #mom.rows<token>>, tensor<?x2xf32, #mom.rows<token>>, tensor<?x6xf32, #mom.rows<stream>>) {
  %y, %final, %saved = mom.scan %u, %delta, %A, %B, %C in %batch init %init
      : tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<3x2xf32>, tensor<?x2xf32, #mom.rows<token>>, tensor<?x2xf32, #mom.rows<token>>, !mom.batch, tensor<?x6xf32, #mom.rows<stream>>
      -> tensor<?x3xf32, #mom.rows<token>> final tensor<?x6xf32, #mom.rows<stream>> checkpoints tensor<?x6xf32, #mom.rows<chunk of 16>>
  %du, %dd, %dA, %dB, %dC, %di = mom.scan_grad %u, %delta, %A, %B, %C in %batch gradient %dy
      init %init checkpoints %saved dfinal %dfinal
      : tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<3x2xf32>, tensor<?x2xf32, #mom.rows<token>>, tensor<?x2xf32, #mom.rows<token>>, !mom.batch, tensor<?x3xf32, #mom.rows<token>>, tensor<?x6xf32, #mom.rows<stream>>, tensor<?x6xf32, #mom.rows<chunk of 16>>, tensor<?x6xf32, #mom.rows<stream>>
      -> tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<3x2xf32>, tensor<?x2xf32, #mom.rows<token>>, tensor<?x2xf32, #mom.rows<token>> init tensor<?x6xf32, #mom.rows<stream>>
  return %y, %final, %du, %dd, %dA, %dB, %dC, %di
      : tensor<?x3xf32, #mom.rows<token>>, tensor<?x6xf32, #mom.rows<stream>>, tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<3x2xf32>, tensor<?x2xf32, #mom.rows<token>>, tensor<?x2xf32, #mom.rows<token>>, tensor<?x6xf32, #mom.rows<stream>>
}

func.func @gradients_3_2(%batch: !mom.batch, %u: tensor<?x3xf32, #mom.rows<token>>,
    %delta: tensor<?x3xf32, #mom.rows<token>> {mom.positive}, %A: tensor<3x2xf32> {mom.negative},
    %B: tensor<?x2xf32, #mom.rows<token>>, %C: tensor<?x2xf32, #mom.rows<token>>,
    %dy: tensor<?x3xf32, #mom.rows<token>>)
    -> (tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<3x2xf32>, tensor<?x2xf32, #mom.rows<token>>, tensor<?x2xf32, #mom.rows<token>>) {
  %y, %saved = mom.scan %u, %delta, %A, %B, %C in %batch
      : tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<3x2xf32>, tensor<?x2xf32, #mom.rows<token>>, tensor<?x2xf32, #mom.rows<token>>, !mom.batch -> tensor<?x3xf32, #mom.rows<token>> checkpoints tensor<?x6xf32, #mom.rows<chunk of 7>>
  %du, %dd, %dA, %dB, %dC = mom.scan_grad %u, %delta, %A, %B, %C in %batch gradient %dy
      checkpoints %saved : tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<3x2xf32>, tensor<?x2xf32, #mom.rows<token>>, tensor<?x2xf32, #mom.rows<token>>, !mom.batch, tensor<?x3xf32, #mom.rows<token>>, tensor<?x6xf32, #mom.rows<chunk of 7>>
      -> tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<3x2xf32>, tensor<?x2xf32, #mom.rows<token>>, tensor<?x2xf32, #mom.rows<token>>
  return %y, %du, %dd, %dA, %dB, %dC
      : tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<3x2xf32>, tensor<?x2xf32, #mom.rows<token>>, tensor<?x2xf32, #mom.rows<token>>
}

func.func @states_16_33(%batch: !mom.batch, %u: tensor<?x16xf32, #mom.rows<token>>,
    %delta: tensor<?x16xf32, #mom.rows<token>> {mom.positive}, %A: tensor<16x33xf32> {mom.negative},
    %B: tensor<?x33xf32, #mom.rows<token>>, %C: tensor<?x33xf32, #mom.rows<token>>,
    %dy: tensor<?x16xf32, #mom.rows<token>>,
    %init: tensor<?x528xf32, #mom.rows<stream>>, %dfinal: tensor<?x528xf32, #mom.rows<stream>>)
    -> (tensor<?x16xf32, #mom.rows<token>>, tensor<?x528xf32, #mom.rows<stream>>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, tensor<16x33xf32>, tensor<?x33xf32, #mom.rows<token>>, tensor<?x33xf32, #mom.rows<token>>, tensor<?x528xf32, #mom.rows<stream>>) {
  %y, %final, %saved = mom.scan %u, %delta, %A, %B, %C in %batch init %init
      : tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, tensor<16x33xf32>, tensor<?x33xf32, #mom.rows<token>>, tensor<?x33xf32, #mom.rows<token>>, !mom.batch, tensor<?x528xf32, #mom.rows<stream>>
      -> tensor<?x16xf32, #mom.rows<token>> final tensor<?x528xf32, #mom.rows<stream>> checkpoints tensor<?x528xf32, #mom.rows<chunk of 16>>
  %du, %dd, %dA, %dB, %dC, %di = mom.scan_grad %u, %delta, %A, %B, %C in %batch gradient %dy
      init %init checkpoints %saved dfinal %dfinal
      : tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, tensor<16x33xf32>, tensor<?x33xf32, #mom.rows<token>>, tensor<?x33xf32, #mom.rows<token>>, !mom.batch, tensor<?x16xf32, #mom.rows<token>>, tensor<?x528xf32, #mom.rows<stream>>, tensor<?x528xf32, #mom.rows<chunk of 16>>, tensor<?x528xf32, #mom.rows<stream>>
      -> tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, tensor<16x33xf32>, tensor<?x33xf32, #mom.rows<token>>, tensor<?x33xf32, #mom.rows<token>> init tensor<?x528xf32, #mom.rows<stream>>
  return %y, %final, %du, %dd, %dA, %dB, %dC, %di
      : tensor<?x16xf32, #mom.rows<token>>, tensor<?x528xf32, #mom.rows<stream>>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, tensor<16x33xf32>, tensor<?x33xf32, #mom.rows<token>>, tensor<?x33xf32, #mom.rows<token>>, tensor<?x528xf32, #mom.rows<stream>>
}

func.func @gradients_40_16(%batch: !mom.batch, %u: tensor<?x40xf32, #mom.rows<token>>,
    %delta: tensor<?x40xf32, #mom.rows<token>> {mom.positive}, %A: tensor<40x16xf32> {mom.negative},
    %B: tensor<?x16xf32, #mom.rows<token>>, %C: tensor<?x16xf32, #mom.rows<token>>,
    %dy: tensor<?x40xf32, #mom.rows<token>>)
    -> (tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>) {
  %y, %saved = mom.scan %u, %delta, %A, %B, %C in %batch
      : tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, !mom.batch -> tensor<?x40xf32, #mom.rows<token>> checkpoints tensor<?x640xf32, #mom.rows<chunk of 16>>
  %du, %dd, %dA, %dB, %dC = mom.scan_grad %u, %delta, %A, %B, %C in %batch gradient %dy
      checkpoints %saved : tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, !mom.batch, tensor<?x40xf32, #mom.rows<token>>, tensor<?x640xf32, #mom.rows<chunk of 16>>
      -> tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>
  return %y, %du, %dd, %dA, %dB, %dC
      : tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>
}

func.func @states_40_16_reverse(%batch: !mom.batch, %u: tensor<?x40xf32, #mom.rows<token>>,
    %delta: tensor<?x40xf32, #mom.rows<token>> {mom.positive}, %A: tensor<40x16xf32> {mom.negative},
    %B: tensor<?x16xf32, #mom.rows<token>>, %C: tensor<?x16xf32, #mom.rows<token>>,
    %dy: tensor<?x40xf32, #mom.rows<token>>,
    %init: tensor<?x640xf32, #mom.rows<stream>>, %dfinal: tensor<?x640xf32, #mom.rows<stream>>)
    -> (tensor<?x40xf32, #mom.rows<token>>, tensor<?x640xf32, #mom.rows<stream>>, tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x640xf32, #mom.rows<stream>>) {
  %y, %final, %saved = mom.scan reverse %u, %delta, %A, %B, %C in %batch init %init
      : tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, !mom.batch, tensor<?x640xf32, #mom.rows<stream>>
      -> tensor<?x40xf32, #mom.rows<token>> final tensor<?x640xf32, #mom.rows<stream>> checkpoints tensor<?x640xf32, #mom.rows<chunk of 5>>
  %du, %dd, %dA, %dB, %dC, %di = mom.scan_grad reverse %u, %delta, %A, %B, %C in %batch gradient %dy
      init %init checkpoints %saved dfinal %dfinal
      : tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, !mom.batch, tensor<?x40xf32, #mom.rows<token>>, tensor<?x640xf32, #mom.rows<stream>>, tensor<?x640xf32, #mom.rows<chunk of 5>>, tensor<?x640xf32, #mom.rows<stream>>
      -> tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>> init tensor<?x640xf32, #mom.rows<stream>>
  return %y, %final, %du, %dd, %dA, %dB, %dC, %di
      : tensor<?x40xf32, #mom.rows<token>>, tensor<?x640xf32, #mom.rows<stream>>, tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<40x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x640xf32, #mom.rows<stream>>
}

func.func @gradients_16_1_reverse(%batch: !mom.batch, %u: tensor<?x16xf32, #mom.rows<token>>,
    %delta: tensor<?x16xf32, #mom.rows<token>> {mom.positive}, %A: tensor<16x1xf32> {mom.negative},
    %B: tensor<?x1xf32, #mom.rows<token>>, %C: tensor<?x1xf32, #mom.rows<token>>,
    %dy: tensor<?x16xf32, #mom.rows<token>>)
    -> (tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, tensor<16x1xf32>, tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>>) {
  %y, %saved = mom.scan reverse %u, %delta, %A, %B, %C in %batch
      : tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, tensor<16x1xf32>, tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>>, !mom.batch -> tensor<?x16xf32, #mom.rows<token>> checkpoints tensor<?x16xf32, #mom.rows<chunk of 16>>
  %du, %dd, %dA, %dB, %dC = mom.scan_grad reverse %u, %delta, %A, %B, %C in %batch gradient %dy
      checkpoints %saved : tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, tensor<16x1xf32>, tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>>, !mom.batch, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<chunk of 16>>
      -> tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, tensor<16x1xf32>, tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>>
  return %y, %du, %dd, %dA, %dB, %dC
      : tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, tensor<16x1xf32>, tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>>
}

func.func @states_3_33_reverse(%batch: !mom.batch, %u: tensor<?x3xf32, #mom.rows<token>>,
    %delta: tensor<?x3xf32, #mom.rows<token>> {mom.positive}, %A: tensor<3x33xf32> {mom.negative},
    %B: tensor<?x33xf32, #mom.rows<token>>, %C: tensor<?x33xf32, #mom.rows<token>>,
    %dy: tensor<?x3xf32, #mom.rows<token>>,
    %init: tensor<?x99xf32, #mom.rows<stream>>, %dfinal: tensor<?x99xf32, #mom.rows<stream>>)
    -> (tensor<?x3xf32, #mom.rows<token>>, tensor<?x99xf32, #mom.rows<stream>>, tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<3x33xf32>, tensor<?x33xf32, #mom.rows<token>>, tensor<?x33xf32, #mom.rows<token>>, tensor<?x99xf32, #mom.rows<stream>>) {
  %y, %final, %saved = mom.scan reverse %u, %delta, %A, %B, %C in %batch init %init
      : tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<3x33xf32>, tensor<?x33xf32, #mom.rows<token>>, tensor<?x33xf32, #mom.rows<token>>, !mom.batch, tensor<?x99xf32, #mom.rows<stream>>
      -> tensor<?x3xf32, #mom.rows<token>> final tensor<?x99xf32, #mom.rows<stream>> checkpoints tensor<?x99xf32, #mom.rows<chunk of 16>>
  %du, %dd, %dA, %dB, %dC, %di = mom.scan_grad reverse %u, %delta, %A, %B, %C in %batch gradient %dy
      init %init checkpoints %saved dfinal %dfinal
      : tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<3x33xf32>, tensor<?x33xf32, #mom.rows<token>>, tensor<?x33xf32, #mom.rows<token>>, !mom.batch, tensor<?x3xf32, #mom.rows<token>>, tensor<?x99xf32, #mom.rows<stream>>, tensor<?x99xf32, #mom.rows<chunk of 16>>, tensor<?x99xf32, #mom.rows<stream>>
      -> tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<3x33xf32>, tensor<?x33xf32, #mom.rows<token>>, tensor<?x33xf32, #mom.rows<token>> init tensor<?x99xf32, #mom.rows<stream>>
  return %y, %final, %du, %dd, %dA, %dB, %dC, %di
      : tensor<?x3xf32, #mom.rows<token>>, tensor<?x99xf32, #mom.rows<stream>>, tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<3x33xf32>, tensor<?x33xf32, #mom.rows<token>>, tensor<?x33xf32, #mom.rows<token>>, tensor<?x99xf32, #mom.rows<stream>>
}

func.func @states_1_16(%batch: !mom.batch, %u: tensor<?x1xf32, #mom.rows<token>>,
    %delta: tensor<?x1xf32, #mom.rows<token>> {mom.positive}, %A: tensor<1x16xf32> {mom.negative},
    %B: tensor<?x16xf32, #mom.rows<token>>, %C: tensor<?x16xf32, #mom.rows<token>>,
    %dy: tensor<?x1xf32, #mom.rows<token>>,
    %init: tensor<?x16xf32, #mom.rows<stream>>, %dfinal: tensor<?x16xf32, #mom.rows<stream>>)
    -> (tensor<?x1xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<stream>>, tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>>, tensor<1x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<stream>>) {
  %y, %final, %saved = mom.scan %u, %delta, %A, %B, %C in %batch init %init
      : tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>>, tensor<1x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, !mom.batch, tensor<?x16xf32, #mom.rows<stream>>
      -> tensor<?x1xf32, #mom.rows<token>> final tensor<?x16xf32, #mom.rows<stream>> checkpoints tensor<?x16xf32, #mom.rows<chunk of 1>>
  %du, %dd, %dA, %dB, %dC, %di = mom.scan_grad %u, %delta, %A, %B, %C in %batch gradient %dy
      init %init checkpoints %saved dfinal %dfinal
      : tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>>, tensor<1x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, !mom.batch, tensor<?x1xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<stream>>, tensor<?x16xf32, #mom.rows<chunk of 1>>, tensor<?x16xf32, #mom.rows<stream>>
      -> tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>>, tensor<1x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>> init tensor<?x16xf32, #mom.rows<stream>>
  return %y, %final, %du, %dd, %dA, %dB, %dC, %di
      : tensor<?x1xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<stream>>, tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>>, tensor<1x16xf32>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<token>>, tensor<?x16xf32, #mom.rows<stream>>
}

!x = tensor<?x24xf32, #mom.rows<token>>
!n = tensor<?x16xf32, #mom.rows<token>>
!A = tensor<24x16xf32>

// What a Mamba block puts round its scan: softplus, -exp, skip and gate.
func.func @block(%batch: !mom.batch, %u: !x, %dt: !x, %logA: !A, %B: !n, %C: !n, %D: tensor<24xf32>,
    %gate: !x) -> !x {
  %delta = mom.softplus %dt : !x
  %e = math.exp %logA : !A
  %A = arith.negf %e : !A
  %y = mom.scan %u, %delta, %A, %B, %C in %batch : !x, !x, !A, !n, !n, !mom.batch -> !x
  %d = mom.broadcast %D like %u : tensor<24xf32>, !x -> !x
  %skip = arith.mulf %d, %u : !x
  %sum = arith.addf %y, %skip : !x
  %s = mom.silu %gate : !x
  %z = arith.mulf %sum, %s : !x
  return %z : !x
}

// A is made of a parameter, and the parameter's gradient of A's: a GPU's scans do both
// themselves (mom-join-decays).
func.func @decays(%batch: !mom.batch, %u: !x, %delta: !x {mom.positive}, %logA: !A, %B: !n, %C: !n, %dy: !x)
    -> (!x, !x, !x, !A, !n, !n) attributes {mom.tolerance = 2.0} {
  %e = math.exp %logA : !A
  %A = arith.negf %e : !A
  %y, %saved = mom.scan %u, %delta, %A, %B, %C in %batch
      : !x, !x, !A, !n, !n, !mom.batch -> !x checkpoints tensor<?x384xf32, #mom.rows<chunk of 16>>
  %du, %dd, %dA, %dB, %dC = mom.scan_grad %u, %delta, %A, %B, %C in %batch gradient %dy checkpoints %saved
      : !x, !x, !A, !n, !n, !mom.batch, !x, tensor<?x384xf32, #mom.rows<chunk of 16>> -> !x, !x, !A, !n, !n
  %minus = arith.negf %dA : !A
  %dlogA = arith.mulf %minus, %e : !A
  return %y, %du, %dd, %dlogA, %dB, %dC : !x, !x, !x, !A, !n, !n
}

// In rows sorted by modality the scan reads through the index.
func.func @sorted(%batch: !mom.batch, %u: !x, %dt: !x, %logA: !A, %w: tensor<3x16x24xf32>,
    %v: tensor<3x16x24xf32>) -> !x attributes {mom.tolerance = 2.0} {
  %route = mom.modality_route %batch : !mom.route<"M", 3>
  %B = mom.linear %u by %w for %route : !mom.route<"M", 3>, !x, tensor<3x16x24xf32> -> !n
  %C = mom.linear %u by %v for %route : !mom.route<"M", 3>, !x, tensor<3x16x24xf32> -> !n
  %delta = mom.softplus %dt : !x
  %e = math.exp %logA : !A
  %A = arith.negf %e : !A
  %y = mom.scan %u, %delta, %A, %B, %C in %batch : !x, !x, !A, !n, !n, !mom.batch -> !x
  return %y : !x
}

// A final state that nothing was given for, as prefill makes it.
func.func @prefill(%batch: !mom.batch, %u: !x, %delta: !x {mom.positive}, %A: !A {mom.negative},
    %B: !n, %C: !n) -> (!x, tensor<?x384xf32, #mom.rows<stream>>) {
  %y, %final = mom.scan %u, %delta, %A, %B, %C in %batch
      : !x, !x, !A, !n, !n, !mom.batch -> !x final tensor<?x384xf32, #mom.rows<stream>>
  return %y, %final : !x, tensor<?x384xf32, #mom.rows<stream>>
}
