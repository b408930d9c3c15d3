// RUN: not mom-opt %s --mom-assign-order=order=colour 2>&1 | FileCheck %s
// CHECK: expected order auto, modality or position, but got colour
module {}
