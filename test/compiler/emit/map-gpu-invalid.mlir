// RUN: mom-opt %s --mom-resolve-schedule="target=gpu architecture=90" --mom-emit-gpu="architecture=90" --split-input-file --verify-diagnostics

#t = #mom.rows<token>

func.func @team(%x: tensor<?x8xf32, #t>) -> tensor<?x8xf32, #t> {
  // expected-error @+1 {{expected as knob 'team' a power of two that is at most 32 or the 256 threads of a block, but got 64}}
  %0 = mom.kernel map "y"(%x) schedule {team = 64 : i64} : (tensor<?x8xf32, #t>) -> tensor<?x8xf32, #t> {
  ^bb0(%a: tensor<?x8xf32, #t>):
    mom.yield %a : tensor<?x8xf32, #t>
  }
  return %0 : tensor<?x8xf32, #t>
}

// -----

#t = #mom.rows<token>

func.func @scratch(%x: tensor<?x65536xf32, #t>) -> tensor<?x32768xf32, #t> {
  // expected-error @+1 {{expected scratch rows of at most 98304 bytes, but its 1 teams need 262144}}
  %0 = mom.kernel map "y"(%x) : (tensor<?x65536xf32, #t>) -> tensor<?x32768xf32, #t> {
  ^bb0(%a: tensor<?x65536xf32, #t>):
    %1 = math.exp %a : tensor<?x65536xf32, #t>
    %2:2 = mom.split %1 : tensor<?x65536xf32, #t> -> tensor<?x32768xf32, #t>, tensor<?x32768xf32, #t>
    %3 = arith.mulf %2#0, %2#1 : tensor<?x32768xf32, #t>
    mom.yield %3 : tensor<?x32768xf32, #t>
  }
  return %0 : tensor<?x32768xf32, #t>
}
