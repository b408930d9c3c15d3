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
