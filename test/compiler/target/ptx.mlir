// RUN: momc emit %S/../../gpu/pointwise.mlir --start-from fused --target sm_90a --storage bf16 --stage ptx | FileCheck %s
// RUN: momc emit %S/../../gpu/pointwise.mlir --start-from fused --target sm_80 --stage ptx | FileCheck %s --check-prefix=SM80
// RUN: not momc emit %S/../../gpu/pointwise.mlir --start-from fused --stage ptx 2>&1 | FileCheck %s --check-prefix=CPU
// RUN: not momc emit %examples/mixture-of-mamba.mom --target sm_90a --stage ptx 2>&1 | FileCheck %s --check-prefix=ANCHOR

// CHECK: .version 9.0
// CHECK: .target sm_90a
// CHECK: .entry pointwise$a(
// CHECK: cvt.rn.bf16{{.*}}f32
// CHECK: .entry pointwise$y(
// SM80: .target sm_80
// CPU: expected a GPU as target, such as sm_90a, but got cpu
// ANCHOR: a map kernel cannot compute mom.rms_norm here
