// RUN: mom-opt %s --mom-emit-cpu | FileCheck %s

!both = tensor<?x12xf32, #mom.rows<token>>
!rows = tensor<?x6xf32, #mom.rows<token>>
!state = tensor<?x12xf32, #mom.rows<stream>>
!taps = tensor<6x3xf32>

// The two inputs before a token stay in registers. x is a range of channels of
// the kernel's input. Final states are another launch.
// CHECK-LABEL: llvm.func @forward.y
// CHECK:         scf.while
// CHECK:         scf.for {{.*}} iter_args({{.*}}) -> (vector<4xf32>, vector<4xf32>)
// CHECK:           llvm.intr.masked.load
// CHECK-NOT:       llvm.intr.masked.load
// CHECK:           mom.silu
// CHECK:           llvm.intr.masked.store
// CHECK-LABEL: llvm.func @forward.y.final
// CHECK-LABEL: func.func @forward
// CHECK:         mom.launch @forward.y <over "token" tile 256 extra 0 factor 2>
// CHECK:         mom.launch @forward.y.final <tile 1 extra 0 factor 2>
func.func @forward(%x: !both, %w: !taps, %batch: !mom.batch, %init: !state) -> (!rows, !state) {
  %0:2 = mom.kernel conv "y" (%x, %w, %batch, %init) schedule {lanes = 4 : i64, tile_rows = 256 : i64, flush = 256 : i64}
      : (!both, !taps, !mom.batch, !state) -> (!rows, !state) {
  ^bb0(%x_: !both, %w_: !taps, %batch_: !mom.batch, %init_: !state):
    %other, %a = mom.split %x_ : !both -> !rows, !rows
    %y, %f = mom.conv1d %a by %w_ in %batch_ init %init_ : !rows, !taps, !mom.batch, !state -> !rows final !state
    %z = mom.silu %y : !rows
    mom.yield %z, %f : !rows, !state
  }
  return %0#0, %0#1 : !rows, !state
}

// One walk for all gradients: two of dy and four sums (three taps, the bias) are
// carried.
// CHECK-LABEL: llvm.func @gradient.dx
// CHECK:         scf.for {{.*}} iter_args({{.*}}) -> (vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>)
// CHECK:         arith.extf {{.*}} : vector<4xf32> to vector<4xf64>
// CHECK-LABEL: func.func @gradient
// CHECK:         mom.launch @gradient.dx <tile 1 extra 0 factor 2>
func.func @gradient(%x: !rows, %w: !taps, %batch: !mom.batch) -> (!rows, !taps, tensor<6xf32>) {
  %0:3 = mom.kernel conv "dx" (%x, %w, %batch) schedule {lanes = 4 : i64, tile_rows = 256 : i64, flush = 256 : i64}
      : (!rows, !taps, !mom.batch) -> (!rows, !taps, tensor<6xf32>) {
  ^bb0(%x_: !rows, %w_: !taps, %batch_: !mom.batch):
    %dx, %dw, %db = mom.conv1d_grad %x_ by %w_ in %batch_ gradient %x_ : !rows, !taps, !mom.batch, !rows -> !rows, !taps bias tensor<6xf32>
    mom.yield %dx, %dw, %db : !rows, !taps, tensor<6xf32>
  }
  return %0#0, %0#1, %0#2 : !rows, !taps, tensor<6xf32>
}
