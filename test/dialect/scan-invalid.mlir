// RUN: mom-opt %s --split-input-file --verify-diagnostics

!x = tensor<?x2xf32, #mom.rows<token>>
!n = tensor<?x3xf32, #mom.rows<token>>
!other = tensor<?x2xf32, #mom.rows<token by "M">>
func.func @scan_c1(%batch: !mom.batch, %u: !x, %delta: !other, %A: tensor<2x3xf32>, %B: !n, %C: !n) {
  // expected-error@+1 {{expected delta of type 'tensor<?x2xf32, #mom.rows<token>>'}}
  %y = mom.scan %u, %delta, %A, %B, %C in %batch : !x, !other, tensor<2x3xf32>, !n, !n, !mom.batch -> !x
  return
}

// -----

!x = tensor<?x2xf32, #mom.rows<token>>
!n = tensor<?x3xf32, #mom.rows<token>>
func.func @scan_c2_A(%batch: !mom.batch, %u: !x, %A: tensor<3x3xf32>, %B: !n, %C: !n) {
  // expected-error@+1 {{expected A [2, states], but got 'tensor<3x3xf32>'}}
  %y = mom.scan %u, %u, %A, %B, %C in %batch : !x, !x, tensor<3x3xf32>, !n, !n, !mom.batch -> !x
  return
}

// -----

!x = tensor<?x2xf32, #mom.rows<token>>
!n = tensor<?x3xf32, #mom.rows<token>>
func.func @scan_c2_C(%batch: !mom.batch, %u: !x, %A: tensor<2x3xf32>, %B: !n) {
  // expected-error@+1 {{expected C of type 'tensor<?x3xf32, #mom.rows<token>>'}}
  %y = mom.scan %u, %u, %A, %B, %u in %batch : !x, !x, tensor<2x3xf32>, !n, !x, !mom.batch -> !x
  return
}

// -----

!x = tensor<?x2xf32, #mom.rows<token>>
!n = tensor<?x3xf32, #mom.rows<token>>
!state = tensor<?x5xf32, #mom.rows<stream>>
func.func @scan_c3(%batch: !mom.batch, %u: !x, %A: tensor<2x3xf32>, %B: !n, %init: !state) {
  // expected-error@+1 {{expected a state of stream rows with 6 channels}}
  %y = mom.scan %u, %u, %A, %B, %B in %batch init %init : !x, !x, tensor<2x3xf32>, !n, !n, !mom.batch, !state -> !x
  return
}

// -----

!x = tensor<?x2xf32, #mom.rows<token>>
!n = tensor<?x3xf32, #mom.rows<token>>
func.func @scan_c4(%batch: !mom.batch, %u: !x, %A: tensor<2x3xf32>, %B: !n) {
  // expected-error@+1 {{expected a state of chunk rows with 6 channels}}
  %y, %saved = mom.scan %u, %u, %A, %B, %B in %batch : !x, !x, tensor<2x3xf32>, !n, !n, !mom.batch -> !x checkpoints tensor<?x6xf32, #mom.rows<stream>>
  return
}

// -----

!x = tensor<?x2xf32, #mom.rows<token>>
!n = tensor<?x3xf32, #mom.rows<token>>
func.func @scan_grad_c1(%batch: !mom.batch, %u: !x, %A: tensor<2x3xf32>, %B: !n) {
  // expected-error@+1 {{expected a gradient of type 'tensor<2x3xf32>', but got 'tensor<3x2xf32>'}}
  %g:5 = mom.scan_grad %u, %u, %A, %B, %B in %batch gradient %u : !x, !x, tensor<2x3xf32>, !n, !n, !mom.batch, !x -> !x, !x, tensor<3x2xf32>, !n, !n
  return
}

// -----

!x = tensor<?x2xf32, #mom.rows<token>>
!n = tensor<?x3xf32, #mom.rows<token>>
!saved = tensor<?x5xf32, #mom.rows<chunk of 16>>
func.func @scan_grad_c2(%batch: !mom.batch, %u: !x, %A: tensor<2x3xf32>, %B: !n, %saved: !saved) {
  // expected-error@+1 {{expected a state of chunk rows with 6 channels}}
  %g:5 = mom.scan_grad %u, %u, %A, %B, %B in %batch gradient %u checkpoints %saved : !x, !x, tensor<2x3xf32>, !n, !n, !mom.batch, !x, !saved -> !x, !x, tensor<2x3xf32>, !n, !n
  return
}

// -----

!x = tensor<?x2xf32, #mom.rows<document>>
!n = tensor<?x3xf32, #mom.rows<document>>
func.func @scan_rows(%batch: !mom.batch, %u: !x, %A: tensor<2x3xf32>, %B: !n) {
  // expected-error@+1 {{expected rows of tokens, but got 'tensor<?x2xf32, #mom.rows<document>>'}}
  %y = mom.scan %u, %u, %A, %B, %B in %batch : !x, !x, tensor<2x3xf32>, !n, !n, !mom.batch -> !x
  return
}
