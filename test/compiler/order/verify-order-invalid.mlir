// RUN: mom-opt %s --mom-verify-order --split-input-file --verify-diagnostics

#t = #mom.rows<token>
func.func @linear_c1(%x: tensor<?x4xf32, #t>, %w: tensor<3x4x4xf32>, %r: !mom.route<"M", 3>) -> tensor<?x4xf32, #t> {
  // expected-error @+1 {{expected rows in the order of route "M", but got #mom.rows<token>}}
  %y = mom.linear %x by %w for %r : !mom.route<"M", 3>, tensor<?x4xf32, #t>, tensor<3x4x4xf32> -> tensor<?x4xf32, #t>
  return %y : tensor<?x4xf32, #t>
}

// -----

#t = #mom.rows<token>
#m = #mom.rows<token by "M">
func.func @mixed(%x: tensor<?x4xf32, #t>, %id: tensor<?x1xi32, #m>, %batch: !mom.batch) -> tensor<?x1xi32, #m> {
  // expected-error @+1 {{expected rows by position, but got #mom.rows<token by "M">}}
  %y = mom.modality %batch : tensor<?x1xi32, #m>
  return %y : tensor<?x1xi32, #m>
}

// -----

// A plan knows tokens by the rows in which it found them.
#t = #mom.rows<token>
#m = #mom.rows<token by "M">
#c = #mom.rows<copy of 1 by "e">
func.func @planned(%p: tensor<?x3xf32, #t>, %x: tensor<?x2xf32, #m>) -> tensor<?x2xf32, #c> {
  %offsets, %row, %copy, %choice = mom.plan %p : tensor<?x3xf32, #t> -> tensor<4xi64>, tensor<?x1xi32, #t>, tensor<?x1xi32, #c>, tensor<?x1xi32, #t>
  %r = mom.computed_route %offsets, %row, %copy : tensor<4xi64>, tensor<?x1xi32, #t>, tensor<?x1xi32, #c> -> !mom.route<"e", 3 of 1>
  // expected-error @+1 {{expected tokens in the order of their plan, #mom.rows<token>, but got #mom.rows<token by "M">}}
  %y = mom.dispatch %x for %r : !mom.route<"e", 3 of 1>, tensor<?x2xf32, #m> -> tensor<?x2xf32, #c>
  return %y : tensor<?x2xf32, #c>
}

// -----

#c = #mom.rows<copy of 1 by "f">
func.func @copies(%x: tensor<?x4xf32, #c>, %w: tensor<3x4x4xf32>, %r: !mom.route<"e", 3 of 1>) -> tensor<?x4xf32, #c> {
  // expected-error @+1 {{expected rows in the order of route "e", but got #mom.rows<copy of 1 by "f">}}
  %y = mom.linear %x by %w for %r : !mom.route<"e", 3 of 1>, tensor<?x4xf32, #c>, tensor<3x4x4xf32> -> tensor<?x4xf32, #c>
  return %y : tensor<?x4xf32, #c>
}
