// GPU form of map kernels: neighbouring threads take neighbouring channels, so
// that loads and stores of a warp fall into whole cache lines.
#include "compiler/Emit/map/MapGpu.h"

#include "compiler/Emit/Pointwise.h"

#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace mom;

/// Stores the results `outputs`, all of one width, at one element.
static void emitElement(KernelBuilder &k, ArrayRef<unsigned> outputs, At at) {
  PointwiseEmitter e(k, at);
  SmallVector<Value> values;
  for (unsigned i : outputs)
    values.push_back(e.value(k.yielded(i)));
  for (auto [i, value] : llvm::zip_equal(outputs, values))
    k.store(value, k.output(i), at);
}

LogicalResult mom::emitMapGpu(KernelOp kernel, KernelBuilder &k) {
  llvm::MapVector<int64_t, SmallVector<unsigned>> widths; // elements of a row -> results
  bool rows = isRows(kernel.getResult(0).getType());
  for (auto [i, result] : llvm::enumerate(kernel.getOutputs())) {
    if (failed(checkPointwise(k, k.yielded(i))))
      return failure();
    if (isRows(result.getType()) != rows)
      return k.error() << "expected rows or static tensors, but got "
                       << kernel.getResult(0).getType() << " and " << result.getType();
    widths[rows ? channelsOf(result) : cast<RankedTensorType>(result.getType()).getNumElements()]
        .push_back(i);
  }
  int64_t threads = k.knob("threads"), tile = k.knob("tile_rows"), chunk = k.knob("chunk");
  int64_t blocks = 1;
  k.begin();
  for (auto &group : widths) {
    int64_t width = group.first;
    ArrayRef<unsigned> outputs = group.second;
    if (rows) {
      Value first = k.mul(k.block(), tile); // row
      Value count = k.min(k.sub(k.count(kernel.getResult(0).getType()), first), k.index(tile));
      k.loop(k.thread(), k.mul(count, width), threads, [&](Value element) { // of the tile
        emitElement(k, outputs,
                    At{k.add(first, k.div(element, width)), k.rem(element, width), 1, Value()});
      });
    } else {
      Value first = k.mul(k.block(), chunk);
      Value end = k.min(k.add(first, chunk), k.index(width));
      k.loop(k.add(first, k.thread()), end, threads, [&](Value element) {
        emitElement(k, outputs, At{Value(), element, 1, Value()});
      });
      blocks = std::max<int64_t>(blocks, llvm::divideCeil(width, chunk));
    }
  }
  k.finish(rows ? k.rowGrid(rowsOf(kernel.getResult(0)).getSpace(), tile, 0, 1)
                : k.fixedGrid(blocks));
  return success();
}
