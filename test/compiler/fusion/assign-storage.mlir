// RUN: mom-opt %s --mom-assign-storage=type=bf16 --mlir-print-local-scope | FileCheck %s
// RUN: mom-opt %s --mom-assign-storage | FileCheck %s --check-prefix=F32
// RUN: not mom-opt %s --mom-assign-storage=type=i8 2>&1 | FileCheck %s --check-prefix=BAD

// F32-NOT: bf16
// BAD: expected storage f32, bf16 or f16, but got i8
#t = #mom.rows<token>
// CHECK-LABEL: func.func @store(
// CHECK:         %[[A:.*]] = mom.kernel map "a"(%arg0) : {{.*}} -> tensor<?x8xbf16, #mom.rows<token>>
// CHECK:           %[[T:.*]] = arith.truncf
// CHECK:           mom.yield %[[T]]
// CHECK:         %[[B:.*]] = mom.kernel map "b"(%[[A]]) : {{.*}} -> tensor<?x8xf32, #mom.rows<token>>
// CHECK:           arith.extf %{{.*}} : tensor<?x8xbf16, #mom.rows<token>> to tensor<?x8xf32, #mom.rows<token>>
// CHECK:         return %[[B]]
func.func @store(%x: tensor<?x8xf32, #t>) -> tensor<?x8xf32, #t> {
  %a = mom.kernel map "a"(%x) : (tensor<?x8xf32, #t>) -> tensor<?x8xf32, #t> {
  ^bb0(%x0: tensor<?x8xf32, #t>):
    %s = mom.silu %x0 : tensor<?x8xf32, #t>
    mom.yield %s : tensor<?x8xf32, #t>
  }
  %b = mom.kernel map "b"(%a) : (tensor<?x8xf32, #t>) -> tensor<?x8xf32, #t> {
  ^bb0(%a0: tensor<?x8xf32, #t>):
    %s = mom.silu %a0 : tensor<?x8xf32, #t>
    mom.yield %s : tensor<?x8xf32, #t>
  }
  return %b : tensor<?x8xf32, #t>
}
