// What compiled code cannot take or give is told where it is asked for.
// RUN: not mom-compare %s --compiled --lengths=2 2>&1 | FileCheck %s

!x = tensor<?x2xf32, #mom.rows<token>>
!A = tensor<2x3xf32>
!n = tensor<?x3xf32, #mom.rows<token>>

// CHECK: unsupported.mlir:[[@LINE+1]]:1: error: result #1: compiled code takes and gives {{.*}} but the type is 'tensor<?x6xf32, #mom.rows<chunk of 4>>'
func.func @chunks(%batch: !mom.batch, %u: !x, %A: !A, %B: !n) -> (!x, tensor<?x6xf32, #mom.rows<chunk of 4>>) {
  %y, %saved = mom.scan %u, %u, %A, %B, %B in %batch
      : !x, !x, !A, !n, !n, !mom.batch -> !x checkpoints tensor<?x6xf32, #mom.rows<chunk of 4>>
  return %y, %saved : !x, tensor<?x6xf32, #mom.rows<chunk of 4>>
}

// CHECK: unsupported.mlir:[[@LINE+1]]:1: error: argument #0: compiled code takes and gives {{.*}} but the type is '!mom.route<"M", 3>'
func.func @route(%route: !mom.route<"M", 3>, %x: !x) -> !x {
  return %x : !x
}

// An id outside the table is told with the line of the op that reads it.
// CHECK: unsupported.mlir:[[@LINE+1]]:1: error: index 3 is out of range in row 1 of kernel {{.*}}unsupported.mlir:[[@LINE+4]]:8
func.func @index(%batch: !mom.batch,
    %ids: tensor<?x1xi32, #mom.rows<token>> {mom.values = dense<[[2], [3]]> : tensor<2x1xi32>},
    %table: tensor<3x2xf32>) -> !x {
  %y = mom.embedding %ids from %table : tensor<?x1xi32, #mom.rows<token>>, tensor<3x2xf32> -> !x
  return %y : !x
}
