// GPU form of scan kernels.
#include "compiler/Emit/scan/ScanGpu.h"

using namespace mlir;
using namespace mom;

LogicalResult mom::emitScanGpu(KernelOp kernel, KernelBuilder &k) {
  return k.error() << "no GPU emitter for a scan kernel";
}
