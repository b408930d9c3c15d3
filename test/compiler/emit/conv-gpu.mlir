// RUN: mom-opt %s --mom-resolve-schedule="target=gpu architecture=90" --mom-emit-gpu | FileCheck %s

!wide = tensor<?x64xbf16, #mom.rows<token by "M">>
!widef = tensor<?x64xf32, #mom.rows<token by "M">>
!rows = tensor<?x32xbf16, #mom.rows<token by "M">>
!rowsf = tensor<?x32xf32, #mom.rows<token by "M">>
!state = tensor<?x96xf32, #mom.rows<stream>>
!taps = tensor<32x4xf32>

// A thread has 8 channels, 16 bytes, of x, a range of a wider row. The rows of 4 tokens
// are one load of the index, and their channels are copied to shared memory two chunks
// ahead of their use. Final states are another launch.
// CHECK-LABEL: llvm.func ptx_kernelcc @forward$y(
// CHECK:         llvm.getelementptr %arg2[%{{.*}}] : (!llvm.ptr, i64) -> !llvm.ptr, bf16
// CHECK:         llvm.load {{.*}} {alignment = 16 : i64} : !llvm.ptr -> vector<4xi32>
// CHECK-COUNT-4: "llvm.nvvm.cp.async.cg.shared.global.16"
// CHECK:         "llvm.nvvm.cp.async.commit.group"
// CHECK-COUNT-4: "llvm.nvvm.cp.async.cg.shared.global.16"
// CHECK:         scf.while
// CHECK:         scf.for
// CHECK:           "llvm.nvvm.cp.async.wait.group"
// CHECK:           scf.if
// CHECK-COUNT-4:     "llvm.nvvm.cp.async.cg.shared.global.16"
// CHECK:           llvm.load {{.*}} !llvm.ptr<3> -> vector<4xi32>
// CHECK:           llvm.bitcast {{.*}} : vector<4xi32> to vector<8xbf16>
// CHECK:           mom.silu {{.*}} : vector<8xf32>
// CHECK:           scf.if
// CHECK-NEXT:        arith.truncf
// CHECK:             llvm.store {{.*}} {alignment = 16 : i64} : vector<8xbf16>, !llvm.ptr
// CHECK-LABEL: llvm.func ptx_kernelcc @forward$y$final(
// CHECK:         llvm.nvvm.vote.ballot.sync
// CHECK-LABEL: func.func @forward
// CHECK:         mom.launch @forward$y <over "token" tile 2048 extra 0 factor 1>
// CHECK:         mom.launch @forward$y$final <over "stream" tile 1 extra 0 factor 1>
func.func @forward(%x: !wide, %w: !taps, %batch: !mom.batch, %init: !state) -> (!rows, !state) {
  %0:2 = mom.kernel conv "y" (%x, %w, %batch, %init) : (!wide, !taps, !mom.batch, !state) -> (!rows, !state) {
  ^bb0(%x_: !wide, %w_: !taps, %batch_: !mom.batch, %init_: !state):
    %xf = arith.extf %x_ : !wide to !widef
    %other, %a = mom.split %xf : !widef -> !rowsf, !rowsf
    %y, %f = mom.conv1d %a by %w_ in %batch_ init %init_ : !rowsf, !taps, !mom.batch, !state -> !rowsf final !state
    %z = mom.silu %y : !rowsf
    %zb = arith.truncf %z : !rowsf to !rows
    mom.yield %zb, %f : !rows, !state
  }
  return %0#0, %0#1 : !rows, !state
}

// Sums over 32 tokens are added to totals in shared memory: four taps and the bias for
// 256 threads of 8 channels. As many parts for any batch, then their sum in order; no
// atomics.
// CHECK-LABEL: llvm.func ptx_kernelcc @gradient$dx(
// CHECK-SAME:    mom.shared = 106496 : i64
// CHECK:         scf.for
// CHECK:           arith.remui
// CHECK:           scf.if
// CHECK:             llvm.store {{.*}} : vector<8xf32>, !llvm.ptr<3>
// CHECK:         llvm.nvvm.barrier.cta.sync.aligned.all
// CHECK-LABEL: llvm.func ptx_kernelcc @gradient$dx$sum(
// CHECK-NOT:     atomic
// CHECK-LABEL: func.func @gradient
// CHECK:         mom.launch @gradient$dx <tile 1 extra 0 factor 132>({{.*}}) : {{.*}} -> ({{.*}}, tensor<132x160xf32>)
// CHECK:         mom.launch @gradient$dx$sum <tile 1 extra 0 factor 2>
func.func @gradient(%x: !rows, %w: !taps, %batch: !mom.batch, %dy: !rows) -> (!rows, !taps, tensor<32xf32>) {
  %0:3 = mom.kernel conv "dx" (%x, %w, %batch, %dy) : (!rows, !taps, !mom.batch, !rows) -> (!rows, !taps, tensor<32xf32>) {
  ^bb0(%x_: !rows, %w_: !taps, %batch_: !mom.batch, %dy_: !rows):
    %xf = arith.extf %x_ : !rows to !rowsf
    %dyf = arith.extf %dy_ : !rows to !rowsf
    %dx, %dw, %db = mom.conv1d_grad %xf by %w_ in %batch_ gradient %dyf : !rowsf, !taps, !mom.batch, !rowsf -> !rowsf, !taps bias tensor<32xf32>
    %dxb = arith.truncf %dx : !rowsf to !rows
    mom.yield %dxb, %dw, %db : !rows, !taps, tensor<32xf32>
  }
  return %0#0, %0#1, %0#2 : !rows, !taps, tensor<32xf32>
}
