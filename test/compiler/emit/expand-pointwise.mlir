// RUN: mom-opt %s --mom-expand-pointwise | FileCheck %s

// CHECK-LABEL: @vectors
// CHECK-NOT: mom.
// CHECK-NOT: math.exp
// CHECK: llvm.intr.fmuladd{{.*}}vector<8xf32>
// CHECK: arith.divf
llvm.func @vectors(%p: !llvm.ptr) {
  %x = llvm.load %p : !llvm.ptr -> vector<8xf32>
  %0 = mom.sigmoid %x : vector<8xf32>
  %1 = mom.softplus %0 : vector<8xf32>
  %2 = math.exp %1 : vector<8xf32>
  llvm.store %2, %p : vector<8xf32>, !llvm.ptr
  llvm.return
}

// Where rows have 16 bits each, softplus has fewer digits.
// CHECK-LABEL: @narrow
// CHECK-NOT: -3.244
// CHECK: 0.0413473025
llvm.func @narrow(%p: !llvm.ptr) attributes {mom.narrow} {
  %x = llvm.load %p : !llvm.ptr -> f32
  %0 = mom.softplus %x : f32
  llvm.store %0, %p : f32, !llvm.ptr
  llvm.return
}

// `scale` 0 does not read x: a fill is a fill whatever x is.
// CHECK-LABEL: @fill
// CHECK: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK: llvm.store %[[ONE]]
llvm.func @fill(%p: !llvm.ptr) {
  %x = llvm.load %p : !llvm.ptr -> f32
  %0 = mom.affine %x {scale = 0.0 : f64, offset = 1.0 : f64} : f32
  llvm.store %0, %p : f32, !llvm.ptr
  llvm.return
}

// CHECK-LABEL: @erf
// CHECK-NOT: math.erf
// CHECK: llvm.intr.fmuladd{{.*}}vector<8xf32>
// CHECK: math.copysign
// CHECK: arith.select
llvm.func @erf(%p: !llvm.ptr) {
  %x = llvm.load %p : !llvm.ptr -> vector<8xf32>
  %0 = math.erf %x : vector<8xf32>
  llvm.store %0, %p : vector<8xf32>, !llvm.ptr
  llvm.return
}

// Functions without a polynomial stay, for libm.
// CHECK-LABEL: @stays
// CHECK: math.sin
llvm.func @stays(%p: !llvm.ptr) {
  %x = llvm.load %p : !llvm.ptr -> vector<8xf32>
  %0 = math.sin %x : vector<8xf32>
  llvm.store %0, %p : vector<8xf32>, !llvm.ptr
  llvm.return
}
