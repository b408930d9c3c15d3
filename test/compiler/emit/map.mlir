// RUN: mom-opt %s --mom-resolve-schedule="cpu=x86-64-v4" --mom-emit-cpu | FileCheck %s

#t = #mom.rows<token>
#m = #mom.rows<token by "M">

// Elementwise work on whole rows runs over the tile as one run of elements: no
// loop over rows.
// CHECK-LABEL: llvm.func @elementwise.y
// CHECK-SAME: mom.scratch = 0 : i64
// CHECK: scf.for
// CHECK-NOT: scf.for
// CHECK: llvm.load {{.*}} -> vector<16xf32>
// CHECK: mom.silu %{{.*}} : vector<16xf32>
// CHECK: llvm.store {{.*}} : vector<16xf32>, !llvm.ptr
// CHECK: llvm.intr.masked.load
// CHECK: llvm.intr.masked.store
// CHECK-LABEL: func.func @elementwise
// CHECK: mom.launch @elementwise.y <over "token" tile 64 extra 0 factor 1>(%{{.*}})
func.func @elementwise(%x: tensor<?x37xf32, #t>) -> tensor<?x37xf32, #t> {
  %0 = mom.kernel map "y"(%x) : (tensor<?x37xf32, #t>) -> tensor<?x37xf32, #t> {
  ^bb0(%a: tensor<?x37xf32, #t>):
    %1 = mom.silu %a : tensor<?x37xf32, #t>
    mom.yield %1 : tensor<?x37xf32, #t>
  }
  return %0 : tensor<?x37xf32, #t>
}

// The exponentials are needed before and after the norm: they lie in a scratch
// row of 32 * 4 bytes in between.
// CHECK-LABEL: llvm.func @norm.n
// CHECK-SAME: mom.scratch = 128 : i64
// CHECK: scf.for
// CHECK: math.exp
// CHECK: arith.mulf
// CHECK: vector.shuffle
// CHECK: math.rsqrt {{.*}} : f32
// CHECK-NOT: math.exp
// CHECK: llvm.return
func.func @norm(%x: tensor<?x32xf32, #t>) -> tensor<?x32xf32, #t> {
  %0 = mom.kernel map "n"(%x) : (tensor<?x32xf32, #t>) -> tensor<?x32xf32, #t> {
  ^bb0(%a: tensor<?x32xf32, #t>):
    %1 = math.exp %a : tensor<?x32xf32, #t>
    %2 = mom.rms_norm %1 {eps = 1.0e-5} : tensor<?x32xf32, #t>
    mom.yield %2 : tensor<?x32xf32, #t>
  }
  return %0 : tensor<?x32xf32, #t>
}

// A row of the table, read through the sorted ids; an id outside it is reported.
// CHECK-LABEL: llvm.func @embed.e
// CHECK: llvm.cmpxchg
// CHECK-LABEL: func.func @embed
func.func @embed(%batch: !mom.batch, %ids: tensor<?x1xi32, #t>, %table: tensor<50x16xf32>) -> tensor<?x16xf32, #m> {
  %r = mom.modality_route %batch : !mom.route<"M", 3>
  %0 = mom.kernel map "e"(%ids, %table, %r) : (tensor<?x1xi32, #t>, tensor<50x16xf32>, !mom.route<"M", 3>) -> tensor<?x16xf32, #m> {
  ^bb0(%i: tensor<?x1xi32, #t>, %w: tensor<50x16xf32>, %q: !mom.route<"M", 3>):
    %1 = mom.reorder %i for %q : tensor<?x1xi32, #t> -> tensor<?x1xi32, #m>, !mom.route<"M", 3>
    %2 = mom.embedding %1 from %w : tensor<?x1xi32, #m>, tensor<50x16xf32> -> tensor<?x16xf32, #m>
    mom.yield %2 : tensor<?x16xf32, #m>
  }
  return %0 : tensor<?x16xf32, #m>
}

// Static tensors are cut into blocks of `chunk` elements; a reduction is one block.
// CHECK-LABEL: func.func @static
// CHECK: mom.launch @static.w <tile 1 extra 0 factor 3>
// CHECK: mom.launch @static.norm <tile 1 extra 0 factor 1>
func.func @static(%x: tensor<40000xf32>, %s: tensor<1xf32>) -> (tensor<40000xf32>, tensor<1xf32>) {
  %0 = mom.kernel map "w"(%x, %s) : (tensor<40000xf32>, tensor<1xf32>) -> tensor<40000xf32> {
  ^bb0(%a: tensor<40000xf32>, %b: tensor<1xf32>):
    %1 = mom.broadcast %b like %a : tensor<1xf32>, tensor<40000xf32> -> tensor<40000xf32>
    %2 = arith.mulf %a, %1 : tensor<40000xf32>
    mom.yield %2 : tensor<40000xf32>
  }
  %n = mom.kernel map "norm"(%x) : (tensor<40000xf32>) -> tensor<1xf32> {
  ^bb0(%a: tensor<40000xf32>):
    %1 = arith.mulf %a, %a : tensor<40000xf32>
    %2 = mom.reduce sum %1 : tensor<40000xf32> -> tensor<1xf32>
    mom.yield %2 : tensor<1xf32>
  }
  return %0, %n : tensor<40000xf32>, tensor<1xf32>
}

// CHECK-LABEL: func.func @dead
// CHECK-NOT: mom.launch
// CHECK: return
func.func @dead(%x: tensor<?x8xf32, #t>) {
  %0 = mom.kernel map "y"(%x) : (tensor<?x8xf32, #t>) -> tensor<?x8xf32, #t> {
  ^bb0(%a: tensor<?x8xf32, #t>):
    mom.yield %a : tensor<?x8xf32, #t>
  }
  return
}
