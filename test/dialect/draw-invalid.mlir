// RUN: mom-opt %s --split-input-file --verify-diagnostics

!logits = tensor<?x2xf32, #mom.rows<token>>
!one = tensor<?x1xi32, #mom.rows<token>>
func.func @draw_c1(%x: !logits, %at: tensor<?x2xi32, #mom.rows<token>>, %limits: tensor<2xf32>,
                   %how: tensor<3xi32>, %groups: tensor<2xi32>) {
  // expected-error@+1 {{expected a place of 3 channels and the rows of 'tensor<?x2xf32, #mom.rows<token>>', but got 'tensor<?x2xi32, #mom.rows<token>>'}}
  %id, %group, %next = mom.draw %x at %at within %limits, %how of %groups
      : !logits, tensor<?x2xi32, #mom.rows<token>>, tensor<2xf32>, tensor<3xi32>, tensor<2xi32> -> !one
  return
}

// -----

!logits = tensor<?x2xf32, #mom.rows<token>>
!one = tensor<?x1xi32, #mom.rows<token>>
func.func @draw_c2(%x: !logits, %at: tensor<?x3xi32, #mom.rows<token>>, %limits: tensor<2xf32>,
                   %how: tensor<3xi32>, %groups: tensor<3xi32>) {
  // expected-error@+1 {{expected limits [2], how [3] and groups [2], but got 'tensor<2xf32>', 'tensor<3xi32>' and 'tensor<3xi32>'}}
  %id, %group, %next = mom.draw %x at %at within %limits, %how of %groups
      : !logits, tensor<?x3xi32, #mom.rows<token>>, tensor<2xf32>, tensor<3xi32>, tensor<3xi32> -> !one
  return
}
