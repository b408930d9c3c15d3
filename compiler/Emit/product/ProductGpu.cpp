// GPU form of product kernels.
#include "compiler/Emit/product/ProductGpu.h"

using namespace mlir;
using namespace mom;

LogicalResult mom::emitProductGpu(KernelOp kernel, KernelBuilder &k) {
  return k.error() << "no GPU emitter for a product kernel";
}
