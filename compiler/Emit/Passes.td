// Passes that turn kernels into functions of scf, arith, math, vector and llvm.
#ifndef MOM_EMIT_PASSES
#define MOM_EMIT_PASSES

include "mlir/Pass/PassBase.td"

def JoinSumsPass : Pass<"mom-join-sums", "::mlir::ModuleOp"> {
  let summary = "the gradient of a bias comes with that of its weights";
  let description = [{
    A kernel that only sums rows by a route becomes a result of the kernel that makes a
    weight's gradient of the same rows and route, where that one multiplies by TMA (knob
    `unit` 3) and has shared memory left: there it is a column more of the product. Needs
    resolved schedules.
  }];
  let dependentDialects = ["::mom::MomDialect"];
}

def JoinReordersPass : Pass<"mom-join-reorders", "::mlir::ModuleOp"> {
  let summary = "a product stores rows by position that only a reorder would read";
  let description = [{
    A kernel that does nothing but reorder one result of a product, which nothing else reads,
    becomes the end of the product's kernel: that stores each row at its position. Needs
    resolved schedules.
  }];
  let dependentDialects = ["::mom::MomDialect"];
}

def JoinDecaysPass : Pass<"mom-join-decays", "::mlir::ModuleOp"> {
  let summary = "a scan makes its decays of their parameter";
  let description = [{
    Kernels of pointwise work on parameters that make a scan's A become part of the scan,
    and with its gradient what such a kernel makes of dA does. For GPUs.
  }];
  let dependentDialects = ["::mom::MomDialect"];
}

def JoinLaunchesPass : Pass<"mom-join-launches", "::mlir::ModuleOp"> {
  let summary = "last sums of several kernels, or products side by side, are one launch";
  let description = [{
    Launches that add up what blocks left (`mom.joins = "sums"`) and have grids of one size
    wait for each other in a function and become one, as long as nothing reads what they
    give: its blocks are dealt out to what the functions did. So do products by TMA
    (`"products"`) that stand side by side, of which none reads another. `mom.joined` has what
    was noted of each. Needs emitted kernels of a GPU.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::scf::SCFDialect",
                           "::mlir::arith::ArithDialect"];
}

def EmitCpuPass : Pass<"mom-emit-cpu", "::mlir::ModuleOp"> {
  let summary = "every kernel is an llvm.func of vector code and a mom.launch";
  let description = [{
    Each `mom.kernel` becomes one or more functions
    `llvm.func @<function>.<name>(buffers, block, scratch)` with the attribute
    `mom.scratch`, the bytes that each worker lends them, and as many
    `mom.launch` ops. Needs resolved schedules. Kernels without a user are
    erased.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect", "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect"];
}

def EmitGpuPass : Pass<"mom-emit-gpu", "::mlir::ModuleOp"> {
  let summary = "every kernel is an llvm.func of PTX's calling convention and a mom.launch";
  let description = [{
    As `mom-emit-cpu`, with one pointer argument a buffer, `mom.threads` threads a
    block and `mom.shared` bytes of shared memory.
  }];
  let options = [Option<"architecture", "architecture", "int64_t", /*default=*/"90",
                        "10 times the major compute capability plus the minor; 90 is sm_90a">];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect", "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect"];
}

def ExpandPointwisePass : Pass<"mom-expand-pointwise", "::mlir::ModuleOp"> {
  let summary = "emitted functions compute with arith and math.fma only";
  let description = [{
    Inside emitted functions, writes mom.sigmoid, mom.silu, mom.softplus and
    mom.affine out in arith and math, and exp, log, tanh and their relatives as
    polynomials for f32 vectors and scalars (`Approximations.cpp` gives each
    one's error). Functions of math that it does not know stay.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
                           "::mlir::vector::VectorDialect"];
}

#endif
