// Products whose blocks stay: more steps than twice the stages, so that all barriers go
// round; more tiles than blocks, so that blocks take several; warpgroups that take turns or
// share a tile; no tile filled. Groups are products.mlir's.
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=0,1,330 --rtol=6e-3
// Clusters: of tiles that take turns or are shared, of rows that are k, of four blocks.
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=0,1,330 --rtol=6e-3 --function=turns --knob=cluster=2 --knob=grid=4
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=330 --rtol=6e-3 --function=halves --knob=cluster=2
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=0,330 --rtol=6e-3 --function=weights --knob=cluster=2 --knob=grid=4
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=330 --rtol=6e-3 --function=wide_turns --knob=cluster=4 --knob=tile_columns=128
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=330 --rtol=6e-3 --function=panels --knob=cluster=2
// Results in the places of panels: each warpgroup's own, and those of both; fewer columns.
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=1,130 --rtol=6e-3 --function=panels_written --knob=pingpong=0
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=130 --rtol=6e-3 --function=panels_written --knob=tile_columns=64 --knob=tile_rows=64
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=130 --rtol=6e-3 --function=panels_written --knob=pingpong=0 --knob=tile_columns=192 --knob=tile_rows=256 --knob=panels=2 --knob=stages=2

#t = #mom.rows<token>

func.func @turns(%batch: !mom.batch, %x: tensor<?x456xf32, #t>, %w: tensor<96x456xf32>) -> tensor<?x96xf32, #t> {
  %xn = mom.kernel map "xn"(%x) : (tensor<?x456xf32, #t>) -> tensor<?x456xbf16, #t> {
  ^bb0(%a: tensor<?x456xf32, #t>):
    %0 = arith.truncf %a : tensor<?x456xf32, #t> to tensor<?x456xbf16, #t>
    mom.yield %0 : tensor<?x456xbf16, #t>
  }
  %wn = mom.kernel map "wn"(%w) : (tensor<96x456xf32>) -> tensor<96x456xbf16> {
  ^bb0(%a: tensor<96x456xf32>):
    %0 = arith.truncf %a : tensor<96x456xf32> to tensor<96x456xbf16>
    mom.yield %0 : tensor<96x456xbf16>
  }
  %y = mom.kernel product "y"(%xn, %wn) schedule {grid = 2 : i64, stages = 2 : i64, tile_rows = 64 : i64, tile_columns = 64 : i64, pingpong = 1 : i64} : (tensor<?x456xbf16, #t>, tensor<96x456xbf16>) -> tensor<?x96xf32, #t> {
  ^bb0(%a: tensor<?x456xbf16, #t>, %b: tensor<96x456xbf16>):
    %0 = arith.extf %a : tensor<?x456xbf16, #t> to tensor<?x456xf32, #t>
    %1 = arith.extf %b : tensor<96x456xbf16> to tensor<96x456xf32>
    %2 = mom.linear %0 by %1 : tensor<?x456xf32, #t>, tensor<96x456xf32> -> tensor<?x96xf32, #t>
    mom.yield %2 : tensor<?x96xf32, #t>
  }
  return %y : tensor<?x96xf32, #t>
}

func.func @halves(%batch: !mom.batch, %x: tensor<?x328xf32, #t>, %w: tensor<136x328xf32>) -> tensor<?x136xf32, #t> {
  %xn = mom.kernel map "xn"(%x) : (tensor<?x328xf32, #t>) -> tensor<?x328xbf16, #t> {
  ^bb0(%a: tensor<?x328xf32, #t>):
    %0 = arith.truncf %a : tensor<?x328xf32, #t> to tensor<?x328xbf16, #t>
    mom.yield %0 : tensor<?x328xbf16, #t>
  }
  %wn = mom.kernel map "wn"(%w) : (tensor<136x328xf32>) -> tensor<136x328xbf16> {
  ^bb0(%a: tensor<136x328xf32>):
    %0 = arith.truncf %a : tensor<136x328xf32> to tensor<136x328xbf16>
    mom.yield %0 : tensor<136x328xbf16>
  }
  %y = mom.kernel product "y"(%xn, %wn) schedule {grid = 2 : i64, stages = 2 : i64, tile_columns = 96 : i64, tile_inner = 128 : i64, pingpong = 0 : i64, band = 2 : i64} : (tensor<?x328xbf16, #t>, tensor<136x328xbf16>) -> tensor<?x136xf32, #t> {
  ^bb0(%a: tensor<?x328xbf16, #t>, %b: tensor<136x328xbf16>):
    %0 = arith.extf %a : tensor<?x328xbf16, #t> to tensor<?x328xf32, #t>
    %1 = arith.extf %b : tensor<136x328xbf16> to tensor<136x328xf32>
    %2 = mom.linear %0 by %1 : tensor<?x328xf32, #t>, tensor<136x328xf32> -> tensor<?x136xf32, #t>
    mom.yield %2 : tensor<?x136xf32, #t>
  }
  return %y : tensor<?x136xf32, #t>
}

func.func @back(%batch: !mom.batch, %x: tensor<?x328xf32, #t>, %w: tensor<328x72xf32>) -> tensor<?x72xf32, #t> {
  %xn = mom.kernel map "xn"(%x) : (tensor<?x328xf32, #t>) -> tensor<?x328xbf16, #t> {
  ^bb0(%a: tensor<?x328xf32, #t>):
    %0 = arith.truncf %a : tensor<?x328xf32, #t> to tensor<?x328xbf16, #t>
    mom.yield %0 : tensor<?x328xbf16, #t>
  }
  %wn = mom.kernel map "wn"(%w) : (tensor<328x72xf32>) -> tensor<328x72xbf16> {
  ^bb0(%a: tensor<328x72xf32>):
    %0 = arith.truncf %a : tensor<328x72xf32> to tensor<328x72xbf16>
    mom.yield %0 : tensor<328x72xbf16>
  }
  %y = mom.kernel product "y"(%xn, %wn) schedule {grid = 3 : i64, stages = 3 : i64, tile_rows = 64 : i64, pingpong = 1 : i64} : (tensor<?x328xbf16, #t>, tensor<328x72xbf16>) -> tensor<?x72xf32, #t> {
  ^bb0(%a: tensor<?x328xbf16, #t>, %b: tensor<328x72xbf16>):
    %0 = arith.extf %a : tensor<?x328xbf16, #t> to tensor<?x328xf32, #t>
    %1 = arith.extf %b : tensor<328x72xbf16> to tensor<328x72xf32>
    %2 = mom.linear transposed %0 by %1 : tensor<?x328xf32, #t>, tensor<328x72xf32> -> tensor<?x72xf32, #t>
    mom.yield %2 : tensor<?x72xf32, #t>
  }
  return %y : tensor<?x72xf32, #t>
}

func.func @weights(%batch: !mom.batch, %x: tensor<?x72xf32, #t>, %dy: tensor<?x136xf32, #t>) -> tensor<136x72xf32> {
  %xn = mom.kernel map "xn"(%x) : (tensor<?x72xf32, #t>) -> tensor<?x72xbf16, #t> {
  ^bb0(%a: tensor<?x72xf32, #t>):
    %0 = arith.truncf %a : tensor<?x72xf32, #t> to tensor<?x72xbf16, #t>
    mom.yield %0 : tensor<?x72xbf16, #t>
  }
  %dyn = mom.kernel map "dyn"(%dy) : (tensor<?x136xf32, #t>) -> tensor<?x136xbf16, #t> {
  ^bb0(%a: tensor<?x136xf32, #t>):
    %0 = arith.truncf %a : tensor<?x136xf32, #t> to tensor<?x136xbf16, #t>
    mom.yield %0 : tensor<?x136xbf16, #t>
  }
  %dw = mom.kernel product "dw"(%xn, %dyn) schedule {grid = 3 : i64, stages = 2 : i64, tile_rows = 64 : i64, tile_columns = 64 : i64, pingpong = 1 : i64, split_k = 1 : i64} : (tensor<?x72xbf16, #t>, tensor<?x136xbf16, #t>) -> tensor<136x72xf32> {
  ^bb0(%a: tensor<?x72xbf16, #t>, %b: tensor<?x136xbf16, #t>):
    %0 = arith.extf %a : tensor<?x72xbf16, #t> to tensor<?x72xf32, #t>
    %1 = arith.extf %b : tensor<?x136xbf16, #t> to tensor<?x136xf32, #t>
    %2 = mom.linear_wgrad %0, %1 : tensor<?x72xf32, #t>, tensor<?x136xf32, #t> -> tensor<136x72xf32>
    mom.yield %2 : tensor<136x72xf32>
  }
  return %dw : tensor<136x72xf32>
}

// Tiles of 192 columns, one a warpgroup, as weight gradients of some sizes have them.
func.func @wide_turns(%batch: !mom.batch, %x: tensor<?x392xf32, #t>, %dy: tensor<?x200xf32, #t>) -> tensor<200x392xf32> {
  %xn = mom.kernel map "xn"(%x) : (tensor<?x392xf32, #t>) -> tensor<?x392xbf16, #t> {
  ^bb0(%a: tensor<?x392xf32, #t>):
    %0 = arith.truncf %a : tensor<?x392xf32, #t> to tensor<?x392xbf16, #t>
    mom.yield %0 : tensor<?x392xbf16, #t>
  }
  %dyn = mom.kernel map "dyn"(%dy) : (tensor<?x200xf32, #t>) -> tensor<?x200xbf16, #t> {
  ^bb0(%a: tensor<?x200xf32, #t>):
    %0 = arith.truncf %a : tensor<?x200xf32, #t> to tensor<?x200xbf16, #t>
    mom.yield %0 : tensor<?x200xbf16, #t>
  }
  %dw = mom.kernel product "dw"(%xn, %dyn) schedule {grid = 4 : i64, tile_columns = 192 : i64, pingpong = 1 : i64, split_k = 1 : i64} : (tensor<?x392xbf16, #t>, tensor<?x200xbf16, #t>) -> tensor<200x392xf32> {
  ^bb0(%a: tensor<?x392xbf16, #t>, %b: tensor<?x200xbf16, #t>):
    %0 = arith.extf %a : tensor<?x392xbf16, #t> to tensor<?x392xf32, #t>
    %1 = arith.extf %b : tensor<?x200xbf16, #t> to tensor<?x200xf32, #t>
    %2 = mom.linear_wgrad %0, %1 : tensor<?x392xf32, #t>, tensor<?x200xf32, #t> -> tensor<200x392xf32>
    mom.yield %2 : tensor<200x392xf32>
  }
  return %dw : tensor<200x392xf32>
}

func.func @parts(%batch: !mom.batch, %x: tensor<?x40xf32, #t>, %dy: tensor<?x64xf32, #t>) -> tensor<64x40xf32> {
  %xn = mom.kernel map "xn"(%x) : (tensor<?x40xf32, #t>) -> tensor<?x40xbf16, #t> {
  ^bb0(%a: tensor<?x40xf32, #t>):
    %0 = arith.truncf %a : tensor<?x40xf32, #t> to tensor<?x40xbf16, #t>
    mom.yield %0 : tensor<?x40xbf16, #t>
  }
  %dyn = mom.kernel map "dyn"(%dy) : (tensor<?x64xf32, #t>) -> tensor<?x64xbf16, #t> {
  ^bb0(%a: tensor<?x64xf32, #t>):
    %0 = arith.truncf %a : tensor<?x64xf32, #t> to tensor<?x64xbf16, #t>
    mom.yield %0 : tensor<?x64xbf16, #t>
  }
  %dw = mom.kernel product "dw"(%xn, %dyn) schedule {grid = 5 : i64, stages = 2 : i64, tile_inner = 128 : i64, split_k = 3 : i64, pingpong = 0 : i64} : (tensor<?x40xbf16, #t>, tensor<?x64xbf16, #t>) -> tensor<64x40xf32> {
  ^bb0(%a: tensor<?x40xbf16, #t>, %b: tensor<?x64xbf16, #t>):
    %0 = arith.extf %a : tensor<?x40xbf16, #t> to tensor<?x40xf32, #t>
    %1 = arith.extf %b : tensor<?x64xbf16, #t> to tensor<?x64xf32, #t>
    %2 = mom.linear_wgrad %0, %1 : tensor<?x40xf32, #t>, tensor<?x64xf32, #t> -> tensor<64x40xf32>
    mom.yield %2 : tensor<64x40xf32>
  }
  return %dw : tensor<64x40xf32>
}

// What follows the product reads panels: fewer than a tile has, more, and a part of one;
// of two rings, and of one that both warpgroups read.
func.func @panels(%batch: !mom.batch, %x: tensor<?x72xf32, #t>, %w: tensor<72x136xf32>, %p: tensor<?x272xf32, #t>) -> (tensor<?x136xf32, #t>, tensor<?x136xf32, #t>) {
  %xn = mom.kernel map "xn"(%x) : (tensor<?x72xf32, #t>) -> tensor<?x72xbf16, #t> {
  ^bb0(%a: tensor<?x72xf32, #t>):
    %0 = arith.truncf %a : tensor<?x72xf32, #t> to tensor<?x72xbf16, #t>
    mom.yield %0 : tensor<?x72xbf16, #t>
  }
  %pn = mom.kernel map "pn"(%p) : (tensor<?x272xf32, #t>) -> tensor<?x272xbf16, #t> {
  ^bb0(%a: tensor<?x272xf32, #t>):
    %0 = arith.truncf %a : tensor<?x272xf32, #t> to tensor<?x272xbf16, #t>
    mom.yield %0 : tensor<?x272xbf16, #t>
  }
  %wn = mom.kernel map "wn"(%w) : (tensor<72x136xf32>) -> tensor<72x136xbf16> {
  ^bb0(%a: tensor<72x136xf32>):
    %0 = arith.truncf %a : tensor<72x136xf32> to tensor<72x136xbf16>
    mom.yield %0 : tensor<72x136xbf16>
  }
  %y:2 = mom.kernel product "y"(%xn, %wn, %pn) schedule {grid = 2 : i64, tile_rows = 64 : i64, pingpong = 1 : i64, panels = 4 : i64, stages = 2 : i64} : (tensor<?x72xbf16, #t>, tensor<72x136xbf16>, tensor<?x272xbf16, #t>) -> (tensor<?x136xf32, #t>, tensor<?x136xf32, #t>) {
  ^bb0(%a: tensor<?x72xbf16, #t>, %b: tensor<72x136xbf16>, %c: tensor<?x272xbf16, #t>):
    %0 = arith.extf %a : tensor<?x72xbf16, #t> to tensor<?x72xf32, #t>
    %1 = arith.extf %b : tensor<72x136xbf16> to tensor<72x136xf32>
    %2 = arith.extf %c : tensor<?x272xbf16, #t> to tensor<?x272xf32, #t>
    %3:2 = mom.split %2 : tensor<?x272xf32, #t> -> tensor<?x136xf32, #t>, tensor<?x136xf32, #t>
    %4 = mom.linear transposed %0 by %1 : tensor<?x72xf32, #t>, tensor<72x136xf32> -> tensor<?x136xf32, #t>
    %5 = arith.mulf %4, %3#0 : tensor<?x136xf32, #t>
    %6 = arith.addf %4, %3#1 : tensor<?x136xf32, #t>
    mom.yield %5, %6 : tensor<?x136xf32, #t>, tensor<?x136xf32, #t>
  }
  return %y#0, %y#1 : tensor<?x136xf32, #t>, tensor<?x136xf32, #t>
}

func.func @panels_shared(%batch: !mom.batch, %x: tensor<?x264xf32, #t>, %w: tensor<200x264xf32>, %p: tensor<?x400xf32, #t>) -> (tensor<?x200xf32, #t>, tensor<?x200xf32, #t>) {
  %xn = mom.kernel map "xn"(%x) : (tensor<?x264xf32, #t>) -> tensor<?x264xbf16, #t> {
  ^bb0(%a: tensor<?x264xf32, #t>):
    %0 = arith.truncf %a : tensor<?x264xf32, #t> to tensor<?x264xbf16, #t>
    mom.yield %0 : tensor<?x264xbf16, #t>
  }
  %pn = mom.kernel map "pn"(%p) : (tensor<?x400xf32, #t>) -> tensor<?x400xbf16, #t> {
  ^bb0(%a: tensor<?x400xf32, #t>):
    %0 = arith.truncf %a : tensor<?x400xf32, #t> to tensor<?x400xbf16, #t>
    mom.yield %0 : tensor<?x400xbf16, #t>
  }
  %wn = mom.kernel map "wn"(%w) : (tensor<200x264xf32>) -> tensor<200x264xbf16> {
  ^bb0(%a: tensor<200x264xf32>):
    %0 = arith.truncf %a : tensor<200x264xf32> to tensor<200x264xbf16>
    mom.yield %0 : tensor<200x264xbf16>
  }
  %y:2 = mom.kernel product "y"(%xn, %wn, %pn) schedule {grid = 3 : i64, tile_columns = 96 : i64, pingpong = 0 : i64, panels = 5 : i64, stages = 3 : i64} : (tensor<?x264xbf16, #t>, tensor<200x264xbf16>, tensor<?x400xbf16, #t>) -> (tensor<?x200xf32, #t>, tensor<?x200xf32, #t>) {
  ^bb0(%a: tensor<?x264xbf16, #t>, %b: tensor<200x264xbf16>, %c: tensor<?x400xbf16, #t>):
    %0 = arith.extf %a : tensor<?x264xbf16, #t> to tensor<?x264xf32, #t>
    %1 = arith.extf %b : tensor<200x264xbf16> to tensor<200x264xf32>
    %2 = arith.extf %c : tensor<?x400xbf16, #t> to tensor<?x400xf32, #t>
    %3:2 = mom.split %2 : tensor<?x400xf32, #t> -> tensor<?x200xf32, #t>, tensor<?x200xf32, #t>
    %4 = mom.linear %0 by %1 : tensor<?x264xf32, #t>, tensor<200x264xf32> -> tensor<?x200xf32, #t>
    %5 = arith.mulf %4, %3#0 : tensor<?x200xf32, #t>
    %6 = arith.addf %4, %3#1 : tensor<?x200xf32, #t>
    mom.yield %5, %6 : tensor<?x200xf32, #t>, tensor<?x200xf32, #t>
  }
  return %y#0, %y#1 : tensor<?x200xf32, #t>, tensor<?x200xf32, #t>
}

// Both results are as narrow as what the panels hold, and take its place.
func.func @panels_written(%batch: !mom.batch, %x: tensor<?x136xf32, #t>, %w: tensor<136x200xf32>, %p: tensor<?x400xf32, #t>) -> (tensor<?x200xf32, #t>, tensor<?x200xf32, #t>) {
  %xn = mom.kernel map "xn"(%x) : (tensor<?x136xf32, #t>) -> tensor<?x136xbf16, #t> {
  ^bb0(%a: tensor<?x136xf32, #t>):
    %0 = arith.truncf %a : tensor<?x136xf32, #t> to tensor<?x136xbf16, #t>
    mom.yield %0 : tensor<?x136xbf16, #t>
  }
  %pn = mom.kernel map "pn"(%p) : (tensor<?x400xf32, #t>) -> tensor<?x400xbf16, #t> {
  ^bb0(%a: tensor<?x400xf32, #t>):
    %0 = arith.truncf %a : tensor<?x400xf32, #t> to tensor<?x400xbf16, #t>
    mom.yield %0 : tensor<?x400xbf16, #t>
  }
  %wn = mom.kernel map "wn"(%w) : (tensor<136x200xf32>) -> tensor<136x200xbf16> {
  ^bb0(%a: tensor<136x200xf32>):
    %0 = arith.truncf %a : tensor<136x200xf32> to tensor<136x200xbf16>
    mom.yield %0 : tensor<136x200xbf16>
  }
  %y:2 = mom.kernel product "y"(%xn, %wn, %pn) schedule {grid = 2 : i64, tile_rows = 128 : i64, tile_columns = 128 : i64, pingpong = 1 : i64, panels = 4 : i64, stages = 2 : i64} : (tensor<?x136xbf16, #t>, tensor<136x200xbf16>, tensor<?x400xbf16, #t>) -> (tensor<?x200xbf16, #t>, tensor<?x200xbf16, #t>) {
  ^bb0(%a: tensor<?x136xbf16, #t>, %b: tensor<136x200xbf16>, %c: tensor<?x400xbf16, #t>):
    %0 = arith.extf %a : tensor<?x136xbf16, #t> to tensor<?x136xf32, #t>
    %1 = arith.extf %b : tensor<136x200xbf16> to tensor<136x200xf32>
    %2 = arith.extf %c : tensor<?x400xbf16, #t> to tensor<?x400xf32, #t>
    %3:2 = mom.split %2 : tensor<?x400xf32, #t> -> tensor<?x200xf32, #t>, tensor<?x200xf32, #t>
    %4 = mom.linear transposed %0 by %1 : tensor<?x136xf32, #t>, tensor<136x200xf32> -> tensor<?x200xf32, #t>
    %5 = mom.silu %3#0 : tensor<?x200xf32, #t>
    %6 = arith.mulf %4, %5 : tensor<?x200xf32, #t>
    %7 = arith.addf %4, %3#1 : tensor<?x200xf32, #t>
    %8 = arith.truncf %6 : tensor<?x200xf32, #t> to tensor<?x200xbf16, #t>
    %9 = arith.truncf %7 : tensor<?x200xf32, #t> to tensor<?x200xbf16, #t>
    mom.yield %8, %9 : tensor<?x200xbf16, #t>, tensor<?x200xbf16, #t>
  }
  %gated = mom.kernel map "gated"(%y#0) : (tensor<?x200xbf16, #t>) -> tensor<?x200xf32, #t> {
  ^bb0(%a: tensor<?x200xbf16, #t>):
    %0 = arith.extf %a : tensor<?x200xbf16, #t> to tensor<?x200xf32, #t>
    mom.yield %0 : tensor<?x200xf32, #t>
  }
  %added = mom.kernel map "added"(%y#1) : (tensor<?x200xbf16, #t>) -> tensor<?x200xf32, #t> {
  ^bb0(%a: tensor<?x200xbf16, #t>):
    %0 = arith.extf %a : tensor<?x200xbf16, #t> to tensor<?x200xf32, #t>
    mom.yield %0 : tensor<?x200xf32, #t>
  }
  return %gated, %added : tensor<?x200xf32, #t>, tensor<?x200xf32, #t>
}
