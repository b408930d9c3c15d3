// RUN: mom-opt %s --mom-emit-cpu --split-input-file --verify-diagnostics

#t = #mom.rows<token>

func.func @unresolved(%x: tensor<?x8xf32, #t>) -> tensor<?x8xf32, #t> {
  // expected-error@+1 {{expected knob 'lanes' (f32 lanes of a vector) in its schedule: mom-resolve-schedule adds it}}
  %0 = mom.kernel map "y"(%x) : (tensor<?x8xf32, #t>) -> tensor<?x8xf32, #t> {
  ^bb0(%a: tensor<?x8xf32, #t>):
    %1 = mom.silu %a : tensor<?x8xf32, #t>
    mom.yield %1 : tensor<?x8xf32, #t>
  }
  return %0 : tensor<?x8xf32, #t>
}

// -----

#t = #mom.rows<token>

func.func @lanes(%x: tensor<?x8xf32, #t>) -> tensor<?x8xf32, #t> {
  // expected-error@+1 {{expected a power of two as knob 'lanes', but got 12}}
  %0 = mom.kernel map "y"(%x) schedule {lanes = 12 : i64, tile_rows = 64 : i64, chunk = 64 : i64, parts = 64 : i64} : (tensor<?x8xf32, #t>) -> tensor<?x8xf32, #t> {
  ^bb0(%a: tensor<?x8xf32, #t>):
    %1 = mom.silu %a : tensor<?x8xf32, #t>
    mom.yield %1 : tensor<?x8xf32, #t>
  }
  return %0 : tensor<?x8xf32, #t>
}

// -----

#t = #mom.rows<token>

func.func @product_in_a_map(%x: tensor<?x8xf32, #t>, %w: tensor<8x8xf32>) -> tensor<?x8xf32, #t> {
  // expected-error@+1 {{a map kernel cannot compute mom.linear}}
  %0 = mom.kernel map "y"(%x, %w) schedule {lanes = 8 : i64, tile_rows = 64 : i64, chunk = 64 : i64, parts = 64 : i64} : (tensor<?x8xf32, #t>, tensor<8x8xf32>) -> tensor<?x8xf32, #t> {
  ^bb0(%a: tensor<?x8xf32, #t>, %b: tensor<8x8xf32>):
    // expected-note@+1 {{here}}
    %1 = mom.linear %a by %b : tensor<?x8xf32, #t>, tensor<8x8xf32> -> tensor<?x8xf32, #t>
    mom.yield %1 : tensor<?x8xf32, #t>
  }
  return %0 : tensor<?x8xf32, #t>
}
