// What equivalences.cpp runs: a convolution and a scan with carried states, and a
// linear with a weight for each modality beside one for all.
!E = tensor<?x5xf32, #mom.rows<token>>
!N = tensor<?x3xf32, #mom.rows<token>>
!states = tensor<?x15xf32, #mom.rows<stream>>

func.func @forward(%batch: !mom.batch, %u: !E, %delta: !E {mom.positive}, %B: !N, %C: !N, %taps: !states, %init: !states,
    %A: tensor<5x3xf32> {mom.negative}, %w: tensor<5x4xf32>, %bias: tensor<5xf32>) -> (!E, !states, !states) {
  %x, %last = mom.conv1d %u by %w in %batch bias %bias init %taps
      : !E, tensor<5x4xf32>, !mom.batch, tensor<5xf32>, !states -> !E final !states
  %s = mom.silu %x : !E
  %y, %final = mom.scan %s, %delta, %A, %B, %C in %batch init %init
      : !E, !E, tensor<5x3xf32>, !N, !N, !mom.batch, !states -> !E final !states
  return %y, %last, %final : !E, !states, !states
}

func.func @reverse(%batch: !mom.batch, %u: !E, %delta: !E {mom.positive}, %B: !N, %C: !N, %taps: !states, %init: !states,
    %A: tensor<5x3xf32> {mom.negative}, %w: tensor<5x4xf32>, %bias: tensor<5xf32>) -> (!E, !states, !states) {
  %x, %last = mom.conv1d reverse %u by %w in %batch bias %bias init %taps
      : !E, tensor<5x4xf32>, !mom.batch, tensor<5xf32>, !states -> !E final !states
  %s = mom.silu %x : !E
  %y, %final = mom.scan reverse %s, %delta, %A, %B, %C in %batch init %init
      : !E, !E, tensor<5x3xf32>, !N, !N, !mom.batch, !states -> !E final !states
  return %y, %last, %final : !E, !states, !states
}

func.func @routed(%batch: !mom.batch, %x: tensor<?x33xf32, #mom.rows<token>>, %w: tensor<3x17x33xf32>)
    -> tensor<?x17xf32, #mom.rows<token>> {
  %r = mom.modality_route %batch : !mom.route<"M", 3>
  %y = mom.linear %x by %w for %r : !mom.route<"M", 3>, tensor<?x33xf32, #mom.rows<token>>, tensor<3x17x33xf32> -> tensor<?x17xf32, #mom.rows<token>>
  return %y : tensor<?x17xf32, #mom.rows<token>>
}

func.func @dense(%batch: !mom.batch, %x: tensor<?x33xf32, #mom.rows<token>>, %w: tensor<17x33xf32>)
    -> tensor<?x17xf32, #mom.rows<token>> {
  %y = mom.linear %x by %w : tensor<?x33xf32, #mom.rows<token>>, tensor<17x33xf32> -> tensor<?x17xf32, #mom.rows<token>>
  return %y : tensor<?x17xf32, #mom.rows<token>>
}
