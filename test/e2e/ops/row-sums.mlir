// Maps whose results are also summed over the rows: in parts, by each block and then of
// all. Rows in registers, rows in loops, and teams of a thread, a warp and a block.
// RUN: mom-compare %s --compiled --tokens=0,1,41,300 --function=norm_grad,pointwise,sum_alone
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=0,1,41,300
// RUN: mom-compare %s --compiled --target=sm_80 --emulate --tokens=29 --seed=8

#t = #mom.rows<token>
!x96 = tensor<?x96xf32, #t>
!x300 = tensor<?x300xf32, #t>
!x2 = tensor<?x2xf32, #t>
!w = tensor<96xf32>

// The gradient of a norm, and what that of its scale sums.
func.func @norm_grad(%batch: !mom.batch, %x: !x96, %dy: !x96, %w: !w) -> (!w, !x96, !w) {
  %0:3 = mom.kernel map "norm"(%x, %dy, %w) : (!x96, !x96, !w) -> (!w, !x96, !w) {
  ^bb0(%a: !x96, %b: !x96, %c: !w):
    %n = mom.rms_norm %a {eps = 1.0e-5 : f64} : !x96
    %s = mom.broadcast %c like %b : !w, !x96 -> !x96
    %d = arith.mulf %b, %s : !x96
    %g = mom.rms_norm_grad %a, %d {eps = 1.0e-5 : f64} : !x96
    %p = arith.mulf %b, %n : !x96
    %sum = mom.reduce_rows %p : !x96 -> !w
    %other = mom.reduce_rows %b : !x96 -> !w
    mom.yield %sum, %g, %other : !w, !x96, !w
  }
  return %0#0, %0#1, %0#2 : !w, !x96, !w
}

// Rows that registers do not hold, and a part of the rows for each of 3 blocks.
func.func @long_rows(%batch: !mom.batch, %x: !x300) -> (!x300, tensor<300xf32>) {
  %0:2 = mom.kernel map "norm"(%x) schedule {team = 4 : i64, threads = 64 : i64, parts = 3 : i64}
      : (!x300) -> (!x300, tensor<300xf32>) {
  ^bb0(%a: !x300):
    %e = math.exp %a : !x300
    %n = mom.rms_norm %e {eps = 1.0e-5 : f64} : !x300
    %y = arith.addf %n, %e : !x300
    %sum = mom.reduce_rows %y : !x300 -> tensor<300xf32>
    mom.yield %y, %sum : !x300, tensor<300xf32>
  }
  return %0#0, %0#1 : !x300, tensor<300xf32>
}

func.func @block_rows(%batch: !mom.batch, %x: !x300) -> (!x300, tensor<300xf32>) {
  %0:2 = mom.kernel map "norm"(%x) schedule {team = 128 : i64, threads = 128 : i64, parts = 7 : i64}
      : (!x300) -> (!x300, tensor<300xf32>) {
  ^bb0(%a: !x300):
    %n = mom.rms_norm %a {eps = 1.0e-5 : f64} : !x300
    %sum = mom.reduce_rows %n : !x300 -> tensor<300xf32>
    mom.yield %n, %sum : !x300, tensor<300xf32>
  }
  return %0#0, %0#1 : !x300, tensor<300xf32>
}

// Nothing but pointwise work, with a thread a row.
func.func @pointwise(%batch: !mom.batch, %x: !x2) -> (!x2, tensor<2xf32>) {
  %0:2 = mom.kernel map "y"(%x) : (!x2) -> (!x2, tensor<2xf32>) {
  ^bb0(%a: !x2):
    %s = mom.silu %a : !x2
    %sum = mom.reduce_rows %s : !x2 -> tensor<2xf32>
    mom.yield %s, %sum : !x2, tensor<2xf32>
  }
  return %0#0, %0#1 : !x2, tensor<2xf32>
}

// A kernel whose other results turned out not to matter: a sum of rows cut elsewhere than
// they were joined.
func.func @sum_alone(%batch: !mom.batch, %x: !x96, %y: !x300) -> tensor<100xf32> {
  %0 = mom.kernel map "sum"(%x, %y) : (!x96, !x300) -> tensor<100xf32> {
  ^bb0(%a: !x96, %b: !x300):
    %both = mom.concat %a, %b : !x96, !x300 -> tensor<?x396xf32, #t>
    %c, %d = mom.split %both : tensor<?x396xf32, #t> -> tensor<?x100xf32, #t>, tensor<?x296xf32, #t>
    %sum = mom.reduce_rows %c : tensor<?x100xf32, #t> -> tensor<100xf32>
    mom.yield %sum : tensor<100xf32>
  }
  return %0 : tensor<100xf32>
}
