// RUN: mom-opt %s --mom-resolve-schedule --split-input-file --verify-diagnostics

#t = #mom.rows<token>

func.func @out_of_range(%x: tensor<?x8xf32, #t>) -> tensor<?x8xf32, #t> {
  // expected-error@+1 {{expected knob 'tile_rows' from 1 to 65536, but got 0 : i64}}
  %0 = mom.kernel map "y"(%x) schedule {tile_rows = 0 : i64} : (tensor<?x8xf32, #t>) -> tensor<?x8xf32, #t> {
  ^bb0(%a: tensor<?x8xf32, #t>):
    %1 = mom.silu %a : tensor<?x8xf32, #t>
    mom.yield %1 : tensor<?x8xf32, #t>
  }
  return %0 : tensor<?x8xf32, #t>
}

// -----

#t = #mom.rows<token>

func.func @unknown(%x: tensor<?x8xf32, #t>) -> tensor<?x8xf32, #t> {
  // expected-error@+1 {{a map kernel has no knob "stages" on cpu}}
  %0 = mom.kernel map "y"(%x) schedule {stages = 4 : i64} : (tensor<?x8xf32, #t>) -> tensor<?x8xf32, #t> {
  ^bb0(%a: tensor<?x8xf32, #t>):
    %1 = mom.silu %a : tensor<?x8xf32, #t>
    mom.yield %1 : tensor<?x8xf32, #t>
  }
  return %0 : tensor<?x8xf32, #t>
}
