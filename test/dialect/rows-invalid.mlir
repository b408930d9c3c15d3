// RUN: mom-opt %s --split-input-file --verify-diagnostics

!x = tensor<?x2xf32, #mom.rows<token>>
func.func @reorder_c1(%x: !x, %route: !mom.route<"M", 3>) {
  // expected-error@+1 {{expected one side by position and the other by "M"}}
  %y = mom.reorder %x for %route : !x -> tensor<?x2xf32, #mom.rows<token by "e">>, !mom.route<"M", 3>
  return
}

// -----

!x = tensor<?x2xf32, #mom.rows<token>>
func.func @reorder_c2(%x: !x, %route: !mom.route<"M", 3>) {
  // expected-error@+1 {{expected types that differ in order only}}
  %y = mom.reorder %x for %route : !x -> tensor<?x3xf32, #mom.rows<token by "M">>, !mom.route<"M", 3>
  return
}

// -----

!i = tensor<?x1xi32, #mom.rows<token>>
func.func @present_c1(%x: !i) {
  // expected-error@+1 {{expected 1 channels of the result, but got 2}}
  %y = mom.present %x : !i -> tensor<?x2xf32, #mom.rows<token>>
  return
}

// -----

!i = tensor<?x1xi32, #mom.rows<token>>
func.func @one_hot_c1(%x: !i) {
  // expected-error@+1 {{expected the same rows}}
  %y = mom.one_hot %x : !i -> tensor<?x2xf32, #mom.rows<token by "M">>
  return
}

// -----

!x = tensor<?x2xf32, #mom.rows<token>>
func.func @broadcast_c1_rows(%x: tensor<2xf32>, %like: !x) {
  // expected-error@+1 {{expected a result like 'tensor<?x2xf32, #mom.rows<token>>'}}
  %y = mom.broadcast %x like %like : tensor<2xf32>, !x -> tensor<?x2xf32, #mom.rows<token by "M">>
  return
}

// -----

func.func @broadcast_c1_static(%x: tensor<1xf32>, %like: tensor<2x3xf32>) {
  // expected-error@+1 {{expected a result like 'tensor<2x3xf32>', but got 'tensor<3x2xf32>'}}
  %y = mom.broadcast %x like %like : tensor<1xf32>, tensor<2x3xf32> -> tensor<3x2xf32>
  return
}

// -----

!x = tensor<?x2xf32, #mom.rows<token>>
func.func @broadcast_c2(%x: tensor<3xf32>, %like: !x) {
  // expected-error@+1 {{expected 1 or 2 channels, but got 3}}
  %y = mom.broadcast %x like %like : tensor<3xf32>, !x -> !x
  return
}

// -----

!x = tensor<?x2xf32, #mom.rows<token>>
func.func @broadcast_c3(%x: tensor<2x2xf32>, %like: !x, %route: !mom.route<"M", 3>) {
  // expected-error@+1 {{expected a matrix of 3 rows, one a group, but got 'tensor<2x2xf32>'}}
  %y = mom.broadcast %x like %like for %route : !mom.route<"M", 3>, tensor<2x2xf32>, !x -> !x
  return
}

// -----

// A number has no channels: it is written as a vector of one element.
!x = tensor<?x2xf32, #mom.rows<token>>
func.func @broadcast_scalar(%x: tensor<f32>, %like: !x) {
  // expected-error@+1 {{operand #0 must be}}
  %y = mom.broadcast %x like %like : tensor<f32>, !x -> !x
  return
}

// -----

!x = tensor<?x2xf32, #mom.rows<token>>
func.func @reduce_c1_rows(%x: !x) {
  // expected-error@+1 {{expected rows of 1 channel like}}
  %y = mom.reduce sum %x : !x -> !x
  return
}

// -----

func.func @reduce_c1_static(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{expected a vector of 1 element, but got 'tensor<2xf32>'}}
  %y = mom.reduce sum %x : tensor<2x3xf32> -> tensor<2xf32>
  return
}

// -----

!x = tensor<?x2xf32, #mom.rows<token>>
func.func @reduce_rows_c1(%x: !x, %route: !mom.route<"M", 3>) {
  // expected-error@+1 {{expected a result of shape [3, 2], but got 'tensor<2xf32>'}}
  %y = mom.reduce_rows %x for %route : !mom.route<"M", 3>, !x -> tensor<2xf32>
  return
}

// -----

!x = tensor<?x2xf32, #mom.rows<token>>
func.func @split_c1(%x: !x) {
  // expected-error@+1 {{expected 4 channels of the operand, but got 2}}
  %a, %b = mom.split %x : !x -> !x, !x
  return
}

// -----

!x = tensor<?x2xf32, #mom.rows<token>>
func.func @concat_c1(%x: !x) {
  // expected-error@+1 {{expected 4 channels of the result, but got 2}}
  %y = mom.concat %x, %x : !x, !x -> !x
  return
}

// -----

func.func @concat_c2(%x: tensor<?x2xf32, #mom.rows<token>>, %y: tensor<?x2xbf16, #mom.rows<token>>) {
  // expected-error@+1 {{expected parts of 'f32', but got 'tensor<?x2xbf16, #mom.rows<token>>'}}
  %z = mom.concat %x, %y : tensor<?x2xf32, #mom.rows<token>>, tensor<?x2xbf16, #mom.rows<token>> -> tensor<?x4xf32, #mom.rows<token>>
  return
}

// -----

!i = tensor<?x1xi32, #mom.rows<token>>
func.func @embedding_c1(%ids: !i, %table: tensor<5x2xf32>) {
  // expected-error@+1 {{expected 2 channels of the result, but got 3}}
  %y = mom.embedding %ids from %table : !i, tensor<5x2xf32> -> tensor<?x3xf32, #mom.rows<token>>
  return
}

// -----

!i = tensor<?x1xi32, #mom.rows<token>>
func.func @embedding_grad_c1(%ids: !i, %dy: tensor<?x2xf32, #mom.rows<stream>>) {
  // expected-error@+1 {{expected the same rows}}
  %y = mom.embedding_grad %ids, %dy : !i, tensor<?x2xf32, #mom.rows<stream>> -> tensor<5x2xf32>
  return
}

// -----

// expected-error@+1 {{expected a number with, and only with, the spaces 'chunk' and 'copy'}}
func.func @rows_chunk(%x: tensor<?x2xf32, #mom.rows<chunk>>) {
  return
}

// -----

// expected-error@+1 {{rows of space 'stream' have no order by a route}}
func.func @rows_route(%x: tensor<?x2xf32, #mom.rows<stream by "M">>) {
  return
}

// -----

!i = tensor<?x1xi32, #mom.rows<token>>
func.func @equals_c1(%x: !i) {
  // expected-error@+1 {{expected 1 channels of the result, but got 2}}
  %y = mom.equals %x, 1 : !i -> tensor<?x2xf32, #mom.rows<token>>
  return
}

// -----

!i = tensor<?x1xi32, #mom.rows<token>>
func.func @equals_c2(%x: !i) {
  // expected-error@+1 {{expected a value of at least 0, but got -1}}
  %y = mom.equals %x, -1 : !i -> tensor<?x1xf32, #mom.rows<token>>
  return
}

// -----

!d = tensor<?x2xf32, #mom.rows<document>>
func.func @spread_c1(%x: !d, %batch: !mom.batch) {
  // expected-error@+1 {{expected document and token rows with the same channels}}
  %y = mom.spread %x in %batch : !d -> tensor<?x3xf32, #mom.rows<token>>
  return
}

// -----

!d = tensor<?x2xf32, #mom.rows<document>>
func.func @collect_c1(%x: !d, %batch: !mom.batch) {
  // expected-error@+1 {{expected document and token rows with the same channels}}
  %y = mom.collect %x in %batch : !d -> !d
  return
}

// -----

!i = tensor<?x3xi32, #mom.rows<token>>
!y = tensor<?x1xf32, #mom.rows<token>>
func.func @present_channels(%x: !i) {
  // expected-error@+1 {{'mom.present' op expected}}
  %y = mom.present %x : !i -> !y
  return
}
