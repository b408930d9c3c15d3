// Results that are as narrow as the inputs in panels take their places there: matrices are read
// and written as sums lie. One of 32 bits does not fit, so threads exchange sums.
// RUN: mom-opt %s --mom-resolve-schedule="target=gpu architecture=90" --mom-emit-gpu | FileCheck %s

!x = tensor<?x128xbf16, #mom.rows<token>>
!xf = tensor<?x128xf32, #mom.rows<token>>
!w = tensor<128x128xbf16>
!wf = tensor<128x128xf32>

// CHECK-LABEL: llvm.func ptx_kernelcc @narrow$y(
// CHECK-NOT: llvm.nvvm.shfl.sync.bfly
// CHECK: llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16
// CHECK-NOT: llvm.nvvm.shfl.sync.bfly
// CHECK: llvm.nvvm.stmatrix.sync.aligned.m8n8.x4.b16
// CHECK: llvm.nvvm.fence.proxy.async.shared_cta
// CHECK-LABEL: llvm.func ptx_kernelcc @wide$y(
// CHECK-NOT: llvm.nvvm.stmatrix
// CHECK: llvm.nvvm.shfl.sync.bfly
// CHECK-NOT: llvm.nvvm.stmatrix

func.func @narrow(%x: !x, %w: !w, %p: !x) -> !x {
  %0 = mom.kernel product "y"(%x, %w, %p) schedule {panels = 2 : i64} : (!x, !w, !x) -> !x {
  ^bb0(%a: !x, %b: !w, %c: !x):
    %1 = arith.extf %a : !x to !xf
    %2 = arith.extf %b : !w to !wf
    %3 = arith.extf %c : !x to !xf
    %4 = mom.linear transposed %1 by %2 : !xf, !wf -> !xf
    %5 = arith.mulf %4, %3 : !xf
    %6 = arith.truncf %5 : !xf to !x
    mom.yield %6 : !x
  }
  return %0 : !x
}

func.func @wide(%x: !x, %w: !w, %p: !x) -> !xf {
  %0 = mom.kernel product "y"(%x, %w, %p) schedule {panels = 2 : i64} : (!x, !w, !x) -> !xf {
  ^bb0(%a: !x, %b: !w, %c: !x):
    %1 = arith.extf %a : !x to !xf
    %2 = arith.extf %b : !w to !wf
    %3 = arith.extf %c : !x to !xf
    %4 = mom.linear transposed %1 by %2 : !xf, !wf -> !xf
    %5 = arith.mulf %4, %3 : !xf
    mom.yield %5 : !xf
  }
  return %0 : !xf
}
