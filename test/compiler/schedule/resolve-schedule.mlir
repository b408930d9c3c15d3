// RUN: mom-opt %s --mom-resolve-schedule="cpu=x86-64-v4" | FileCheck %s
// RUN: mom-opt %s --mom-resolve-schedule="cpu=znver4" | FileCheck %s
// RUN: mom-opt %s --mom-resolve-schedule="cpu=x86-64-v3" | FileCheck %s --check-prefix=V3
// RUN: mom-opt %s --mom-resolve-schedule="cpu=haswell" | FileCheck %s --check-prefix=V3

#t = #mom.rows<token>

// Defaults follow the width of the processor's vectors; what a kernel has stays.
// CHECK-LABEL: @defaults
// CHECK: mom.kernel product "y"
// CHECK-SAME: lanes = 16 : i64
// CHECK-SAME: register_rows = 12 : i64
// CHECK-SAME: tile_rows = 32 : i64
// V3-LABEL: @defaults
// V3: lanes = 8 : i64
// V3-SAME: register_rows = 6 : i64
func.func @defaults(%x: tensor<?x8xf32, #t>, %w: tensor<4x8xf32>) -> tensor<?x4xf32, #t> {
  %0 = mom.kernel product "y"(%x, %w) schedule {tile_rows = 32 : i64} : (tensor<?x8xf32, #t>, tensor<4x8xf32>) -> tensor<?x4xf32, #t> {
  ^bb0(%a: tensor<?x8xf32, #t>, %b: tensor<4x8xf32>):
    %1 = mom.linear %a by %b : tensor<?x8xf32, #t>, tensor<4x8xf32> -> tensor<?x4xf32, #t>
    mom.yield %1 : tensor<?x4xf32, #t>
  }
  return %0 : tensor<?x4xf32, #t>
}
