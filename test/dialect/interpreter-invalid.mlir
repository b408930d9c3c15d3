// What the interpreter and mom-compare refuse, with both facts.
// RUN: not mom-compare %s --function unknown 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// UNKNOWN: [[#@LINE+1]]:{{.*}} error: 'math.atan' op is not known to the reference interpreter
func.func @unknown(%x: tensor<2xf32>) -> tensor<2xf32> { %y = math.atan %x : tensor<2xf32> return %y : tensor<2xf32> }

// RUN: not mom-compare %s --function endless 2>&1 | FileCheck %s --check-prefix=ENDLESS
// ENDLESS: error: calls are nested deeper than 64
func.func @endless(%x: tensor<2xf32>) -> tensor<2xf32> {
  %y = call @endless(%x) : (tensor<2xf32>) -> tensor<2xf32>
  return %y : tensor<2xf32>
}

// RUN: not mom-compare %s --function declared 2>&1 | FileCheck %s --check-prefix=DECLARED
// DECLARED: error: expected a function with a body of one block
func.func private @declared()

// RUN: not mom-compare %s --function values --lengths=3 2>&1 | FileCheck %s --check-prefix=VALUES
// VALUES: error: argument #1: expected values of shape [3, 1], but got 'tensor<2x1xf32>'
func.func @values(%batch: !mom.batch,
    %x: tensor<?x1xf32, #mom.rows<token>> {mom.values = dense<1.0> : tensor<2x1xf32>}) {
  return
}

// RUN: not mom-compare %s --function dynamic 2>&1 | FileCheck %s --check-prefix=DYNAMIC
// DYNAMIC: error: argument #0: no random values for type 'tensor<?xf32>'
func.func @dynamic(%x: tensor<?xf32>) {
  return
}

// RUN: not mom-compare %s --function values --gradient --lengths=2 2>&1 | FileCheck %s --check-prefix=JOINT
// JOINT: error: expected a function with its gradients, named values.joint or values.gradient

// RUN: not mom-compare %s --function nowhere 2>&1 | FileCheck %s --check-prefix=NOWHERE
// NOWHERE: error: has no function 'nowhere'

// RUN: not mom-compare %s --tokens 3 --segments 5 2>&1 | FileCheck %s --check-prefix=SEGMENTS
// SEGMENTS: error: expected 1 to 3 segments, as there are tokens, but got 5
// RUN: not mom-compare %s --lengths=-3,5 2>&1 | FileCheck %s --check-prefix=LENGTHS
// LENGTHS: error: expected segment 0 within 2 tokens
// RUN: not mom-compare %s --lengths=2 --modality=0 2>&1 | FileCheck %s --check-prefix=COUNT
// COUNT: error: expected a modality for each of 2 tokens, but got 1
// RUN: not mom-compare %s --lengths=2 --modality=0,9 2>&1 | FileCheck %s --check-prefix=MODALITY
// MODALITY: error: expected a modality below 3, but token 1 has 9
// RUN: not mom-compare %s --modalities-empty 0,1,2 2>&1 | FileCheck %s --check-prefix=EMPTY
// EMPTY: error: expected a modality with tokens, but all are empty
