// RUN: mom-opt %s --mom-add-next --split-input-file --verify-diagnostics | FileCheck %s

!x = tensor<?x6xf32, #mom.rows<token>>
!l = tensor<?x9xf32, #mom.rows<token>>
!i = tensor<?x1xi32, #mom.rows<token>>
!n = tensor<?x1xf32, #mom.rows<token>>

// CHECK: module attributes {mom.model = @m}
module attributes {mom.model = @m} {
  func.func private @f(%x: !x, %batch: !mom.batch, %w: tensor<6x4xf32> {mom.param = "w"},
                       %A: tensor<6x2xf32> {mom.param = "A"}, %b: tensor<4x6xf32> {mom.param = "b"})
      -> !x attributes {mom.layer} {
    %u = mom.conv1d %x by %w in %batch : !x, tensor<6x4xf32>, !mom.batch -> !x
    %bc = mom.linear %x by %b : !x, tensor<4x6xf32> -> tensor<?x4xf32, #mom.rows<token>>
    %B, %C = mom.split %bc : tensor<?x4xf32, #mom.rows<token>>
        -> tensor<?x2xf32, #mom.rows<token>>, tensor<?x2xf32, #mom.rows<token>>
    %y = mom.scan %u, %u, %A, %B, %C in %batch : !x, !x, tensor<6x2xf32>,
        tensor<?x2xf32, #mom.rows<token>>, tensor<?x2xf32, #mom.rows<token>>, !mom.batch -> !x
    return %y : !x
  }

  func.func @m(%batch: !mom.batch, %id: !i {mom.input = "id", mom.limit = 9 : i64},
               %unused: !x {mom.input = "unused"}, %table: tensor<9x6xf32> {mom.param = "table"},
               %w: !mom.stack<3 x tensor<6x4xf32>> {mom.param = "l.{}.w"},
               %A: !mom.stack<3 x tensor<6x2xf32>> {mom.param = "l.{}.A"},
               %b: !mom.stack<3 x tensor<4x6xf32>> {mom.param = "l.{}.b"},
               %v: tensor<6x4xf32> {mom.param = "v"}, %head: tensor<9x6xf32> {mom.param = "head"})
      -> (tensor<1xf32> {mom.loss = "lm"}) {
    %e = mom.embedding %id from %table : !i, tensor<9x6xf32> -> !x
    %c = mom.conv1d %e by %v in %batch : !x, tensor<6x4xf32>, !mom.batch -> !x
    %h = mom.repeat @f times 3 carry(%c) share(%batch) each(%w, %A, %b)
        : (!x, !mom.batch, !mom.stack<3 x tensor<6x4xf32>>, !mom.stack<3 x tensor<6x2xf32>>,
           !mom.stack<3 x tensor<4x6xf32>>) -> !x
    %logits = mom.linear %h by %head : !x, tensor<9x6xf32> -> !l
    %target = mom.next %id in %batch : !i
    %nll, %lse = mom.cross_entropy %logits, %target : !l, !i -> !n
    %loss = mom.reduce_rows %nll : !n -> tensor<1xf32>
    return %loss : tensor<1xf32>
  }
}

// CHECK: func.func @m.next(
// CHECK-NOT: unused
// CHECK-SAME: tensor<?x18xf32, #mom.rows<stream>> {mom.offset = 0 : i64, mom.state = "states"}
// CHECK-SAME: !mom.stack<3 x tensor<?x18xf32, #mom.rows<stream>>> {mom.offset = 1 : i64, mom.state = "states"}
// CHECK-SAME: !mom.stack<3 x tensor<?x12xf32, #mom.rows<stream>>> {mom.offset = 2 : i64, mom.state = "states"}
// CHECK-SAME: (tensor<?x9xf32, #mom.rows<token>> {mom.output = "id"},
// CHECK-SAME: mom.state = "next_states"
// CHECK-SAME: attributes {mom.entry = "next"}
// CHECK-NOT: mom.next
// CHECK: return

// CHECK: func.func private @f.next(%{{.*}}: tensor<?x6xf32, #mom.rows<token>>, %{{.*}}: !mom.batch,
// CHECK-SAME: %[[CONV:[^ ]+]]: tensor<?x18xf32, #mom.rows<stream>>, %[[SCAN:[^ ]+]]: tensor<?x12xf32, #mom.rows<stream>>)
// CHECK: mom.conv1d {{.*}} init %[[CONV]]
// CHECK: mom.scan {{.*}} init %[[SCAN]]
// CHECK: return %{{.*}}, %{{.*}}, %{{.*}} : tensor<?x6xf32, #mom.rows<token>>, tensor<?x18xf32, #mom.rows<stream>>, tensor<?x12xf32, #mom.rows<stream>>

// What is drawn replaces ids, modalities and places.
// CHECK: func.func @m.draw(%{{.*}}: tensor<?x1xi32, #mom.rows<token>> {mom.input = "id", mom.limit = 9 : i64},
// CHECK-SAME: tensor<?x9xf32, #mom.rows<token>> {mom.input = "draw.logits"}
// CHECK-SAME: tensor<9xi32> {mom.input = "draw.groups"}
// CHECK-SAME: {mom.offset = 0 : i64, mom.state = "argument"}
// CHECK-SAME: {mom.offset = 0 : i64, mom.state = "modality"}
// CHECK-SAME: {mom.offset = 2 : i64, mom.state = "argument"}
// CHECK-SAME: attributes {mom.entry = "draw"}
// CHECK: mom.draw

// -----

!x = tensor<?x6xf32, #mom.rows<token>>
!i = tensor<?x1xi32, #mom.rows<token>>
!n = tensor<?x1xf32, #mom.rows<token>>
module attributes {mom.model = @backwards} {
  func.func @backwards(%batch: !mom.batch, %id: !i {mom.input = "id"},
                       %table: tensor<6x6xf32> {mom.param = "table"},
                       %v: tensor<6x4xf32> {mom.param = "v"}) -> (tensor<1xf32> {mom.loss = "lm"}) {
    %e = mom.embedding %id from %table : !i, tensor<6x6xf32> -> !x
    // expected-error@+1 {{the model has no entry 'next': it walks from the end}}
    %c = mom.conv1d reverse %e by %v in %batch : !x, tensor<6x4xf32>, !mom.batch -> !x
    %target = mom.next %id in %batch : !i
    %nll, %lse = mom.cross_entropy %c, %target : !x, !i -> !n
    %loss = mom.reduce_rows %nll : !n -> tensor<1xf32>
    return %loss : tensor<1xf32>
  }
}

// -----

module attributes {mom.model = @nothing} {
  // expected-error@+1 {{expected a cross entropy whose target is next(...) of an input}}
  func.func @nothing(%batch: !mom.batch) {
    return
  }
}

// -----

// What layers add up over all tokens for a loss is left out; what comes back to the
// logits by way of another round is not.
!x = tensor<?x6xf32, #mom.rows<token>>
!i = tensor<?x1xi32, #mom.rows<token>>
!n = tensor<?x1xf32, #mom.rows<token>>
module attributes {mom.model = @sums} {
  func.func private @g(%x: !x, %scale: !x, %sum: !n, %batch: !mom.batch) -> (!x, !x, !n) attributes {mom.layer} {
    %y = arith.mulf %x, %scale : !x
    %s = mom.silu %scale : !x
    %all = mom.reduce_rows %x : !x -> tensor<6xf32>
    %spread = mom.broadcast %all like %x : tensor<6xf32>, !x -> !x
    %one = mom.reduce sum %spread : !x -> !n
    %next = arith.addf %sum, %one : !n
    return %y, %s, %next : !x, !x, !n
  }
  func.func @sums(%batch: !mom.batch, %id: !i {mom.input = "id"}, %table: tensor<6x6xf32> {mom.param = "table"})
      -> (tensor<1xf32> {mom.loss = "lm"}) {
    %e = mom.embedding %id from %table : !i, tensor<6x6xf32> -> !x
    %zero = mom.reduce sum %e : !x -> !n
    %h, %scale, %sum = mom.repeat @g times 3 carry(%e, %e, %zero) share(%batch) each()
        : (!x, !x, !n, !mom.batch) -> (!x, !x, !n)
    %target = mom.next %id in %batch : !i
    %nll, %lse = mom.cross_entropy %h, %target : !x, !i -> !n
    %both = arith.addf %nll, %sum : !n
    %loss = mom.reduce_rows %both : !n -> tensor<1xf32>
    return %loss : tensor<1xf32>
  }
}

// CHECK: func.func private @g.next(%[[X:.*]]: tensor<?x6xf32, #mom.rows<token>>, %[[SCALE:.*]]: tensor<?x6xf32, #mom.rows<token>>, %{{.*}}: !mom.batch)
// CHECK-NEXT: %[[Y:.*]] = arith.mulf %[[X]], %[[SCALE]]
// CHECK-NEXT: %[[S:.*]] = mom.silu %[[SCALE]]
// CHECK-NEXT: return %[[Y]], %[[S]] :

// -----

// Layers called one after the other: the sum that each hands to the next is not there at all.
!x = tensor<?x6xf32, #mom.rows<token>>
!i = tensor<?x1xi32, #mom.rows<token>>
!n = tensor<?x1xf32, #mom.rows<token>>
module attributes {mom.model = @chain} {
  func.func private @h(%x: !x, %sum: !n, %batch: !mom.batch, %w: tensor<6xf32> {mom.param = "w"}) -> (!x, !n) attributes {mom.layer} {
    %y = mom.silu %x : !x
    %all = mom.reduce_rows %x : !x -> tensor<6xf32>
    %weighted = arith.mulf %all, %w : tensor<6xf32>
    %spread = mom.broadcast %weighted like %x : tensor<6xf32>, !x -> !x
    %one = mom.reduce sum %spread : !x -> !n
    %next = arith.addf %sum, %one : !n
    return %y, %next : !x, !n
  }
  // Read but not handed on: what it adds up is dropped, what it is given is not.
  func.func private @k(%x: !x, %scale: !x, %batch: !mom.batch) -> (!x, !x) attributes {mom.layer} {
    %y = arith.mulf %x, %scale : !x
    %all = mom.reduce_rows %x : !x -> tensor<6xf32>
    %spread = mom.broadcast %all like %x : tensor<6xf32>, !x -> !x
    %next = arith.addf %scale, %spread : !x
    return %y, %next : !x, !x
  }
  func.func @chain(%batch: !mom.batch, %id: !i {mom.input = "id"}, %table: tensor<6x6xf32> {mom.param = "table"},
                   %v: !mom.stack<1 x tensor<6xf32>> {mom.param = "a.w"}, %w: !mom.stack<2 x tensor<6xf32>> {mom.param = "b.{}.w"})
      -> (tensor<1xf32> {mom.loss = "lm"}) {
    %e = mom.embedding %id from %table : !i, tensor<6x6xf32> -> !x
    %zero = mom.reduce sum %e : !x -> !n
    %a, %s = mom.repeat @h times 1 carry(%e, %zero) share(%batch) each(%v)
        : (!x, !n, !mom.batch, !mom.stack<1 x tensor<6xf32>>) -> (!x, !n)
    %b, %t = mom.repeat @h times 2 carry(%a, %s) share(%batch) each(%w)
        : (!x, !n, !mom.batch, !mom.stack<2 x tensor<6xf32>>) -> (!x, !n)
    %c, %u = mom.repeat @k times 1 carry(%b, %e) share(%batch) each() : (!x, !x, !mom.batch) -> (!x, !x)
    %target = mom.next %id in %batch : !i
    %nll, %lse = mom.cross_entropy %c, %target : !x, !i -> !n
    %both = arith.addf %nll, %t : !n
    %loss = mom.reduce_rows %both : !n -> tensor<1xf32>
    return %loss : tensor<1xf32>
  }
}

// CHECK: func.func @chain.next(
// CHECK-NOT: mom.param = "a.w"
// CHECK-SAME: {mom.param = "table"})
// CHECK-NOT: mom.reduce
// CHECK: %[[A:.*]] = mom.repeat @h.next times 1 carry(%[[E:.*]]) share(%arg0) each()
// CHECK: %[[B:.*]] = mom.repeat @h.next times 2 carry(%[[A]]) share(%arg0) each()
// CHECK: mom.repeat @k.next times 1 carry(%[[B]], %[[E]]) share(%arg0) each()
// CHECK: func.func private @h.next(%[[X:.*]]: tensor<?x6xf32, #mom.rows<token>>, %{{.*}}: !mom.batch)
// CHECK-NEXT: %[[Y:.*]] = mom.silu %[[X]]
// CHECK-NEXT: return %[[Y]] : tensor
// CHECK: func.func private @k.next(%[[X:.*]]: tensor<?x6xf32, #mom.rows<token>>, %[[SCALE:.*]]: tensor<?x6xf32, #mom.rows<token>>,
// CHECK-NEXT: %[[Y:.*]] = arith.mulf %[[X]], %[[SCALE]]
// CHECK-NEXT: return %[[Y]], %[[SCALE]] :
