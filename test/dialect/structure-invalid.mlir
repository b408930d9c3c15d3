// RUN: mom-opt %s --split-input-file --verify-diagnostics

!w = tensor<1xf32>
func.func private @round(%c: !w, %w: !w) -> !w
func.func @repeat_c1_arguments(%c: !w) {
  // expected-error@+1 {{expected a callee with arguments}}
  %y = mom.repeat @round times 2 carry(%c) share() each() : (!w) -> !w
  return
}

// -----

!w = tensor<1xf32>
func.func private @round(%c: !w) -> (!w, !w)
func.func @repeat_c1_results(%c: !w) {
  // expected-error@+1 {{expected a callee with results}}
  %y = mom.repeat @round times 2 carry(%c) share() each() : (!w) -> !w
  return
}

// -----

!w = tensor<1xf32>
func.func private @round(%c: !w, %w: !w) -> !w
func.func @repeat_c2(%c: !w, %s: !mom.stack<3 x !w>) {
  // expected-error@+1 {{expected a stack of 2, but got '!mom.stack<3 x tensor<1xf32>>'}}
  %y = mom.repeat @round times 2 carry(%c) share() each(%s) : (!w, !mom.stack<3 x !w>) -> !w
  return
}

// -----

!w = tensor<1xf32>
func.func @repeat_callee(%c: !w) {
  // expected-error@+1 {{callee 'nothing' is not a function}}
  %y = mom.repeat @nothing times 2 carry(%c) share() each() : (!w) -> !w
  return
}

// -----

!w = tensor<1xf32>
func.func @kernel_c1(%x: !w) {
  // expected-error@+1 {{expected inputs}}
  %y = mom.kernel map "y"(%x) : (!w) -> tensor<2xf32> {
  ^bb0(%in: tensor<2xf32>):
    mom.yield %in : tensor<2xf32>
  }
  return
}

// -----

!w = tensor<1xf32>
func.func @kernel_c2(%x: !w) {
  // expected-error@+1 {{expected yielded values}}
  %y = mom.kernel map "y"(%x) : (!w) -> tensor<2xf32> {
  ^bb0(%in: !w):
    mom.yield %in : !w
  }
  return
}

// -----

!bits = tensor<1xi1>
func.func @kernel_c3(%x: !bits) {
  // expected-error@+1 {{expected no elements of type i1 in memory, but got 'tensor<1xi1>'}}
  %y = mom.kernel map "y"(%x) : (!bits) -> tensor<1xf32> {
  ^bb0(%in: !bits):
    %0 = arith.uitofp %in : !bits to tensor<1xf32>
    mom.yield %0 : tensor<1xf32>
  }
  return
}

// -----

func.func @callee(%x: tensor<1xf32>) -> tensor<1xf32> {
  return %x : tensor<1xf32>
}
func.func @repeat_c1(%x: tensor<1xf32>) {
  // expected-error@+1 {{expected a result for each of 1 carried values, but got 0 results}}
  mom.repeat @callee times 2 carry(%x) share() each() : (tensor<1xf32>) -> ()
  return
}
