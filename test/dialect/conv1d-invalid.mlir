// RUN: mom-opt %s --split-input-file --verify-diagnostics

!x = tensor<?x2xf32, #mom.rows<token>>
func.func @conv1d_c1(%batch: !mom.batch, %x: !x, %w: tensor<3x4xf32>) {
  // expected-error@+1 {{expected weights [2, taps], but got 'tensor<3x4xf32>'}}
  %y = mom.conv1d %x by %w in %batch : !x, tensor<3x4xf32>, !mom.batch -> !x
  return
}

// -----

!x = tensor<?x2xf32, #mom.rows<token>>
func.func @conv1d_c2(%batch: !mom.batch, %x: !x, %w: tensor<2x4xf32>, %bias: tensor<3xf32>) {
  // expected-error@+1 {{expected a bias of 2 channels, but got 3}}
  %y = mom.conv1d %x by %w in %batch bias %bias : !x, tensor<2x4xf32>, !mom.batch, tensor<3xf32> -> !x
  return
}

// -----

!x = tensor<?x2xf32, #mom.rows<token>>
!state = tensor<?x8xf32, #mom.rows<stream>>
func.func @conv1d_c3(%batch: !mom.batch, %x: !x, %w: tensor<2x4xf32>, %init: !state) {
  // expected-error@+1 {{expected a state of stream rows with 6 channels, but got 'tensor<?x8xf32, #mom.rows<stream>>'}}
  %y = mom.conv1d %x by %w in %batch init %init : !x, tensor<2x4xf32>, !mom.batch, !state -> !x
  return
}

// -----

!x = tensor<?x2xf32, #mom.rows<token>>
func.func @conv1d_c4(%batch: !mom.batch, %x: !x, %w: tensor<2x4xf32>) {
  // expected-error@+1 {{expected a result of type 'tensor<?x2xf32, #mom.rows<token>>'}}
  %y = mom.conv1d %x by %w in %batch : !x, tensor<2x4xf32>, !mom.batch -> tensor<?x2xf32, #mom.rows<token by "M">>
  return
}

// -----

!x = tensor<?x2xf32, #mom.rows<token>>
func.func @conv1d_grad_c1(%batch: !mom.batch, %x: !x, %w: tensor<2x4xf32>, %dy: !x) {
  // expected-error@+1 {{expected dweights of type 'tensor<2x4xf32>', but got 'tensor<4x2xf32>'}}
  %dx, %dw = mom.conv1d_grad %x by %w in %batch gradient %dy : !x, tensor<2x4xf32>, !mom.batch, !x -> !x, tensor<4x2xf32>
  return
}

// -----

!x = tensor<?x2xf32, #mom.rows<token>>
!dy = tensor<?x3xf32, #mom.rows<token>>
func.func @conv1d_grad_c2(%batch: !mom.batch, %x: !x, %w: tensor<2x4xf32>, %dy: !dy) {
  // expected-error@+1 {{expected dy of type 'tensor<?x2xf32, #mom.rows<token>>'}}
  %dx, %dw = mom.conv1d_grad %x by %w in %batch gradient %dy : !x, tensor<2x4xf32>, !mom.batch, !dy -> !x, tensor<2x4xf32>
  return
}
