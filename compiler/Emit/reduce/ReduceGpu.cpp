// GPU form of row-summing kernels.
#include "compiler/Emit/reduce/ReduceGpu.h"

using namespace mlir;
using namespace mom;

LogicalResult mom::emitReduceGpu(KernelOp kernel, KernelBuilder &k) {
  return k.error() << "no GPU emitter for a row-summing kernel";
}
