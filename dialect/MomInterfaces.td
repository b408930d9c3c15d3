// Mixture-of-Mamba dialect: how an op is differentiated, and how it treats
// the order of rows.
#ifndef MOM_INTERFACES
#define MOM_INTERFACES

include "mlir/IR/OpBase.td"

def Mom_DifferentiableOpInterface : OpInterface<"DifferentiableOpInterface"> {
  let cppNamespace = "::mom";
  let description = [{
    Builds the reverse-mode derivative. `arith` and `math` ops implement it by
    external models in `Derivatives.cpp`, beside the ops of this dialect.
  }];
  let methods = [InterfaceMethod<
    [{Builds, at `builder`, the gradient of each operand from the gradients of
      the results. `gradients` has one entry a result, null where no gradient
      arrives (but never all null). `active` has one entry an operand: only
      active operands want a gradient. Returns one entry an operand, null
      where there is none.}],
    "::llvm::SmallVector<::mlir::Value>", "buildBackward",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::ValueRange":$gradients,
         "::llvm::ArrayRef<bool>":$active)>];
}

def Mom_OrderedOpInterface : OpInterface<"OrderedOpInterface"> {
  let cppNamespace = "::mom";
  let description = [{
    Ops without this interface are indifferent: each row of a result depends on
    the same row of the operands only.
  }];
  let methods = [
    InterfaceMethod<"How the op treats the order of rows.",
      "::mom::OrderBehaviour", "getOrderBehaviour", (ins)>,
    InterfaceMethod<"The route whose order the rows must have, or null.",
      "::mlir::Value", "getRequiredRoute", (ins), "", "return {};">];
}

#endif // MOM_INTERFACES
