// Work on rows: norms, losses, gathers, sums and spreading.
// RUN: mom-compare %s --compiled --tokens=0,1,3,129
// RUN: mom-compare %s --compiled --lengths=1,1,2,3,1,60,1 --modalities-empty=1 --fuse=0 --seed=8
// RUN: mom-compare %s --compiled --tokens=77 --modalities-empty=0,2 --storage=bf16 --order=position --seed=9
// RUN: mom-compare %s --compiled --tokens=4097 --function=sums_17,embedding_50_33,loss_37 --seed=10
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=0,40
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --lengths=1,1,2,3,1,60,1 --modalities-empty=1 --fuse=0 --seed=8
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=33 --modalities-empty=0,2 --storage=bf16 --order=position --seed=9
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=5 --storage=f16 --seed=11
// RUN: mom-compare %s --compiled --target=sm_90a --emulate --tokens=4097 --function=sums_17,embedding_50_33,loss_37 --seed=10

!M = !mom.route<"M", 3>
!i = tensor<?x1xi32, #mom.rows<token>>
!x1 = tensor<?x1xf32, #mom.rows<token>>

func.func @norm_1(%batch: !mom.batch, %x: tensor<?x1xf32, #mom.rows<token>>, %dy: tensor<?x1xf32, #mom.rows<token>>)
    -> (tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>>) {
  %y = mom.rms_norm %x {eps = 1.0e-5 : f64} : tensor<?x1xf32, #mom.rows<token>>
  %dx = mom.rms_norm_grad %x, %dy {eps = 1.0e-5 : f64} : tensor<?x1xf32, #mom.rows<token>>
  return %y, %dx : tensor<?x1xf32, #mom.rows<token>>, tensor<?x1xf32, #mom.rows<token>>
}

func.func @norm_3(%batch: !mom.batch, %x: tensor<?x3xf32, #mom.rows<token>>, %dy: tensor<?x3xf32, #mom.rows<token>>)
    -> (tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>) {
  %y = mom.rms_norm %x {eps = 1.0e-5 : f64} : tensor<?x3xf32, #mom.rows<token>>
  %dx = mom.rms_norm_grad %x, %dy {eps = 1.0e-5 : f64} : tensor<?x3xf32, #mom.rows<token>>
  return %y, %dx : tensor<?x3xf32, #mom.rows<token>>, tensor<?x3xf32, #mom.rows<token>>
}

func.func @norm_40(%batch: !mom.batch, %x: tensor<?x40xf32, #mom.rows<token>>, %dy: tensor<?x40xf32, #mom.rows<token>>)
    -> (tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>) {
  %y = mom.rms_norm %x {eps = 1.0e-5 : f64} : tensor<?x40xf32, #mom.rows<token>>
  %dx = mom.rms_norm_grad %x, %dy {eps = 1.0e-5 : f64} : tensor<?x40xf32, #mom.rows<token>>
  return %y, %dx : tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>
}

func.func @norm_257(%batch: !mom.batch, %x: tensor<?x257xf32, #mom.rows<token>>, %dy: tensor<?x257xf32, #mom.rows<token>>)
    -> (tensor<?x257xf32, #mom.rows<token>>, tensor<?x257xf32, #mom.rows<token>>) {
  %y = mom.rms_norm %x {eps = 1.0e-5 : f64} : tensor<?x257xf32, #mom.rows<token>>
  %dx = mom.rms_norm_grad %x, %dy {eps = 1.0e-5 : f64} : tensor<?x257xf32, #mom.rows<token>>
  return %y, %dx : tensor<?x257xf32, #mom.rows<token>>, tensor<?x257xf32, #mom.rows<token>>
}

// The norm of what the same kernel computes, scaled by a parameter of the group.
func.func @norm_of_sum(%batch: !mom.batch, %x: tensor<?x40xf32, #mom.rows<token>>, %r: tensor<?x40xf32, #mom.rows<token>>,
    %scale: tensor<3x40xf32>) -> (tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>) {
  %route = mom.modality_route %batch : !M
  %s = arith.addf %x, %r : tensor<?x40xf32, #mom.rows<token>>
  %n = mom.rms_norm %s {eps = 1.0e-5 : f64} : tensor<?x40xf32, #mom.rows<token>>
  %g = mom.broadcast %scale like %n for %route : !M, tensor<3x40xf32>, tensor<?x40xf32, #mom.rows<token>> -> tensor<?x40xf32, #mom.rows<token>>
  %y = arith.mulf %n, %g : tensor<?x40xf32, #mom.rows<token>>
  return %s, %y : tensor<?x40xf32, #mom.rows<token>>, tensor<?x40xf32, #mom.rows<token>>
}

// Some targets are absent.
func.func @loss_2(%batch: !mom.batch, %logits: tensor<?x2xf32, #mom.rows<token>>, %target: !i, %dnll: !x1)
    -> (!x1, !x1, tensor<?x2xf32, #mom.rows<token>>) {
  %nll, %lse = mom.cross_entropy %logits, %target : tensor<?x2xf32, #mom.rows<token>>, !i -> !x1
  %d = mom.cross_entropy_grad %logits, %target, %lse gradient %dnll : tensor<?x2xf32, #mom.rows<token>>, !i, !x1
  return %nll, %lse, %d : !x1, !x1, tensor<?x2xf32, #mom.rows<token>>
}

// Some targets are absent.
func.func @loss_37(%batch: !mom.batch, %logits: tensor<?x37xf32, #mom.rows<token>>, %target: !i, %dnll: !x1)
    -> (!x1, !x1, tensor<?x37xf32, #mom.rows<token>>) {
  %nll, %lse = mom.cross_entropy %logits, %target : tensor<?x37xf32, #mom.rows<token>>, !i -> !x1
  %d = mom.cross_entropy_grad %logits, %target, %lse gradient %dnll : tensor<?x37xf32, #mom.rows<token>>, !i, !x1
  return %nll, %lse, %d : !x1, !x1, tensor<?x37xf32, #mom.rows<token>>
}

// Some targets are absent.
func.func @loss_1300(%batch: !mom.batch, %logits: tensor<?x1300xf32, #mom.rows<token>>, %target: !i, %dnll: !x1)
    -> (!x1, !x1, tensor<?x1300xf32, #mom.rows<token>>) {
  %nll, %lse = mom.cross_entropy %logits, %target : tensor<?x1300xf32, #mom.rows<token>>, !i -> !x1
  %d = mom.cross_entropy_grad %logits, %target, %lse gradient %dnll : tensor<?x1300xf32, #mom.rows<token>>, !i, !x1
  return %nll, %lse, %d : !x1, !x1, tensor<?x1300xf32, #mom.rows<token>>
}

// Logits so large that their exponentials overflow.
func.func @large_logits(%batch: !mom.batch, %x: tensor<?x20xf32, #mom.rows<token>>, %target: !i, %dnll: !x1)
    -> (!x1, tensor<?x20xf32, #mom.rows<token>>) {
  %logits = mom.affine %x {scale = 64.0 : f64, offset = 1024.0 : f64} : tensor<?x20xf32, #mom.rows<token>>
  %nll, %lse = mom.cross_entropy %logits, %target : tensor<?x20xf32, #mom.rows<token>>, !i -> !x1
  %d = mom.cross_entropy_grad %logits, %target, %lse gradient %dnll : tensor<?x20xf32, #mom.rows<token>>, !i, !x1
  return %nll, %d : !x1, tensor<?x20xf32, #mom.rows<token>>
}

func.func @embedding_1_1(%batch: !mom.batch, %ids: !i, %table: tensor<1x1xf32>,
    %dy: tensor<?x1xf32, #mom.rows<token>>) -> (tensor<?x1xf32, #mom.rows<token>>, tensor<1x1xf32>) {
  %y = mom.embedding %ids from %table : !i, tensor<1x1xf32> -> tensor<?x1xf32, #mom.rows<token>>
  %d = mom.embedding_grad %ids, %dy : !i, tensor<?x1xf32, #mom.rows<token>> -> tensor<1x1xf32>
  return %y, %d : tensor<?x1xf32, #mom.rows<token>>, tensor<1x1xf32>
}

func.func @embedding_50_33(%batch: !mom.batch, %ids: !i, %table: tensor<50x33xf32>,
    %dy: tensor<?x33xf32, #mom.rows<token>>) -> (tensor<?x33xf32, #mom.rows<token>>, tensor<50x33xf32>) {
  %y = mom.embedding %ids from %table : !i, tensor<50x33xf32> -> tensor<?x33xf32, #mom.rows<token>>
  %d = mom.embedding_grad %ids, %dy : !i, tensor<?x33xf32, #mom.rows<token>> -> tensor<50x33xf32>
  return %y, %d : tensor<?x33xf32, #mom.rows<token>>, tensor<50x33xf32>
}

func.func @embedding_7_64(%batch: !mom.batch, %ids: !i, %table: tensor<7x64xf32>,
    %dy: tensor<?x64xf32, #mom.rows<token>>) -> (tensor<?x64xf32, #mom.rows<token>>, tensor<7x64xf32>) {
  %y = mom.embedding %ids from %table : !i, tensor<7x64xf32> -> tensor<?x64xf32, #mom.rows<token>>
  %d = mom.embedding_grad %ids, %dy : !i, tensor<?x64xf32, #mom.rows<token>> -> tensor<7x64xf32>
  return %y, %d : tensor<?x64xf32, #mom.rows<token>>, tensor<7x64xf32>
}

func.func @embedding_300_16(%batch: !mom.batch, %ids: !i, %table: tensor<300x16xf32>,
    %dy: tensor<?x16xf32, #mom.rows<token>>) -> (tensor<?x16xf32, #mom.rows<token>>, tensor<300x16xf32>) {
  %y = mom.embedding %ids from %table : !i, tensor<300x16xf32> -> tensor<?x16xf32, #mom.rows<token>>
  %d = mom.embedding_grad %ids, %dy : !i, tensor<?x16xf32, #mom.rows<token>> -> tensor<300x16xf32>
  return %y, %d : tensor<?x16xf32, #mom.rows<token>>, tensor<300x16xf32>
}

func.func @sums_1(%batch: !mom.batch, %x: tensor<?x1xf32, #mom.rows<token>>) -> (!x1, !x1, tensor<1xf32>, tensor<3x1xf32>) {
  %route = mom.modality_route %batch : !M
  %0 = mom.reduce sum %x : tensor<?x1xf32, #mom.rows<token>> -> !x1
  %1 = mom.reduce max %x : tensor<?x1xf32, #mom.rows<token>> -> !x1
  %2 = mom.reduce_rows %x : tensor<?x1xf32, #mom.rows<token>> -> tensor<1xf32>
  %3 = mom.reduce_rows %x for %route : !M, tensor<?x1xf32, #mom.rows<token>> -> tensor<3x1xf32>
  return %0, %1, %2, %3 : !x1, !x1, tensor<1xf32>, tensor<3x1xf32>
}

func.func @sums_17(%batch: !mom.batch, %x: tensor<?x17xf32, #mom.rows<token>>) -> (!x1, !x1, tensor<17xf32>, tensor<3x17xf32>) {
  %route = mom.modality_route %batch : !M
  %0 = mom.reduce sum %x : tensor<?x17xf32, #mom.rows<token>> -> !x1
  %1 = mom.reduce max %x : tensor<?x17xf32, #mom.rows<token>> -> !x1
  %2 = mom.reduce_rows %x : tensor<?x17xf32, #mom.rows<token>> -> tensor<17xf32>
  %3 = mom.reduce_rows %x for %route : !M, tensor<?x17xf32, #mom.rows<token>> -> tensor<3x17xf32>
  return %0, %1, %2, %3 : !x1, !x1, tensor<17xf32>, tensor<3x17xf32>
}

func.func @sums_128(%batch: !mom.batch, %x: tensor<?x128xf32, #mom.rows<token>>) -> (!x1, !x1, tensor<128xf32>, tensor<3x128xf32>) {
  %route = mom.modality_route %batch : !M
  %0 = mom.reduce sum %x : tensor<?x128xf32, #mom.rows<token>> -> !x1
  %1 = mom.reduce max %x : tensor<?x128xf32, #mom.rows<token>> -> !x1
  %2 = mom.reduce_rows %x : tensor<?x128xf32, #mom.rows<token>> -> tensor<128xf32>
  %3 = mom.reduce_rows %x for %route : !M, tensor<?x128xf32, #mom.rows<token>> -> tensor<3x128xf32>
  return %0, %1, %2, %3 : !x1, !x1, tensor<128xf32>, tensor<3x128xf32>
}

// Sums of what is computed on the way, two of one kind.
func.func @sums_of_products(%batch: !mom.batch, %x: tensor<?x17xf32, #mom.rows<token>>, %y: tensor<?x17xf32, #mom.rows<token>>)
    -> (tensor<17xf32>, tensor<17xf32>, tensor<3x17xf32>) {
  %route = mom.modality_route %batch : !M
  %p = arith.mulf %x, %y : tensor<?x17xf32, #mom.rows<token>>
  %s = mom.sigmoid %x : tensor<?x17xf32, #mom.rows<token>>
  %0 = mom.reduce_rows %p : tensor<?x17xf32, #mom.rows<token>> -> tensor<17xf32>
  %1 = mom.reduce_rows %s : tensor<?x17xf32, #mom.rows<token>> -> tensor<17xf32>
  %2 = mom.reduce_rows %p for %route : !M, tensor<?x17xf32, #mom.rows<token>> -> tensor<3x17xf32>
  return %0, %1, %2 : tensor<17xf32>, tensor<17xf32>, tensor<3x17xf32>
}

!x17 = tensor<?x17xf32, #mom.rows<token>>

func.func @spread(%batch: !mom.batch, %like: !x17, %x: !x1, %v: tensor<17xf32>, %one: tensor<1xf32>,
    %m: tensor<3x17xf32>, %m1: tensor<3x1xf32>) -> (!x17, !x17, !x17, !x17, !x17) {
  %route = mom.modality_route %batch : !M
  %0 = mom.broadcast %x like %like : !x1, !x17 -> !x17
  %1 = mom.broadcast %v like %like : tensor<17xf32>, !x17 -> !x17
  %2 = mom.broadcast %one like %like : tensor<1xf32>, !x17 -> !x17
  %3 = mom.broadcast %m like %like for %route : !M, tensor<3x17xf32>, !x17 -> !x17
  %4 = mom.broadcast %m1 like %like for %route : !M, tensor<3x1xf32>, !x17 -> !x17
  return %0, %1, %2, %3, %4 : !x17, !x17, !x17, !x17, !x17
}

func.func @spread_column(%batch: !mom.batch, %like: !x1, %one: tensor<1xf32>, %m: tensor<3x1xf32>)
    -> (!x1, !x1) {
  %route = mom.modality_route %batch : !M
  %0 = mom.broadcast %one like %like : tensor<1xf32>, !x1 -> !x1
  %1 = mom.broadcast %m like %like for %route : !M, tensor<3x1xf32>, !x1 -> !x1
  return %0, %1 : !x1, !x1
}

// A mean by modality, as losses are made.
func.func @means(%batch: !mom.batch, %ids: !i, %v: !x1) -> (tensor<1xf32>, tensor<3xf32>, tensor<3xf32>) {
  %target = mom.next %ids in %batch : !i
  %there = mom.present %target : !i -> !x1
  %kept = arith.mulf %v, %there : !x1
  %m = mom.modality %batch : !i
  %hot = mom.one_hot %m : !i -> tensor<?x3xf32, #mom.rows<token>>
  %k = mom.broadcast %kept like %hot : !x1, tensor<?x3xf32, #mom.rows<token>> -> tensor<?x3xf32, #mom.rows<token>>
  %by = arith.mulf %hot, %k : tensor<?x3xf32, #mom.rows<token>>
  %sum = mom.reduce_rows %kept : !x1 -> tensor<1xf32>
  %count = mom.reduce_rows %there : !x1 -> tensor<1xf32>
  %mean = arith.divf %sum, %count : tensor<1xf32>
  %zero = mom.affine %mean {scale = 0.0 : f64, offset = 0.0 : f64} : tensor<1xf32>
  %some = arith.cmpf ogt, %count, %zero : tensor<1xf32>
  %safe = arith.select %some, %mean, %zero : tensor<1xi1>, tensor<1xf32>
  %sums = mom.reduce_rows %by : tensor<?x3xf32, #mom.rows<token>> -> tensor<3xf32>
  %counts = mom.reduce_rows %hot : tensor<?x3xf32, #mom.rows<token>> -> tensor<3xf32>
  return %safe, %sums, %counts : tensor<1xf32>, tensor<3xf32>, tensor<3xf32>
}

// Where no op asks for groups, rows stay by position but for what says otherwise.
func.func @reorder(%batch: !mom.batch, %x: !x17, %ids: !i) -> (!x17, !i, !i) {
  %route = mom.modality_route %batch : !M
  %s = mom.reorder %x for %route : !x17 -> tensor<?x17xf32, #mom.rows<token by "M">>, !M
  %t = mom.silu %s : tensor<?x17xf32, #mom.rows<token by "M">>
  %y = mom.reorder %t for %route : tensor<?x17xf32, #mom.rows<token by "M">> -> !x17, !M
  %si = mom.reorder %ids for %route : !i -> tensor<?x1xi32, #mom.rows<token by "M">>, !M
  %sn = mom.next %si in %batch : tensor<?x1xi32, #mom.rows<token by "M">>
  %i = mom.reorder %si for %route : tensor<?x1xi32, #mom.rows<token by "M">> -> !i, !M
  %n = mom.reorder %sn for %route : tensor<?x1xi32, #mom.rows<token by "M">> -> !i, !M
  return %y, %i, %n : !x17, !i, !i
}

// The same in an order that the compiler chose.
func.func @labels(%batch: !mom.batch, %ids: !i, %m: tensor<3x4xf32>)
    -> (!i, !i, !x1, tensor<?x5xf32, #mom.rows<token>>, tensor<?x4xf32, #mom.rows<token>>) {
  %route = mom.modality_route %batch : !M
  %n = mom.next %ids in %batch : !i
  %g = mom.modality %batch : !i
  %p = mom.present %n : !i -> !x1
  %h = mom.one_hot %n : !i -> tensor<?x5xf32, #mom.rows<token>>
  %h4 = mom.one_hot %g : !i -> tensor<?x4xf32, #mom.rows<token>>
  %b = mom.broadcast %m like %h4 for %route : !M, tensor<3x4xf32>, tensor<?x4xf32, #mom.rows<token>> -> tensor<?x4xf32, #mom.rows<token>>
  %s = arith.addf %b, %h4 : tensor<?x4xf32, #mom.rows<token>>
  return %n, %g, %p, %h, %s : !i, !i, !x1, tensor<?x5xf32, #mom.rows<token>>, tensor<?x4xf32, #mom.rows<token>>
}

// What the caller gave and gets back unchanged, and twice.
func.func @given(%batch: !mom.batch, %x: !x17, %ids: !i, %v: tensor<17xf32>)
    -> (!x17, !x17, !i, tensor<17xf32>) {
  return %x, %x, %ids, %v : !x17, !x17, !i, tensor<17xf32>
}

!x5 = tensor<?x5xf32, #mom.rows<token>>
!x12 = tensor<?x12xf32, #mom.rows<token>>

func.func @split(%batch: !mom.batch, %x: !x17) -> (!x5, !x12) {
  %a, %b = mom.split %x : !x17 -> !x5, !x12
  %c = mom.silu %a : !x5
  return %c, %b : !x5, !x12
}

func.func @concat(%batch: !mom.batch, %x: !x17, %z: !x1)
    -> (!x17, tensor<?x18xf32, #mom.rows<token>>) {
  %a, %b = mom.split %x : !x17 -> !x5, !x12
  %c = math.tanh %b : !x12
  %y = mom.concat %c, %a : !x12, !x5 -> !x17
  %w = mom.concat %a, %z, %c : !x5, !x1, !x12 -> tensor<?x18xf32, #mom.rows<token>>
  return %y, %w : !x17, tensor<?x18xf32, #mom.rows<token>>
}

// Parts of a product's result as operands of others.
func.func @split_product(%batch: !mom.batch, %x: !x17, %w: tensor<3x17x17xf32>, %v: tensor<5x12xf32>)
    -> (!x5, tensor<5x12xf32>) {
  %route = mom.modality_route %batch : !M
  %p = mom.linear %x by %w for %route : !M, !x17, tensor<3x17x17xf32> -> !x17
  %a, %b = mom.split %p : !x17 -> !x5, !x12
  %c = mom.linear %b by %v : !x12, tensor<5x12xf32> -> !x5
  %d = arith.addf %c, %a : !x5
  %dv = mom.linear_wgrad %b, %a : !x12, !x5 -> tensor<5x12xf32>
  return %d, %dv : !x5, tensor<5x12xf32>
}

// A document's row for each token, and sums over a document's tokens.
func.func @documents(%batch: !mom.batch, %x: !x17, %d: tensor<?x17xf32, #mom.rows<document>>, %ids: !i)
    -> (!x17, !x17, tensor<?x17xf32, #mom.rows<document>>, tensor<?x17xf32, #mom.rows<document>>,
        tensor<?x1xf32, #mom.rows<document>>, !x1) {
  %s = mom.spread %d in %batch : tensor<?x17xf32, #mom.rows<document>> -> !x17
  %t = mom.spread mean %d in %batch : tensor<?x17xf32, #mom.rows<document>> -> !x17
  %u = arith.mulf %s, %x : !x17
  %c = mom.collect %u in %batch : !x17 -> tensor<?x17xf32, #mom.rows<document>>
  %m = mom.collect mean %x in %batch : !x17 -> tensor<?x17xf32, #mom.rows<document>>
  %n = mom.rms_norm %m {eps = 1.0e-5 : f64} : tensor<?x17xf32, #mom.rows<document>>
  %one = mom.reduce sum %n : tensor<?x17xf32, #mom.rows<document>> -> tensor<?x1xf32, #mom.rows<document>>
  %e = mom.equals %ids, 2 : !i -> !x1
  return %u, %t, %c, %n, %one, %e : !x17, !x17, tensor<?x17xf32, #mom.rows<document>>,
      tensor<?x17xf32, #mom.rows<document>>, tensor<?x1xf32, #mom.rows<document>>, !x1
}

// The same of rows that lie by modality.
func.func @documents_by_modality(%batch: !mom.batch, %x: !x17, %d: tensor<?x17xf32, #mom.rows<document>>,
    %w: tensor<3x17x17xf32>) -> (!x17, tensor<?x17xf32, #mom.rows<document>>) {
  %route = mom.modality_route %batch : !M
  %y = mom.linear %x by %w for %route : !M, !x17, tensor<3x17x17xf32> -> !x17
  %s = mom.spread %d in %batch : tensor<?x17xf32, #mom.rows<document>> -> !x17
  %z = arith.addf %y, %s : !x17
  %c = mom.collect mean %z in %batch : !x17 -> tensor<?x17xf32, #mom.rows<document>>
  return %z, %c : !x17, tensor<?x17xf32, #mom.rows<document>>
}

// A condition on both sides of a sum over channels is computed twice: memory has no i1.
func.func @condition_12(%batch: !mom.batch, %x: tensor<?x12xf32, #mom.rows<token>>, %z: tensor<?x12xf32, #mom.rows<token>>, %dy: tensor<?x12xf32, #mom.rows<token>>)
    -> (tensor<?x12xf32, #mom.rows<token>>, tensor<?x12xf32, #mom.rows<token>>, tensor<?x12xf32, #mom.rows<token>>) {
  %c = arith.cmpf ogt, %x, %z : tensor<?x12xf32, #mom.rows<token>>
  %v = arith.select %c, %x, %z : tensor<?x12xi1, #mom.rows<token>>, tensor<?x12xf32, #mom.rows<token>>
  %y = mom.rms_norm %v {eps = 1.0e-5 : f64} : tensor<?x12xf32, #mom.rows<token>>
  %dv = mom.rms_norm_grad %v, %dy {eps = 1.0e-5 : f64} : tensor<?x12xf32, #mom.rows<token>>
  %g = arith.addf %dy, %dv : tensor<?x12xf32, #mom.rows<token>>
  %dx = arith.select %c, %g, %dy : tensor<?x12xi1, #mom.rows<token>>, tensor<?x12xf32, #mom.rows<token>>
  %dz = arith.select %c, %dy, %g : tensor<?x12xi1, #mom.rows<token>>, tensor<?x12xf32, #mom.rows<token>>
  return %y, %dx, %dz : tensor<?x12xf32, #mom.rows<token>>, tensor<?x12xf32, #mom.rows<token>>, tensor<?x12xf32, #mom.rows<token>>
}
