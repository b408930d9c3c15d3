// Logits that exist a window of rows at a time: losses, their gradient, sums over windows.
// RUN: mom-compare %s --compiled --tokens=0,1,3,129,1000
// RUN: mom-compare %s --compiled --lengths=1,1,2,3,1,60,1 --fuse=0 --seed=8
// RUN: mom-compare %s --compiled --tokens=400 --storage=bf16 --seed=9
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=0,1,300 --function=head_200
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=400 --storage=bf16 --function=scaled_256 --seed=9

#t = #mom.rows<token>
!i = tensor<?x1xi32, #t>
!x1 = tensor<?x1xf32, #t>
!x24 = tensor<?x24xf32, #t>
!x64 = tensor<?x64xf32, #t>
!x200 = tensor<?x200xf32, #t>
!x256 = tensor<?x256xf32, #t>

module attributes {mom.modalities = {M = ["text", "image", "speech"]}, mom.windows = 3 : i64} {

func.func @head_200(%batch: !mom.batch, %x: !x24, %w: tensor<200x24xf32>, %target: !i, %dnll: !x1)
    -> (!x1, !x24, tensor<200x24xf32>) {
  %logits = mom.linear %x by %w : !x24, tensor<200x24xf32> -> !x200
  %nll, %lse = mom.cross_entropy %logits, %target : !x200, !i -> !x1
  %twice = arith.addf %nll, %nll : !x1
  %d = mom.cross_entropy_grad %logits, %target, %lse gradient %dnll : !x200, !i, !x1
  %dx = mom.linear transposed %d by %w : !x200, tensor<200x24xf32> -> !x24
  %dw = mom.linear_wgrad %x, %d : !x24, !x200 -> tensor<200x24xf32>
  return %twice, %dx, %dw : !x1, !x24, tensor<200x24xf32>
}

// A bias, a scale, a sum of the weights' gradient with another one, and rows that
// come from and go to other work.
func.func @scaled_256(%batch: !mom.batch, %x: !x64, %w: tensor<256x64xf32>, %bias: tensor<256xf32>,
                      %more: tensor<256x64xf32>, %target: !i, %dnll: !x1)
    -> (!x1, !x64, tensor<256x64xf32>, tensor<256xf32>) {
  %n = mom.rms_norm %x {eps = 1.0e-5 : f64} : !x64
  %y = mom.linear %n by %w : !x64, tensor<256x64xf32> -> !x256
  %b = mom.broadcast %bias like %y : tensor<256xf32>, !x256 -> !x256
  %sum = arith.addf %y, %b : !x256
  %logits = mom.affine %sum {scale = 0.5 : f64, offset = 0.25 : f64} : !x256
  %nll, %lse = mom.cross_entropy %logits, %target : !x256, !i -> !x1
  %d = mom.cross_entropy_grad %logits, %target, %lse gradient %dnll : !x256, !i, !x1
  %dy = mom.affine %d {scale = 0.5 : f64, offset = 0.0 : f64} : !x256
  %db = mom.reduce_rows %dy : !x256 -> tensor<256xf32>
  %dn = mom.linear transposed %dy by %w : !x256, tensor<256x64xf32> -> !x64
  %dw = mom.linear_wgrad %n, %dy : !x64, !x256 -> tensor<256x64xf32>
  %dx = mom.rms_norm_grad %x, %dn {eps = 1.0e-5 : f64} : !x64
  %all = arith.addf %dw, %more : tensor<256x64xf32>
  return %nll, %dx, %all, %db : !x1, !x64, tensor<256x64xf32>, tensor<256xf32>
}
}
