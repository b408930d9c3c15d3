// RUN: mom-opt %s --mom-resolve-schedule="target=gpu architecture=90" --mom-emit-gpu="architecture=90" --canonicalize --cse --split-input-file | FileCheck %s

#m = #mom.rows<token by "M">
!M = !mom.route<"M", 3>

// 256 channels a block, four rows under way; each of three groups has 22 parts, which
// the second phase adds up in f64.
// CHECK-LABEL: llvm.func ptx_kernelcc @bias$sum(
// CHECK: scf.for
// CHECK-COUNT-4: llvm.load {{.*}} {alignment = 16 : i64} : !llvm.ptr -> vector<8xbf16>
// CHECK: scf.for
// CHECK: barrier.cta.sync
// CHECK: llvm.store {{.*}} : f32, !llvm.ptr
// CHECK-LABEL: llvm.func ptx_kernelcc @bias$sum$total(
// CHECK: arith.extf {{.*}} : f32 to f64
// CHECK: arith.truncf {{.*}} : f64 to f32
// CHECK-LABEL: func.func @bias
// CHECK: mom.launch @bias$sum <tile 1 extra 0 factor 528>({{.*}}) : {{.*}} -> tensor<66x2048xf32>
// CHECK: mom.launch @bias$sum$total <tile 1 extra 0 factor 192>
func.func @bias(%x: tensor<?x2048xbf16, #m>, %r: !M) -> tensor<3x2048xf32> {
  %0 = mom.kernel reduce_rows "sum"(%x, %r) : (tensor<?x2048xbf16, #m>, !M) -> tensor<3x2048xf32> {
  ^bb0(%a: tensor<?x2048xbf16, #m>, %route: !M):
    %1 = arith.extf %a : tensor<?x2048xbf16, #m> to tensor<?x2048xf32, #m>
    %2 = mom.reduce_rows %1 for %route : !M, tensor<?x2048xf32, #m> -> tensor<3x2048xf32>
    mom.yield %2 : tensor<3x2048xf32>
  }
  return %0 : tensor<3x2048xf32>
}

// -----

#t = #mom.rows<token>

// Tokens sorted by id, without atomics; then a row of the table a warp.
// CHECK-LABEL: llvm.func ptx_kernelcc @embedding$table$list(
// CHECK-NOT: atomic
// CHECK: llvm.nvvm.shfl.sync.up.i32
// CHECK-LABEL: llvm.func ptx_kernelcc @embedding$table$sum(
// CHECK-NOT: atomic
// CHECK: llvm.store {{.*}} {alignment = 16 : i64} : vector<4xf32>
// CHECK-LABEL: func.func @embedding
// CHECK: mom.launch @embedding$table$list <tile 1 extra 0 factor 16>({{.*}}) : {{.*}} -> (tensor<?x1xi32, #mom.rows<token>>, tensor<1025xi32>)
// CHECK: mom.launch @embedding$table$sum <tile 1 extra 0 factor 250>
func.func @embedding(%ids: tensor<?x1xi32, #t>, %dy: tensor<?x256xf32, #t>) -> tensor<1000x256xf32> {
  %0 = mom.kernel reduce_rows "table"(%ids, %dy) : (tensor<?x1xi32, #t>, tensor<?x256xf32, #t>) -> tensor<1000x256xf32> {
  ^bb0(%a: tensor<?x1xi32, #t>, %b: tensor<?x256xf32, #t>):
    %1 = mom.embedding_grad %a, %b : tensor<?x1xi32, #t>, tensor<?x256xf32, #t> -> tensor<1000x256xf32>
    mom.yield %1 : tensor<1000x256xf32>
  }
  return %0 : tensor<1000x256xf32>
}
