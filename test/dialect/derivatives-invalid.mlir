// RUN: mom-opt %s --split-input-file --verify-diagnostics --mom-differentiate

!x = tensor<?x4xf32, #mom.rows<token>>
!y = tensor<?x1xf32, #mom.rows<token>>
func.func @reduce_max(%x: !x, %batch: !mom.batch) -> !y attributes {mom.layer, mom.export} {
  // expected-error@+1 {{has no derivative: only 'sum' has one, but got 'max'}}
  %y = mom.reduce max %x : !x -> !y
  return %y : !y
}

// -----

!x = tensor<?x4xf32, #mom.rows<token>>
!y = tensor<?x1xf32, #mom.rows<token>>
func.func @lse(%x: !x, %target: tensor<?x1xi32, #mom.rows<token>>, %batch: !mom.batch) -> !y attributes {mom.layer, mom.export} {
  // expected-error@+1 {{has no derivative of 'lse', but a gradient of it is asked for}}
  %nll, %lse = mom.cross_entropy %x, %target : !x, tensor<?x1xi32, #mom.rows<token>> -> !y
  return %lse : !y
}

// -----

func.func @vector_over_matrix(%v: tensor<3xf32>, %m: tensor<2x3xf32>, %batch: !mom.batch) -> tensor<2x3xf32>
    attributes {mom.layer, mom.export} {
  // expected-error@+1 {{has no derivative for a vector over a static tensor}}
  %y = mom.broadcast %v like %m : tensor<3xf32>, tensor<2x3xf32> -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}
