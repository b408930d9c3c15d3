// RUN: mom-opt %s --mom-differentiate --split-input-file --verify-diagnostics

#t = #mom.rows<token>
module attributes {mom.model = @m, mom.train = {loss = "other"}} {
// expected-error @+1 {{expected a loss named 'other' to minimise}}
func.func @m(%batch: !mom.batch) { return }
}

// -----

// expected-error @+1 {{the module names the model @gone, but has no such function}}
module attributes {mom.model = @gone} {}

// -----

#t = #mom.rows<token>
module attributes {mom.model = @m} {
func.func @m(%batch: !mom.batch, %w: tensor<8xf32> {mom.param = "w"}, %x: tensor<?x8xf32, #t>) -> (tensor<1xf32> {mom.loss = "l"}) {
  %b = mom.broadcast %w like %x : tensor<8xf32>, tensor<?x8xf32, #t> -> tensor<?x8xf32, #t>
  // expected-error @+1 {{has no derivative, but a gradient arrives at its result}}
  %f = math.floor %b : tensor<?x8xf32, #t>
  %s = mom.reduce sum %f : tensor<?x8xf32, #t> -> tensor<?x1xf32, #t>
  %l = mom.reduce_rows %s : tensor<?x1xf32, #t> -> tensor<1xf32>
  return %l : tensor<1xf32>
}
}
