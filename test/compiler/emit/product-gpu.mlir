// RUN: mom-opt %s --mom-resolve-schedule="target=gpu architecture=90" --mom-emit-gpu="architecture=90" | FileCheck %s --check-prefixes=CHECK,HOPPER
// RUN: mom-opt %s --mom-resolve-schedule="target=gpu architecture=80" --mom-emit-gpu="architecture=80" | FileCheck %s --check-prefixes=CHECK,AMPERE

#m = #mom.rows<token by "M">

// f32 operands are multiplied by f32 instructions. Blocks come in bands of 8 tiles of
// 128 rows; the groups' unfilled tiles fit into one band.
// CHECK-LABEL: llvm.func ptx_kernelcc @wide$y
// CHECK-NOT: cp.async
// CHECK-NOT: mma
// CHECK: llvm.intr.fmuladd
// CHECK: llvm.return
// CHECK-LABEL: func.func @wide
// CHECK: mom.launch @wide$y <over "token" tile 1024 extra 1 factor 64>
func.func @wide(%batch: !mom.batch, %x: tensor<?x64xf32, #m>, %w: tensor<3x512x64xf32>) -> tensor<?x512xf32, #m> {
  %r = mom.modality_route %batch : !mom.route<"M", 3>
  %0 = mom.kernel product "y"(%x, %w, %r) : (tensor<?x64xf32, #m>, tensor<3x512x64xf32>, !mom.route<"M", 3>) -> tensor<?x512xf32, #m> {
  ^bb0(%a: tensor<?x64xf32, #m>, %b: tensor<3x512x64xf32>, %q: !mom.route<"M", 3>):
    %1 = mom.linear %a by %b for %q : !mom.route<"M", 3>, tensor<?x64xf32, #m>, tensor<3x512x64xf32> -> tensor<?x512xf32, #m>
    mom.yield %1 : tensor<?x512xf32, #m>
  }
  return %0 : tensor<?x512xf32, #m>
}

// Narrow operands go to tensor cores. On Hopper a block stays: it makes its tensor maps (a
// permuted one of the weights, whose tiles are whole), one thread copies, two warpgroups
// multiply a tile of 128 by 128 each in turn and store from registers.
// CHECK-LABEL: llvm.func ptx_kernelcc @narrow$y
// HOPPER-SAME: mom.threads = 384
// HOPPER: momc.tensormap.make2
// HOPPER: momc.tensormap.make5
// HOPPER: momc.mbarrier.init
// HOPPER: setmaxnreg.dec
// HOPPER: momc.tma.load2
// HOPPER: momc.tma.load5
// HOPPER: setmaxnreg.inc
// HOPPER: momc.mbarrier.wait
// HOPPER: "llvm.nvvm.wgmma.fence.sync.aligned"
// HOPPER-COUNT-8: momc.wgmma.bf16.n128
// HOPPER-NOT: momc.wgmma.bf16
// HOPPER: "llvm.nvvm.wgmma.commit_group.sync.aligned"
// HOPPER: "llvm.nvvm.wgmma.wait_group.sync.aligned"
// HOPPER: momc.mbarrier.arrive
// HOPPER-COUNT-2: momc.wgmma.finish.n128
// HOPPER-NOT: llvm.nvvm.shfl.sync.bfly
// AMPERE: "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16"
// AMPERE-NOT: trans
// AMPERE: "llvm.nvvm.mma.m16n8k16.row.col.bf16"
// AMPERE-NOT: wgmma
// The bias is read at the group, once for a thread's columns.
// CHECK: mom.silu
// CHECK: llvm.return
func.func @narrow(%batch: !mom.batch, %x: tensor<?x64xbf16, #m>, %w: tensor<3x512x64xbf16>, %bias: tensor<3x512xf32>) -> tensor<?x512xbf16, #m> {
  %r = mom.modality_route %batch : !mom.route<"M", 3>
  %0 = mom.kernel product "y"(%x, %w, %bias, %r) : (tensor<?x64xbf16, #m>, tensor<3x512x64xbf16>, tensor<3x512xf32>, !mom.route<"M", 3>) -> tensor<?x512xbf16, #m> {
  ^bb0(%a: tensor<?x64xbf16, #m>, %b: tensor<3x512x64xbf16>, %c: tensor<3x512xf32>, %q: !mom.route<"M", 3>):
    %1 = arith.extf %a : tensor<?x64xbf16, #m> to tensor<?x64xf32, #m>
    %2 = arith.extf %b : tensor<3x512x64xbf16> to tensor<3x512x64xf32>
    %3 = mom.linear %1 by %2 for %q : !mom.route<"M", 3>, tensor<?x64xf32, #m>, tensor<3x512x64xf32> -> tensor<?x512xf32, #m>
    %4 = mom.broadcast %c like %3 for %q : !mom.route<"M", 3>, tensor<3x512xf32>, tensor<?x512xf32, #m> -> tensor<?x512xf32, #m>
    %5 = arith.addf %3, %4 : tensor<?x512xf32, #m>
    %6 = mom.silu %5 : tensor<?x512xf32, #m>
    %7 = arith.truncf %6 : tensor<?x512xf32, #m> to tensor<?x512xbf16, #m>
    mom.yield %7 : tensor<?x512xbf16, #m>
  }
  return %0 : tensor<?x512xbf16, #m>
}

// The same by blocks that copy and multiply with all warps: rows past the group's end are
// copied as zeros, the weights (whole tiles) need no such question.
// CHECK-LABEL: llvm.func ptx_kernelcc @alike$y
// HOPPER: "llvm.nvvm.cp.async.cg.shared.global.16.s"
// HOPPER: "llvm.nvvm.cp.async.cg.shared.global.16"(
// HOPPER: scf.for
// HOPPER: momc.wgmma.begin.n128
// HOPPER-COUNT-4: momc.wgmma.bf16.n128
// HOPPER-NOT: momc.wgmma.bf16
// HOPPER: "llvm.nvvm.wgmma.commit_group.sync.aligned"
// HOPPER: "llvm.nvvm.wgmma.wait_group.sync.aligned"
// HOPPER: "llvm.nvvm.fence.proxy.async.shared_cta"
// HOPPER: momc.wgmma.finish.n128
// CHECK: llvm.return
func.func @alike(%batch: !mom.batch, %x: tensor<?x64xbf16, #m>, %w: tensor<3x512x64xbf16>) -> tensor<?x512xbf16, #m> {
  %r = mom.modality_route %batch : !mom.route<"M", 3>
  %0 = mom.kernel product "y"(%x, %w, %r) schedule {threads = 256 : i64} : (tensor<?x64xbf16, #m>, tensor<3x512x64xbf16>, !mom.route<"M", 3>) -> tensor<?x512xbf16, #m> {
  ^bb0(%a: tensor<?x64xbf16, #m>, %b: tensor<3x512x64xbf16>, %q: !mom.route<"M", 3>):
    %1 = arith.extf %a : tensor<?x64xbf16, #m> to tensor<?x64xf32, #m>
    %2 = arith.extf %b : tensor<3x512x64xbf16> to tensor<3x512x64xf32>
    %3 = mom.linear %1 by %2 for %q : !mom.route<"M", 3>, tensor<?x64xf32, #m>, tensor<3x512x64xf32> -> tensor<?x512xf32, #m>
    %4 = arith.truncf %3 : tensor<?x512xf32, #m> to tensor<?x512xbf16, #m>
    mom.yield %4 : tensor<?x512xbf16, #m>
  }
  return %0 : tensor<?x512xbf16, #m>
}

// Weights that are f32, or whose rows are not aligned to 16 bytes, are loaded, rounded
// and stored.
// CHECK-LABEL: llvm.func ptx_kernelcc @rounded$y
// CHECK-COUNT-4: "llvm.nvvm.cp.async.cg.shared.global.16.s"
// CHECK: arith.truncf {{.*}} : vector<4xf32> to vector<4xbf16>
// CHECK: llvm.return
func.func @rounded(%x: tensor<?x64xbf16, #m>, %w: tensor<512x64xf32>) -> tensor<?x512xf32, #m> {
  %0 = mom.kernel product "y"(%x, %w) : (tensor<?x64xbf16, #m>, tensor<512x64xf32>) -> tensor<?x512xf32, #m> {
  ^bb0(%a: tensor<?x64xbf16, #m>, %b: tensor<512x64xf32>):
    %1 = arith.extf %a : tensor<?x64xbf16, #m> to tensor<?x64xf32, #m>
    %2 = mom.linear %1 by %b : tensor<?x64xf32, #m>, tensor<512x64xf32> -> tensor<?x512xf32, #m>
    mom.yield %2 : tensor<?x512xf32, #m>
  }
  return %0 : tensor<?x512xf32, #m>
}

// The gradient of the input reads weights along their outer size: turned by ldmatrix.trans,
// or by wgmma, whose sums threads then exchange.
// CHECK-LABEL: llvm.func ptx_kernelcc @transposed$dx
// HOPPER: momc.tensormap.make3
// AMPERE: "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16"
// HOPPER: momc.wgmma.bf16.n64
// HOPPER: llvm.nvvm.shfl.sync.bfly
// CHECK: llvm.return
func.func @transposed(%dy: tensor<?x128xbf16, #m>, %w: tensor<128x64xbf16>) -> tensor<?x64xf32, #m> {
  %0 = mom.kernel product "dx"(%dy, %w) : (tensor<?x128xbf16, #m>, tensor<128x64xbf16>) -> tensor<?x64xf32, #m> {
  ^bb0(%a: tensor<?x128xbf16, #m>, %b: tensor<128x64xbf16>):
    %1 = arith.extf %a : tensor<?x128xbf16, #m> to tensor<?x128xf32, #m>
    %2 = arith.extf %b : tensor<128x64xbf16> to tensor<128x64xf32>
    %3 = mom.linear transposed %1 by %2 : tensor<?x128xf32, #m>, tensor<128x64xf32> -> tensor<?x64xf32, #m>
    mom.yield %3 : tensor<?x64xf32, #m>
  }
  return %0 : tensor<?x64xf32, #m>
}

// Small weights: the rows are cut into parts, which a second phase adds.
// CHECK-LABEL: func.func @wgrad
// CHECK: %[[PARTS:.*]] = mom.launch @wgrad$dw$parts <tile 1 extra 0 factor 144>
// CHECK-SAME: -> tensor<24x200x192xf32>
// CHECK: mom.launch @wgrad$dw <tile 1 extra 0 factor 76>
// CHECK-SAME: %[[PARTS]]
func.func @wgrad(%batch: !mom.batch, %x: tensor<?x192xf32, #m>, %dy: tensor<?x200xf32, #m>) -> tensor<2x200x192xf32> {
  %r = mom.modality_route %batch : !mom.route<"M", 2>
  %0 = mom.kernel product "dw"(%x, %dy, %r) : (tensor<?x192xf32, #m>, tensor<?x200xf32, #m>, !mom.route<"M", 2>) -> tensor<2x200x192xf32> {
  ^bb0(%a: tensor<?x192xf32, #m>, %b: tensor<?x200xf32, #m>, %q: !mom.route<"M", 2>):
    %1 = mom.linear_wgrad %a, %b for %q : !mom.route<"M", 2>, tensor<?x192xf32, #m>, tensor<?x200xf32, #m> -> tensor<2x200x192xf32>
    mom.yield %1 : tensor<2x200x192xf32>
  }
  return %0 : tensor<2x200x192xf32>
}

// What threads read after a product, in f32, takes the L2 cache: blocks with tiles side by side
// copy their rows for each other. They tell so to the barriers of both, and leave together.
// CHECK-LABEL: llvm.func ptx_kernelcc @clusters$y
// HOPPER-SAME: mom.cluster = 2
// HOPPER-SAME: ["nvvm.cluster_dim", "2"]
// HOPPER: "llvm.nvvm.barrier.cluster.wait"
// HOPPER: momc.tma.multicast2
// HOPPER: momc.tma.load5
// HOPPER-COUNT-4: momc.mbarrier.arrive.rank
// HOPPER: "llvm.nvvm.barrier.cluster.wait"
// AMPERE-NOT: cluster
// CHECK: llvm.return
func.func @clusters(%x: tensor<?x128xbf16, #m>, %w: tensor<256x128xbf16>, %p: tensor<?x256xf32, #m>) -> tensor<?x256xf32, #m> {
  %0 = mom.kernel product "y"(%x, %w, %p) : (tensor<?x128xbf16, #m>, tensor<256x128xbf16>, tensor<?x256xf32, #m>) -> tensor<?x256xf32, #m> {
  ^bb0(%a: tensor<?x128xbf16, #m>, %b: tensor<256x128xbf16>, %c: tensor<?x256xf32, #m>):
    %1 = arith.extf %a : tensor<?x128xbf16, #m> to tensor<?x128xf32, #m>
    %2 = arith.extf %b : tensor<256x128xbf16> to tensor<256x128xf32>
    %3 = mom.linear %1 by %2 : tensor<?x128xf32, #m>, tensor<256x128xf32> -> tensor<?x256xf32, #m>
    %4 = arith.addf %3, %c : tensor<?x256xf32, #m>
    mom.yield %4 : tensor<?x256xf32, #m>
  }
  return %0 : tensor<?x256xf32, #m>
}
