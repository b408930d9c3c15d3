// RUN: mom-opt %s --mom-emit-gpu="architecture=90" | FileCheck %s

!narrow = tensor<?x64xbf16, #mom.rows<token by "M">>
!rows = tensor<?x64xf32, #mom.rows<token by "M">>
!states = tensor<?x16xf32, #mom.rows<token by "M">>
!chunk = tensor<?x1024xf32, #mom.rows<chunk of 16>>
!A = tensor<64x16xf32>

// A run is fetched in whole accesses while the run before it is walked; softplus is
// computed where it is staged, which is, but for the first run, beside the run before it
// being finished, without a branch where that has all its tokens. A group of tokens has
// none either, and the sums over a channel's four lanes take three shuffles for four tokens.
// CHECK-LABEL: llvm.func ptx_kernelcc @forward$y
// CHECK:         mom.softplus {{.*}} : vector<8xf32>
// CHECK:         llvm.store {{.*}} {alignment = 64 : i64} : vector<16xf32>, !llvm.ptr<3>
// CHECK:         scf.for {{.*}} iter_args
// CHECK-NOT:       mom.softplus
// CHECK:           "llvm.nvvm.barrier.cta.sync.aligned.all"
// CHECK:           llvm.load {{.*}} {alignment = 16 : i64} : !llvm.ptr -> vector<4xi32>
// CHECK:           scf.for {{.*}} iter_args
// CHECK:             scf.if
// CHECK:               llvm.store {{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr
// CHECK-COUNT-16:    "llvm.nvvm.ex2.approx.ftz.f"
// CHECK-NOT:         "llvm.nvvm.ex2.approx.ftz.f"
// CHECK-NOT:         scf.if
// CHECK-COUNT-3:     "llvm.nvvm.shfl.sync.bfly.i32"
// CHECK-NOT:         "llvm.nvvm.shfl.sync.bfly.i32"
// CHECK:             scf.yield
// CHECK:           "llvm.nvvm.barrier.cta.sync.aligned.all"
// CHECK:           scf.if
// CHECK-NOT:         scf.if
// CHECK:             mom.softplus
// CHECK-NOT:         scf.if
// CHECK:             llvm.store {{.*}} {alignment = 16 : i64} : vector<8xbf16>, !llvm.ptr
// CHECK-NOT:         scf.if
// CHECK:             llvm.store {{.*}} {alignment = 64 : i64} : vector<16xf32>, !llvm.ptr<3>
// CHECK-LABEL: func.func @forward
// CHECK:         mom.launch @forward$y <over "segment" tile 1 extra 0 factor 2>
func.func @forward(%u: !narrow, %raw: !narrow, %A: !A, %B: !states, %C: !states, %batch: !mom.batch)
    -> (!narrow, !chunk) {
  %0:2 = mom.kernel scan "y" (%u, %raw, %A, %B, %C, %batch)
      schedule {threads = 128 : i64, lanes = 4 : i64, channels = 1 : i64, tokens = 32 : i64, group = 4 : i64, resident = 0 : i64, exact = 0 : i64, exp2_fma = 0 : i64, unit = 0 : i64, piece = 0 : i64, fill = 1 : i64, sum_rows = 16 : i64}
      : (!narrow, !narrow, !A, !states, !states, !mom.batch) -> (!narrow, !chunk) {
  ^bb0(%u_: !narrow, %raw_: !narrow, %A_: !A, %B_: !states, %C_: !states, %batch_: !mom.batch):
    %wide = arith.extf %u_ : !narrow to !rows
    %wideRaw = arith.extf %raw_ : !narrow to !rows
    %delta = mom.softplus %wideRaw : !rows
    %y, %k = mom.scan %wide, %delta, %A_, %B_, %C_ in %batch_ : !rows, !rows, !A, !states, !states, !mom.batch -> !rows checkpoints !chunk
    %z = arith.addf %y, %delta : !rows
    %stored = arith.truncf %z : !rows to !narrow
    mom.yield %stored, %k : !narrow, !chunk
  }
  return %0#0, %0#1 : !narrow, !chunk
}

// In pieces of two runs: those before another one are walked for their states and sums of
// delta, without y; states are carried over them, the loads of 16 under way together; each
// is walked from its own. Batches of at most two pieces' tokens only walk whole segments.
// CHECK-LABEL: llvm.func ptx_kernelcc @pieces$y$pieces(
// CHECK:         scf.while
// CHECK:         scf.for {{.*}} iter_args
// CHECK-COUNT-16:    "llvm.nvvm.ex2.approx.ftz.f"
// CHECK-NOT:         "llvm.nvvm.shfl.sync.bfly.i32"
// CHECK-LABEL: llvm.func ptx_kernelcc @pieces$y$carry(
// CHECK:         scf.for {{.*}} iter_args
// CHECK-COUNT-32:  llvm.load
// CHECK-COUNT-16:  llvm.store
// CHECK:           scf.yield
// CHECK-LABEL: llvm.func ptx_kernelcc @pieces$y(
// CHECK-NOT:     scf.while
// CHECK-LABEL: llvm.func ptx_kernelcc @pieces$y$cut(
// CHECK:         scf.while
// CHECK-LABEL: func.func @pieces(
// CHECK:         %[[LEFT:.*]]:2 = mom.launch @pieces$y$pieces <over "chunk" tile 64 extra 0 factor 2 above 128>
// CHECK-SAME:      -> (tensor<?x1024xf32, #mom.rows<chunk of 64>>, tensor<?x64xf32, #mom.rows<chunk of 64>>)
// CHECK:         %[[BEFORE:.*]] = mom.launch @pieces$y$carry <over "segment" tile 1 extra 0 factor 8 above 128>
// CHECK-SAME:      %[[LEFT]]#0, %[[LEFT]]#1)
// CHECK:         mom.launch @pieces$y <over "segment" tile 1 extra 0 factor 2> or @pieces$y$cut <over "chunk" tile 64 extra 0 factor 2 above 128>
// CHECK-SAME:      %[[BEFORE]])
func.func @pieces(%u: !narrow, %delta: !narrow, %A: !A, %B: !states, %C: !states, %batch: !mom.batch) -> !rows {
  %0 = mom.kernel scan "y" (%u, %delta, %A, %B, %C, %batch)
      schedule {threads = 128 : i64, lanes = 4 : i64, channels = 1 : i64, tokens = 32 : i64, group = 4 : i64, resident = 0 : i64, exact = 0 : i64, exp2_fma = 0 : i64, unit = 0 : i64, piece = 50 : i64, fill = 4096 : i64, sum_rows = 16 : i64}
      : (!narrow, !narrow, !A, !states, !states, !mom.batch) -> !rows {
  ^bb0(%u_: !narrow, %delta_: !narrow, %A_: !A, %B_: !states, %C_: !states, %batch_: !mom.batch):
    %wide = arith.extf %u_ : !narrow to !rows
    %wideDelta = arith.extf %delta_ : !narrow to !rows
    %y = mom.scan %wide, %wideDelta, %A_, %B_, %C_ in %batch_ : !rows, !rows, !A, !states, !states, !mom.batch -> !rows
    mom.yield %y : !rows
  }
  return %0 : !rows
}

// Checkpoints lie two runs apart: the second run's states are walked to from the first,
// and each run's groups go by once forward and once back. The sums of dB and dC over a
// warp's eight channels take seven shuffles a token. Blocks and segments are added up
// in a second phase.
// CHECK-LABEL: llvm.func ptx_kernelcc @gradient$du(
// CHECK-SAME:      "nvvm.minctasm", "3"
// CHECK:         scf.for {{.*}} iter_args
// CHECK:           scf.if
// CHECK:             scf.for
// CHECK:               scf.for
// CHECK-COUNT-8:         "llvm.nvvm.ex2.approx.ftz.f"
// CHECK:           scf.for
// CHECK-COUNT-8:     "llvm.nvvm.ex2.approx.ftz.f"
// CHECK:           scf.for
// CHECK-COUNT-8:     "llvm.nvvm.ex2.approx.ftz.f"
// CHECK-NOT:         "llvm.nvvm.ex2.approx.ftz.f"
// CHECK-COUNT-18:    "llvm.nvvm.shfl.sync.bfly.i32"
// CHECK-NOT:         "llvm.nvvm.shfl.sync.bfly.i32"
// CHECK:             scf.yield
// CHECK-LABEL: llvm.func ptx_kernelcc @gradient$du$sum
// CHECK:         arith.addf {{.*}} : f64
// CHECK-LABEL: func.func @gradient
// CHECK:         mom.launch @gradient$du <over "segment" tile 1 extra 0 factor 2>
// CHECK-SAME:      tensor<?x64xf32, #mom.rows<token by "M">>, tensor<?x1024xf32, #mom.rows<chunk of 1073741824>>
// CHECK:         mom.launch @gradient$du$sum <over "token" tile 16 extra 8 factor 1>
func.func @gradient(%u: !rows, %delta: !rows, %A: !A, %B: !states, %C: !states, %batch: !mom.batch, %dy: !rows, %saved: !chunk)
    -> (!rows, !rows, !A, !states, !states) {
  %0:5 = mom.kernel scan "du" (%u, %delta, %A, %B, %C, %batch, %dy, %saved)
      schedule {threads = 128 : i64, lanes = 4 : i64, channels = 1 : i64, tokens = 8 : i64, group = 2 : i64, resident = 3 : i64, exact = 0 : i64, exp2_fma = 0 : i64, unit = 0 : i64, piece = 0 : i64, fill = 1 : i64, sum_rows = 16 : i64}
      : (!rows, !rows, !A, !states, !states, !mom.batch, !rows, !chunk) -> (!rows, !rows, !A, !states, !states) {
  ^bb0(%u_: !rows, %delta_: !rows, %A_: !A, %B_: !states, %C_: !states, %batch_: !mom.batch, %dy_: !rows, %saved_: !chunk):
    %du, %dd, %dA, %dB, %dC = mom.scan_grad %u_, %delta_, %A_, %B_, %C_ in %batch_ gradient %dy_ checkpoints %saved_
        : !rows, !rows, !A, !states, !states, !mom.batch, !rows, !chunk -> !rows, !rows, !A, !states, !states
    mom.yield %du, %dd, %dA, %dB, %dC : !rows, !rows, !A, !states, !states
  }
  return %0#0, %0#1, %0#2, %0#3, %0#4 : !rows, !rows, !A, !states, !states
}

!narrowStates = tensor<?x16xbf16, #mom.rows<token by "M">>
!saved = tensor<?x1024xf32, #mom.rows<chunk of 64>>

// On tensor cores nothing is shuffled. Two warps share 16 channels: a walk along, by four
// groups and one, has a product and four exponentials a token and leaves states as
// matrices, all loads before the first of them; back, by two groups and one, states are
// read as they lie and turned, and two tokens' sums over states and over channels are a
// product each, four tokens' of dA another. The next run is brought near before the walk.
// CHECK-LABEL: llvm.func ptx_kernelcc @tensor$du(
// CHECK:         scf.for {{.*}} iter_args
// CHECK:           "llvm.nvvm.barrier.cta.sync.aligned.all"
// CHECK-COUNT-8:   prefetch.global.L2
// CHECK:           scf.for
// CHECK-NOT:         "llvm.nvvm.stmatrix
// CHECK:             "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x2.trans.b16"
// CHECK-COUNT-40:    llvm.load {{.*}} !llvm.ptr<3>
// CHECK-NOT:         llvm.load
// CHECK-COUNT-16:    "llvm.nvvm.stmatrix.sync.aligned.m8n8.x4.b16"
// CHECK-NOT:         "llvm.nvvm.stmatrix
// CHECK:           scf.for
// CHECK-COUNT-8:     "llvm.nvvm.mma.m16n8k8.row.col.bf16"
// CHECK-NOT:         "llvm.nvvm.mma
// CHECK:           "llvm.nvvm.bar.warp.sync"
// CHECK:           scf.for
// CHECK-COUNT-4:     "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16"
// CHECK:             "llvm.nvvm.mma.m16n8k16.row.col.bf16"
// CHECK:             arith.mulf {{.*}} : vector<2xbf16>
// CHECK:             math.fma {{.*}} : vector<2xbf16>
// CHECK-COUNT-8:     movmatrix.sync
// CHECK:             "llvm.nvvm.bar.warp.sync"
// CHECK:             scf.yield
// CHECK:           scf.for
// CHECK-NOT:         "llvm.nvvm.bar.warp.sync"
// CHECK-COUNT-16:    movmatrix.sync
// CHECK-COUNT-4:     "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16"
// CHECK:             "llvm.nvvm.bar.warp.sync"
// CHECK-COUNT-16:    movmatrix.sync
// CHECK-NOT:         "llvm.nvvm.bar.warp.sync"
// CHECK-NOT:         "llvm.nvvm.shfl
// CHECK:             scf.yield
// CHECK-LABEL: llvm.func ptx_kernelcc @tensor$du$sum
func.func @tensor(%u: !narrow, %delta: !narrow, %A: !A, %B: !narrowStates, %C: !narrowStates, %batch: !mom.batch, %dy: !narrow, %saved: !saved)
    -> (!rows, !rows, !A, !states, !states) {
  %0:5 = mom.kernel scan "du" (%u, %delta, %A, %B, %C, %batch, %dy, %saved)
      schedule {threads = 128 : i64, lanes = 8 : i64, channels = 2 : i64, tokens = 64 : i64, group = 32 : i64, resident = 0 : i64, exact = 0 : i64, exp2_fma = 0 : i64, unit = 1 : i64, piece = 0 : i64, fill = 1 : i64, sum_rows = 16 : i64}
      : (!narrow, !narrow, !A, !narrowStates, !narrowStates, !mom.batch, !narrow, !saved) -> (!rows, !rows, !A, !states, !states) {
  ^bb0(%u_: !narrow, %delta_: !narrow, %A_: !A, %B_: !narrowStates, %C_: !narrowStates, %batch_: !mom.batch, %dy_: !narrow, %saved_: !saved):
    %wideU = arith.extf %u_ : !narrow to !rows
    %wideDelta = arith.extf %delta_ : !narrow to !rows
    %wideB = arith.extf %B_ : !narrowStates to !states
    %wideC = arith.extf %C_ : !narrowStates to !states
    %wideDy = arith.extf %dy_ : !narrow to !rows
    %du, %dd, %dA, %dB, %dC = mom.scan_grad %wideU, %wideDelta, %A_, %wideB, %wideC in %batch_ gradient %wideDy checkpoints %saved_
        : !rows, !rows, !A, !states, !states, !mom.batch, !rows, !saved -> !rows, !rows, !A, !states, !states
    mom.yield %du, %dd, %dA, %dB, %dC : !rows, !rows, !A, !states, !states
  }
  return %0#0, %0#1, %0#2, %0#3, %0#4 : !rows, !rows, !A, !states, !states
}
