// mom-opt: MLIR's optimizer driver with the Mixture-of-Mamba dialect and passes.
#include "compiler/Passes.h"
#include "dialect/Mom.h"

#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mom::registerDialects(registry);
  mom::registerPasses();
  mlir::registerTransformsPasses();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "Mixture-of-Mamba optimizer driver\n", registry));
}
