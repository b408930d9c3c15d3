// Mixture-of-Mamba dialect: base classes of its ops.
#ifndef MOM_OP_BASE
#define MOM_OP_BASE

include "MomTypes.td"
include "MomInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Mom_Op<string mnemonic, list<Trait> traits = []>
    : Op<Mom_Dialect, mnemonic, !listconcat([Pure], traits)> {
  let hasVerifier = 1;
}

// An op whose derivative stands in Derivatives.cpp.
class Mom_DiffOp<string mnemonic, list<Trait> traits = []>
    : Mom_Op<mnemonic, !listconcat([DeclareOpInterfaceMethods<Mom_DifferentiableOpInterface>], traits)>;

// Reads other rows than its own through the index of its route or batch.
def Mom_ByIndex : DeclareOpInterfaceMethods<Mom_OrderedOpInterface>;
// Needs rows in the order of its route, if it has one.
def Mom_Grouped : DeclareOpInterfaceMethods<Mom_OrderedOpInterface, ["getRequiredRoute"]>;

#endif // MOM_OP_BASE
