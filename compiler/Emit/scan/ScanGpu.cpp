// GPU form of scan kernels: the choice of direction.
#include "compiler/Emit/scan/ScanGpu.h"

#include "compiler/Emit/scan/ScanTileGpu.h"

using namespace mlir;
using namespace mom;

LogicalResult mom::emitScanGpu(KernelOp kernel, KernelBuilder &k) {
  Operation *anchor = nullptr;
  for (Operation &op : kernel.getBody().front()) {
    if (!isa<ScanOp, ScanGradOp>(op))
      continue;
    if (anchor)
      return k.error() << "expected one scan in a scan kernel, but got two";
    anchor = &op;
  }
  if (auto scan = dyn_cast_or_null<ScanOp>(anchor))
    return emitScanForwardGpu(scan, k);
  if (auto grad = dyn_cast_or_null<ScanGradOp>(anchor))
    return emitScanGradGpu(grad, k);
  return k.error() << "expected one scan in a scan kernel, but got none";
}
