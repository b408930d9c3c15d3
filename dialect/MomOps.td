// Mixture-of-Mamba dialect: the single entry for mlir-tblgen.
#ifndef MOM_OPS
#define MOM_OPS

include "PointwiseOps.td"
include "RowOps.td"
include "RouteOps.td"
include "ProductOps.td"
include "SequenceOps.td"
include "LossOps.td"
include "StructureOps.td"

#endif // MOM_OPS
