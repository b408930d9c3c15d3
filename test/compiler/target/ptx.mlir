// Emitted kernels as PTX 9.0, for Hopper and for older GPUs.
// RUN: momc emit %s --start-from fused --target sm_90a --storage bf16 --stage ptx | FileCheck %s
// RUN: momc emit %s --start-from fused --target sm_80 --storage bf16 --stage ptx | FileCheck %s --check-prefix=SM80
// RUN: not momc emit %s --start-from fused --stage ptx 2>&1 | FileCheck %s --check-prefix=CPU
// RUN: not momc emit %s --start-from fused --target sm_90x --stage asm 2>&1 | FileCheck %s --check-prefix=NAME
// An H100 is sm_90 to the driver; what LLVM does not know is refused.
// RUN: momc emit %s --start-from fused --target sm_90 --storage bf16 --stage ptx | FileCheck %s
// RUN: not momc emit %s --start-from fused --target sm_95 --stage ptx 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// UNKNOWN: expected cpu or a GPU as target, such as sm_80 or sm_90a, but got sm_95

// CHECK: .version 9.0
// CHECK: .target sm_90a
// CHECK: .entry pointwise$a(
// CHECK: .reqntid 256
// CHECK: ld.global.nc.v4
// CHECK: cvt.rn.bf16{{.*}}f32
// CHECK: .entry pointwise$y(
// SM80: .target sm_80
// SM80: .entry pointwise$a(
// CPU: expected a GPU as target, such as sm_90a, but got cpu
// NAME: expected cpu or a GPU as target, such as sm_80 or sm_90a, but got sm_90x
#rows = #mom.rows<token>
module attributes {mom.model = @pointwise} {
  func.func @pointwise(%batch: !mom.batch, %x: tensor<?x40xf32, #rows> {mom.input = "x"},
                       %scale: tensor<40xf32> {mom.input = "scale"})
      -> (tensor<?x40xf32, #rows> {mom.output = "y"}) attributes {mom.entry = "pointwise"} {
    %a = mom.kernel map "a"(%x) : (tensor<?x40xf32, #rows>) -> tensor<?x40xf32, #rows> {
    ^bb0(%x0: tensor<?x40xf32, #rows>):
      %s = mom.silu %x0 : tensor<?x40xf32, #rows>
      mom.yield %s : tensor<?x40xf32, #rows>
    }
    %y = mom.kernel map "y"(%a, %x, %scale)
        : (tensor<?x40xf32, #rows>, tensor<?x40xf32, #rows>, tensor<40xf32>) -> tensor<?x40xf32, #rows> {
    ^bb0(%a0: tensor<?x40xf32, #rows>, %x0: tensor<?x40xf32, #rows>, %w: tensor<40xf32>):
      %b = mom.broadcast %w like %a0 : tensor<40xf32>, tensor<?x40xf32, #rows> -> tensor<?x40xf32, #rows>
      %p = mom.softplus %x0 : tensor<?x40xf32, #rows>
      %m = arith.mulf %a0, %b : tensor<?x40xf32, #rows>
      %r = arith.addf %m, %p : tensor<?x40xf32, #rows>
      mom.yield %r : tensor<?x40xf32, #rows>
    }
    return %y : tensor<?x40xf32, #rows>
  }
}
