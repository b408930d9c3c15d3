// RUN: mom-opt %s --mom-resolve-schedule="target=gpu architecture=90" --mom-emit-gpu="architecture=90" --canonicalize --cse --split-input-file | FileCheck %s

#t = #mom.rows<token>

// Elements that are all alike: vectors of 16 bytes, two under way, loads first. The
// last block, which may be ragged, has a loop.
// CHECK-LABEL: llvm.func ptx_kernelcc @alike$y
// CHECK: scf.if
// CHECK-COUNT-4: llvm.load {{.*}} {alignment = 16 : i64} : !llvm.ptr -> vector<8xbf16>
// CHECK-NOT: llvm.load
// CHECK-COUNT-2: llvm.store {{.*}} {alignment = 16 : i64} : vector<8xbf16>
// CHECK: scf.for
// CHECK-LABEL: func.func @alike
// CHECK: mom.launch @alike$y <over "token" tile 2 extra 0 factor 1>
func.func @alike(%x: tensor<?x1024xbf16, #t>, %y: tensor<?x1024xbf16, #t>) -> tensor<?x1024xbf16, #t> {
  %0 = mom.kernel map "y"(%x, %y) : (tensor<?x1024xbf16, #t>, tensor<?x1024xbf16, #t>) -> tensor<?x1024xbf16, #t> {
  ^bb0(%a: tensor<?x1024xbf16, #t>, %b: tensor<?x1024xbf16, #t>):
    %1 = arith.extf %a : tensor<?x1024xbf16, #t> to tensor<?x1024xf32, #t>
    %2 = arith.extf %b : tensor<?x1024xbf16, #t> to tensor<?x1024xf32, #t>
    %3 = arith.mulf %1, %2 : tensor<?x1024xf32, #t>
    %4 = arith.truncf %3 : tensor<?x1024xf32, #t> to tensor<?x1024xbf16, #t>
    mom.yield %4 : tensor<?x1024xbf16, #t>
  }
  return %0 : tensor<?x1024xbf16, #t>
}

// -----

#t = #mom.rows<token>

// A warp a row of 1024 channels: eight vectors a thread, each loaded once and kept in
// registers; the sum goes through shuffles, without a barrier or a loop.
// CHECK-LABEL: llvm.func ptx_kernelcc @norm$n
// CHECK-SAME: mom.shared = 0
// CHECK-NOT: scf.for
// CHECK-COUNT-8: llvm.load {{.*}} {alignment = 16 : i64} : !llvm.ptr -> vector<4xf32>
// CHECK-NOT: llvm.load
// CHECK-COUNT-5: llvm.nvvm.shfl.sync.bfly.i32
// CHECK-NOT: barrier
// CHECK-COUNT-8: llvm.store
// CHECK-LABEL: func.func @norm
// CHECK: mom.launch @norm$n <over "token" tile 4 extra 0 factor 1>
func.func @norm(%x: tensor<?x1024xf32, #t>) -> tensor<?x1024xf32, #t> {
  %0 = mom.kernel map "n"(%x) : (tensor<?x1024xf32, #t>) -> tensor<?x1024xf32, #t> {
  ^bb0(%a: tensor<?x1024xf32, #t>):
    %1 = mom.rms_norm %a {eps = 1.0e-05 : f64} : tensor<?x1024xf32, #t>
    mom.yield %1 : tensor<?x1024xf32, #t>
  }
  return %0 : tensor<?x1024xf32, #t>
}

// -----

#t = #mom.rows<token>

// A block a long row: its largest logit, then the sum of exponentials, each with one
// barrier. A target that is too large is reported by one thread.
// CHECK-LABEL: llvm.func ptx_kernelcc @loss$nll
// CHECK-SAME: "nvvm.reqntid", "256"
// CHECK: scf.for
// CHECK: barrier.cta.sync
// CHECK: scf.for
// CHECK: math.exp
// CHECK: barrier.cta.sync
// CHECK-NOT: barrier.cta.sync
// CHECK: llvm.cmpxchg
// CHECK-LABEL: func.func @loss
func.func @loss(%x: tensor<?x32768xf32, #t>, %t: tensor<?x1xi32, #t>) -> tensor<?x1xf32, #t> {
  %0 = mom.kernel map "nll"(%x, %t) : (tensor<?x32768xf32, #t>, tensor<?x1xi32, #t>) -> tensor<?x1xf32, #t> {
  ^bb0(%a: tensor<?x32768xf32, #t>, %b: tensor<?x1xi32, #t>):
    %nll, %lse = mom.cross_entropy %a, %b : tensor<?x32768xf32, #t>, tensor<?x1xi32, #t> -> tensor<?x1xf32, #t>
    mom.yield %nll : tensor<?x1xf32, #t>
  }
  return %0 : tensor<?x1xf32, #t>
}

// -----

// A norm of many elements: parts of 65536, then one block that adds these up in f64.
// CHECK-LABEL: llvm.func ptx_kernelcc @gradient_norm$norm(
// CHECK-COUNT-4: llvm.load {{.*}} {alignment = 16 : i64} : !llvm.ptr -> vector<4xf32>
// CHECK-LABEL: llvm.func ptx_kernelcc @gradient_norm$norm$total(
// CHECK: arith.extf {{.*}} : f32 to f64
// CHECK: math.sqrt
// CHECK-LABEL: func.func @gradient_norm
// CHECK: mom.launch @gradient_norm$norm <tile 1 extra 0 factor 16>
// CHECK: mom.launch @gradient_norm$norm$total <tile 1 extra 0 factor 1>
func.func @gradient_norm(%g: tensor<1048576xf32>) -> tensor<1xf32> {
  %0 = mom.kernel map "norm"(%g) : (tensor<1048576xf32>) -> tensor<1xf32> {
  ^bb0(%a: tensor<1048576xf32>):
    %1 = arith.mulf %a, %a : tensor<1048576xf32>
    %2 = mom.reduce sum %1 : tensor<1048576xf32> -> tensor<1xf32>
    %3 = math.sqrt %2 : tensor<1xf32>
    mom.yield %3 : tensor<1xf32>
  }
  return %0 : tensor<1xf32>
}
