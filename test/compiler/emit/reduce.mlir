// RUN: mom-opt %s --mom-resolve-schedule="cpu=x86-64-v4" --mom-emit-cpu | FileCheck %s

#m = #mom.rows<token by "M">

// A block owns 64 channels of one group and walks its rows in order, with a sum
// in registers for each run of 256 rows.
// CHECK-LABEL: llvm.func @sums.db
// CHECK: scf.for
// CHECK: scf.for {{.*}} iter_args({{.*}}) -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>)
// CHECK: scf.for {{.*}} iter_args({{.*}}) -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>)
// CHECK-LABEL: func.func @sums
// CHECK: mom.launch @sums.db <tile 1 extra 0 factor 6>
func.func @sums(%batch: !mom.batch, %x: tensor<?x128xf32, #m>) -> tensor<3x128xf32> {
  %r = mom.modality_route %batch : !mom.route<"M", 3>
  %0 = mom.kernel reduce_rows "db"(%x, %r) : (tensor<?x128xf32, #m>, !mom.route<"M", 3>) -> tensor<3x128xf32> {
  ^bb0(%a: tensor<?x128xf32, #m>, %q: !mom.route<"M", 3>):
    %1 = mom.reduce_rows %a for %q : !mom.route<"M", 3>, tensor<?x128xf32, #m> -> tensor<3x128xf32>
    mom.yield %1 : tensor<3x128xf32>
  }
  return %0 : tensor<3x128xf32>
}

// One channel: lanes run over the rows, and their sums enter a total in f64.
// CHECK-LABEL: llvm.func @total.n
// CHECK: scf.for {{.*}} -> (f64)
// CHECK: arith.truncf {{.*}} : f64 to f32
func.func @total(%x: tensor<?x1xf32, #m>) -> tensor<1xf32> {
  %0 = mom.kernel reduce_rows "n"(%x) : (tensor<?x1xf32, #m>) -> tensor<1xf32> {
  ^bb0(%a: tensor<?x1xf32, #m>):
    %1 = mom.reduce_rows %a : tensor<?x1xf32, #m> -> tensor<1xf32>
    mom.yield %1 : tensor<1xf32>
  }
  return %0 : tensor<1xf32>
}
