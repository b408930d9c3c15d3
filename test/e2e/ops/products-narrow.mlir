// Products on tensor cores whose operands are both stored narrow, so that they are copied
// into shared memory as they are; the ops of products.mlir read f32 weights. Kernels are
// formed by hand: sizes that fill no tile, rows that are not aligned to 16 bytes, a
// range of a wider tensor's channels, and tiles other than the usual ones.
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=0,1,300 --rtol=6e-3
// RUN: mom-compare %s --compiled --target=sm_80 --emulate --tokens=0,1,200 --rtol=6e-3 --function=aligned,tails,unaligned,range

#t = #mom.rows<token>

// Whole tiles of columns and steps.
func.func @aligned(%batch: !mom.batch, %x: tensor<?x64xf32, #t>, %dy: tensor<?x128xf32, #t>, %w: tensor<128x64xf32>) -> (tensor<?x128xf32, #t>, tensor<?x64xf32, #t>, tensor<128x64xf32>) {
  %xn = mom.kernel map "xn"(%x) : (tensor<?x64xf32, #t>) -> tensor<?x64xbf16, #t> {
  ^bb0(%a: tensor<?x64xf32, #t>):
    %0 = arith.truncf %a : tensor<?x64xf32, #t> to tensor<?x64xbf16, #t>
    mom.yield %0 : tensor<?x64xbf16, #t>
  }
  %dyn = mom.kernel map "dyn"(%dy) : (tensor<?x128xf32, #t>) -> tensor<?x128xbf16, #t> {
  ^bb0(%a: tensor<?x128xf32, #t>):
    %0 = arith.truncf %a : tensor<?x128xf32, #t> to tensor<?x128xbf16, #t>
    mom.yield %0 : tensor<?x128xbf16, #t>
  }
  %wn = mom.kernel map "wn"(%w) : (tensor<128x64xf32>) -> tensor<128x64xbf16> {
  ^bb0(%a: tensor<128x64xf32>):
    %0 = arith.truncf %a : tensor<128x64xf32> to tensor<128x64xbf16>
    mom.yield %0 : tensor<128x64xbf16>
  }
  %y = mom.kernel product "y"(%xn, %wn) : (tensor<?x64xbf16, #t>, tensor<128x64xbf16>) -> tensor<?x128xf32, #t> {
  ^bb0(%a: tensor<?x64xbf16, #t>, %b: tensor<128x64xbf16>):
    %0 = arith.extf %a : tensor<?x64xbf16, #t> to tensor<?x64xf32, #t>
    %1 = arith.extf %b : tensor<128x64xbf16> to tensor<128x64xf32>
    %2 = mom.linear %0 by %1 : tensor<?x64xf32, #t>, tensor<128x64xf32> -> tensor<?x128xf32, #t>
    mom.yield %2 : tensor<?x128xf32, #t>
  }
  %dx = mom.kernel product "dx"(%dyn, %wn) : (tensor<?x128xbf16, #t>, tensor<128x64xbf16>) -> tensor<?x64xf32, #t> {
  ^bb0(%a: tensor<?x128xbf16, #t>, %b: tensor<128x64xbf16>):
    %0 = arith.extf %a : tensor<?x128xbf16, #t> to tensor<?x128xf32, #t>
    %1 = arith.extf %b : tensor<128x64xbf16> to tensor<128x64xf32>
    %2 = mom.linear transposed %0 by %1 : tensor<?x128xf32, #t>, tensor<128x64xf32> -> tensor<?x64xf32, #t>
    mom.yield %2 : tensor<?x64xf32, #t>
  }
  %dw = mom.kernel product "dw"(%xn, %dyn) : (tensor<?x64xbf16, #t>, tensor<?x128xbf16, #t>) -> tensor<128x64xf32> {
  ^bb0(%a: tensor<?x64xbf16, #t>, %b: tensor<?x128xbf16, #t>):
    %0 = arith.extf %a : tensor<?x64xbf16, #t> to tensor<?x64xf32, #t>
    %1 = arith.extf %b : tensor<?x128xbf16, #t> to tensor<?x128xf32, #t>
    %2 = mom.linear_wgrad %0, %1 : tensor<?x64xf32, #t>, tensor<?x128xf32, #t> -> tensor<128x64xf32>
    mom.yield %2 : tensor<128x64xf32>
  }
  return %y, %dx, %dw : tensor<?x128xf32, #t>, tensor<?x64xf32, #t>, tensor<128x64xf32>
}

// Several tiles, none of them whole, in f16.
func.func @tails(%batch: !mom.batch, %x: tensor<?x136xf32, #t>, %dy: tensor<?x264xf32, #t>, %w: tensor<264x136xf32>) -> (tensor<?x264xf32, #t>, tensor<?x136xf32, #t>, tensor<264x136xf32>) {
  %xn = mom.kernel map "xn"(%x) : (tensor<?x136xf32, #t>) -> tensor<?x136xf16, #t> {
  ^bb0(%a: tensor<?x136xf32, #t>):
    %0 = arith.truncf %a : tensor<?x136xf32, #t> to tensor<?x136xf16, #t>
    mom.yield %0 : tensor<?x136xf16, #t>
  }
  %dyn = mom.kernel map "dyn"(%dy) : (tensor<?x264xf32, #t>) -> tensor<?x264xf16, #t> {
  ^bb0(%a: tensor<?x264xf32, #t>):
    %0 = arith.truncf %a : tensor<?x264xf32, #t> to tensor<?x264xf16, #t>
    mom.yield %0 : tensor<?x264xf16, #t>
  }
  %wn = mom.kernel map "wn"(%w) : (tensor<264x136xf32>) -> tensor<264x136xf16> {
  ^bb0(%a: tensor<264x136xf32>):
    %0 = arith.truncf %a : tensor<264x136xf32> to tensor<264x136xf16>
    mom.yield %0 : tensor<264x136xf16>
  }
  %y = mom.kernel product "y"(%xn, %wn) : (tensor<?x136xf16, #t>, tensor<264x136xf16>) -> tensor<?x264xf32, #t> {
  ^bb0(%a: tensor<?x136xf16, #t>, %b: tensor<264x136xf16>):
    %0 = arith.extf %a : tensor<?x136xf16, #t> to tensor<?x136xf32, #t>
    %1 = arith.extf %b : tensor<264x136xf16> to tensor<264x136xf32>
    %2 = mom.linear %0 by %1 : tensor<?x136xf32, #t>, tensor<264x136xf32> -> tensor<?x264xf32, #t>
    mom.yield %2 : tensor<?x264xf32, #t>
  }
  %dx = mom.kernel product "dx"(%dyn, %wn) : (tensor<?x264xf16, #t>, tensor<264x136xf16>) -> tensor<?x136xf32, #t> {
  ^bb0(%a: tensor<?x264xf16, #t>, %b: tensor<264x136xf16>):
    %0 = arith.extf %a : tensor<?x264xf16, #t> to tensor<?x264xf32, #t>
    %1 = arith.extf %b : tensor<264x136xf16> to tensor<264x136xf32>
    %2 = mom.linear transposed %0 by %1 : tensor<?x264xf32, #t>, tensor<264x136xf32> -> tensor<?x136xf32, #t>
    mom.yield %2 : tensor<?x136xf32, #t>
  }
  %dw = mom.kernel product "dw"(%xn, %dyn) : (tensor<?x136xf16, #t>, tensor<?x264xf16, #t>) -> tensor<264x136xf32> {
  ^bb0(%a: tensor<?x136xf16, #t>, %b: tensor<?x264xf16, #t>):
    %0 = arith.extf %a : tensor<?x136xf16, #t> to tensor<?x136xf32, #t>
    %1 = arith.extf %b : tensor<?x264xf16, #t> to tensor<?x264xf32, #t>
    %2 = mom.linear_wgrad %0, %1 : tensor<?x136xf32, #t>, tensor<?x264xf32, #t> -> tensor<264x136xf32>
    mom.yield %2 : tensor<264x136xf32>
  }
  return %y, %dx, %dw : tensor<?x264xf32, #t>, tensor<?x136xf32, #t>, tensor<264x136xf32>
}

// Rows that begin anywhere, and fewer channels than a vector.
func.func @unaligned(%batch: !mom.batch, %x: tensor<?x12xf32, #t>, %dy: tensor<?x7xf32, #t>, %w: tensor<7x12xf32>) -> (tensor<?x7xf32, #t>, tensor<?x12xf32, #t>, tensor<7x12xf32>) {
  %xn = mom.kernel map "xn"(%x) : (tensor<?x12xf32, #t>) -> tensor<?x12xbf16, #t> {
  ^bb0(%a: tensor<?x12xf32, #t>):
    %0 = arith.truncf %a : tensor<?x12xf32, #t> to tensor<?x12xbf16, #t>
    mom.yield %0 : tensor<?x12xbf16, #t>
  }
  %dyn = mom.kernel map "dyn"(%dy) : (tensor<?x7xf32, #t>) -> tensor<?x7xbf16, #t> {
  ^bb0(%a: tensor<?x7xf32, #t>):
    %0 = arith.truncf %a : tensor<?x7xf32, #t> to tensor<?x7xbf16, #t>
    mom.yield %0 : tensor<?x7xbf16, #t>
  }
  %wn = mom.kernel map "wn"(%w) : (tensor<7x12xf32>) -> tensor<7x12xbf16> {
  ^bb0(%a: tensor<7x12xf32>):
    %0 = arith.truncf %a : tensor<7x12xf32> to tensor<7x12xbf16>
    mom.yield %0 : tensor<7x12xbf16>
  }
  %y = mom.kernel product "y"(%xn, %wn) : (tensor<?x12xbf16, #t>, tensor<7x12xbf16>) -> tensor<?x7xf32, #t> {
  ^bb0(%a: tensor<?x12xbf16, #t>, %b: tensor<7x12xbf16>):
    %0 = arith.extf %a : tensor<?x12xbf16, #t> to tensor<?x12xf32, #t>
    %1 = arith.extf %b : tensor<7x12xbf16> to tensor<7x12xf32>
    %2 = mom.linear %0 by %1 : tensor<?x12xf32, #t>, tensor<7x12xf32> -> tensor<?x7xf32, #t>
    mom.yield %2 : tensor<?x7xf32, #t>
  }
  %dx = mom.kernel product "dx"(%dyn, %wn) : (tensor<?x7xbf16, #t>, tensor<7x12xbf16>) -> tensor<?x12xf32, #t> {
  ^bb0(%a: tensor<?x7xbf16, #t>, %b: tensor<7x12xbf16>):
    %0 = arith.extf %a : tensor<?x7xbf16, #t> to tensor<?x7xf32, #t>
    %1 = arith.extf %b : tensor<7x12xbf16> to tensor<7x12xf32>
    %2 = mom.linear transposed %0 by %1 : tensor<?x7xf32, #t>, tensor<7x12xf32> -> tensor<?x12xf32, #t>
    mom.yield %2 : tensor<?x12xf32, #t>
  }
  %dw = mom.kernel product "dw"(%xn, %dyn) : (tensor<?x12xbf16, #t>, tensor<?x7xbf16, #t>) -> tensor<7x12xf32> {
  ^bb0(%a: tensor<?x12xbf16, #t>, %b: tensor<?x7xbf16, #t>):
    %0 = arith.extf %a : tensor<?x12xbf16, #t> to tensor<?x12xf32, #t>
    %1 = arith.extf %b : tensor<?x7xbf16, #t> to tensor<?x7xf32, #t>
    %2 = mom.linear_wgrad %0, %1 : tensor<?x12xf32, #t>, tensor<?x7xf32, #t> -> tensor<7x12xf32>
    mom.yield %2 : tensor<7x12xf32>
  }
  return %y, %dx, %dw : tensor<?x7xf32, #t>, tensor<?x12xf32, #t>, tensor<7x12xf32>
}

// x is the second half of a wider tensor, once aligned and once not.
func.func @range(%batch: !mom.batch, %x: tensor<?x88xf32, #t>, %w: tensor<48x48xf32>, %v: tensor<40x36xf32>) -> (tensor<?x48xf32, #t>, tensor<?x40xf32, #t>) {
  %xn = mom.kernel map "xn"(%x) : (tensor<?x88xf32, #t>) -> tensor<?x88xbf16, #t> {
  ^bb0(%a: tensor<?x88xf32, #t>):
    %0 = arith.truncf %a : tensor<?x88xf32, #t> to tensor<?x88xbf16, #t>
    mom.yield %0 : tensor<?x88xbf16, #t>
  }
  %wn = mom.kernel map "wn"(%w) : (tensor<48x48xf32>) -> tensor<48x48xbf16> {
  ^bb0(%a: tensor<48x48xf32>):
    %0 = arith.truncf %a : tensor<48x48xf32> to tensor<48x48xbf16>
    mom.yield %0 : tensor<48x48xbf16>
  }
  %vn = mom.kernel map "vn"(%v) : (tensor<40x36xf32>) -> tensor<40x36xbf16> {
  ^bb0(%a: tensor<40x36xf32>):
    %0 = arith.truncf %a : tensor<40x36xf32> to tensor<40x36xbf16>
    mom.yield %0 : tensor<40x36xbf16>
  }
  %y = mom.kernel product "y"(%xn, %wn) : (tensor<?x88xbf16, #t>, tensor<48x48xbf16>) -> tensor<?x48xf32, #t> {
  ^bb0(%a: tensor<?x88xbf16, #t>, %b: tensor<48x48xbf16>):
    %0 = arith.extf %a : tensor<?x88xbf16, #t> to tensor<?x88xf32, #t>
    %1 = arith.extf %b : tensor<48x48xbf16> to tensor<48x48xf32>
    %l, %r = mom.split %0 : tensor<?x88xf32, #t> -> tensor<?x40xf32, #t>, tensor<?x48xf32, #t>
    %2 = mom.linear %r by %1 : tensor<?x48xf32, #t>, tensor<48x48xf32> -> tensor<?x48xf32, #t>
    mom.yield %2 : tensor<?x48xf32, #t>
  }
  %z = mom.kernel product "z"(%xn, %vn) : (tensor<?x88xbf16, #t>, tensor<40x36xbf16>) -> tensor<?x40xf32, #t> {
  ^bb0(%a: tensor<?x88xbf16, #t>, %b: tensor<40x36xbf16>):
    %0 = arith.extf %a : tensor<?x88xbf16, #t> to tensor<?x88xf32, #t>
    %1 = arith.extf %b : tensor<40x36xbf16> to tensor<40x36xf32>
    %l, %r = mom.split %0 : tensor<?x88xf32, #t> -> tensor<?x52xf32, #t>, tensor<?x36xf32, #t>
    %2 = mom.linear %r by %1 : tensor<?x36xf32, #t>, tensor<40x36xf32> -> tensor<?x40xf32, #t>
    mom.yield %2 : tensor<?x40xf32, #t>
  }
  return %y, %z : tensor<?x48xf32, #t>, tensor<?x40xf32, #t>
}

// One block a multiprocessor, with 256 columns.
func.func @wide(%batch: !mom.batch, %x: tensor<?x320xf32, #t>, %dy: tensor<?x256xf32, #t>, %w: tensor<256x320xf32>) -> (tensor<?x256xf32, #t>, tensor<?x320xf32, #t>, tensor<256x320xf32>) {
  %xn = mom.kernel map "xn"(%x) : (tensor<?x320xf32, #t>) -> tensor<?x320xbf16, #t> {
  ^bb0(%a: tensor<?x320xf32, #t>):
    %0 = arith.truncf %a : tensor<?x320xf32, #t> to tensor<?x320xbf16, #t>
    mom.yield %0 : tensor<?x320xbf16, #t>
  }
  %dyn = mom.kernel map "dyn"(%dy) : (tensor<?x256xf32, #t>) -> tensor<?x256xbf16, #t> {
  ^bb0(%a: tensor<?x256xf32, #t>):
    %0 = arith.truncf %a : tensor<?x256xf32, #t> to tensor<?x256xbf16, #t>
    mom.yield %0 : tensor<?x256xbf16, #t>
  }
  %wn = mom.kernel map "wn"(%w) : (tensor<256x320xf32>) -> tensor<256x320xbf16> {
  ^bb0(%a: tensor<256x320xf32>):
    %0 = arith.truncf %a : tensor<256x320xf32> to tensor<256x320xbf16>
    mom.yield %0 : tensor<256x320xbf16>
  }
  %y = mom.kernel product "y"(%xn, %wn) schedule {tile_columns = 256 : i64} : (tensor<?x320xbf16, #t>, tensor<256x320xbf16>) -> tensor<?x256xf32, #t> {
  ^bb0(%a: tensor<?x320xbf16, #t>, %b: tensor<256x320xbf16>):
    %0 = arith.extf %a : tensor<?x320xbf16, #t> to tensor<?x320xf32, #t>
    %1 = arith.extf %b : tensor<256x320xbf16> to tensor<256x320xf32>
    %2 = mom.linear %0 by %1 : tensor<?x320xf32, #t>, tensor<256x320xf32> -> tensor<?x256xf32, #t>
    mom.yield %2 : tensor<?x256xf32, #t>
  }
  %dx = mom.kernel product "dx"(%dyn, %wn) schedule {tile_columns = 256 : i64} : (tensor<?x256xbf16, #t>, tensor<256x320xbf16>) -> tensor<?x320xf32, #t> {
  ^bb0(%a: tensor<?x256xbf16, #t>, %b: tensor<256x320xbf16>):
    %0 = arith.extf %a : tensor<?x256xbf16, #t> to tensor<?x256xf32, #t>
    %1 = arith.extf %b : tensor<256x320xbf16> to tensor<256x320xf32>
    %2 = mom.linear transposed %0 by %1 : tensor<?x256xf32, #t>, tensor<256x320xf32> -> tensor<?x320xf32, #t>
    mom.yield %2 : tensor<?x320xf32, #t>
  }
  %dw = mom.kernel product "dw"(%xn, %dyn) schedule {tile_columns = 256 : i64} : (tensor<?x320xbf16, #t>, tensor<?x256xbf16, #t>) -> tensor<256x320xf32> {
  ^bb0(%a: tensor<?x320xbf16, #t>, %b: tensor<?x256xbf16, #t>):
    %0 = arith.extf %a : tensor<?x320xbf16, #t> to tensor<?x320xf32, #t>
    %1 = arith.extf %b : tensor<?x256xbf16, #t> to tensor<?x256xf32, #t>
    %2 = mom.linear_wgrad %0, %1 : tensor<?x320xf32, #t>, tensor<?x256xf32, #t> -> tensor<256x320xf32>
    mom.yield %2 : tensor<256x320xf32>
  }
  return %y, %dx, %dw : tensor<?x256xf32, #t>, tensor<?x320xf32, #t>, tensor<256x320xf32>
}

// A warpgroup has 128 rows.
func.func @tall(%batch: !mom.batch, %x: tensor<?x72xf32, #t>, %dy: tensor<?x96xf32, #t>, %w: tensor<96x72xf32>) -> (tensor<96x72xf32>) {
  %xn = mom.kernel map "xn"(%x) : (tensor<?x72xf32, #t>) -> tensor<?x72xbf16, #t> {
  ^bb0(%a: tensor<?x72xf32, #t>):
    %0 = arith.truncf %a : tensor<?x72xf32, #t> to tensor<?x72xbf16, #t>
    mom.yield %0 : tensor<?x72xbf16, #t>
  }
  %dyn = mom.kernel map "dyn"(%dy) : (tensor<?x96xf32, #t>) -> tensor<?x96xbf16, #t> {
  ^bb0(%a: tensor<?x96xf32, #t>):
    %0 = arith.truncf %a : tensor<?x96xf32, #t> to tensor<?x96xbf16, #t>
    mom.yield %0 : tensor<?x96xbf16, #t>
  }
  %dw = mom.kernel product "dw"(%xn, %dyn) schedule {threads = 128 : i64, split_k = 1 : i64} : (tensor<?x72xbf16, #t>, tensor<?x96xbf16, #t>) -> tensor<96x72xf32> {
  ^bb0(%a: tensor<?x72xbf16, #t>, %b: tensor<?x96xbf16, #t>):
    %0 = arith.extf %a : tensor<?x72xbf16, #t> to tensor<?x72xf32, #t>
    %1 = arith.extf %b : tensor<?x96xbf16, #t> to tensor<?x96xf32, #t>
    %2 = mom.linear_wgrad %0, %1 : tensor<?x72xf32, #t>, tensor<?x96xf32, #t> -> tensor<96x72xf32>
    mom.yield %2 : tensor<96x72xf32>
  }
  return %dw : tensor<96x72xf32>
}

// mma.sync where wgmma would be usual.
func.func @warps(%batch: !mom.batch, %x: tensor<?x136xf32, #t>, %dy: tensor<?x200xf32, #t>, %w: tensor<200x136xf32>) -> (tensor<?x200xf32, #t>, tensor<?x136xf32, #t>, tensor<200x136xf32>) {
  %xn = mom.kernel map "xn"(%x) : (tensor<?x136xf32, #t>) -> tensor<?x136xbf16, #t> {
  ^bb0(%a: tensor<?x136xf32, #t>):
    %0 = arith.truncf %a : tensor<?x136xf32, #t> to tensor<?x136xbf16, #t>
    mom.yield %0 : tensor<?x136xbf16, #t>
  }
  %dyn = mom.kernel map "dyn"(%dy) : (tensor<?x200xf32, #t>) -> tensor<?x200xbf16, #t> {
  ^bb0(%a: tensor<?x200xf32, #t>):
    %0 = arith.truncf %a : tensor<?x200xf32, #t> to tensor<?x200xbf16, #t>
    mom.yield %0 : tensor<?x200xbf16, #t>
  }
  %wn = mom.kernel map "wn"(%w) : (tensor<200x136xf32>) -> tensor<200x136xbf16> {
  ^bb0(%a: tensor<200x136xf32>):
    %0 = arith.truncf %a : tensor<200x136xf32> to tensor<200x136xbf16>
    mom.yield %0 : tensor<200x136xbf16>
  }
  %y = mom.kernel product "y"(%xn, %wn) schedule {unit = 1 : i64, threads = 256 : i64, stages = 2 : i64} : (tensor<?x136xbf16, #t>, tensor<200x136xbf16>) -> tensor<?x200xf32, #t> {
  ^bb0(%a: tensor<?x136xbf16, #t>, %b: tensor<200x136xbf16>):
    %0 = arith.extf %a : tensor<?x136xbf16, #t> to tensor<?x136xf32, #t>
    %1 = arith.extf %b : tensor<200x136xbf16> to tensor<200x136xf32>
    %2 = mom.linear %0 by %1 : tensor<?x136xf32, #t>, tensor<200x136xf32> -> tensor<?x200xf32, #t>
    mom.yield %2 : tensor<?x200xf32, #t>
  }
  %dx = mom.kernel product "dx"(%dyn, %wn) schedule {unit = 1 : i64, threads = 256 : i64, stages = 2 : i64} : (tensor<?x200xbf16, #t>, tensor<200x136xbf16>) -> tensor<?x136xf32, #t> {
  ^bb0(%a: tensor<?x200xbf16, #t>, %b: tensor<200x136xbf16>):
    %0 = arith.extf %a : tensor<?x200xbf16, #t> to tensor<?x200xf32, #t>
    %1 = arith.extf %b : tensor<200x136xbf16> to tensor<200x136xf32>
    %2 = mom.linear transposed %0 by %1 : tensor<?x200xf32, #t>, tensor<200x136xf32> -> tensor<?x136xf32, #t>
    mom.yield %2 : tensor<?x136xf32, #t>
  }
  %dw = mom.kernel product "dw"(%xn, %dyn) schedule {unit = 1 : i64, threads = 256 : i64, stages = 2 : i64} : (tensor<?x136xbf16, #t>, tensor<?x200xbf16, #t>) -> tensor<200x136xf32> {
  ^bb0(%a: tensor<?x136xbf16, #t>, %b: tensor<?x200xbf16, #t>):
    %0 = arith.extf %a : tensor<?x136xbf16, #t> to tensor<?x136xf32, #t>
    %1 = arith.extf %b : tensor<?x200xbf16, #t> to tensor<?x200xf32, #t>
    %2 = mom.linear_wgrad %0, %1 : tensor<?x136xf32, #t>, tensor<?x200xf32, #t> -> tensor<200x136xf32>
    mom.yield %2 : tensor<200x136xf32>
  }
  return %y, %dx, %dw : tensor<?x200xf32, #t>, tensor<?x136xf32, #t>, tensor<200x136xf32>
}

// f32 instructions on narrow operands.
func.func @rounded_to_f32(%batch: !mom.batch, %x: tensor<?x72xf32, #t>, %dy: tensor<?x200xf32, #t>, %w: tensor<200x72xf32>) -> (tensor<?x200xf32, #t>, tensor<?x72xf32, #t>, tensor<200x72xf32>) {
  %xn = mom.kernel map "xn"(%x) : (tensor<?x72xf32, #t>) -> tensor<?x72xbf16, #t> {
  ^bb0(%a: tensor<?x72xf32, #t>):
    %0 = arith.truncf %a : tensor<?x72xf32, #t> to tensor<?x72xbf16, #t>
    mom.yield %0 : tensor<?x72xbf16, #t>
  }
  %dyn = mom.kernel map "dyn"(%dy) : (tensor<?x200xf32, #t>) -> tensor<?x200xbf16, #t> {
  ^bb0(%a: tensor<?x200xf32, #t>):
    %0 = arith.truncf %a : tensor<?x200xf32, #t> to tensor<?x200xbf16, #t>
    mom.yield %0 : tensor<?x200xbf16, #t>
  }
  %wn = mom.kernel map "wn"(%w) : (tensor<200x72xf32>) -> tensor<200x72xbf16> {
  ^bb0(%a: tensor<200x72xf32>):
    %0 = arith.truncf %a : tensor<200x72xf32> to tensor<200x72xbf16>
    mom.yield %0 : tensor<200x72xbf16>
  }
  %y = mom.kernel product "y"(%xn, %wn) schedule {unit = 0 : i64} : (tensor<?x72xbf16, #t>, tensor<200x72xbf16>) -> tensor<?x200xf32, #t> {
  ^bb0(%a: tensor<?x72xbf16, #t>, %b: tensor<200x72xbf16>):
    %0 = arith.extf %a : tensor<?x72xbf16, #t> to tensor<?x72xf32, #t>
    %1 = arith.extf %b : tensor<200x72xbf16> to tensor<200x72xf32>
    %2 = mom.linear %0 by %1 : tensor<?x72xf32, #t>, tensor<200x72xf32> -> tensor<?x200xf32, #t>
    mom.yield %2 : tensor<?x200xf32, #t>
  }
  %dx = mom.kernel product "dx"(%dyn, %wn) schedule {unit = 0 : i64} : (tensor<?x200xbf16, #t>, tensor<200x72xbf16>) -> tensor<?x72xf32, #t> {
  ^bb0(%a: tensor<?x200xbf16, #t>, %b: tensor<200x72xbf16>):
    %0 = arith.extf %a : tensor<?x200xbf16, #t> to tensor<?x200xf32, #t>
    %1 = arith.extf %b : tensor<200x72xbf16> to tensor<200x72xf32>
    %2 = mom.linear transposed %0 by %1 : tensor<?x200xf32, #t>, tensor<200x72xf32> -> tensor<?x72xf32, #t>
    mom.yield %2 : tensor<?x72xf32, #t>
  }
  %dw = mom.kernel product "dw"(%xn, %dyn) schedule {unit = 0 : i64} : (tensor<?x72xbf16, #t>, tensor<?x200xbf16, #t>) -> tensor<200x72xf32> {
  ^bb0(%a: tensor<?x72xbf16, #t>, %b: tensor<?x200xbf16, #t>):
    %0 = arith.extf %a : tensor<?x72xbf16, #t> to tensor<?x72xf32, #t>
    %1 = arith.extf %b : tensor<?x200xbf16, #t> to tensor<?x200xf32, #t>
    %2 = mom.linear_wgrad %0, %1 : tensor<?x72xf32, #t>, tensor<?x200xf32, #t> -> tensor<200x72xf32>
    mom.yield %2 : tensor<200x72xf32>
  }
  return %y, %dx, %dw : tensor<?x200xf32, #t>, tensor<?x72xf32, #t>, tensor<200x72xf32>
}
