// RUN: mom-opt %s --split-input-file --verify-diagnostics

!logits = tensor<?x2xf32, #mom.rows<token>>
!target = tensor<?x1xi32, #mom.rows<token by "M">>
func.func @cross_entropy_c1(%logits: !logits, %target: !target) {
  // expected-error@+1 {{expected 1 channel and the rows of 'tensor<?x2xf32, #mom.rows<token>>', but got 'tensor<?x1xi32, #mom.rows<token by "M">>'}}
  %nll, %lse = mom.cross_entropy %logits, %target : !logits, !target -> tensor<?x1xf32, #mom.rows<token>>
  return
}

// -----

!logits = tensor<?x2xf32, #mom.rows<token>>
!target = tensor<?x1xi32, #mom.rows<token>>
func.func @cross_entropy_grad_c1(%logits: !logits, %target: !target) {
  // expected-error@+1 {{expected 1 channel and the rows of}}
  %d = mom.cross_entropy_grad %logits, %target, %logits gradient %logits : !logits, !target, !logits
  return
}
