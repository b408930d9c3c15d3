// What attributes of the module, of functions, arguments and results may hold.
// RUN: mom-opt %s -split-input-file -verify-diagnostics

// expected-error @+1 {{expected a dictionary as 'mom.train', but got 7 : i64}}
module attributes {mom.train = 7} {}

// -----

// expected-error @+1 {{expected a 64-bit integer as 'streams' of 'mom.train', but got "many"}}
module attributes {mom.train = {streams = "many"}} {}

// -----

// expected-error @+1 {{expected two numbers of f64 as 'betas' of 'mom.train', but got [9.000000e-01]}}
module attributes {mom.train = {betas = [0.9]}} {}

// -----

// expected-error @+1 {{expected an f64 as 'to' of 'rates' of 'mom.train', but got 1 : i64}}
module attributes {mom.train = {rates = [{kind = "constant", to = 1}]}} {}

// -----

// expected-error @+1 {{expected a 'kind' in each of the 'rates' of 'mom.train'}}
module attributes {mom.train = {rates = [{steps = 1}]}} {}

// -----

// expected-error @+1 {{expected lists of names as 'mom.modalities', but got {M = "text"}}}
module attributes {mom.modalities = {M = "text"}} {}

// -----

// expected-error @+1 {{expected names of types as 'mom.storage', but got {moments = 16 : i64}}}
module attributes {mom.storage = {moments = 16}} {}

// -----

// expected-error @+1 {{expected a symbol as 'mom.model', but got "m"}}
module attributes {mom.model = "m"} {}

// -----

// expected-error @+1 {{expected a string as 'mom.entry', but got unit}}
func.func @entry() attributes {mom.entry} {
  return
}

// -----

// expected-error @+1 {{expected a 64-bit integer as 'mom.limit', but got 3 : i32}}
func.func @argument(%ids: tensor<?x1xi32, #mom.rows<token>> {mom.limit = 3 : i32}) {
  return
}

// -----

// expected-error @+1 {{expected a string as 'mom.output', but got unit}}
func.func @result(%x: tensor<4xf32>) -> (tensor<4xf32> {mom.output}) {
  return %x : tensor<4xf32>
}
