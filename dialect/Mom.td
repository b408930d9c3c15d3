// Mixture-of-Mamba dialect (arXiv 2501.16295): modality-routed linear layers
// and selective scans.
#ifndef MOM_DIALECT
#define MOM_DIALECT

include "mlir/IR/OpBase.td"

def Mom_Dialect : Dialect {
  let name = "mom";
  let cppNamespace = "::mom";
  let summary = "Mixture-of-Mamba: routed linear layers and selective scans";
  let description = [{
    Mixture-of-Mamba gives each modality its own weights in the projections of
    a Mamba block. This dialect says what such a block means.

    **Rows.** A token tensor is `tensor<?xCxf32, #mom.rows<...>>`: rows are
    tokens, channels are contiguous, the encoding names the row space and the
    order of the rows. Work on single rows does not care in which order they
    lie; `mom.conv1d` and `mom.scan` follow the sequence and read whole rows
    by index. So rows can stay sorted by modality through a whole model, and a
    routed product is one contiguous group of rows per modality.

    **Batch and route.** `!mom.batch` describes what the data brought,
    `!mom.route` one routing decision. Both are values of their own, so shapes
    stay dynamic and nothing is recompiled when they change.

    **Layers.** A layer is a function whose parameters are arguments;
    `mom.repeat` applies it with stacked parameters. Autodiff makes one joint
    forward and backward function of it, which partition cuts by what is saved.

    **Computing and storing.** Every float row tensor computes in f32; what a
    kernel stores is chosen after fusion at the boundary of `mom.kernel`.
  }];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let hasRegionResultAttrVerify = 1;
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
                           "::mlir::func::FuncDialect"];
}

#endif // MOM_DIALECT
