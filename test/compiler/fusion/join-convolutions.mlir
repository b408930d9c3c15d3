// RUN: mom-opt %s --mom-assign-order --mom-form-kernels --mom-assign-storage=type=bf16 --mom-join-convolutions | FileCheck %s
// In f32 tensor cores do not multiply, and rows stay apart.
// RUN: mom-opt %s --mom-assign-order --mom-form-kernels --mom-assign-storage=type=f32 --mom-join-convolutions | FileCheck %s --check-prefix=WIDE

#t = #mom.rows<token>

// The product yields the rows for the other one, too.
// CHECK-LABEL: func.func @groups
// CHECK-NOT: mom.kernel conv
// CHECK: %[[BOTH:.*]]:2 = mom.kernel product "u, y"
// CHECK: mom.conv1d
// CHECK: mom.silu
// CHECK: %[[U:.*]] = arith.truncf
// CHECK: %[[X:.*]] = arith.extf %[[U]]
// CHECK: mom.linear %[[X]]
// CHECK: mom.yield {{.*}}, %[[U]]
// CHECK: mom.kernel product "linear"(%[[BOTH]]#1
// WIDE-LABEL: func.func @groups
// WIDE: mom.kernel conv
func.func @groups(%batch: !mom.batch, %x: tensor<?x32xf32, #t>, %p: tensor<3x192x32xf32>, %taps: tensor<128x4xf32>, %bias: tensor<128xf32>, %w: tensor<3x96x128xf32>, %v: tensor<3x192x128xf32>)
    -> (tensor<?x96xf32, #t>, tensor<?x192xf32, #t>) {
  %M = mom.modality_route %batch : !mom.route<"M", 3>
  %az = mom.linear %x by %p for %M : !mom.route<"M", 3>, tensor<?x32xf32, #t>, tensor<3x192x32xf32> -> tensor<?x192xf32, #t>
  %z, %a = mom.split %az : tensor<?x192xf32, #t> -> tensor<?x64xf32, #t>, tensor<?x128xf32, #t>
  %c = mom.conv1d %a by %taps in %batch bias %bias : tensor<?x128xf32, #t>, tensor<128x4xf32>, !mom.batch, tensor<128xf32> -> tensor<?x128xf32, #t>
  %u = mom.silu %c : tensor<?x128xf32, #t> loc("u")
  %y = mom.linear %u by %w for %M : !mom.route<"M", 3>, tensor<?x128xf32, #t>, tensor<3x96x128xf32> -> tensor<?x96xf32, #t> loc("y")
  %more = mom.linear %u by %v for %M : !mom.route<"M", 3>, tensor<?x128xf32, #t>, tensor<3x192x128xf32> -> tensor<?x192xf32, #t>
  return %y, %more : tensor<?x96xf32, #t>, tensor<?x192xf32, #t>
}

// Nobody else reads them.
// CHECK-LABEL: func.func @alone
// CHECK-NOT: mom.kernel conv
// CHECK: = mom.kernel product "c, y"({{.*}} -> tensor<?x33xf32
func.func @alone(%batch: !mom.batch, %x: tensor<?x16xf32, #t>, %p: tensor<64x16xf32>, %taps: tensor<64x8xf32>, %w: tensor<33x64xf32>) -> tensor<?x33xf32, #t> {
  %a = mom.linear %x by %p : tensor<?x16xf32, #t>, tensor<64x16xf32> -> tensor<?x64xf32, #t>
  %c = mom.conv1d %a by %taps in %batch : tensor<?x64xf32, #t>, tensor<64x8xf32>, !mom.batch -> tensor<?x64xf32, #t> loc("c")
  %y = mom.linear %c by %w : tensor<?x64xf32, #t>, tensor<33x64xf32> -> tensor<?x33xf32, #t> loc("y")
  return %y : tensor<?x33xf32, #t>
}

// Not what is reversed, goes on from a state, or is read by a product of many columns.
// CHECK-LABEL: func.func @apart
// CHECK: mom.kernel conv
// CHECK: mom.kernel conv
// CHECK: mom.kernel conv
func.func @apart(%batch: !mom.batch, %x: tensor<?x16xf32, #t>, %p: tensor<64x16xf32>, %taps: tensor<64x4xf32>, %state: tensor<?x192xf32, #mom.rows<stream>>, %w: tensor<40x64xf32>, %v: tensor<192x64xf32>)
    -> (tensor<?x40xf32, #t>, tensor<?x40xf32, #t>, tensor<?x192xf32, #t>) {
  %a = mom.linear %x by %p : tensor<?x16xf32, #t>, tensor<64x16xf32> -> tensor<?x64xf32, #t>
  %c = mom.conv1d reverse %a by %taps in %batch : tensor<?x64xf32, #t>, tensor<64x4xf32>, !mom.batch -> tensor<?x64xf32, #t>
  %y = mom.linear %c by %w : tensor<?x64xf32, #t>, tensor<40x64xf32> -> tensor<?x40xf32, #t>
  %d = mom.conv1d %a by %taps in %batch init %state : tensor<?x64xf32, #t>, tensor<64x4xf32>, !mom.batch, tensor<?x192xf32, #mom.rows<stream>> -> tensor<?x64xf32, #t>
  %z = mom.linear %d by %w : tensor<?x64xf32, #t>, tensor<40x64xf32> -> tensor<?x40xf32, #t>
  %e = mom.conv1d %a by %taps in %batch : tensor<?x64xf32, #t>, tensor<64x4xf32>, !mom.batch -> tensor<?x64xf32, #t>
  %more = mom.linear %e by %v : tensor<?x64xf32, #t>, tensor<192x64xf32> -> tensor<?x192xf32, #t>
  return %y, %z, %more : tensor<?x40xf32, #t>, tensor<?x40xf32, #t>, tensor<?x192xf32, #t>
}
