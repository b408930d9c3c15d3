// How large the batches are that a program is compiled for.
#include "dialect/TrainedRows.h"

#include "dialect/Mom.h"

using namespace mlir;
using namespace mom;

std::optional<TrainedBatch> mom::trainedBatch(ModuleOp module) {
  auto train = module->getAttrOfType<DictionaryAttr>(attr::kTrain);
  auto streams = train ? train.getAs<IntegerAttr>("streams") : IntegerAttr();
  auto length = train ? train.getAs<IntegerAttr>("length") : IntegerAttr();
  if (!streams || !length)
    return std::nullopt;
  return TrainedBatch{streams.getInt(), length.getInt()};
}

std::optional<int64_t> mom::trainedRows(ModuleOp module) {
  std::optional<TrainedBatch> batch = trainedBatch(module);
  return batch ? std::optional(batch->streams * batch->length) : std::nullopt;
}
