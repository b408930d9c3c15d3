// Products that make of a convolution what they multiply, and write it for another reader: in
// groups' order and by position; a range of another product's columns; eight taps, two, one;
// without a bias, without an activation. Short spans have more breaks than there are spare lines.
// RUN: mom-compare %s --compiled --fuse=2 --target=sm_90a --emulate --storage=bf16 --tokens=0,1,3,64,300
// RUN: mom-compare %s --compiled --fuse=2 --target=sm_90a --emulate --storage=bf16 --lengths=1,1,2,3,4,1,64,65 --streams=3 --seed=8
// RUN: mom-compare %s --compiled --fuse=2 --target=sm_90a --emulate --storage=f16 --lengths=200,1,130 --seed=9 --order=position
// RUN: mom-compare %s --compiled --fuse=2 --target=sm_90a --emulate --storage=bf16 --lengths=70,65,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1 --seed=10
// RUN: mom-compare %s --compiled --fuse=2 --target=sm_90a --emulate --storage=bf16 --tokens=200 --seed=11 --knob=tile_rows=128 --knob=threads=256 --knob=blocks=1 --knob=stages=4
// RUN: mom-compare %s --compiled --fuse=2 --target=sm_90a --emulate --storage=bf16 --tokens=200 --seed=12 --knob=unit=1
// RUN: mom-compare %s --compiled --fuse=2 --target=sm_80 --emulate --storage=f16 --tokens=1,200 --seed=13
// RUN: mom-compare %s --compiled --fuse=2 --target=sm_90a --emulate --tokens=100

#t = #mom.rows<token>

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

func.func @alone(%batch: !mom.batch, %x: tensor<?x16xf32, #t>, %p: tensor<64x16xf32>, %taps: tensor<64x8xf32>, %w: tensor<33x64xf32>) -> tensor<?x33xf32, #t> {
  %a = mom.linear %x by %p : tensor<?x16xf32, #t>, tensor<64x16xf32> -> tensor<?x64xf32, #t>
  %c = mom.conv1d %a by %taps in %batch : tensor<?x64xf32, #t>, tensor<64x8xf32>, !mom.batch -> tensor<?x64xf32, #t> loc("c")
  %y = mom.linear %c by %w : tensor<?x64xf32, #t>, tensor<33x64xf32> -> tensor<?x33xf32, #t> loc("y")
  return %y : tensor<?x33xf32, #t>
}

func.func @taps(%batch: !mom.batch, %x: tensor<?x16xf32, #t>, %p: tensor<3x64x16xf32>, %two: tensor<64x2xf32>, %one: tensor<64x1xf32>, %bias: tensor<64xf32>, %w: tensor<40x64xf32>, %v: tensor<3x64x64xf32>)
    -> (tensor<?x40xf32, #t>, tensor<?x64xf32, #t>) {
  %M = mom.modality_route %batch : !mom.route<"M", 3>
  %a = mom.linear %x by %p for %M : !mom.route<"M", 3>, tensor<?x16xf32, #t>, tensor<3x64x16xf32> -> tensor<?x64xf32, #t>
  %c = mom.conv1d %a by %two in %batch : tensor<?x64xf32, #t>, tensor<64x2xf32>, !mom.batch -> tensor<?x64xf32, #t>
  %s = mom.sigmoid %c : tensor<?x64xf32, #t>
  %n = mom.affine %s {offset = 1.0 : f64, scale = -1.0 : f64} : tensor<?x64xf32, #t>
  %cs = arith.mulf %c, %n : tensor<?x64xf32, #t>
  %y = mom.linear %cs by %w : tensor<?x64xf32, #t>, tensor<40x64xf32> -> tensor<?x40xf32, #t>
  %d = mom.conv1d %a by %one in %batch bias %bias : tensor<?x64xf32, #t>, tensor<64x1xf32>, !mom.batch, tensor<64xf32> -> tensor<?x64xf32, #t>
  %u = mom.silu %d : tensor<?x64xf32, #t>
  %more = mom.linear %u by %v for %M : !mom.route<"M", 3>, tensor<?x64xf32, #t>, tensor<3x64x64xf32> -> tensor<?x64xf32, #t>
  return %y, %more : tensor<?x40xf32, #t>, tensor<?x64xf32, #t>
}
