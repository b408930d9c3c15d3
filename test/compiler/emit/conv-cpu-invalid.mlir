// RUN: mom-opt %s --mom-resolve-schedule --mom-emit-cpu --split-input-file --verify-diagnostics

!rows = tensor<?x6xf32, #mom.rows<token>>
!taps = tensor<6x3xf32>

func.func @computed(%x: !rows, %w: !taps, %batch: !mom.batch) -> !rows {
  // expected-error @+1 {{expected operand #0 of mom.conv1d to be an input of the kernel, but the kernel computes it}}
  %0 = mom.kernel conv "y" (%x, %w, %batch) : (!rows, !taps, !mom.batch) -> !rows {
  ^bb0(%x_: !rows, %w_: !taps, %batch_: !mom.batch):
    // expected-note @+1 {{computed here}}
    %a = mom.silu %x_ : !rows
    %y = mom.conv1d %a by %w_ in %batch_ : !rows, !taps, !mom.batch -> !rows
    mom.yield %y : !rows
  }
  return %0 : !rows
}

// -----

!rows = tensor<?x6xf32, #mom.rows<token>>

func.func @none(%x: !rows) -> !rows {
  // expected-error @+1 {{expected one convolution in a conv kernel, but got none}}
  %0 = mom.kernel conv "y" (%x) : (!rows) -> !rows {
  ^bb0(%x_: !rows):
    %y = mom.silu %x_ : !rows
    mom.yield %y : !rows
  }
  return %0 : !rows
}
