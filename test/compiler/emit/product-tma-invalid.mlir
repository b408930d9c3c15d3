// RUN: mom-opt %s --mom-resolve-schedule="target=gpu architecture=90" --mom-emit-gpu="architecture=90" --split-input-file --verify-diagnostics

#t = #mom.rows<token>

func.func @threads(%x: tensor<?x64xbf16, #t>, %w: tensor<64x64xbf16>) -> tensor<?x64xf32, #t> {
  // expected-error @below {{expected 384 as knob 'threads' of a product by tma, but got 256}}
  %0 = mom.kernel product "y"(%x, %w) schedule {unit = 3 : i64, threads = 256 : i64} : (tensor<?x64xbf16, #t>, tensor<64x64xbf16>) -> tensor<?x64xf32, #t> {
  ^bb0(%a: tensor<?x64xbf16, #t>, %b: tensor<64x64xbf16>):
    %1 = arith.extf %a : tensor<?x64xbf16, #t> to tensor<?x64xf32, #t>
    %2 = arith.extf %b : tensor<64x64xbf16> to tensor<64x64xf32>
    %3 = mom.linear %1 by %2 : tensor<?x64xf32, #t>, tensor<64x64xf32> -> tensor<?x64xf32, #t>
    mom.yield %3 : tensor<?x64xf32, #t>
  }
  return %0 : tensor<?x64xf32, #t>
}

// -----

#t = #mom.rows<token>

func.func @rows_that_do_not_begin_at_16_bytes(%x: tensor<?x36xbf16, #t>, %w: tensor<64x36xbf16>) -> tensor<?x64xf32, #t> {
  // expected-error @below {{expected operands of 'bf16' whose rows begin at multiples of 16 bytes, and a multiple of 8 as columns, for knob 'unit' 3 (tma)}}
  %0 = mom.kernel product "y"(%x, %w) schedule {unit = 3 : i64} : (tensor<?x36xbf16, #t>, tensor<64x36xbf16>) -> tensor<?x64xf32, #t> {
  ^bb0(%a: tensor<?x36xbf16, #t>, %b: tensor<64x36xbf16>):
    %1 = arith.extf %a : tensor<?x36xbf16, #t> to tensor<?x36xf32, #t>
    %2 = arith.extf %b : tensor<64x36xbf16> to tensor<64x36xf32>
    %3 = mom.linear %1 by %2 : tensor<?x36xf32, #t>, tensor<64x36xf32> -> tensor<?x64xf32, #t>
    mom.yield %3 : tensor<?x64xf32, #t>
  }
  return %0 : tensor<?x64xf32, #t>
}

// -----

#t = #mom.rows<token>

func.func @sums_that_no_thread_can_hold(%x: tensor<?x64xbf16, #t>, %w: tensor<256x64xbf16>) -> tensor<?x256xf32, #t> {
  // expected-error @below {{expected at most 192 sums a thread, but tiles of 128 by 256 give 256}}
  %0 = mom.kernel product "y"(%x, %w) schedule {tile_columns = 256 : i64, pingpong = 1 : i64} : (tensor<?x64xbf16, #t>, tensor<256x64xbf16>) -> tensor<?x256xf32, #t> {
  ^bb0(%a: tensor<?x64xbf16, #t>, %b: tensor<256x64xbf16>):
    %1 = arith.extf %a : tensor<?x64xbf16, #t> to tensor<?x64xf32, #t>
    %2 = arith.extf %b : tensor<256x64xbf16> to tensor<256x64xf32>
    %3 = mom.linear %1 by %2 : tensor<?x64xf32, #t>, tensor<256x64xf32> -> tensor<?x256xf32, #t>
    mom.yield %3 : tensor<?x256xf32, #t>
  }
  return %0 : tensor<?x256xf32, #t>
}

// -----

#t = #mom.rows<token>

func.func @panels_for_one_of_two(%x: tensor<?x64xbf16, #t>, %w: tensor<64x64xbf16>, %p: tensor<?x64xbf16, #t>, %q: tensor<?x64xbf16, #t>) -> tensor<?x64xf32, #t> {
  // expected-error @below {{expected 0 or at least 4 as knob 'panels', 2 for each input of what follows the product, but got 2}}
  %0 = mom.kernel product "y"(%x, %w, %p, %q) schedule {unit = 3 : i64, pingpong = 1 : i64, panels = 2 : i64} : (tensor<?x64xbf16, #t>, tensor<64x64xbf16>, tensor<?x64xbf16, #t>, tensor<?x64xbf16, #t>) -> tensor<?x64xf32, #t> {
  ^bb0(%a: tensor<?x64xbf16, #t>, %b: tensor<64x64xbf16>, %c: tensor<?x64xbf16, #t>, %d: tensor<?x64xbf16, #t>):
    %1 = arith.extf %a : tensor<?x64xbf16, #t> to tensor<?x64xf32, #t>
    %2 = arith.extf %b : tensor<64x64xbf16> to tensor<64x64xf32>
    %3 = mom.linear %1 by %2 : tensor<?x64xf32, #t>, tensor<64x64xf32> -> tensor<?x64xf32, #t>
    %4 = arith.extf %c : tensor<?x64xbf16, #t> to tensor<?x64xf32, #t>
    %5 = arith.extf %d : tensor<?x64xbf16, #t> to tensor<?x64xf32, #t>
    %6 = arith.mulf %3, %4 : tensor<?x64xf32, #t>
    %7 = arith.addf %6, %5 : tensor<?x64xf32, #t>
    mom.yield %7 : tensor<?x64xf32, #t>
  }
  return %0 : tensor<?x64xf32, #t>
}

// -----

#t = #mom.rows<token>

func.func @clusters_of_blocks_without_a_tile(%x: tensor<?x64xbf16, #t>, %w: tensor<192x64xbf16>) -> tensor<?x192xf32, #t> {
  // expected-error @below {{expected a knob 'cluster' that divides the tiles side by side, 3, but got 2}}
  %0 = mom.kernel product "y"(%x, %w) schedule {unit = 3 : i64, tile_columns = 64 : i64, cluster = 2 : i64} : (tensor<?x64xbf16, #t>, tensor<192x64xbf16>) -> tensor<?x192xf32, #t> {
  ^bb0(%a: tensor<?x64xbf16, #t>, %b: tensor<192x64xbf16>):
    %1 = arith.extf %a : tensor<?x64xbf16, #t> to tensor<?x64xf32, #t>
    %2 = arith.extf %b : tensor<192x64xbf16> to tensor<192x64xf32>
    %3 = mom.linear %1 by %2 : tensor<?x64xf32, #t>, tensor<192x64xf32> -> tensor<?x192xf32, #t>
    mom.yield %3 : tensor<?x192xf32, #t>
  }
  return %0 : tensor<?x192xf32, #t>
}

// -----

#t = #mom.rows<token>

func.func @clusters_of_an_odd_grid(%x: tensor<?x64xbf16, #t>, %w: tensor<128x64xbf16>) -> tensor<?x128xf32, #t> {
  // expected-error @below {{expected a knob 'cluster' that divides knob 'grid', 3, but got 2}}
  %0 = mom.kernel product "y"(%x, %w) schedule {unit = 3 : i64, tile_columns = 64 : i64, cluster = 2 : i64, grid = 3 : i64} : (tensor<?x64xbf16, #t>, tensor<128x64xbf16>) -> tensor<?x128xf32, #t> {
  ^bb0(%a: tensor<?x64xbf16, #t>, %b: tensor<128x64xbf16>):
    %1 = arith.extf %a : tensor<?x64xbf16, #t> to tensor<?x64xf32, #t>
    %2 = arith.extf %b : tensor<128x64xbf16> to tensor<128x64xf32>
    %3 = mom.linear %1 by %2 : tensor<?x64xf32, #t>, tensor<128x64xf32> -> tensor<?x128xf32, #t>
    mom.yield %3 : tensor<?x128xf32, #t>
  }
  return %0 : tensor<?x128xf32, #t>
}
