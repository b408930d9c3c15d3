// Ops over a tensor of more than 2^31 elements, when rows are many (Large.cpp):
// an address that is computed in 32 bits is caught. Every result has one number,
// or few, a row.
// RUN: mom-compare %s --compiled --fuse=0 --tokens=3,129 --storage=bf16

!i = tensor<?x1xi32, #mom.rows<token>>
!x = tensor<?x2048xf32, #mom.rows<token>>
!x1 = tensor<?x1xf32, #mom.rows<token>>
!x2 = tensor<?x2xf32, #mom.rows<token>>
!x8 = tensor<?x8xf32, #mom.rows<token>>

func.func @rows(%batch: !mom.batch, %ids: !i, %table: tensor<64x2048xf32>, %w: tensor<8x2048xf32>,
    %taps: tensor<2048x4xf32>, %A: tensor<2048x2xf32> {mom.negative}, %B: !x2, %C: !x2)
    -> (!x1, tensor<2048xf32>, !x8, !x1, !x1) {
  %e = mom.embedding %ids from %table : !i, tensor<64x2048xf32> -> !x
  %s = mom.silu %e : !x
  %sum = mom.reduce sum %s : !x -> !x1
  %total = mom.reduce_rows %s : !x -> tensor<2048xf32>
  %y = mom.linear %s by %w : !x, tensor<8x2048xf32> -> !x8
  %c = mom.conv1d %e by %taps in %batch : !x, tensor<2048x4xf32>, !mom.batch -> !x
  %convolved = mom.reduce sum %c : !x -> !x1
  %delta = mom.softplus %e : !x
  %h = mom.scan %e, %delta, %A, %B, %C in %batch
      : !x, !x, tensor<2048x2xf32>, !x2, !x2, !mom.batch -> !x
  %scanned = mom.reduce sum %h : !x -> !x1
  return %sum, %total, %y, %convolved, %scanned : !x1, tensor<2048xf32>, !x8, !x1, !x1
}
