// Rows and tensors on a GPU by schedules that are not the default: how many threads
// share a row, how many rows a block has, rows that registers do not hold.
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=0,1,41
// RUN: mom-compare %s --compiled --target=sm_80 --emulate --tokens=29 --seed=8

#t = #mom.rows<token>
!i = tensor<?x1xi32, #t>
!x1 = tensor<?x1xf32, #t>
!x96 = tensor<?x96xf32, #t>
!x300 = tensor<?x300xf32, #t>
!p = tensor<40000xf32>
!s = tensor<1xf32>

// Rows longer than the registers of their team: loops, and scratch rows.
func.func @long_rows(%batch: !mom.batch, %x: !x300, %t: !i, %d: !x1) -> (!x300, !x1, !x300) {
  %0 = mom.kernel map "norm"(%x) schedule {team = 4 : i64, threads = 64 : i64, tile_rows = 40 : i64}
      : (!x300) -> !x300 {
  ^bb0(%a: !x300):
    %e = math.exp %a : !x300
    %n = mom.rms_norm %e {eps = 1.0e-5 : f64} : !x300
    %y = arith.addf %n, %e : !x300
    mom.yield %y : !x300
  }
  %1:2 = mom.kernel map "loss"(%x, %t, %d) schedule {team = 1 : i64, threads = 32 : i64, lanes = 2 : i64}
      : (!x300, !i, !x1) -> (!x1, !x300) {
  ^bb0(%a: !x300, %b: !i, %c: !x1):
    %nll, %lse = mom.cross_entropy %a, %b : !x300, !i -> !x1
    %g = mom.cross_entropy_grad %a, %b, %lse gradient %c : !x300, !i, !x1
    mom.yield %nll, %g : !x1, !x300
  }
  return %0, %1#0, %1#1 : !x300, !x1, !x300
}

// A block a row, and several rows after each other.
func.func @block_rows(%batch: !mom.batch, %x: !x300, %t: !i) -> (!x300, !x1) {
  %0 = mom.kernel map "norm"(%x) schedule {team = 128 : i64, threads = 128 : i64, tile_rows = 3 : i64}
      : (!x300) -> !x300 {
  ^bb0(%a: !x300):
    %n = mom.rms_norm %a {eps = 1.0e-5 : f64} : !x300
    mom.yield %n : !x300
  }
  %1 = mom.kernel map "loss"(%x, %t) schedule {team = 64 : i64, threads = 64 : i64, tile_rows = 2 : i64}
      : (!x300, !i) -> !x1 {
  ^bb0(%a: !x300, %b: !i):
    %nll, %lse = mom.cross_entropy %a, %b : !x300, !i -> !x1
    mom.yield %nll : !x1
  }
  return %0, %1 : !x300, !x1
}

// Channels change threads through scratch rows.
func.func @exchange(%batch: !mom.batch, %x: !x96) -> (tensor<?x32xf32, #t>, !x96) {
  %0:2 = mom.kernel map "parts"(%x) schedule {team = 32 : i64, threads = 64 : i64, tile_rows = 6 : i64}
      : (!x96) -> (tensor<?x32xf32, #t>, !x96) {
  ^bb0(%a: !x96):
    %e = math.exp %a : !x96
    %p:2 = mom.split %e : !x96 -> tensor<?x32xf32, #t>, tensor<?x64xf32, #t>
    %q:2 = mom.split %p#1 : tensor<?x64xf32, #t> -> tensor<?x32xf32, #t>, tensor<?x32xf32, #t>
    %y = arith.mulf %p#0, %q#1 : tensor<?x32xf32, #t>
    %c = mom.concat %q#0, %p#0, %q#1 : tensor<?x32xf32, #t>, tensor<?x32xf32, #t>, tensor<?x32xf32, #t> -> !x96
    %n = mom.rms_norm %c {eps = 1.0e-5 : f64} : !x96
    mom.yield %y, %n : tensor<?x32xf32, #t>, !x96
  }
  return %0#0, %0#1 : tensor<?x32xf32, #t>, !x96
}

// Sums of many parts, and results beside them.
func.func @partial_sums(%g: !p, %h: tensor<33x65xf32>, %clip: !s) -> (!s, !s, !p) {
  %0:3 = mom.kernel map "norm"(%g, %h, %clip) schedule {chunk = 1000 : i64, threads = 64 : i64}
      : (!p, tensor<33x65xf32>, !s) -> (!s, !s, !p) {
  ^bb0(%a: !p, %b: tensor<33x65xf32>, %c: !s):
    %spread = mom.broadcast %c like %a : !s, !p -> !p
    %aa = arith.mulf %a, %a : !p
    %sa = mom.reduce sum %aa : !p -> !s
    %mb = mom.reduce max %b : tensor<33x65xf32> -> !s
    %sum = arith.addf %sa, %mb : !s
    %root = math.sqrt %sum : !s
    %scaled = arith.mulf %spread, %a : !p
    mom.yield %root, %mb, %scaled : !s, !s, !p
  }
  return %0#0, %0#1, %0#2 : !s, !s, !p
}
