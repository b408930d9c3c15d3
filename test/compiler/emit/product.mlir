// RUN: mom-opt %s --mom-resolve-schedule="cpu=x86-64-v3" --mom-emit-cpu | FileCheck %s

#m = #mom.rows<token by "M">

// One block a tile of one group: as many tiles as rows fill, and one more a group.
// The microkernel keeps 6 rows by 2 vectors of sums; the weights are transposed.
// CHECK-LABEL: llvm.func @forward.y
// CHECK: vector.shuffle
// CHECK: scf.for {{.*}} iter_args({{.*}}) -> (vector<8xf32>{{(, vector<8xf32>)+}})
// CHECK-COUNT-12: llvm.intr.fmuladd
// CHECK-NOT: llvm.intr.fmuladd
// CHECK: scf.yield
// CHECK: mom.silu
// CHECK-LABEL: func.func @forward
// CHECK: mom.launch @forward.y <over "token" tile 144 extra 3 factor 2>
func.func @forward(%batch: !mom.batch, %x: tensor<?x64xf32, #m>, %w: tensor<3x512x64xf32>) -> tensor<?x512xf32, #m> {
  %r = mom.modality_route %batch : !mom.route<"M", 3>
  %0 = mom.kernel product "y"(%x, %w, %r) : (tensor<?x64xf32, #m>, tensor<3x512x64xf32>, !mom.route<"M", 3>) -> tensor<?x512xf32, #m> {
  ^bb0(%a: tensor<?x64xf32, #m>, %b: tensor<3x512x64xf32>, %q: !mom.route<"M", 3>):
    %1 = mom.linear %a by %b for %q : !mom.route<"M", 3>, tensor<?x64xf32, #m>, tensor<3x512x64xf32> -> tensor<?x512xf32, #m>
    %2 = mom.silu %1 : tensor<?x512xf32, #m>
    mom.yield %2 : tensor<?x512xf32, #m>
  }
  return %0 : tensor<?x512xf32, #m>
}

// Weights that lie as the product reads them are copied, not transposed.
// CHECK-LABEL: llvm.func @transposed.dx
// CHECK-NOT: vector.shuffle
// CHECK: llvm.return
func.func @transposed(%batch: !mom.batch, %dy: tensor<?x64xf32, #m>, %w: tensor<3x64x48xf32>) -> tensor<?x48xf32, #m> {
  %r = mom.modality_route %batch : !mom.route<"M", 3>
  %0 = mom.kernel product "dx"(%dy, %w, %r) : (tensor<?x64xf32, #m>, tensor<3x64x48xf32>, !mom.route<"M", 3>) -> tensor<?x48xf32, #m> {
  ^bb0(%a: tensor<?x64xf32, #m>, %b: tensor<3x64x48xf32>, %q: !mom.route<"M", 3>):
    %1 = mom.linear transposed %a by %b for %q : !mom.route<"M", 3>, tensor<?x64xf32, #m>, tensor<3x64x48xf32> -> tensor<?x48xf32, #m>
    mom.yield %1 : tensor<?x48xf32, #m>
  }
  return %0 : tensor<?x48xf32, #m>
}

// A weight gradient: groups by tiles of the weights, whatever the rows.
// CHECK-LABEL: func.func @wgrad
// CHECK: mom.launch @wgrad.dw <tile 1 extra 0 factor 12>
func.func @wgrad(%batch: !mom.batch, %x: tensor<?x300xf32, #m>, %dy: tensor<?x200xf32, #m>) -> tensor<3x200x300xf32> {
  %r = mom.modality_route %batch : !mom.route<"M", 3>
  %0 = mom.kernel product "dw"(%x, %dy, %r) : (tensor<?x300xf32, #m>, tensor<?x200xf32, #m>, !mom.route<"M", 3>) -> tensor<3x200x300xf32> {
  ^bb0(%a: tensor<?x300xf32, #m>, %b: tensor<?x200xf32, #m>, %q: !mom.route<"M", 3>):
    %1 = mom.linear_wgrad %a, %b for %q : !mom.route<"M", 3>, tensor<?x300xf32, #m>, tensor<?x200xf32, #m> -> tensor<3x200x300xf32>
    mom.yield %1 : tensor<3x200x300xf32>
  }
  return %0 : tensor<3x200x300xf32>
}
