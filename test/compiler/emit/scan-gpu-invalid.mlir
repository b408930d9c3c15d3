// RUN: mom-opt %s --mom-resolve-schedule="target=gpu architecture=90" --mom-emit-gpu="architecture=90" --split-input-file --verify-diagnostics

!narrow = tensor<?x64xbf16, #mom.rows<token>>
!rows = tensor<?x64xf32, #mom.rows<token>>
!narrowStates = tensor<?x16xbf16, #mom.rows<token>>
!states = tensor<?x16xf32, #mom.rows<token>>

func.func @channels(%u: !narrow, %A: tensor<64x16xf32>, %B: !narrowStates, %batch: !mom.batch) -> !rows {
  // expected-error @below {{expected 2 as knob 'channels' of a gradient with unit 1, but got 1}}
  %0 = mom.kernel scan "du" (%u, %A, %B, %batch) schedule {channels = 1 : i64} : (!narrow, tensor<64x16xf32>, !narrowStates, !mom.batch) -> !rows {
  ^bb0(%u_: !narrow, %A_: tensor<64x16xf32>, %B_: !narrowStates, %batch_: !mom.batch):
    %wide = arith.extf %u_ : !narrow to !rows
    %wideB = arith.extf %B_ : !narrowStates to !states
    %du, %dd, %dA, %dB, %dC = mom.scan_grad %wide, %wide, %A_, %wideB, %wideB in %batch_ gradient %wide
        : !rows, !rows, tensor<64x16xf32>, !states, !states, !mom.batch, !rows -> !rows, !rows, tensor<64x16xf32>, !states, !states
    mom.yield %du : !rows
  }
  return %0 : !rows
}

// -----

!narrow = tensor<?x64xbf16, #mom.rows<token>>
!rows = tensor<?x64xf32, #mom.rows<token>>
!narrowStates = tensor<?x16xbf16, #mom.rows<token>>
!states = tensor<?x16xf32, #mom.rows<token>>

func.func @group(%u: !narrow, %A: tensor<64x16xf32>, %B: !narrowStates, %batch: !mom.batch) -> !rows {
  // expected-error @below {{expected a multiple of 8 as knob 'group' with unit 1, but got 4}}
  %0 = mom.kernel scan "du" (%u, %A, %B, %batch) schedule {group = 4 : i64} : (!narrow, tensor<64x16xf32>, !narrowStates, !mom.batch) -> !rows {
  ^bb0(%u_: !narrow, %A_: tensor<64x16xf32>, %B_: !narrowStates, %batch_: !mom.batch):
    %wide = arith.extf %u_ : !narrow to !rows
    %wideB = arith.extf %B_ : !narrowStates to !states
    %du, %dd, %dA, %dB, %dC = mom.scan_grad %wide, %wide, %A_, %wideB, %wideB in %batch_ gradient %wide
        : !rows, !rows, tensor<64x16xf32>, !states, !states, !mom.batch, !rows -> !rows, !rows, tensor<64x16xf32>, !states, !states
    mom.yield %du : !rows
  }
  return %0 : !rows
}
