// RUN: mom-opt %s --mom-resolve-schedule="target=gpu architecture=80" --mom-emit-gpu="architecture=80" --split-input-file --verify-diagnostics

#t = #mom.rows<token>

func.func @no_narrow_operand(%x: tensor<?x64xf32, #t>, %w: tensor<64x64xf32>) -> tensor<?x64xf32, #t> {
  // expected-error @below {{expected an operand of bf16 or f16, and no two of both, for a product on tensor cores (knob 'unit')}}
  %0 = mom.kernel product "y"(%x, %w) schedule {unit = 1 : i64} : (tensor<?x64xf32, #t>, tensor<64x64xf32>) -> tensor<?x64xf32, #t> {
  ^bb0(%a: tensor<?x64xf32, #t>, %b: tensor<64x64xf32>):
    %1 = mom.linear %a by %b : tensor<?x64xf32, #t>, tensor<64x64xf32> -> tensor<?x64xf32, #t>
    mom.yield %1 : tensor<?x64xf32, #t>
  }
  return %0 : tensor<?x64xf32, #t>
}

// -----

#t = #mom.rows<token>

func.func @wgmma_before_hopper(%x: tensor<?x64xbf16, #t>, %w: tensor<64x64xf32>) -> tensor<?x64xf32, #t> {
  // expected-error @below {{expected sm_90a for knob 'unit' 2 (wgmma) or 3 (tma), but got sm_80}}
  %0 = mom.kernel product "y"(%x, %w) schedule {unit = 2 : i64} : (tensor<?x64xbf16, #t>, tensor<64x64xf32>) -> tensor<?x64xf32, #t> {
  ^bb0(%a: tensor<?x64xbf16, #t>, %b: tensor<64x64xf32>):
    %1 = arith.extf %a : tensor<?x64xbf16, #t> to tensor<?x64xf32, #t>
    %2 = mom.linear %1 by %b : tensor<?x64xf32, #t>, tensor<64x64xf32> -> tensor<?x64xf32, #t>
    mom.yield %2 : tensor<?x64xf32, #t>
  }
  return %0 : tensor<?x64xf32, #t>
}

// -----

#t = #mom.rows<token>

func.func @parts_of_a_forward_product(%x: tensor<?x64xf32, #t>, %w: tensor<64x64xf32>) -> tensor<?x64xf32, #t> {
  // expected-error @below {{expected 1 as knob 'split_k' of mom.linear, but got 2}}
  %0 = mom.kernel product "y"(%x, %w) schedule {split_k = 2 : i64} : (tensor<?x64xf32, #t>, tensor<64x64xf32>) -> tensor<?x64xf32, #t> {
  ^bb0(%a: tensor<?x64xf32, #t>, %b: tensor<64x64xf32>):
    %1 = mom.linear %a by %b : tensor<?x64xf32, #t>, tensor<64x64xf32> -> tensor<?x64xf32, #t>
    mom.yield %1 : tensor<?x64xf32, #t>
  }
  return %0 : tensor<?x64xf32, #t>
}

// -----

#t = #mom.rows<token>

func.func @tile_that_threads_cannot_share(%x: tensor<?x64xf32, #t>, %w: tensor<64x64xf32>) -> tensor<?x64xf32, #t> {
  // expected-error @below {{expected a multiple of 64 as knob 'tile_columns', but got 96}}
  %0 = mom.kernel product "y"(%x, %w) schedule {tile_columns = 96 : i64} : (tensor<?x64xf32, #t>, tensor<64x64xf32>) -> tensor<?x64xf32, #t> {
  ^bb0(%a: tensor<?x64xf32, #t>, %b: tensor<64x64xf32>):
    %1 = mom.linear %a by %b : tensor<?x64xf32, #t>, tensor<64x64xf32> -> tensor<?x64xf32, #t>
    mom.yield %1 : tensor<?x64xf32, #t>
  }
  return %0 : tensor<?x64xf32, #t>
}

// -----

#t = #mom.rows<token>

func.func @convolved_by_fma(%x: tensor<?x64xbf16, #t>, %taps: tensor<64x4xf32>, %w: tensor<64x64xbf16>, %batch: !mom.batch) -> tensor<?x64xf32, #t> {
  // expected-error @below {{expected 1 (mma) or 2 (wgmma) as knob 'unit', and 'threads' for each row of a tile, where a convolution makes what is multiplied}}
  %0 = mom.kernel product "y"(%x, %taps, %w, %batch) schedule {unit = 0 : i64} : (tensor<?x64xbf16, #t>, tensor<64x4xf32>, tensor<64x64xbf16>, !mom.batch) -> tensor<?x64xf32, #t> {
  ^bb0(%a: tensor<?x64xbf16, #t>, %t: tensor<64x4xf32>, %b: tensor<64x64xbf16>, %c: !mom.batch):
    %1 = arith.extf %a : tensor<?x64xbf16, #t> to tensor<?x64xf32, #t>
    %2 = mom.conv1d %1 by %t in %c : tensor<?x64xf32, #t>, tensor<64x4xf32>, !mom.batch -> tensor<?x64xf32, #t>
    %3 = arith.truncf %2 : tensor<?x64xf32, #t> to tensor<?x64xbf16, #t>
    %4 = arith.extf %3 : tensor<?x64xbf16, #t> to tensor<?x64xf32, #t>
    %5 = arith.extf %b : tensor<64x64xbf16> to tensor<64x64xf32>
    %6 = mom.linear %4 by %5 : tensor<?x64xf32, #t>, tensor<64x64xf32> -> tensor<?x64xf32, #t>
    mom.yield %6 : tensor<?x64xf32, #t>
  }
  return %0 : tensor<?x64xf32, #t>
}

// -----

#t = #mom.rows<token>

func.func @too_much_shared(%x: tensor<?x64xbf16, #t>, %w: tensor<128x64xbf16>) -> tensor<?x128xf32, #t> {
  // expected-error @below {{expected tiles of 166912 bytes or less, but knobs 'stages' and the tile's ask for 262144 bytes of shared memory}}
  %0 = mom.kernel product "y"(%x, %w) schedule {unit = 1 : i64, stages = 8 : i64, tile_rows = 128 : i64, tile_columns = 128 : i64} : (tensor<?x64xbf16, #t>, tensor<128x64xbf16>) -> tensor<?x128xf32, #t> {
  ^bb0(%a: tensor<?x64xbf16, #t>, %b: tensor<128x64xbf16>):
    %1 = arith.extf %a : tensor<?x64xbf16, #t> to tensor<?x64xf32, #t>
    %2 = arith.extf %b : tensor<128x64xbf16> to tensor<128x64xf32>
    %3 = mom.linear %1 by %2 : tensor<?x64xf32, #t>, tensor<128x64xf32> -> tensor<?x128xf32, #t>
    mom.yield %3 : tensor<?x128xf32, #t>
  }
  return %0 : tensor<?x128xf32, #t>
}
