// RUN: mom-opt %s --mom-emit-cpu | FileCheck %s

!rows = tensor<?x6xf32, #mom.rows<token>>
!sorted = tensor<?x6xf32, #mom.rows<token by "M">>
!states = tensor<?x3xf32, #mom.rows<token>>
!statesSorted = tensor<?x3xf32, #mom.rows<token by "M">>
!stream = tensor<?x18xf32, #mom.rows<stream>>
!chunk = tensor<?x18xf32, #mom.rows<chunk of 8>>
!A = tensor<6x3xf32>

// Six channels are two blocks of four lanes, the second one masked. States go by
// in a group of two and one of one; softplus is computed once, where it is staged.
// CHECK-LABEL: llvm.func @forward.y
// CHECK-DAG:     %[[CHUNK:.*]] = arith.constant 8 : i64
// CHECK:         scf.if
// CHECK:           scf.for {{.*}} step %[[CHUNK]]
// CHECK:             llvm.intr.masked.store
// CHECK:             scf.for
// CHECK:               mom.softplus
// CHECK:               "llvm.intr.prefetch"
// CHECK:             scf.for {{.*}} iter_args({{.*}}) -> (vector<4xf32>, vector<4xf32>)
// CHECK-NOT:           mom.softplus
// CHECK:             scf.for {{.*}} iter_args({{.*}}) -> (vector<4xf32>)
// CHECK:             scf.for
// CHECK-NOT:           mom.softplus
// CHECK:               llvm.intr.masked.store
// CHECK-LABEL: func.func @forward
// CHECK:         mom.launch @forward.y <over "segment" tile 1 extra 0 factor 2>
func.func @forward(%u: !rows, %raw: !rows, %A: !A, %B: !states, %C: !states, %batch: !mom.batch) -> (!rows, !chunk) {
  %0:2 = mom.kernel scan "y" (%u, %raw, %A, %B, %C, %batch) schedule {lanes = 4 : i64, tokens = 16 : i64, states = 2 : i64, sum_rows = 64 : i64}
      : (!rows, !rows, !A, !states, !states, !mom.batch) -> (!rows, !chunk) {
  ^bb0(%u_: !rows, %raw_: !rows, %A_: !A, %B_: !states, %C_: !states, %batch_: !mom.batch):
    %delta = mom.softplus %raw_ : !rows
    %y, %k = mom.scan %u_, %delta, %A_, %B_, %C_ in %batch_ : !rows, !rows, !A, !states, !states, !mom.batch -> !rows checkpoints !chunk
    %skip = arith.mulf %u_, %delta : !rows
    %z = arith.addf %y, %skip : !rows
    mom.yield %z, %k : !rows, !chunk
  }
  return %0#0, %0#1 : !rows, !chunk
}

// Final states need one block a channel: a stream in which no segment ends is
// cleared. Rows that lie by modality are looked up: the fourth pointer of a batch.
// CHECK-LABEL: llvm.func @final.y
// CHECK:         scf.for
// CHECK:         scf.for
// CHECK:           llvm.load {{.*}} -> i32
// CHECK-LABEL: func.func @final
// CHECK:         mom.launch @final.y <tile 1 extra 0 factor 2>
func.func @final(%u: !sorted, %A: !A, %B: !statesSorted, %batch: !mom.batch, %init: !stream) -> (!sorted, !stream) {
  %0:2 = mom.kernel scan "y" (%u, %A, %B, %batch, %init) schedule {lanes = 4 : i64, tokens = 16 : i64, states = 2 : i64, sum_rows = 64 : i64}
      : (!sorted, !A, !statesSorted, !mom.batch, !stream) -> (!sorted, !stream) {
  ^bb0(%u_: !sorted, %A_: !A, %B_: !statesSorted, %batch_: !mom.batch, %init_: !stream):
    %y, %f = mom.scan %u_, %u_, %A_, %B_, %B_ in %batch_ init %init_ : !sorted, !sorted, !A, !statesSorted, !statesSorted, !mom.batch, !stream -> !sorted final !stream
    mom.yield %y, %f : !sorted, !stream
  }
  return %0#0, %0#1 : !sorted, !stream
}

// dB and dC are summed over the blocks by a second launch; dA is summed in f64.
// CHECK-LABEL: llvm.func @gradient.du
// CHECK:         scf.for {{.*}} iter_args({{.*}}) -> (vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>)
// CHECK:         arith.extf {{.*}} : vector<4xf32> to vector<4xf64>
// CHECK-LABEL: llvm.func @gradient.du.sum
// CHECK:         scf.for {{.*}} iter_args({{.*}}) -> (vector<4xf32>)
// CHECK-LABEL: func.func @gradient
// CHECK:         %[[FIRST:.*]]:5 = mom.launch @gradient.du <tile 1 extra 0 factor 2>
// CHECK-SAME:      -> (tensor<?x6xf32, #mom.rows<token>>, tensor<?x6xf32, #mom.rows<token>>, tensor<6x3xf32>, tensor<?x6xf32, #mom.rows<token>>, tensor<?x6xf32, #mom.rows<token>>)
// CHECK:         mom.launch @gradient.du.sum <over "token" tile 64 extra 0 factor 1>
// CHECK-SAME:      %[[FIRST]]#3, %[[FIRST]]#4)
func.func @gradient(%u: !rows, %A: !A, %B: !states, %batch: !mom.batch, %k: !chunk) -> (!rows, !rows, !A, !states, !states) {
  %0:5 = mom.kernel scan "du" (%u, %A, %B, %batch, %k) schedule {lanes = 4 : i64, tokens = 16 : i64, states = 2 : i64, sum_rows = 64 : i64}
      : (!rows, !A, !states, !mom.batch, !chunk) -> (!rows, !rows, !A, !states, !states) {
  ^bb0(%u_: !rows, %A_: !A, %B_: !states, %batch_: !mom.batch, %k_: !chunk):
    %du, %dd, %dA, %dB, %dC = mom.scan_grad %u_, %u_, %A_, %B_, %B_ in %batch_ gradient %u_ checkpoints %k_
        : !rows, !rows, !A, !states, !states, !mom.batch, !rows, !chunk -> !rows, !rows, !A, !states, !states
    mom.yield %du, %dd, %dA, %dB, %dC : !rows, !rows, !A, !states, !states
  }
  return %0#0, %0#1, %0#2, %0#3, %0#4 : !rows, !rows, !A, !states, !states
}
