// Products: forward, gradient of the input, gradient of the weights.
// RUN: mom-compare %s --compiled --tokens=0,1,3,129
// RUN: mom-compare %s --compiled --tokens=5,70 --modalities-empty=0,2 --fuse=0 --order=position --seed=8
// Where few terms nearly cancel, rounded operands leave nothing: only longer sums here.
// RUN: mom-compare %s --compiled --tokens=40 --storage=bf16 --modalities-empty=1 --seed=9 --function=routed_33_65,routed_256_512,shared_40_128,ends,chain
// RUN: mom-compare %s --compiled --tokens=40 --storage=f16 --function=ends --seed=10
// RUN: mom-compare %s --compiled --tokens=4097 --function=routed_33_65,shared_65_33 --seed=11
// RUN: mom-compare %s --compiled --tokens=9 --knobs=2
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=0,1,3,129
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=300 --modalities-empty=0,2 --fuse=0 --order=position --function=routed_33_65,shared_40_128,ends --seed=8
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=0,140 --storage=bf16 --modalities-empty=1 --function=routed_33_65,routed_256_512,shared_40_128,ends,chain --seed=9
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=0,1,700 --storage=bf16 --modalities-empty=1 --function=biases --seed=3
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=300 --storage=f16 --function=biases --knob=split_k=1 --knob=stages=3 --knob=pingpong=0 --knob=tile_rows=128 --seed=4
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=1,140 --storage=f16 --function=routed_1_3,shared_65_33,ends,chain --seed=9
// RUN: mom-compare %s --compiled --target=sm_80 --emulate --tokens=0,1,140 --storage=f16 --function=routed_33_65,shared_40_128,ends,chain --seed=10

!M = !mom.route<"M", 3>

func.func @routed_1_3(%batch: !mom.batch, %x: tensor<?x1xf32, #mom.rows<token>>, %w: tensor<3x3x1xf32>,
    %dy: tensor<?x3xf32, #mom.rows<token>>) -> (tensor<?x3xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>>, tensor<3x3x1xf32>) {
  %route = mom.modality_route %batch : !M
  %y = mom.linear %x by %w for %route : !M, tensor<?x1xf32, #mom.rows<token>>, tensor<3x3x1xf32> -> tensor<?x3xf32, #mom.rows<token>>
  %dx = mom.linear transposed %dy by %w for %route : !M, tensor<?x3xf32, #mom.rows<token>>, tensor<3x3x1xf32> -> tensor<?x1xf32, #mom.rows<token>>
  %dw = mom.linear_wgrad %x, %dy for %route : !M, tensor<?x1xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>> -> tensor<3x3x1xf32>
  return %y, %dx, %dw : tensor<?x3xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>>, tensor<3x3x1xf32>
}

func.func @routed_3_1(%batch: !mom.batch, %x: tensor<?x3xf32, #mom.rows<token>>, %w: tensor<3x1x3xf32>,
    %dy: tensor<?x1xf32, #mom.rows<token>>) -> (tensor<?x1xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<3x1x3xf32>) {
  %route = mom.modality_route %batch : !M
  %y = mom.linear %x by %w for %route : !M, tensor<?x3xf32, #mom.rows<token>>, tensor<3x1x3xf32> -> tensor<?x1xf32, #mom.rows<token>>
  %dx = mom.linear transposed %dy by %w for %route : !M, tensor<?x1xf32, #mom.rows<token>>, tensor<3x1x3xf32> -> tensor<?x3xf32, #mom.rows<token>>
  %dw = mom.linear_wgrad %x, %dy for %route : !M, tensor<?x3xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>> -> tensor<3x1x3xf32>
  return %y, %dx, %dw : tensor<?x1xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>, tensor<3x1x3xf32>
}

func.func @routed_33_65(%batch: !mom.batch, %x: tensor<?x33xf32, #mom.rows<token>>, %w: tensor<3x65x33xf32>,
    %dy: tensor<?x65xf32, #mom.rows<token>>) -> (tensor<?x65xf32, #mom.rows<token>>, tensor<?x33xf32, #mom.rows<token>>, tensor<3x65x33xf32>) {
  %route = mom.modality_route %batch : !M
  %y = mom.linear %x by %w for %route : !M, tensor<?x33xf32, #mom.rows<token>>, tensor<3x65x33xf32> -> tensor<?x65xf32, #mom.rows<token>>
  %dx = mom.linear transposed %dy by %w for %route : !M, tensor<?x65xf32, #mom.rows<token>>, tensor<3x65x33xf32> -> tensor<?x33xf32, #mom.rows<token>>
  %dw = mom.linear_wgrad %x, %dy for %route : !M, tensor<?x33xf32, #mom.rows<token>>, tensor<?x65xf32, #mom.rows<token>> -> tensor<3x65x33xf32>
  return %y, %dx, %dw : tensor<?x65xf32, #mom.rows<token>>, tensor<?x33xf32, #mom.rows<token>>, tensor<3x65x33xf32>
}

func.func @routed_256_512(%batch: !mom.batch, %x: tensor<?x256xf32, #mom.rows<token>>, %w: tensor<3x512x256xf32>,
    %dy: tensor<?x512xf32, #mom.rows<token>>) -> (tensor<?x512xf32, #mom.rows<token>>, tensor<?x256xf32, #mom.rows<token>>, tensor<3x512x256xf32>) {
  %route = mom.modality_route %batch : !M
  %y = mom.linear %x by %w for %route : !M, tensor<?x256xf32, #mom.rows<token>>, tensor<3x512x256xf32> -> tensor<?x512xf32, #mom.rows<token>>
  %dx = mom.linear transposed %dy by %w for %route : !M, tensor<?x512xf32, #mom.rows<token>>, tensor<3x512x256xf32> -> tensor<?x256xf32, #mom.rows<token>>
  %dw = mom.linear_wgrad %x, %dy for %route : !M, tensor<?x256xf32, #mom.rows<token>>, tensor<?x512xf32, #mom.rows<token>> -> tensor<3x512x256xf32>
  return %y, %dx, %dw : tensor<?x512xf32, #mom.rows<token>>, tensor<?x256xf32, #mom.rows<token>>, tensor<3x512x256xf32>
}

func.func @shared_1_1(%batch: !mom.batch, %x: tensor<?x1xf32, #mom.rows<token>>, %w: tensor<1x1xf32>,
    %dy: tensor<?x1xf32, #mom.rows<token>>) -> (tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>>, tensor<1x1xf32>) {
  %y = mom.linear %x by %w : tensor<?x1xf32, #mom.rows<token>>, tensor<1x1xf32> -> tensor<?x1xf32, #mom.rows<token>>
  %dx = mom.linear transposed %dy by %w : tensor<?x1xf32, #mom.rows<token>>, tensor<1x1xf32> -> tensor<?x1xf32, #mom.rows<token>>
  %dw = mom.linear_wgrad %x, %dy : tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>> -> tensor<1x1xf32>
  return %y, %dx, %dw : tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>>, tensor<1x1xf32>
}

func.func @shared_65_33(%batch: !mom.batch, %x: tensor<?x65xf32, #mom.rows<token>>, %w: tensor<33x65xf32>,
    %dy: tensor<?x33xf32, #mom.rows<token>>) -> (tensor<?x33xf32, #mom.rows<token>>, tensor<?x65xf32, #mom.rows<token>>, tensor<33x65xf32>) {
  %y = mom.linear %x by %w : tensor<?x65xf32, #mom.rows<token>>, tensor<33x65xf32> -> tensor<?x33xf32, #mom.rows<token>>
  %dx = mom.linear transposed %dy by %w : tensor<?x33xf32, #mom.rows<token>>, tensor<33x65xf32> -> tensor<?x65xf32, #mom.rows<token>>
  %dw = mom.linear_wgrad %x, %dy : tensor<?x65xf32, #mom.rows<token>>, tensor<?x33xf32, #mom.rows<token>> -> tensor<33x65xf32>
  return %y, %dx, %dw : tensor<?x33xf32, #mom.rows<token>>, tensor<?x65xf32, #mom.rows<token>>, tensor<33x65xf32>
}

func.func @shared_40_128(%batch: !mom.batch, %x: tensor<?x40xf32, #mom.rows<token>>, %w: tensor<128x40xf32>,
    %dy: tensor<?x128xf32, #mom.rows<token>>) -> (tensor<?x128xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<128x40xf32>) {
  %y = mom.linear %x by %w : tensor<?x40xf32, #mom.rows<token>>, tensor<128x40xf32> -> tensor<?x128xf32, #mom.rows<token>>
  %dx = mom.linear transposed %dy by %w : tensor<?x128xf32, #mom.rows<token>>, tensor<128x40xf32> -> tensor<?x40xf32, #mom.rows<token>>
  %dw = mom.linear_wgrad %x, %dy : tensor<?x40xf32, #mom.rows<token>>, tensor<?x128xf32, #mom.rows<token>> -> tensor<128x40xf32>
  return %y, %dx, %dw : tensor<?x128xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>, tensor<128x40xf32>
}

!x = tensor<?x24xf32, #mom.rows<token>>
!y = tensor<?x40xf32, #mom.rows<token>>

// Pointwise work before and after: what fusion puts into the product.
func.func @ends(%batch: !mom.batch, %x: !x, %w: tensor<3x40x24xf32>, %bias: tensor<3x40xf32>,
    %gate: !y, %v: tensor<24x40xf32>) -> (!y, !x) {
  %route = mom.modality_route %batch : !M
  %a = mom.silu %x : !x
  %p = mom.linear %a by %w for %route : !M, !x, tensor<3x40x24xf32> -> !y
  %b = mom.broadcast %bias like %p for %route : !M, tensor<3x40xf32>, !y -> !y
  %q = arith.addf %p, %b : !y
  %s = mom.softplus %q : !y
  %y = arith.mulf %s, %gate : !y
  %back = mom.linear %y by %v : !y, tensor<24x40xf32> -> !x
  %z = arith.addf %back, %x : !x
  return %y, %z : !y, !x
}

// One result of a product feeds two products with different weights.
func.func @chain(%batch: !mom.batch, %x: !x, %w: tensor<3x40x24xf32>, %v: tensor<24x40xf32>,
    %u: tensor<3x24x40xf32>, %dy: !x) -> (!x, tensor<3x40x24xf32>, tensor<24x40xf32>) {
  %route = mom.modality_route %batch : !M
  %h = mom.linear %x by %w for %route : !M, !x, tensor<3x40x24xf32> -> !y
  %a = mom.linear %h by %v : !y, tensor<24x40xf32> -> !x
  %b = mom.linear %h by %u for %route : !M, !y, tensor<3x24x40xf32> -> !x
  %s = mom.sigmoid %b : !x
  %z = arith.mulf %a, %s : !x
  %dv = mom.linear_wgrad %h, %dy : !y, !x -> tensor<24x40xf32>
  %dh = mom.linear transposed %dy by %v : !x, tensor<24x40xf32> -> !y
  %dw = mom.linear_wgrad %x, %dh for %route : !M, !x, !y -> tensor<3x40x24xf32>
  return %z, %dw, %dv : !x, tensor<3x40x24xf32>, tensor<24x40xf32>
}

// The gradient of a bias reads what that of its weights reads: they share a kernel by TMA
// (mom-join-sums). Tiles side by side, rows that fill none, sums in parts.
func.func @biases(%batch: !mom.batch, %x: tensor<?x40xf32, #mom.rows<token>>, %a: tensor<?x200xf32, #mom.rows<token>>, %b: tensor<?x200xf32, #mom.rows<token>>,
    %c: tensor<?x264xf32, #mom.rows<token>>, %d: tensor<?x264xf32, #mom.rows<token>>) -> (tensor<3x200x40xf32>, tensor<3x200xf32>, tensor<3x264x200xf32>, tensor<3x264xf32>) {
  %route = mom.modality_route %batch : !M
  %dy = arith.mulf %a, %b : tensor<?x200xf32, #mom.rows<token>>
  %dw = mom.linear_wgrad %x, %dy for %route : !M, tensor<?x40xf32, #mom.rows<token>>, tensor<?x200xf32, #mom.rows<token>> -> tensor<3x200x40xf32>
  %db = mom.reduce_rows %dy for %route : !M, tensor<?x200xf32, #mom.rows<token>> -> tensor<3x200xf32>
  %wide = arith.mulf %c, %d : tensor<?x264xf32, #mom.rows<token>>
  %dv = mom.linear_wgrad %dy, %wide for %route : !M, tensor<?x200xf32, #mom.rows<token>>, tensor<?x264xf32, #mom.rows<token>> -> tensor<3x264x200xf32>
  %dc = mom.reduce_rows %wide for %route : !M, tensor<?x264xf32, #mom.rows<token>> -> tensor<3x264xf32>
  return %dw, %db, %dv, %dc : tensor<3x200x40xf32>, tensor<3x200xf32>, tensor<3x264x200xf32>, tensor<3x264xf32>
}
