// RUN: mom-opt %s --split-input-file --verify-diagnostics --mom-verify-order

!x = tensor<?x2xf32, #mom.rows<token>>
func.func @linear_c1(%batch: !mom.batch, %x: !x, %w: tensor<3x4x2xf32>) {
  %r = mom.modality_route %batch : !mom.route<"M", 3>
  // expected-error@+1 {{rows}}
  %y = mom.linear %x by %w for %r : !mom.route<"M", 3>, !x, tensor<3x4x2xf32> -> tensor<?x4xf32, #mom.rows<token>>
  return
}

// -----

!x = tensor<?x2xf32, #mom.rows<token>>
func.func @linear_c2(%x: !x, %w: tensor<4x3xf32>) {
  // expected-error@+1 {{expected 3 channels of x, as the weights, but got 2}}
  %y = mom.linear %x by %w : !x, tensor<4x3xf32> -> tensor<?x4xf32, #mom.rows<token>>
  return
}

// -----

!x = tensor<?x2xf32, #mom.rows<token>>
func.func @linear_c3_groups(%batch: !mom.batch, %x: !x, %w: tensor<2x4x2xf32>) {
  %r = mom.modality_route %batch : !mom.route<"M", 3>
  // expected-error@+1 {{expected 3 weights, one a group, but got 'tensor<2x4x2xf32>'}}
  %y = mom.linear %x by %w for %r : !mom.route<"M", 3>, !x, tensor<2x4x2xf32> -> tensor<?x4xf32, #mom.rows<token>>
  return
}

// -----

!x = tensor<?x2xf32, #mom.rows<token>>
func.func @linear_c3_shared(%x: !x, %w: tensor<2x4x2xf32>) {
  // expected-error@+1 {{expected weights [out, in] without a route, but got 'tensor<2x4x2xf32>'}}
  %y = mom.linear %x by %w : !x, tensor<2x4x2xf32> -> tensor<?x4xf32, #mom.rows<token>>
  return
}

// -----

!x = tensor<?x2xf32, #mom.rows<token>>
func.func @linear_c4(%x: !x, %w: tensor<4x2xf32>) {
  // expected-error@+1 {{expected a result 'tensor<?x4xf32, #mom.rows<token>>', but got 'tensor<?x5xf32, #mom.rows<token>>'}}
  %y = mom.linear %x by %w : !x, tensor<4x2xf32> -> tensor<?x5xf32, #mom.rows<token>>
  return
}
