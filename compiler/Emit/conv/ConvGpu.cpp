// GPU form of convolution kernels.
#include "compiler/Emit/conv/ConvGpu.h"

using namespace mlir;
using namespace mom;

LogicalResult mom::emitConvGpu(KernelOp kernel, KernelBuilder &k) {
  return k.error() << "no GPU emitter for a convolution kernel";
}
