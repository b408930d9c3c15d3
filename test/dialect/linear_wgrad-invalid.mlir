// RUN: mom-opt %s --split-input-file --verify-diagnostics --mom-verify-order

!x = tensor<?x2xf32, #mom.rows<token>>
!dy = tensor<?x4xf32, #mom.rows<token>>
func.func @linear_wgrad_c1(%batch: !mom.batch, %x: !x, %dy: !dy) {
  %r = mom.modality_route %batch : !mom.route<"M", 3>
  // expected-error@+1 {{rows}}
  %dw = mom.linear_wgrad %x, %dy for %r : !mom.route<"M", 3>, !x, !dy -> tensor<3x4x2xf32>
  return
}

// -----

!x = tensor<?x2xf32, #mom.rows<token>>
!dy = tensor<?x4xf32, #mom.rows<token>>
func.func @linear_wgrad_c2_groups(%batch: !mom.batch, %x: !x, %dy: !dy) {
  %r = mom.modality_route %batch : !mom.route<"M", 3>
  // expected-error@+1 {{expected 3 weights, one a group, but got 'tensor<4x2xf32>'}}
  %dw = mom.linear_wgrad %x, %dy for %r : !mom.route<"M", 3>, !x, !dy -> tensor<4x2xf32>
  return
}

// -----

!x = tensor<?x2xf32, #mom.rows<token>>
!dy = tensor<?x4xf32, #mom.rows<token>>
func.func @linear_wgrad_c2_channels(%x: !x, %dy: !dy) {
  // expected-error@+1 {{expected x [rows, 4] and dy [rows, 2] of the same rows}}
  %dw = mom.linear_wgrad %x, %dy : !x, !dy -> tensor<2x4xf32>
  return
}
