// RUN: mom-opt %s --mom-resolve-schedule --mom-emit-cpu --split-input-file --verify-diagnostics

!rows = tensor<?x6xf32, #mom.rows<token>>
!A = tensor<6x6xf32>

func.func @computed(%u: !rows, %A: !A, %batch: !mom.batch) -> !rows {
  // expected-error @+1 {{expected operand #3 of mom.scan to be an input of the kernel, but the kernel computes it}}
  %0 = mom.kernel scan "y" (%u, %A, %batch) : (!rows, !A, !mom.batch) -> !rows {
  ^bb0(%u_: !rows, %A_: !A, %batch_: !mom.batch):
    // expected-note @+1 {{computed here}}
    %B = mom.silu %u_ : !rows
    %y = mom.scan %u_, %u_, %A_, %B, %u_ in %batch_ : !rows, !rows, !A, !rows, !rows, !mom.batch -> !rows
    mom.yield %y : !rows
  }
  return %0 : !rows
}

// -----

!rows = tensor<?x6xf32, #mom.rows<token>>
!A = tensor<6x6xf32>

func.func @without_checkpoints(%u: !rows, %A: !A, %batch: !mom.batch) -> !rows {
  // expected-error @+1 {{expected checkpoints of the scan, but mom.scan_grad has none}}
  %0 = mom.kernel scan "du" (%u, %A, %batch) : (!rows, !A, !mom.batch) -> !rows {
  ^bb0(%u_: !rows, %A_: !A, %batch_: !mom.batch):
    %du, %dd, %dA, %dB, %dC = mom.scan_grad %u_, %u_, %A_, %u_, %u_ in %batch_ gradient %u_
        : !rows, !rows, !A, !rows, !rows, !mom.batch, !rows -> !rows, !rows, !A, !rows, !rows
    mom.yield %du : !rows
  }
  return %0 : !rows
}

// -----

!rows = tensor<?x6xf32, #mom.rows<token>>
!A = tensor<6x6xf32>

func.func @two(%u: !rows, %A: !A, %batch: !mom.batch) -> !rows {
  // expected-error @+1 {{expected one scan in a scan kernel, but got two}}
  %0 = mom.kernel scan "y" (%u, %A, %batch) : (!rows, !A, !mom.batch) -> !rows {
  ^bb0(%u_: !rows, %A_: !A, %batch_: !mom.batch):
    %y = mom.scan %u_, %u_, %A_, %u_, %u_ in %batch_ : !rows, !rows, !A, !rows, !rows, !mom.batch -> !rows
    %z = mom.scan %y, %u_, %A_, %u_, %u_ in %batch_ : !rows, !rows, !A, !rows, !rows, !mom.batch -> !rows
    mom.yield %z : !rows
  }
  return %0 : !rows
}

// -----

!rows = tensor<?x6xf32, #mom.rows<token>>
!A = tensor<6x6xf32>

// What sums over channels is known to a second launch only.
func.func @after_dB(%u: !rows, %A: !A, %batch: !mom.batch, %k: tensor<?x36xf32, #mom.rows<chunk of 4>>) -> !rows {
  // expected-error @+1 {{a scan kernel cannot compute mom.scan_grad here}}
  %0 = mom.kernel scan "dB" (%u, %A, %batch, %k) : (!rows, !A, !mom.batch, tensor<?x36xf32, #mom.rows<chunk of 4>>) -> !rows {
  ^bb0(%u_: !rows, %A_: !A, %batch_: !mom.batch, %k_: tensor<?x36xf32, #mom.rows<chunk of 4>>):
    // expected-note @+1 {{it is used by what the kernel yields}}
    %du, %dd, %dA, %dB, %dC = mom.scan_grad %u_, %u_, %A_, %u_, %u_ in %batch_ gradient %u_ checkpoints %k_
        : !rows, !rows, !A, !rows, !rows, !mom.batch, !rows, tensor<?x36xf32, #mom.rows<chunk of 4>> -> !rows, !rows, !A, !rows, !rows
    %z = mom.silu %dB : !rows
    mom.yield %z : !rows
  }
  return %0 : !rows
}
