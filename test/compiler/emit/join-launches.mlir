// Two weight gradients that are summed in parts: with their sums together, they are side by side.
// Of three products the second does not read the first, but the third does.
// RUN: mom-opt %s --mom-resolve-schedule="target=gpu architecture=90" --mom-emit-gpu --mom-join-launches | FileCheck %s

#t = #mom.rows<token>
!x = tensor<?x64xbf16, #t>
!xf = tensor<?x64xf32, #t>
!w = tensor<64x64xbf16>
!wf = tensor<64x64xf32>

// What sums do not read is no argument; blocks are dealt out, one part in the else of another.
// CHECK-LABEL: llvm.func ptx_kernelcc @sums$sums(
// CHECK-SAME:    passthrough = [
// CHECK-SAME:    ["nvvm.reqntid", "384"]
// CHECK:         "llvm.nvvm.read.ptx.sreg.ctaid.x"
// CHECK:         scf.if
// CHECK:         } else {
// CHECK:           scf.if
// CHECK:         llvm.return
// CHECK-LABEL: func.func @sums
// CHECK:         %[[PARTS:.*]]:4 = mom.launch @sums$a_parts_b_parts <tile 1 extra 0 factor 264>
// CHECK-NEXT:    %[[SUMS:.*]]:2 = mom.launch @sums$sums <tile 1 extra 0 factor 6>(%[[PARTS]]#0, %[[PARTS]]#2)
// CHECK-NEXT:    return %[[SUMS]]#0, %[[SUMS]]#1
func.func @sums(%x: !x, %y: !x) -> (!wf, !wf) {
  %0 = mom.kernel product "a"(%x, %y) schedule {split_k = 4 : i64} : (!x, !x) -> !wf {
  ^bb0(%a: !x, %b: !x):
    %1 = arith.extf %a : !x to !xf
    %2 = arith.extf %b : !x to !xf
    %3 = mom.linear_wgrad %1, %2 : !xf, !xf -> !wf
    mom.yield %3 : !wf
  }
  %4 = mom.kernel product "b"(%y, %x) schedule {split_k = 4 : i64} : (!x, !x) -> !wf {
  ^bb0(%a: !x, %b: !x):
    %1 = arith.extf %a : !x to !xf
    %2 = arith.extf %b : !x to !xf
    %3 = mom.linear_wgrad %1, %2 : !xf, !xf -> !wf
    mom.yield %3 : !wf
  }
  return %0, %4 : !wf, !wf
}

// CHECK-LABEL: func.func @products
// CHECK:         %[[BOTH:.*]]:4 = mom.launch @products$a_b <tile 1 extra 0 factor 264>
// CHECK-NEXT:    mom.launch @products$c <tile 1 extra 0 factor 132>(%[[BOTH]]#0,
func.func @products(%x: !x, %w: !w, %v: !w) -> (!x, !x) {
  %0 = mom.kernel product "a"(%x, %w) : (!x, !w) -> !x {
  ^bb0(%a: !x, %b: !w):
    %1 = arith.extf %a : !x to !xf
    %2 = arith.extf %b : !w to !wf
    %3 = mom.linear %1 by %2 : !xf, !wf -> !xf
    %4 = arith.truncf %3 : !xf to !x
    mom.yield %4 : !x
  }
  %5 = mom.kernel product "b"(%x, %v) : (!x, !w) -> !x {
  ^bb0(%a: !x, %b: !w):
    %1 = arith.extf %a : !x to !xf
    %2 = arith.extf %b : !w to !wf
    %3 = mom.linear %1 by %2 : !xf, !wf -> !xf
    %4 = arith.truncf %3 : !xf to !x
    mom.yield %4 : !x
  }
  %6 = mom.kernel product "c"(%0, %w) : (!x, !w) -> !x {
  ^bb0(%a: !x, %b: !w):
    %1 = arith.extf %a : !x to !xf
    %2 = arith.extf %b : !w to !wf
    %3 = mom.linear %1 by %2 : !xf, !wf -> !xf
    %4 = arith.truncf %3 : !xf to !x
    mom.yield %4 : !x
  }
  return %6, %5 : !x, !x
}

// With panels for what follows a product, too.
// CHECK-LABEL: llvm.func ptx_kernelcc @panels$a_b(
// CHECK:         setmaxnreg.dec.sync.aligned.u32 40;
// CHECK:         setmaxnreg.inc.sync.aligned.u32 232;
// CHECK:         setmaxnreg.dec.sync.aligned.u32 40;
// CHECK:         setmaxnreg.inc.sync.aligned.u32 232;
// CHECK-LABEL: func.func @panels
// CHECK:         mom.launch @panels$a_b <tile 1 extra 0 factor 264>
func.func @panels(%x: !x, %y: !x, %w: !w, %v: !w) -> (!x, !x) {
  %0 = mom.kernel product "a"(%x, %w, %y) : (!x, !w, !x) -> !x {
  ^bb0(%a: !x, %b: !w, %c: !x):
    %1 = arith.extf %a : !x to !xf
    %2 = arith.extf %b : !w to !wf
    %3 = arith.extf %c : !x to !xf
    %4 = mom.linear %1 by %2 : !xf, !wf -> !xf
    %5 = arith.addf %4, %3 : !xf
    %6 = arith.truncf %5 : !xf to !x
    mom.yield %6 : !x
  }
  %7 = mom.kernel product "b"(%x, %v) : (!x, !w) -> !x {
  ^bb0(%a: !x, %b: !w):
    %1 = arith.extf %a : !x to !xf
    %2 = arith.extf %b : !w to !wf
    %3 = mom.linear %1 by %2 : !xf, !wf -> !xf
    %4 = arith.truncf %3 : !xf to !x
    mom.yield %4 : !x
  }
  return %0, %7 : !x, !x
}
